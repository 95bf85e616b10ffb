"""Which documents stay: the greedy set in the order of priority.

Documents are decided from the highest priority down. A document is dropped only if a document
**that is kept**, of higher priority, is verified to be similar to it. So a chain in which each
document is similar to the next never merges into one: the second is dropped for the first, the
third, whose only similar document of higher priority is gone, is kept.

An **edge** joins two documents whose verified similarity reaches the threshold, and says which one
of them has the higher priority. A **decision** is the edge that proves that one is dropped.
Documents are named by uint64 keys, whose values mean nothing here.
"""

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from dedup.arrays import frozen

EDGE = np.dtype([("low", "<u8"), ("high", "<u8"), ("jaccard", "<f8")])
DECISION = np.dtype([("dropped", "<u8"), ("kept", "<u8"), ("jaccard", "<f8")])

Records = NDArray[np.void]
Keys = NDArray[np.uint64]


class GuaranteeError(Exception):
    """A choice of survivors breaks what this module promises."""


def documents_of(edges: Records) -> Keys:
    """Returns the documents of some edges, uint64[n], ascending, each once."""
    # Sorted by ourselves: numpy's `unique` hashes, which takes ten times as long.
    keys = np.sort(np.concatenate([edges["low"], edges["high"]]))
    return keys[differs(keys)]


def differs(ordered: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Returns which entries differ from the one before them; the first one does."""
    found = np.ones(ordered.size, dtype=bool)
    found[1:] = ordered[1:] != ordered[:-1]
    return found


def greedy_survivors(edges: Records, documents: ArrayLike, ranks: ArrayLike) -> Records:
    """Decides about all documents at once, in one process.

    Of several kept documents of higher priority that are similar to a document, the most similar
    one is named, and of equally similar ones that of the highest priority. The order of the edges
    and repeated edges change nothing.

    Args:
        edges: EDGE[k].
        documents: uint64[n], as `documents_of` returns them.
        ranks: uint64[n], their priorities, all different; a higher rank is preferred.

    Returns:
        DECISION[d], ascending by the dropped document. A document that is not named is kept.

    Raises:
        ValueError: an edge names a document that is not there, or as its `high` one that has no
            higher rank than its `low`; or two documents have one rank.
    """
    keys, priority = frozen(documents, np.uint64), frozen(ranks, np.uint64)
    by_priority = np.argsort(priority)[::-1]
    if np.any(priority[by_priority[1:]] == priority[by_priority[:-1]]):
        raise ValueError("two documents have the same rank; make ranks unique by a hash of the id")
    number = np.empty(keys.size, np.uint32)  # from 0 for the highest priority
    number[by_priority] = np.arange(keys.size, dtype=np.uint32)
    low, high = (_numbers(edges[end], keys, number) for end in ("low", "high"))
    if np.any(low <= high):
        raise ValueError("an edge's document `high` has no higher rank than its `low`")
    similarity = frozen(edges["jaccard"], np.float64)
    kept_by, jaccards = _greedy(keys.size, low, high, similarity, np.argsort(high))
    dropped = np.flatnonzero((kept_by != np.arange(keys.size))[number])
    decisions = np.empty(dropped.size, DECISION)
    decisions["dropped"] = keys[dropped]
    decisions["kept"] = keys[by_priority[kept_by[number[dropped]]]]
    decisions["jaccard"] = jaccards[number[dropped]]
    return decisions


def check_guarantees(edges: Records, threshold: float, decisions: Records, dropped: Keys) -> None:
    """Checks decisions against the edges that they rest upon.

    Two guarantees: every dropped document names a kept one of higher priority that is verified
    to be at least as similar as the threshold; no two kept documents that were compared are. They
    hold for a corpus if they hold for shares of it: all edges of some documents `low`, and the
    decisions about these.

    Args:
        edges: EDGE[k].
        threshold: documents at or above this similarity are duplicates.
        decisions: DECISION[d], about documents `low` of the edges.
        dropped: keys of dropped documents in ascending order, repeated or not, among them all that
            are a `high` of the edges.

    Raises:
        GuaranteeError: one of them does not hold, or two decisions are about one document; the
            message names the first documents.
    """
    by_document = decisions[np.argsort(decisions["dropped"])]
    names, kept = by_document["dropped"], by_document["kept"]
    _refuse(names[1:] == names[:-1], "{} was dropped twice, for {}, too", names, kept)
    _, gone = find(dropped, kept)
    _refuse(gone, "{} was dropped for {}, which is not kept", names, kept)

    low, high = edges["low"], edges["high"]
    place, decided = find(names, low)
    similar = edges["jaccard"] >= threshold
    _, gone = find(dropped, high)
    _refuse(
        similar & ~decided & ~gone,
        f"{{}} and {{}} are similar at {threshold} or above, and both are kept",
        low,
        high,
    )
    evidence = np.flatnonzero(similar & decided)
    place = place[evidence]
    evidence = evidence[
        (kept[place] == high[evidence])
        & (by_document["jaccard"][place] == edges["jaccard"][evidence])
    ]
    proven = np.zeros(names.size, dtype=bool)
    proven[find(names, low[evidence])[0]] = True
    _refuse(
        ~proven,
        "{} was dropped for {}, but no comparison shows that one of higher priority and "
        f"similar at {threshold} or above",
        names,
        kept,
    )


def find(
    keys: NDArray[np.generic], wanted: NDArray[np.generic]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Returns where each wanted key stands in ascending keys, and whether it is there.

    Of a key that is not there, the place means nothing.
    """
    place = np.zeros(wanted.size, np.intp)
    if not keys.size:
        return place, np.zeros(wanted.size, dtype=bool)
    order = np.argsort(wanted)  # looked up in order, millions are found several times as fast
    place[order] = np.minimum(np.searchsorted(keys, wanted[order]), keys.size - 1)
    return place, keys[place] == wanted


def _numbers(names: Keys, documents: Keys, number: NDArray[np.uint32]) -> NDArray[np.uint32]:
    place, found = find(documents, names)
    if not found.all():
        raise ValueError("an edge names a document that is not among the documents")
    return number[place]


def _refuse(broken: NDArray[np.bool_], message: str, first: Keys, second: Keys) -> None:
    """Raises GuaranteeError with `message` about the first place where `broken` is true."""
    if broken.any():
        place = int(np.argmax(broken))
        count = int(np.count_nonzero(broken))
        text = message.format(*(f"document {int(names[place]):#x}" for names in (first, second)))
        raise GuaranteeError(f"{text} ({count} such in all)")


@njit(cache=True, nogil=True)
def _greedy(documents, low, high, jaccards, order):  # type: ignore[no-untyped-def]
    """Decides `documents` that are numbered by priority; `order` sorts the edges by `high`.

    When the edges of a document `high` come up, all those that could have dropped it have come up.
    """
    kept_by = np.arange(documents)
    similarity = np.full(documents, -1.0)
    for edge in order:
        preferred = high[edge]
        if kept_by[preferred] == preferred and jaccards[edge] > similarity[low[edge]]:
            kept_by[low[edge]] = preferred
            similarity[low[edge]] = jaccards[edge]
    return kept_by, similarity
