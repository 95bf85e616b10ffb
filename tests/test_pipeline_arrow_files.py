from pathlib import Path

import pyarrow as pa

from pipeline.arrow_files import from_bytes, read_arrow, to_bytes, write_arrow

SCHEMA = pa.schema([("row", pa.uint32()), ("id", pa.string())])


def rows(*values: tuple[int, str | None]) -> pa.Table:
    return pa.table(list(map(list, zip(*values, strict=True))), schema=SCHEMA)


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    table = rows((1, "a"), (2, None))
    for url in (str(tmp_path / "t.arrow"), "memory://test_arrow_files/t.arrow"):
        write_arrow(url, table)
        assert read_arrow(url) == table


def test_bytes_of_several_tables_are_one_table_again() -> None:
    one, two = rows((1, "a"), (2, None)), rows((0, "b"))
    assert from_bytes([to_bytes(one), b"", to_bytes(two)], SCHEMA) == pa.concat_tables([one, two])
    assert from_bytes([b"", b""], SCHEMA) == SCHEMA.empty_table()
    assert from_bytes(iter([]), SCHEMA).schema == SCHEMA


def test_bytes_of_a_table_are_compressed() -> None:
    assert len(to_bytes(rows(*((n, "the same") for n in range(10_000))))) < 80_000  # of 160,000
