"""The report's figures of duplicates, from pairs/ and clusters/; nothing grows with the corpus."""

import dataclasses
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from filters.redaction import Options, redact
from pipeline import storage
from pipeline.cluster_list import Cluster, add_members, barely_below, first_clusters
from pipeline.lookup import stands, stories
from pipeline.output import Job
from pipeline.redacting import options_of
from pipeline.text_diff import Diff, compare

MOST_CLUSTERS = 10  # the largest, and the most suspicious
MOST_HUNKS = 2
MOST_PIECES = 8  # of a hunk
LONGEST = 120  # characters of a piece
BINS = 40


def duplicates(job: Job) -> dict[str, Any] | None:
    """Returns what the report says of duplicates; None if the recipe looks for none."""
    dedup, root = job.recipe.dedup, job.output.root
    if dedup is None:
        return None
    threshold = dedup.minhash.threshold if dedup.minhash else None
    largest = first_clusters(root, threshold, "clusters", MOST_CLUSTERS)
    suspicious = first_clusters(root, threshold, "suspicious", MOST_CLUSTERS)
    add_members(root, [*largest, *suspicious])
    _add_diffs(job, [*largest, *suspicious])
    summary = {k: v for k, v in job.summaries("match")[0].items() if k != "fingerprint"}
    found = {
        **summary,
        "over": dedup.over,
        "threshold": threshold,
        "barely_below": None if threshold is None else barely_below(threshold),
        "sizes": _sizes(root),
        "largest": largest,
        "suspicious": suspicious,
    }
    if threshold is not None:
        edges = bin_edges(threshold)
        found["pairs_by_jaccard"] = _histogram(_pairs(root), edges)
        found["dropped_by_jaccard"] = _histogram(_dropped(root), edges)
    return found


def _sizes(root: str) -> list[list[int]]:
    """Returns how many clusters there are of each size."""
    members: Counter[int] = Counter()
    for file in storage.list_files(f"{root}/clusters"):
        with storage.open_binary(file.url) as source:
            column = pq.read_table(source, columns=["cluster_size"])["cluster_size"]
        for row in column.value_counts().to_pylist():
            members[row["values"]] += row["counts"]
    # A cluster of n documents has n - 1 rows.
    return [[size, count // (size - 1)] for size, count in sorted(members.items())]


def bin_edges(threshold: float) -> NDArray[np.float64]:
    """Returns the edges of bins from 0 to 1, one of which is the threshold."""
    below = max(1, round(BINS * threshold))
    above = max(1, BINS - below)
    return np.unique(
        np.r_[np.linspace(0, threshold, below + 1), np.linspace(threshold, 1, above + 1)]
    )


def _histogram(values: Iterator[NDArray[np.float64]], edges: NDArray[np.float64]) -> dict[str, Any]:
    counts = np.zeros(len(edges) - 1, np.int64)
    for some in values:
        counts += np.bincount(np.searchsorted(edges[1:-1], some, "right"), minlength=len(counts))
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def _pairs(root: str) -> Iterator[NDArray[np.float64]]:
    for file in storage.list_files(f"{root}/pairs"):
        with storage.open_binary(file.url) as source:
            yield pq.read_table(source, columns=["jaccard"])["jaccard"].to_numpy()


def _dropped(root: str) -> Iterator[NDArray[np.float64]]:
    near = pc.field("reason") == "dedup.minhash"
    for file in storage.list_files(f"{root}/clusters"):
        with storage.open_binary(file.url) as source:
            yield pq.read_table(source, columns=["jaccard"], filters=near)["jaccard"].to_numpy()


def _add_diffs(job: Job, clusters: list[Cluster]) -> None:
    """Adds to each cluster how the text of its least similar member differs from the kept one."""
    assert job.recipe.dedup is not None
    options = dataclasses.replace(options_of(job.recipe.redaction), names=())
    wanted = {name for one in clusters for name in (one["kept_id"], one["least_similar"])}
    texts = _texts(job.output.root, wanted)
    if against := job.recipe.dedup.against:
        texts = _texts(against.rstrip("/"), wanted) | texts
    for cluster in clusters:
        old = texts.get((cluster["kept_id"], True))
        new = texts.get((cluster["least_similar"], False))
        if old is not None and new is not None:
            cluster["diff"] = _shortened(compare(old, new), options)


def _texts(root: str, ids: set[str]) -> dict[tuple[str, bool], str]:
    """Returns texts by id and whether the document stands for others."""
    found = stories(root, ids, ["id", "text"])
    return {(story["id"], stands(story)): story["text"] for story in found}


def _shortened(diff: Diff, options: Options) -> dict[str, Any]:
    """Returns the beginning of what differs.

    Each piece is redacted once more: the beginning of a long number can be one of another kind.
    """
    hunks = [
        [
            {"kind": piece.kind, "text": _clipped(piece.text, options)}
            for piece in hunk.pieces[:MOST_PIECES]
        ]
        for hunk in diff.hunks[:MOST_HUNKS]
    ]
    return {"removed": diff.removed, "added": diff.added, "hunks": hunks}


def _clipped(text: str, options: Options) -> str:
    return redact(text[:LONGEST], options).text + "…" * (len(text) > LONGEST)
