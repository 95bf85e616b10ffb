"""Exact Jaccard similarity of shingle sets: the evidence for every near-duplicate."""

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from dedup.arrays import frozen


def jaccard(a: ArrayLike, b: ArrayLike) -> float:
    """Returns |a ∩ b| / |a ∪ b| of two sorted arrays of distinct uint64.

    The similarity of two **empty** sets is 0.0: texts without a word show nothing that they share,
    and a document is only dropped on evidence. (Their exact digests still find true copies.)
    """
    return float(_jaccard(frozen(a, np.uint64), frozen(b, np.uint64)))


def reference_jaccard(a: set[int], b: set[int]) -> float:
    """Returns the Jaccard similarity of two Python sets: the definition."""
    union = len(a | b)
    return len(a & b) / union if union else 0.0


def jaccard_pairs(values: ArrayLike, offsets: ArrayLike, pairs: ArrayLike) -> NDArray[np.float64]:
    """Returns the exact Jaccard similarity float64[k] of `k` pairs of sets.

    The results are the nearest doubles to the true fractions, so that comparing one with a
    threshold written as a decimal (0.8 for 4/5) is exact. In float32 it would not be.

    Args:
        values: uint64[total], the sets one after another, each sorted and distinct.
        offsets: int64[n + 1]; set i is ``values[offsets[i]:offsets[i + 1]]``.
        pairs: int64[k, 2], numbers of sets.

    Raises:
        ValueError: offsets do not rise from 0 to the number of values, or a pair names no set.
    """
    sets = frozen(values, np.uint64)
    ends = frozen(offsets, np.int64)
    wanted = frozen(pairs, np.int64).reshape(-1, 2)
    if ends.size == 0 or ends[0] != 0 or ends[-1] != sets.size or np.any(ends[1:] < ends[:-1]):
        raise ValueError(f"offsets must rise from 0 to the number of values, {sets.size}")
    if wanted.size and (wanted.min() < 0 or wanted.max() >= ends.size - 1):
        raise ValueError(f"a pair names a set outside 0 to {ends.size - 2}")
    return _jaccard_pairs(sets, ends, wanted)  # type: ignore[no-any-return]


@njit(cache=True, nogil=True)
def _jaccard(a, b):  # type: ignore[no-untyped-def]
    i = 0
    j = 0
    common = 0
    # Without branches: which of two random hashes is smaller cannot be predicted.
    while i < a.size and j < b.size:
        x = a[i]
        y = b[j]
        i += x <= y
        j += y <= x
        common += x == y
    union = a.size + b.size - common
    return common / union if union else 0.0


@njit(cache=True, nogil=True)
def _jaccard_pairs(values, offsets, pairs):  # type: ignore[no-untyped-def]
    similarities = np.empty(pairs.shape[0], dtype=np.float64)
    for index in range(pairs.shape[0]):
        a = pairs[index, 0]
        b = pairs[index, 1]
        similarities[index] = _jaccard(
            values[offsets[a] : offsets[a + 1]], values[offsets[b] : offsets[b + 1]]
        )
    return similarities
