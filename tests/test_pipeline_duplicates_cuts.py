from pathlib import Path

import pyarrow as pa
import pytest
from conftest import make_test_job

from pipeline.arrow_files import write_arrow
from pipeline.duplicates.cuts import (
    RANGES_SCHEMA,
    REMAINS_SCHEMA,
    ranges_of,
    read_remains,
    removed_bytes,
)


@pytest.mark.parametrize("settings", [[], ["dedup.exact=words"]])
def test_without_passages_nothing_is_read_or_cut(tmp_path: Path, settings: list[str]) -> None:
    job = make_test_job(tmp_path, {"a.jsonl": [{"text": "one"}]}, "raw", settings)
    assert ranges_of(job, 0) == {}
    remains = read_remains(job, 0)
    assert len(remains) == 0
    assert removed_bytes(remains, 5, 3).tolist() == [0, 0, 0]


def test_files_are_read_by_row(tmp_path: Path) -> None:
    job = make_test_job(tmp_path, {"a.jsonl": [{"text": "one"}]}, "raw", ["dedup.passages={}"])
    ranges = pa.table([[3, 3, 7], [0, 9, 2], [4, 12, 5]], schema=RANGES_SCHEMA)
    write_arrow(job.output.part("work/passages", 0, ".arrow"), ranges)
    assert ranges_of(job, 0) == {3: [(0, 4), (9, 12)], 7: [(2, 5)]}
    columns = [[3, 7], [11, 6], [5, 80], [True, False], ["x", "y"]]
    write_arrow(
        job.output.part("work/remains", 0, ".arrow"), pa.table(columns, schema=REMAINS_SCHEMA)
    )
    remains = read_remains(job, 0)
    assert removed_bytes(remains, 0, 9).tolist() == [0, 0, 0, 11, 0, 0, 0, 6, 0]
    assert removed_bytes(remains, 4, 3).tolist() == [0, 0, 0]
    assert removed_bytes(remains, 7, 2).tolist() == [6, 0]
