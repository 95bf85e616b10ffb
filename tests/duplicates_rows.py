"""What tests of the match stage read of an output."""

from typing import Any

import pyarrow.parquet as pq

from pipeline import storage


def rows_of(job: Any, folder: str) -> list[dict[str, Any]]:
    """Returns the rows of all files of a folder of the output, in the order of their names."""
    files = sorted(storage.list_files(job.output.path(folder)), key=lambda file: file.url)
    return [row for file in files for row in pq.read_table(file.url).to_pylist()]


def pairs_of(job: Any) -> dict[tuple[str, str], float]:
    """Returns the exact Jaccard of every pair in pairs/, after a look at its order."""
    found: dict[tuple[str, str], float] = {}
    for row in rows_of(job, "pairs"):
        pair = (row["a"], row["b"])
        assert row["a"] < row["b"]
        assert pair not in found
        found[pair] = row["jaccard"]
    return found
