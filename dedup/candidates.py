"""Which documents deserve a comparison: those that share a hash.

A **bucket** is the documents of one hash. In a small one all pairs are compared. A large one would
cost the square of its size, so there documents are compared with leaders, see `leader_pairs`.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from dedup.arrays import frozen

Documents = NDArray[np.uint64]
Numbers = NDArray[np.int64]
Similar = Callable[[int, Numbers], NDArray[np.bool_]]


@dataclass(frozen=True)
class Candidates:
    """What the hashes of one pack propose.

    Attributes:
        pairs: uint64[k, 2], documents of small buckets, the smaller key first.
        buckets: uint64[m] for each large bucket, its documents in ascending order.
    """

    pairs: Documents
    buckets: list[Documents]


def candidates(hashes: ArrayLike, documents: ArrayLike, all_pairs_up_to: int = 64) -> Candidates:
    """Returns the pairs of documents that share a hash, and the buckets too large for all pairs.

    The order of the input and repeated entries change nothing but the order of the results.

    Args:
        hashes: uint32[m] or uint64[m], such as band hashes.
        documents: uint64[m], keys of documents.
        all_pairs_up_to: the size of the largest bucket of which all pairs are compared.

    Raises:
        ValueError: the arrays have different lengths or the bound is below 1.
    """
    keys, names = np.asarray(hashes), frozen(documents, np.uint64)
    if keys.shape != names.shape:
        raise ValueError(f"{keys.size} hashes, but {names.size} documents: they must be as many")
    if all_pairs_up_to < 1:
        raise ValueError(f"all_pairs_up_to is at least 1, not {all_pairs_up_to}")
    members, starts = _buckets(keys, names)
    pairs, large = _pairs(frozen(members, np.uint64), frozen(starts, np.int64), all_pairs_up_to)
    return Candidates(pairs, [members[starts[b] : starts[b + 1]] for b in large])


def leader_pairs(
    documents: Numbers, similar: Similar, leaders: int, rest_up_to: int = 1
) -> Generator[Numbers, None, int]:
    """Chooses the comparisons within a large bucket.

    All documents are compared with the first. Those that are not similar to it choose the next
    leader, the first of them, and so on. A bucket of near-copies costs one comparison for each of
    its documents, and one of unrelated documents at most `leaders` for each.

    Args:
        documents: int64[n], numbers of documents in order of priority.
        similar: says which of several documents are similar to a leader.
        leaders: how many leaders there are at most.
        rest_up_to: if this many documents at most are similar to no leader, all their pairs are
            compared.

    Yields:
        For each leader the pairs compared, int64[k, 2], the leader first; then those of the rest.

    Returns:
        How many pairs of documents that are similar to no leader were not compared.
    """
    waiting = documents
    for _ in range(leaders):
        if len(waiting) < 2:
            return 0
        leader, others = int(waiting[0]), waiting[1:]
        yield led_by(leader, others)
        waiting = others[~similar(leader, others)]
    if len(waiting) <= rest_up_to:
        yield waiting[np.column_stack(np.triu_indices(len(waiting), 1))]
        return 0
    return len(waiting) * (len(waiting) - 1) // 2


def replacement_pairs(
    kept: Numbers, dropped: Numbers, similar: Similar, at_most: int
) -> Iterator[Numbers]:
    """Chooses comparisons of kept documents with dropped ones of lower priority.

    What a document was dropped for may itself be dropped later, for another document. Then it is
    good to know a second kept one that is similar, best one of high priority, since it is the least
    likely to be dropped. So each dropped document is compared with the kept ones in order of
    priority until one is similar.

    Args:
        kept: int64[m], numbers of the kept documents of a bucket, ascending. A lower number is a
            higher priority.
        dropped: int64[n], those of the dropped ones, ascending.
        similar: says which of several documents are similar to a kept one.
        at_most: how many pairs there are at most.

    Yields:
        For each kept document the pairs compared, int64[k, 2], the kept one first.
    """
    waiting, left = dropped, at_most
    for leader in kept.tolist():
        waiting = waiting[np.searchsorted(waiting, leader) :][:left]
        if not len(waiting):
            return
        yield led_by(leader, waiting)
        left -= len(waiting)
        waiting = waiting[~similar(leader, waiting)]


def led_by(leader: int, others: Numbers) -> Numbers:
    """Returns the pairs of a leader and the others, int64[k, 2]."""
    return np.column_stack([np.full(len(others), leader), others])


def unique_pairs(pairs: ArrayLike) -> Documents:
    """Returns the distinct rows of `pairs`, uint64[k, 2], in ascending order.

    The two documents of a pair are not exchanged.
    """
    rows = frozen(pairs, np.uint64).reshape(-1, 2)
    ordered = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    return ordered[_starts_run(ordered[:, 0]) | _starts_run(ordered[:, 1])]


def group_equal(
    digests: ArrayLike, documents: ArrayLike, ranks: ArrayLike
) -> tuple[Documents, Documents]:
    """Returns the documents that repeat another one's digest, and for each the one to keep.

    Args:
        digests: 16 bytes each: uint8[m, 16], or m entries of numpy's type ``S16`` or ``V16``.
        documents: uint64[m], keys of documents, all different.
        ranks: uint64[m], the documents' ranks, all different; a higher one is preferred.

    Returns:
        Two uint64[d]: keys of documents to drop, ascending, and the key of the document of highest
        rank of the group of each.

    Raises:
        ValueError: the arrays have different lengths, or digests are not 16 bytes.
    """
    raw = np.ascontiguousarray(digests)
    if raw.nbytes != 16 * len(raw):
        raise ValueError(f"digests are 16 bytes each, not {raw.dtype} of shape {raw.shape}")
    halves = raw.view(np.uint8).reshape(-1).view("<u8").reshape(-1, 2)
    names, priority = frozen(documents, np.uint64), frozen(ranks, np.uint64)
    if not len(halves) == names.size == priority.size:
        raise ValueError(
            f"{len(halves)} digests, {names.size} documents and {priority.size} ranks: "
            "they must be as many"
        )
    order = np.lexsort((~priority, halves[:, 1], halves[:, 0]))
    starts = _starts_run(halves[order, 0]) | _starts_run(halves[order, 1])
    leaders = order[starts][np.cumsum(starts) - 1]
    dropped, kept = names[order[~starts]], names[leaders[~starts]]
    by_key = np.argsort(dropped)
    return dropped[by_key], kept[by_key]


def repeated(digests: ArrayLike) -> NDArray[np.bool_]:
    """Returns bool[m]: which of the 16-byte digests may occur more than once.

    Looks at the first 8 bytes only, so a few that occur once are among them.
    """
    first = np.ascontiguousarray(digests).view(np.uint8).reshape(-1).view("<u8")[::2]
    order = np.argsort(first)
    starts = _starts_run(first[order])
    result = np.empty(len(first), dtype=bool)
    result[order] = _in_run_of_two(starts)
    return result


def _buckets(
    keys: NDArray[np.unsignedinteger], documents: Documents
) -> tuple[Documents, NDArray[np.int64]]:
    """Returns the documents of all hashes that several share, and where each bucket starts.

    In a bucket the documents are distinct and ascending.
    """
    by_key = _order(keys)
    starts = _starts_run(keys[by_key])
    shared = _in_run_of_two(starts)  # most hashes occur once: from here on, all is smaller
    bucket = np.cumsum(starts)[shared]
    members = documents[by_key[shared]]
    order = np.lexsort((members, bucket))
    bucket, members = bucket[order], members[order]
    distinct = _starts_run(bucket) | _starts_run(members)
    bucket, members = bucket[distinct], members[distinct]
    several = _in_run_of_two(_starts_run(bucket))
    bucket, members = bucket[several], members[several]
    return members, np.flatnonzero(np.append(_starts_run(bucket), True))


def _order(keys: NDArray[np.unsignedinteger]) -> NDArray[np.int64]:
    """Returns the order that sorts keys; of 32 bits together with their places, which is faster."""
    if keys.dtype.itemsize > 4 or keys.size >= 2**32:
        return np.argsort(keys)
    packed = keys.astype(np.uint64) << np.uint64(32) | np.arange(keys.size, dtype=np.uint64)
    packed.sort()
    return (packed & np.uint64(2**32 - 1)).astype(np.int64)


def _starts_run(ordered: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Returns which entries differ from the one before them; the first one does."""
    starts = np.ones(ordered.size, dtype=bool)
    starts[1:] = ordered[1:] != ordered[:-1]
    return starts


def _in_run_of_two(starts_run: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Returns which entries belong to a run of two or more."""
    alone = starts_run.copy()
    alone[:-1] &= starts_run[1:]
    return ~alone


@njit(cache=True, nogil=True)
def _pairs(members, starts, all_pairs_up_to):  # type: ignore[no-untyped-def]
    """Returns the pairs within small buckets, and the numbers of the large ones."""
    total = 0
    large = 0
    for bucket in range(starts.size - 1):
        size = starts[bucket + 1] - starts[bucket]
        if size > all_pairs_up_to:
            large += 1
        else:
            total += size * (size - 1) // 2
    pairs = np.empty((total, 2), dtype=np.uint64)
    buckets = np.empty(large, dtype=np.int64)
    found = 0
    large = 0
    for bucket in range(starts.size - 1):
        end = starts[bucket + 1]
        if end - starts[bucket] > all_pairs_up_to:
            buckets[large] = bucket
            large += 1
            continue
        for first in range(starts[bucket], end):
            for second in range(first + 1, end):
                pairs[found, 0] = members[first]
                pairs[found, 1] = members[second]
                found += 1
    return pairs, buckets
