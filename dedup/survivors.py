"""Which documents stay: the greedy set in the order of priority.

Documents are decided from the highest rank down. A document is dropped only if a document **that
is kept**, of higher rank, is verified to be similar to it. So a chain in which each document is
similar to the next never merges into one: the second is dropped for the first, the third,
whose only similar document of higher rank is gone, is kept.
"""

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from dedup.arrays import frozen


class GuaranteeError(Exception):
    """A choice of survivors breaks what this module promises."""


def greedy_survivors(
    ranks: ArrayLike, pairs: ArrayLike, jaccards: ArrayLike, threshold: float
) -> NDArray[np.int64]:
    """Returns, for each document, itself if it is kept, else the kept document that dropped it.

    Of several kept documents of higher rank that are similar to a document, the most similar one
    is named, and of equally similar ones that of the highest rank. The order of the pairs, of
    the two documents of a pair, and repeated pairs change nothing.

    Args:
        ranks: uint64[n], the priorities, all different; a higher rank is preferred.
        pairs: int64[k, 2], indices of documents that were compared.
        jaccards: float64[k], their exact similarities.
        threshold: documents at or above this similarity are duplicates.

    Raises:
        ValueError: two documents have one rank, a pair names a document that does not exist or the
            same one twice, or a similarity is not a number from 0 to 1.
    """
    priority, compared, similarity = _checked(ranks, pairs, jaccards)
    order = np.argsort(priority)[::-1].astype(np.int64)
    return _greedy(  # type: ignore[no-any-return]
        frozen(order, np.int64), compared, similarity, float(threshold)
    )


def check_guarantees(
    ranks: ArrayLike,
    pairs: ArrayLike,
    jaccards: ArrayLike,
    threshold: float,
    kept_by: ArrayLike,
) -> None:
    """Checks a choice of survivors against the pairs that were compared.

    Two guarantees: every dropped document names a kept one of higher rank that was compared with
    it and is at least as similar as the threshold; no two kept documents that were compared are.

    Args:
        ranks: as for `greedy_survivors`.
        pairs: as for `greedy_survivors`.
        jaccards: as for `greedy_survivors`.
        threshold: as for `greedy_survivors`.
        kept_by: int64[n], as `greedy_survivors` returns it.

    Raises:
        GuaranteeError: one of them does not hold; the message names the first documents.
        ValueError: the arguments are not what `greedy_survivors` accepts.
    """
    priority, compared, similarity = _checked(ranks, pairs, jaccards)
    leader = frozen(kept_by, np.int64)
    if leader.shape != priority.shape:
        raise ValueError(f"{priority.size} documents, but kept_by has {leader.size} entries")
    if leader.size and (leader.min() < 0 or leader.max() >= leader.size):
        raise GuaranteeError(f"kept_by names a document outside 0 to {leader.size - 1}")
    documents = np.arange(leader.size)
    kept = leader == documents
    _refuse(~kept[leader], "document {} was dropped for {}, which is not kept", documents, leader)

    a, b = compared[:, 0], compared[:, 1]
    similar = similarity >= threshold
    proven = kept.copy()
    for dropped, other in ((a, b), (b, a)):
        evidence = similar & (leader[dropped] == other) & (priority[other] > priority[dropped])
        proven[dropped[evidence]] = True
    _refuse(
        ~proven,
        "document {} was dropped for {}, but no comparison shows that one of higher rank and "
        f"similar at {threshold} or above",
        documents,
        leader,
    )
    _refuse(
        similar & kept[a] & kept[b],
        f"documents {{}} and {{}} are similar at {threshold} or above, and both are kept",
        a,
        b,
    )


def _checked(
    ranks: ArrayLike, pairs: ArrayLike, jaccards: ArrayLike
) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.float64]]:
    priority = frozen(ranks, np.uint64)
    compared = frozen(pairs, np.int64).reshape(-1, 2)
    similarity = frozen(jaccards, np.float64)
    ordered = np.sort(priority)
    if np.any(ordered[1:] == ordered[:-1]):
        raise ValueError("two documents have the same rank; make ranks unique by a hash of the id")
    if similarity.shape != (compared.shape[0],):
        raise ValueError(f"{compared.shape[0]} pairs, but {similarity.size} similarities")
    if compared.size and (compared.min() < 0 or compared.max() >= priority.size):
        raise ValueError(f"a pair names a document outside 0 to {priority.size - 1}")
    if np.any(compared[:, 0] == compared[:, 1]):
        raise ValueError("a pair compares a document with itself")
    if not np.all((similarity >= 0.0) & (similarity <= 1.0)):
        raise ValueError("a similarity is not a number from 0 to 1")
    return priority, compared, similarity


def _refuse(
    broken: NDArray[np.bool_], message: str, first: NDArray[np.int64], second: NDArray[np.int64]
) -> None:
    """Raises GuaranteeError with `message` about the first place where `broken` is true."""
    if broken.any():
        place = int(np.argmax(broken))
        count = int(np.count_nonzero(broken))
        text = message.format(int(first[place]), int(second[place]))
        raise GuaranteeError(f"{text} ({count} such in all)")


@njit(cache=True, nogil=True)
def _greedy(order, pairs, jaccards, threshold):  # type: ignore[no-untyped-def]
    """Decides documents in `order`; `pairs` are brought under their later document (CSR)."""
    documents = order.size
    position = np.empty(documents, dtype=np.int64)
    for place in range(documents):
        position[order[place]] = place

    # Where the pairs of each document start, by counting them; then the pairs themselves.
    starts = np.zeros(documents + 1, dtype=np.int64)
    for index in range(pairs.shape[0]):
        if jaccards[index] >= threshold:
            starts[max(position[pairs[index, 0]], position[pairs[index, 1]]) + 1] += 1
    for place in range(documents):
        starts[place + 1] += starts[place]
    preferred = np.empty(starts[documents], dtype=np.int64)
    similarity = np.empty(starts[documents], dtype=np.float64)
    following = starts[:-1].copy()
    for index in range(pairs.shape[0]):
        if jaccards[index] >= threshold:
            one = position[pairs[index, 0]]
            other = position[pairs[index, 1]]
            slot = following[max(one, other)]
            following[max(one, other)] += 1
            preferred[slot] = min(one, other)
            similarity[slot] = jaccards[index]

    kept_by = np.empty(documents, dtype=np.int64)
    for place in range(documents):
        best = place
        best_similarity = -1.0
        for slot in range(starts[place], starts[place + 1]):
            earlier = preferred[slot]
            if kept_by[order[earlier]] != order[earlier]:
                continue
            more = similarity[slot] > best_similarity
            if more or (similarity[slot] == best_similarity and earlier < best):
                best = earlier
                best_similarity = similarity[slot]
        kept_by[order[place]] = order[best]
    return kept_by
