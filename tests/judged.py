"""Small sets of documents, judged from end to end, and what is always true of the outcome."""

import pyarrow.parquet as pq
from conftest import prose, run_stages

from dedup.jaccard import jaccard
from dedup.shingles import shingle_hashes
from pipeline import storage
from pipeline.arrow_files import read_arrow

A, B, C = (prose(seed, words=120) for seed in (1, 2, 3))


def judged(job_of, rows, *settings: str, out: str = "out"):
    """Runs mill, match and verdicts; returns the job and the ledger's rows by id."""
    job = job_of(rows, "raw", ["dedup={}", *settings], out=out)
    run_stages(job, until="bin")
    return job, ledger(job)


def ledger(job) -> dict[str, dict]:
    rows = [
        row
        for part in range(job.n_parts)
        for row in read_arrow(job.output.part("work/verdicts", part, ".arrow")).to_pylist()
    ]
    found = {row["id"]: row for row in rows}
    check(job, rows)
    return found


def check(job, rows) -> None:
    """Checks what is always true of a ledger and of clusters/."""
    kept = [row for row in rows if row["verdict"] == "kept"]
    duplicates = [row for row in rows if row["verdict"] == "duplicate"]
    names = {row["id"] for row in kept}
    clusters = table(job, "clusters")
    if job.recipe.dedup.against is None and job.recipe.dedup.over == "kept":
        assert all(row["duplicate_of"] in names for row in duplicates)
        assert sum(row["cluster_size"] for row in kept) == len(rows) - sum(
            row["verdict"] in ("filtered", "error") for row in rows
        )
        assert len(clusters) == len(duplicates)
    for row in rows:
        assert (row["cluster_size"] is None) == (row["verdict"] != "kept")
        assert (row["duplicate_of"] is None) == (row["verdict"] != "duplicate")
    told = {(row["id"], row["kept_id"], row["reason"], row["jaccard"]) for row in clusters}
    for row in duplicates:
        assert (row["id"], row["duplicate_of"], row["reason"], row["value"]) in told


def table(job, folder: str) -> list[dict]:
    files = storage.list_files(job.output.path(folder))
    return [row for file in files for row in pq.read_table(file.url).to_pylist()]


def fate(row: dict) -> tuple:
    """Returns why and for whom a document is dropped, else its verdict and cluster size."""
    if row["verdict"] == "duplicate":
        return row["reason"].removeprefix("dedup."), row["duplicate_of"]
    return row["verdict"], row["cluster_size"]


def fates(found: dict[str, dict]) -> dict[str, tuple]:
    return {name: fate(row) for name, row in found.items()}


def longer(text: str, size: int) -> str:
    """Returns a text equal up to white space that is longer by `size` bytes."""
    return text + "\n" * size


def similarity(one: str, other: str) -> float:
    return jaccard(shingle_hashes(one, 5), shingle_hashes(other, 5))
