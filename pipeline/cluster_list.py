"""The clusters of an output, the largest or the most suspicious first.

A member is **barely similar** if its exact Jaccard similarity to the kept document lies in the
lowest quarter between the threshold and 1: from 0.80 to 0.85 for a threshold of 0.80. The more
barely similar members a cluster has, the more suspicious it is; of as many, the one with the lower
mean. Members with an equal text or URL are never barely similar.
"""

import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from rich.console import Console
from rich.text import Text

from pipeline import storage
from pipeline.errors import UsageError
from pipeline.look import read_manifest
from pipeline.visible import visible

Cluster = dict[str, Any]
MOST_SOURCES = 4  # shown of a cluster


def clusters(output: str, order: str, limit: int) -> tuple[list[Cluster], float | None]:
    """Returns the first clusters of a finished output, with their members' sources.

    Returns:
        What `first_clusters` and `add_members` tell of each, and the threshold.

    Raises:
        UsageError: the output is not finished, or was made without deduplication.
    """
    root = output.rstrip("/")
    settings = read_manifest(root)["recipe"]["dedup"]
    if settings is None:
        raise UsageError(f"{root} has no clusters: its recipe looks for no duplicates")
    threshold = settings["minhash"] and settings["minhash"]["threshold"]
    found = first_clusters(root, threshold, order, limit)
    add_members(root, found)
    return found, threshold


def barely_below(threshold: float) -> float:
    """Returns the Jaccard similarity below which a near-duplicate is barely similar."""
    return threshold + (1 - threshold) / 4


def first_clusters(root: str, threshold: float | None, order: str, limit: int) -> list[Cluster]:
    """Returns the first clusters, in memory of one file of clusters/.

    Args:
        root: The output.
        threshold: That of near-duplicates; None if the recipe looks for none.
        order: "clusters" for the largest first, "suspicious" for the most suspicious ones.
        limit: How many.

    Returns:
        For each `kept_id`, `cluster_size`, `reasons` with counts, `lowest_jaccard` and
        `mean_jaccard` (of members that have one, else None), and `barely_similar`, a count.
    """
    bound = 0.0 if threshold is None else barely_below(threshold)
    return heapq.nsmallest(limit, _clusters(root, bound, order, limit), key=_KEYS[order])


def _by_size(cluster: Cluster) -> tuple[Any, ...]:
    return -cluster["cluster_size"], cluster["kept_id"]


def _by_suspicion(cluster: Cluster) -> tuple[Any, ...]:
    return -cluster["barely_similar"], cluster["mean_jaccard"], cluster["kept_id"]


_KEYS: dict[str, Callable[[Cluster], tuple[Any, ...]]] = {
    "clusters": _by_size,
    "suspicious": _by_suspicion,
}


def _clusters(root: str, bound: float, order: str, limit: int) -> Iterator[Cluster]:
    """Yields the first clusters of each file."""
    for file in storage.list_files(f"{root}/clusters"):
        with storage.open_binary(file.url) as source:
            table = pq.read_table(source)
        if not len(table):
            continue
        starts, ends = _runs(table["kept_id"])
        jaccards = table["jaccard"].to_numpy()
        known = ~np.isnan(jaccards)
        near = pc.equal(table["reason"], "dedup.minhash").to_numpy()
        barely = np.add.reduceat(near & (jaccards < bound), starts, dtype=np.int64)
        lowest = np.minimum.reduceat(np.where(known, jaccards, np.inf), starts)
        total = np.add.reduceat(np.where(known, jaccards, 0.0), starts)
        count = np.add.reduceat(known, starts, dtype=np.int64)
        sizes = table["cluster_size"].to_numpy()[starts].astype(np.int64)
        mean = np.divide(total, count, where=count > 0, out=np.full(len(starts), np.inf))
        keys = (-sizes,) if order == "clusters" else (mean, -barely)
        for place in np.lexsort(keys)[:limit]:  # stable, and the file is sorted by kept_id
            if order == "suspicious" and not barely[place]:
                continue
            members = table["reason"].slice(starts[place], ends[place] - starts[place])
            yield {
                "kept_id": table["kept_id"][int(starts[place])].as_py(),
                "cluster_size": int(sizes[place]),
                "reasons": _counts(members),
                "lowest_jaccard": float(lowest[place]) if count[place] else None,
                "mean_jaccard": float(mean[place]) if count[place] else None,
                "barely_similar": int(barely[place]),
            }


def _runs(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns where the runs of equal values of a sorted column start and end."""
    numbers = column.combine_chunks().dictionary_encode().indices.to_numpy()
    changes = np.flatnonzero(numbers[1:] != numbers[:-1]) + 1
    return np.r_[0, changes], np.r_[changes, len(numbers)]


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    counts = column.value_counts().to_pylist()
    return {row["values"]: row["counts"] for row in sorted(counts, key=lambda row: -row["counts"])}


def add_members(root: str, clusters: list[Cluster]) -> None:
    """Adds to each cluster its `sources` with counts, and its `least_similar` member's id.

    One with an equal URL and no Jaccard is the least similar of those that have none.
    """
    wanted = pa.array([cluster["kept_id"] for cluster in clusters], pa.string())
    members = [
        table
        for file in storage.list_files(f"{root}/clusters")
        if len(table := _where(file.url, pc.field("kept_id").isin(wanted)))
    ]
    if not members:
        return
    table = pa.concat_tables(members).combine_chunks()
    source_of = _sources(root, pa.concat_arrays([table["id"].combine_chunks(), wanted]))
    for cluster in clusters:
        mine = table.filter(pc.equal(table["kept_id"], cluster["kept_id"]))
        order = pc.sort_indices(mine, [("jaccard", "ascending"), ("id", "ascending")])
        ids = mine["id"].to_pylist()
        cluster["least_similar"] = ids[order[0].as_py()]
        # A kept document that another output has is in no source of this one.
        known = (source_of.get(identifier) for identifier in [cluster["kept_id"], *ids])
        cluster["sources"] = dict(Counter(source for source in known if source).most_common())


def _where(url: str, wanted: pc.Expression) -> pa.Table:
    with storage.open_binary(url) as source:
        return pq.read_table(source, filters=wanted)


def _sources(root: str, ids: pa.Array) -> dict[str, str]:
    """Returns the sources of documents."""
    found: dict[str, str] = {}
    for file in storage.list_files(f"{root}/documents"):
        with storage.open_binary(file.url) as source:
            table = pq.read_table(source, columns=["id", "source"])
        table = table.filter(pc.is_in(table["id"], value_set=ids))
        found.update(zip(table["id"].to_pylist(), table["source"].to_pylist(), strict=True))
    return found


def print_clusters(
    clusters: list[Cluster], threshold: float | None, console: Console, as_json: bool
) -> None:
    """Prints clusters, or JSON lines."""
    if as_json:
        for cluster in clusters:
            print(json.dumps(cluster, ensure_ascii=False))
        return
    if not clusters:
        console.print("no such cluster")
        return
    for cluster in clusters:
        for number, line in enumerate(_lines(cluster)):
            console.print(Text(visible(line), "" if number else "bold"))
    if threshold is not None:
        console.print(
            f"Barely similar: a Jaccard similarity to the kept document below "
            f"{barely_below(threshold):.4g}, the lowest quarter between the threshold "
            f"{threshold:.4g} and 1."
        )
    console.print("Where one differs from the kept document: gristmill explain OUT ID")


def _lines(cluster: Cluster) -> Iterator[str]:
    """Yields what a cluster is, with whole ids, so that they can be copied."""
    yield f"{cluster['kept_id']}: {cluster['cluster_size']:,} documents"
    sources = list(cluster["sources"].items())
    shown = [f"{name} {count:,}" for name, count in sources[:MOST_SOURCES]]
    if len(sources) > MOST_SOURCES:
        shown.append(f"{len(sources) - MOST_SOURCES:,} more")
    yield f"  from {', '.join(shown)}"
    reasons = ", ".join(f"{name} {count:,}" for name, count in cluster["reasons"].items())
    jaccards = ""
    if cluster["lowest_jaccard"] is not None:
        lowest, mean = cluster["lowest_jaccard"], cluster["mean_jaccard"]
        jaccards = f"; Jaccard from {lowest:.3f}, mean {mean:.3f}"
    yield f"  by {reasons}{jaccards}; {cluster['barely_similar']:,} barely similar"
    yield f"  least similar: {cluster['least_similar']}"
