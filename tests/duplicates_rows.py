"""What tests of the match stage read of an output, and what should be there."""

from itertools import combinations
from typing import Any

import pyarrow.parquet as pq

from dedup.shingles import normalise
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


def shingles(text: str, size: int = 5) -> set[str]:
    """Returns the shingles as strings."""
    words = normalise(text).split()
    if len(words) < size:
        return {" ".join(words)} if words else set()
    return {" ".join(words[k : k + size]) for k in range(len(words) - size + 1)}


def brute_force(rows: list[dict[str, Any]], size: int = 5) -> dict[tuple[str, str], float]:
    """Returns the Jaccard of all pairs of documents, from sets of strings."""
    sets = sorted((row["id"], shingles(row["text"], size)) for row in rows)
    return {
        (a, b): len(one & other) / len(one | other)
        for (a, one), (b, other) in combinations(sets, 2)
        if one or other
    }
