"""Which documents stand in the token shards more than once, and where.

Documents that many others are duplicates of are repeated as the recipe says (`tokens.repeat`). It
is what FineWeb 2 calls rehydration (https://github.com/huggingface/fineweb-2), whose weights are
{2: 2, 3: 3, 5: 5, 100: 8, 1000: 1}.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

LEDGER_COLUMNS = ["verdict", "partition", "cluster_size"]


def times_in_shards(ledger: pa.Table, repeat: Mapping[int, int] | None) -> NDArray[np.int64]:
    """Returns int64[n]: how many times each document of a ledger stands in the shards.

    Args:
        ledger: Rows of the ledger, of which `LEDGER_COLUMNS` are read.
        repeat: The recipe's `tokens.repeat`: times by the smallest cluster size that gets them.
    """
    kept = _equal(ledger["verdict"], "kept")
    times = kept.astype(np.int64)
    if repeat:
        sizes = sorted(repeat)
        chosen = np.array([1, *(repeat[size] for size in sizes)])
        train = kept & _equal(ledger["partition"], "train")  # validation has each document once
        clusters = pc.fill_null(ledger["cluster_size"].cast("uint32"), 1).to_numpy()
        times[train] = chosen[np.searchsorted(sizes, clusters[train], side="right")]
    return times


def _equal(column: pa.ChunkedArray, value: str) -> NDArray[np.bool_]:
    equal: NDArray[np.bool_] = pc.fill_null(
        pc.equal(column.cast("string"), value), False
    ).to_numpy()
    return equal


def spread(documents: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the order in which the repeats of a document stand far from each other.

    The trainer shuffles windows of tokens, not documents. Two of one document in a window would
    teach it to copy what it has just read. So the k-th of t repeats of a document comes k/t of all
    documents after the first one, round the end to the beginning. Between two of them are then at
    least `m // t - 1` others of m documents, and at least one where m is above t.

    Args:
        documents: Numbers of documents, ascending, a repeated one several times, [n].

    Returns:
        The places of `documents` in their new order, [n]; 0 to n - 1 if none is repeated.
    """
    _, first, number, times = np.unique(
        documents, return_index=True, return_inverse=True, return_counts=True
    )
    repeat = np.arange(len(documents)) - first[number]
    moved = number + repeat * len(first) / times[number]
    return np.argsort(moved % max(len(first), 1), kind="stable")
