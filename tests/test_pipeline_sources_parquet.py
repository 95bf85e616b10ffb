from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import UserError
from pipeline.sources import parquet
from pipeline.sources.records import Record, SourceOptions, Split, Unreadable

OPTIONS = SourceOptions()


def split(path, start, end) -> Split:
    return Split(0, "parquet", str(path), start, end, path.stat().st_size, "")


def write(path, columns, rows_per_group=10):
    pq.write_table(pa.table(columns), path, row_group_size=rows_per_group)
    return path


def test_row_groups_and_places(tmp_path):
    path = write(
        tmp_path / "a.parquet",
        {"text": [f"t{k}" for k in range(25)], "id": range(25), "other": ["x"] * 25},
    )
    assert len(parquet.row_group_sizes(str(path), OPTIONS)) == 3
    whole = list(parquet.read(split(path, 0, 3), OPTIONS))
    assert whole == [Record(str(k), f"t{k}", str(k)) for k in range(25)]
    parts = [item for k in range(3) for item in parquet.read(split(path, k, k + 1), OPTIONS)]
    assert parts == whole


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())],
)
def test_kinds_of_strings(tmp_path, kind):
    column = pa.array(["a", "", None], pa.string()).cast(kind)
    path = write(tmp_path / "a.parquet", {"text": column})
    assert list(parquet.read(split(path, 0, 1), OPTIONS)) == [
        Record("0", "a"),
        Record("1", ""),
        Unreadable("2", "not_text", 0),
    ]


def test_nested_and_dotted_names(tmp_path):
    path = write(
        tmp_path / "a.parquet",
        {"doc": [{"body": "b", "junk": 1}], "meta": [{"url": "u"}], "meta.id": ["i"]},
    )
    options = replace(OPTIONS, text_field="doc.body", url_field="meta.url", id_field="meta.id")
    assert parquet.row_group_sizes(str(path), options)
    assert list(parquet.read(split(path, 0, 1), options)) == [Record("0", "b", "i", "u")]


def test_the_column_of_the_snapshot(tmp_path):
    path = write(
        tmp_path / "a.parquet",
        {"text": ["a", "b"], "snapshot": ["2024-10", None], "meta": [{"dump": 7}, {"dump": 8}]},
    )
    found = [item.snapshot for item in parquet.read(split(path, 0, 1), OPTIONS)]
    assert found == ["2024-10", None]
    options = replace(OPTIONS, snapshot_field="meta.dump")
    assert [item.snapshot for item in parquet.read(split(path, 0, 1), options)] == ["7", "8"]


def test_missing_or_wrong_text_column(tmp_path):
    path = write(tmp_path / "a.parquet", {"content": ["a"], "text": [1]})
    with pytest.raises(UserError, match="it has content, text"):
        parquet.row_group_sizes(str(path), replace(OPTIONS, text_field="body"))
    with pytest.raises(UserError, match="holds int64, not strings"):
        parquet.row_group_sizes(str(path), OPTIONS)


def test_damaged_footer(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 this is no parquet file PAR1")
    assert parquet.row_group_sizes(str(path), OPTIONS) is None
    assert list(parquet.read(split(path, 0, 0), OPTIONS)) == [
        Unreadable("0", "invalid_parquet", path.stat().st_size)
    ]


def test_damaged_pages_give_one_error_for_their_split(tmp_path):
    path = write(tmp_path / "a.parquet", {"text": [f"text {k} " * 50 for k in range(30)]})
    data = bytearray(path.read_bytes())
    start = pq.read_metadata(path).row_group(1).column(0).data_page_offset
    data[start : start + 60] = b"\xff" * 60
    path.write_bytes(data)
    items = [item for k in range(3) for item in parquet.read(split(path, k, k + 1), OPTIONS)]
    assert [item.place for item in items if isinstance(item, Record)] == [
        str(k) for k in (*range(10), *range(20, 30))
    ]
    assert [i for i in items if isinstance(i, Unreadable)] == [
        Unreadable("10", "invalid_parquet", len(data))
    ]


def test_invalid_utf8_spoils_one_row(tmp_path):
    raw = pa.array([b"good", b"\xff\xfe", b"fine"], pa.binary())
    column = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    path = write(tmp_path / "a.parquet", {"text": column})
    assert list(parquet.read(split(path, 0, 1), OPTIONS)) == [
        Record("0", "good"),
        Unreadable("1", "invalid_utf8", 0),
        Record("2", "fine"),
    ]


def test_large_rows_are_read_a_few_at_a_time(tmp_path):
    path = tmp_path / "a.parquet"
    table = pa.table({"text": [chr(97 + k) * (2 << 20) for k in range(26)]})
    # Pages of one row: what a page holds has to be in memory at once.
    pq.write_table(table, path, use_dictionary=False, write_batch_size=1, compression="none")
    del table
    pa.default_memory_pool().release_unused()
    before = pa.total_allocated_bytes()
    peak = 0
    for item in parquet.read(split(path, 0, 1), OPTIONS):
        assert isinstance(item, Record)
        peak = max(peak, pa.total_allocated_bytes() - before)
    assert peak < 30 << 20


def test_too_large(tmp_path):
    path = write(tmp_path / "a.parquet", {"text": ["x" * 11]})
    options = replace(OPTIONS, max_document_bytes=10)
    assert list(parquet.read(split(path, 0, 1), options)) == [Unreadable("0", "too_large", 11)]
