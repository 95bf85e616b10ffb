"""Pairs of documents that deserve a comparison, from packs of hashes.

A pack is three arrays of one length, fewer than 2**32 entries: a hash, the key of the document it
comes from, and the document's rank. The rank is its priority, a higher one first, and no other
document has it, so that results depend on nothing else. A **group** is the documents of one hash.

Inside, documents are numbered by priority. A group and a document, or two documents, then fit one
uint64, and sorting those is ten times as fast as sorting by two columns.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from dedup.arrays import frozen

# Two numbers of 32 bits in one uint64.
_HALF = np.uint64(32)
_LOWER = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True)
class Candidates:
    """Pairs to compare.

    Attributes:
        pairs: uint64[k, 2], keys of documents, the one of higher rank first, each pair once, in
            descending order of the first and then of the second one's rank.
        uncompared: how many pairs were left out in large groups, counted once for each group.
            A pair that is left out in one group can be in `pairs` by another.
        large_groups: how many groups were larger than the bound.
    """

    pairs: NDArray[np.uint64]
    uncompared: int
    large_groups: int


def candidate_pairs(
    hashes: ArrayLike,
    documents: ArrayLike,
    ranks: ArrayLike,
    all_pairs_up_to: int = 64,
    leaders: int = 16,
) -> Candidates:
    """Returns the pairs of documents that share a hash.

    In a group of at most `all_pairs_up_to` documents these are all pairs. In a larger one, every
    document is paired with the `leaders` documents of highest rank only, so that the cost
    grows with the size of a group and not with its square: at most the larger of
    `(all_pairs_up_to - 1) / 2` and `leaders` pairs for each entry, of 24 bytes while they are
    made. The order of the input and repeated entries change nothing.

    Args:
        hashes: uint64[m], such as band hashes.
        documents: uint64[m], keys of documents.
        ranks: uint64[m], the documents' ranks.
        all_pairs_up_to: the size of the largest group of which all pairs are compared.
        leaders: how many documents of a larger group the others are compared with, at least 1.

    Raises:
        ValueError: the arrays have different lengths, two documents that share hashes have one
            rank, or a bound is too small.
    """
    if leaders < 1 or all_pairs_up_to < 1:
        raise ValueError(
            f"leaders and all_pairs_up_to are at least 1, not {leaders} and {all_pairs_up_to}"
        )
    keys = frozen(hashes, np.uint64)
    names = frozen(documents, np.uint64)
    priority = frozen(ranks, np.uint64)
    _require_equal_lengths("hashes", keys, names, priority)
    groups = _groups(keys, names, priority)
    packed, uncompared, large = _pairs(
        frozen(groups.members, np.uint64),
        frozen(groups.starts, np.int64),
        all_pairs_up_to,
        leaders,
    )
    packed.sort()
    pairs = _unpack(packed[_starts_run(packed)], groups.documents)
    return Candidates(pairs, int(uncompared), int(large))


def unique_pairs(pairs: ArrayLike) -> NDArray[np.uint64]:
    """Returns the distinct rows of `pairs`, uint64[k, 2], in ascending order.

    The two documents of a pair are not exchanged: pairs of `candidate_pairs` name the one of higher
    rank first, so one pair has one form.
    """
    rows = frozen(pairs, np.uint64).reshape(-1, 2)
    ordered = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    return ordered[_starts_run(ordered[:, 0]) | _starts_run(ordered[:, 1])]


def group_exact(
    digests: ArrayLike, documents: ArrayLike, ranks: ArrayLike
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Returns the documents that repeat another one's digest, and for each the one to keep.

    Args:
        digests: 16 bytes each: uint8[m, 16], or m entries of numpy's type ``S16`` or ``V16``.
        documents: uint64[m], keys of documents.
        ranks: uint64[m], the documents' ranks.

    Returns:
        Two uint64[d]: keys of documents to drop, ascending, and the key of the document of highest
        rank of the group of each.

    Raises:
        ValueError: the arrays have different lengths, digests are not 16 bytes, or two documents
            that share digests have one rank.
    """
    raw = np.ascontiguousarray(digests)
    if raw.nbytes != 16 * len(raw):
        raise ValueError(f"digests are 16 bytes each, not {raw.dtype} of shape {raw.shape}")
    halves = raw.view(np.uint8).reshape(-1).view("<u8").reshape(-1, 2)
    names = frozen(documents, np.uint64)
    priority = frozen(ranks, np.uint64)
    _require_equal_lengths("digests", halves, names, priority)
    first, second = (
        np.unique(halves[:, half], return_inverse=True)[1].astype(np.uint64) for half in (0, 1)
    )
    groups = _groups(first << _HALF | second, names, priority)
    leads = np.zeros(groups.members.size, dtype=bool)
    leads[groups.starts[:-1]] = True
    leaders = np.repeat(groups.members[leads], np.diff(groups.starts))
    member = groups.documents[groups.members[~leads]]
    leader = groups.documents[leaders[~leads]]
    order = np.argsort(member)
    return member[order], leader[order]


@dataclass(frozen=True)
class _Groups:
    """Groups of two documents or more, which are numbered by descending rank.

    Attributes:
        members: uint64[k], numbers of documents, group by group, in each ascending and distinct.
        starts: int64[groups + 1], where in `members` each group starts, and the end of the last.
        documents: uint64[n], the key of each document by its number.
    """

    members: NDArray[np.uint64]
    starts: NDArray[np.int64]
    documents: NDArray[np.uint64]


def _groups(
    keys: NDArray[np.uint64], documents: NDArray[np.uint64], ranks: NDArray[np.uint64]
) -> _Groups:
    """Returns the groups of documents of equal keys; repeated entries count once."""
    by_key = np.argsort(keys)
    starts_run = _starts_run(keys[by_key])
    shared = _in_run_of_two(starts_run)  # most keys occur once: from here on, all is smaller
    entries = by_key[shared]
    group = np.cumsum(starts_run, dtype=np.uint64)[shared]
    number, by_number = _number_by_priority(documents[entries], ranks[entries])

    packed = np.sort(group << _HALF | number)
    packed = packed[_starts_run(packed)]
    packed = packed[_in_run_of_two(_starts_run(packed >> _HALF))]
    starts = np.flatnonzero(np.append(_starts_run(packed >> _HALF), True))
    return _Groups(packed & _LOWER, starts, by_number)


def _number_by_priority(
    documents: NDArray[np.uint64], ranks: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Numbers the documents from 0 by descending rank.

    Returns:
        The number of each entry, uint64[m], and the document of each number, uint64[n].
    """
    order = np.argsort(~ranks)
    starts_run = _starts_run(ranks[order])
    ordered = documents[order]
    if np.any(_starts_run(ordered) & ~starts_run):
        raise ValueError("two documents have the same rank; make ranks unique by a hash of the id")
    number = np.empty(order.size, dtype=np.uint64)
    number[order] = np.cumsum(starts_run, dtype=np.uint64) - np.uint64(1)
    return number, ordered[starts_run]


def _starts_run(ordered: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Returns which entries differ from the one before them; the first one does."""
    starts = np.ones(ordered.size, dtype=bool)
    starts[1:] = ordered[1:] != ordered[:-1]
    return starts


def _in_run_of_two(starts_run: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Returns which entries belong to a run of two or more."""
    alone = starts_run.copy()
    alone[:-1] &= starts_run[1:]
    return ~alone


def _unpack(packed: NDArray[np.uint64], documents: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Returns the documents whose two numbers are packed into each entry, uint64[k, 2]."""
    pairs = np.empty((packed.size, 2), dtype=np.uint64)
    pairs[:, 0] = documents[packed >> _HALF]
    pairs[:, 1] = documents[packed & _LOWER]
    return pairs


def _require_equal_lengths(
    what: str, keys: NDArray[np.uint64], documents: NDArray[np.uint64], ranks: NDArray[np.uint64]
) -> None:
    if not len(keys) == documents.size == ranks.size:
        raise ValueError(
            f"{len(keys)} {what}, {documents.size} documents and {ranks.size} ranks: "
            "they must be as many"
        )


@njit(cache=True, nogil=True)
def _pairs(members, starts, all_pairs_up_to, leaders):  # type: ignore[no-untyped-def]
    """Returns the packed pairs within the groups, how many are left out, and the large groups."""
    total = 0
    uncompared = 0
    large = 0
    for group in range(starts.size - 1):
        size = starts[group + 1] - starts[group]
        total += size * (size - 1) // 2
        if size > all_pairs_up_to:
            others = max(size - leaders, 0)
            total -= others * (others - 1) // 2
            uncompared += others * (others - 1) // 2
            large += 1

    packed = np.empty(total, dtype=np.uint64)
    found = 0
    for group in range(starts.size - 1):
        end = starts[group + 1]
        leading = end
        if end - starts[group] > all_pairs_up_to:
            leading = min(end, starts[group] + leaders)
        for first in range(starts[group], leading):
            for second in range(first + 1, end):
                packed[found] = members[first] << np.uint64(32) | members[second]
                found += 1
    return packed, uncompared, large
