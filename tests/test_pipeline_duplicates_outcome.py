import numpy as np
import pyarrow as pa
import pytest
from conftest import prose, run_stages

from pipeline.duplicates.outcome import (
    Duplicates,
    read_duplicates,
    read_stands,
    read_survivors,
    stands_for,
)

ROWS = [
    {"id": "a", "text": prose(1)},
    {"id": "b", "text": prose(2)},
    {"id": "b again", "text": prose(2)},
    {"id": "b more", "text": prose(2)},
]


def test_what_a_matched_part_has(job_of):
    job = job_of(ROWS, "raw", ["dedup={minhash: null}"])
    run_stages(job, until="match")
    found = read_duplicates(job, 0)
    assert found["reason"].to_pylist() == ["dedup.exact"] * 2
    assert found["value"].to_pylist() == [1.0, 1.0]
    [kept] = set(found["kept_id"].to_pylist())
    rows = [n for n, row in enumerate(ROWS) if row["id"].startswith("b") and row["id"] != kept]
    assert found["row"].to_pylist() == rows
    expected = [3 if row["id"] == kept else 1 for row in ROWS]
    assert stands_for(read_stands(job, 0), 0, 4).tolist() == expected


def test_nothing_is_matched_without_deduplication(job_of):
    job = job_of(ROWS, "raw", ["dedup=null"])
    assert len(read_survivors(job, 0)) == len(read_duplicates(job, 0)) == 0
    assert stands_for(read_stands(job, 0), 0, 4).tolist() == [1] * 4


@pytest.mark.parametrize(
    ("start", "expected"), [(0, [1, 5, 1]), (1, [5, 1, 1]), (4, [7, 1, 1]), (9, [1, 1, 1])]
)
def test_documents_stand_for_themselves_or_more(start, expected):
    stands = pa.table({"row": pa.array([1, 4], pa.uint32()), "cluster_size": [5, 7]})
    found = stands_for(stands, start, 3)
    assert found.tolist() == expected
    assert found.dtype == np.uint32


def test_duplicates_of_a_batch_are_numbered_within_it():
    table = pa.table(
        {"row": [7, 9], "kept_id": ["a", "b"], "value": [1.0, 0.8], "reason": ["x", "y"]}
    )
    found = Duplicates.of(table, 7)
    assert found.rows.tolist() == [0, 2]
    assert found.kept_ids == ["a", "b"]
    assert found.reasons == ["x", "y"]
