"""Survivors: which documents stay, chosen over all verified pairs and checked.

Writes work/survivors/ for the verdicts and clusters/, the evidence for every duplicate.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dedup.survivors import check_guarantees, greedy_survivors
from pipeline import storage
from pipeline.errors import VerificationError
from pipeline.match import PAIR_PACKS, Keys, read_arrow, write_arrow
from pipeline.output import Job
from pipeline.verdicts import SURVIVORS_SCHEMA


def choose_survivors(
    job: Job, pair_packs: Iterable[int], exact_packs: Iterable[int]
) -> dict[str, Any]:
    """Decides which documents are duplicates, unless it was decided before.

    Args:
        job: The run.
        pair_packs: Numbers of the files in work/pairs/ that belong to this run.
        exact_packs: Numbers of the files in work/exact/ that belong to this run.

    Returns:
        The stage's summary: pairs compared, duplicates by kind, clusters.

    Raises:
        VerificationError: a dropped document's evidence does not hold.
    """
    fingerprint = job.fingerprint("match")
    done = job.output.committed("match", 0, fingerprint)
    if done:
        return done
    packs = sorted(pair_packs)
    for pack in set(range(PAIR_PACKS)).difference(packs):  # left by a run with other settings
        storage.remove(job.output.part("pairs", pack, ".parquet"))
    pairs = [read_arrow(job.output.part("work/pairs", pack, ".arrow")) for pack in packs]
    exact = [read_arrow(job.output.part("work/exact", p, ".arrow")) for p in sorted(exact_packs)]
    dropped, kept, jaccard = _near(job, pairs)
    leader, member = _columns(exact, "a", "b")
    # The texts equal to a dropped document's share its fate: similarity is the same for all.
    place, found = _find(dropped, leader)
    ends_at = np.where(found, kept[place] if len(kept) else leader, leader)
    likeness = np.where(found, jaccard[place] if len(kept) else 1.0, 1.0)
    keys = np.concatenate([dropped, member])
    kept_keys = np.concatenate([kept, ends_at])
    jaccards = np.concatenate([jaccard, likeness])
    is_exact = np.concatenate([np.zeros(len(dropped), bool), ~found])
    _write(job, keys, kept_keys, jaccards, is_exact)
    summary = {
        "pairs": sum(map(len, pairs)),
        "exact_duplicates": int(is_exact.sum()),
        "near_duplicates": int((~is_exact).sum()),
        "clusters": len(np.unique(kept_keys)),
    }
    job.output.commit("match", 0, fingerprint, summary)
    return summary


def _near(job: Job, tables: list[pa.Table]) -> tuple[Keys, Keys, NDArray[np.float64]]:
    """Returns dropped keys (ascending), the kept key of each, and their Jaccard."""
    assert job.recipe.dedup is not None
    if job.recipe.dedup.minhash is None:
        return np.empty(0, np.uint64), np.empty(0, np.uint64), np.empty(0)
    a, b = _columns(tables, "a", "b")
    jaccards = np.concatenate([np.empty(0)] + [table["jaccard"].to_numpy() for table in tables])
    keys, numbers = np.unique(np.stack([a, b], axis=1), return_inverse=True)
    pairs = numbers.reshape(-1, 2)
    ranks = _lookup(job, keys, "work/signatures", "rank").to_numpy()
    # Equal ranks, which need equal lengths and equal hashes of the ids, fall back on the place.
    order = np.lexsort((~keys, ranks))
    dense = np.empty(len(keys), np.uint64)
    dense[order] = np.arange(len(keys), dtype=np.uint64)
    threshold = job.recipe.dedup.minhash.threshold
    kept_by = greedy_survivors(dense, pairs, jaccards, threshold)
    try:
        check_guarantees(dense, pairs, jaccards, threshold, kept_by)
    except Exception as error:
        raise VerificationError(f"survivors: {error}", "This is a defect of Gristmill.") from None
    dropped = np.flatnonzero(kept_by != np.arange(len(keys)))
    low, high = np.minimum(dropped, kept_by[dropped]), np.maximum(dropped, kept_by[dropped])
    compared = np.sort(pairs, axis=1)
    code = compared[:, 0] * len(keys) + compared[:, 1]
    by_code = np.argsort(code)
    evidence = by_code[np.searchsorted(code[by_code], low * len(keys) + high)]
    return keys[dropped], keys[kept_by[dropped]], jaccards[evidence]


def _columns(tables: list[pa.Table], *names: str) -> tuple[Keys, ...]:
    empty = np.empty(0, np.uint64)
    return tuple(
        np.concatenate([empty] + [table[name].to_numpy() for table in tables]) for name in names
    )


def _find(keys: Keys, wanted: Keys) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Returns where each wanted key stands in ascending keys, and whether it is there."""
    if not len(keys):
        return np.zeros(len(wanted), np.intp), np.zeros(len(wanted), bool)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return place, keys[place] == wanted


def _lookup(job: Job, keys: Keys, folder: str, column: str) -> pa.ChunkedArray:
    """Returns one column's values for documents given by ascending keys."""
    rows = (keys & np.uint64(2**32 - 1)).astype(np.int64)
    parts = (keys >> np.uint64(32)).astype(np.int64)
    chunks = []
    for part in np.unique(parts):
        if folder == "documents":
            with storage.open_binary(job.output.part(folder, int(part), ".parquet")) as source:
                table = pq.read_table(source, columns=[column])
        else:
            table = read_arrow(job.output.part(folder, int(part), ".arrow"))
        chunks.extend(table[column].take(rows[parts == part]).chunks)
    kind = pa.string() if folder == "documents" else pa.uint64()
    return pa.chunked_array(chunks, kind)


def _write(
    job: Job,
    keys: Keys,
    kept: Keys,
    jaccards: NDArray[np.float64],
    exact: NDArray[np.bool_],
) -> None:
    """Writes every part's duplicates, in row order, to work/survivors/ and clusters/."""
    distinct, which, sizes = np.unique(kept, return_inverse=True, return_counts=True)
    kept_ids = _lookup(job, distinct, "documents", "id").combine_chunks()
    order = np.argsort(keys)
    table = pa.table(
        {
            "row": (keys & np.uint64(2**32 - 1)).astype(np.uint32)[order],
            "kept_id": kept_ids.take(which[order]),
            "jaccard": jaccards[order],
            "exact": exact[order],
            "cluster_size": (sizes[which] + 1).astype(np.uint32)[order],
        },
        schema=SURVIVORS_SCHEMA,
    )
    ids = _lookup(job, keys[order], "documents", "id")
    bounds = np.searchsorted(
        keys[order], np.arange(job.n_parts + 1, dtype=np.uint64) << np.uint64(32)
    )
    for part in range(job.n_parts):
        span = slice(int(bounds[part]), int(bounds[part + 1]))
        rows = table.slice(span.start, span.stop - span.start)
        write_arrow(job.output.part("work/survivors", part, ".arrow"), rows)
        evidence = pa.table(
            {
                "id": ids.slice(span.start, span.stop - span.start),
                "kept_id": rows["kept_id"],
                "jaccard": rows["jaccard"],
                "cluster_size": rows["cluster_size"],
            }
        )
        with storage.atomic(job.output.part("clusters", part, ".parquet")) as sink:
            pq.write_table(evidence, sink, compression="zstd")
