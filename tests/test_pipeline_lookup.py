"""Documents are found by id, and only their row groups are read."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from evidence_output import Document, write_output

from pipeline.lookup import Place, kept, places, read_rows

DOCUMENTS = [Document(f"d{n}", f"text {n}") for n in range(9)]
DOCUMENTS += [Document("twin", "one"), Document("twin", "two", duplicate_of="d0", reason="exact")]


@pytest.fixture
def output(tmp_path: Path) -> str:
    return str(write_output(tmp_path, DOCUMENTS))


def test_places_of_ids(output: str) -> None:
    assert dict(places(output, ["d0", "d3", "nobody"])) == {
        "d0": Place("part-00000.parquet", 0),
        "d3": Place("part-00001.parquet", 1),
    }
    assert sorted(place.row for _, place in places(output, ["twin"])) == [4, 5]
    assert list(places(output, [])) == []


def test_rows_are_those_of_the_file(output: str) -> None:
    url = f"{output}/documents/part-00000.parquet"
    assert pq.ParquetFile(url).num_row_groups == 3
    whole = pq.read_table(url)
    assert read_rows(url, [0, 3, 5]).to_pylist() == whole.take([0, 3, 5]).to_pylist()
    assert read_rows(url, [4], ["text"]).to_pylist() == [{"text": whole["text"][4].as_py()}]


def test_other_row_groups_are_not_read(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    whole = pq.ParquetFile.read_row_group
    monkeypatch.setattr(
        pq.ParquetFile,
        "read_row_group",
        lambda self, group, **more: read.append(group) or whole(self, group, **more),
    )
    read_rows(f"{output}/documents/part-00000.parquet", [2, 3])
    assert read == [1]


def test_only_the_kept_one_of_equal_ids(output: str) -> None:
    assert kept(output, ["twin", "d1", "nobody"], ["text"]) == {
        "twin": {"text": "one"},
        "d1": {"text": "text 1"},
    }
