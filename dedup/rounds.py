"""The choice of `dedup.survivors` in rounds, by packs of documents: no process sees all edges.

A document belongs to a pack by a hash of its key. Its pack holds its **edges**, those to documents
of higher priority, and its **watchers**, the packs with an edge to it from a lower one. In a round
every pack hears the **news** of the others, which documents are kept and which dropped, and looks
at its own documents:

* one with an edge to a kept document is dropped;
* one whose edges all led to dropped documents, or that has none, is kept;
* the others wait.

The watchers of a decided document are told. A dropped document names its best evidence as soon as
no open edge can turn out to be better. An edge is forgotten when its higher document is dropped,
when the lower one has better evidence and when that is named; a watcher when it is told. So packs
hold less and less, and what is left after any number of rounds can be given to
`greedy_survivors`: the result is the same.

With random priorities the rounds needed grow with the logarithm of the number of documents (Fischer
and Noever, Tight Analysis of Parallel Randomized Greedy MIS, SODA 2018). A chain in the order of
priority needs one for each document.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dedup.survivors import DECISION, EDGE, Keys, Records, check_guarantees, differs, find

# The rank of the document `high`, comparable within a pack, and whether it is known to be kept.
OPEN_EDGE = np.dtype([*EDGE.descr, ("rank", "<u8"), ("kept", "?")])
WATCHER = np.dtype([("document", "<u8"), ("pack", "<u4")])
NEWS = np.dtype([("document", "<u8"), ("kept", "?")])

KINDS = {"edges": OPEN_EDGE, "watchers": WATCHER, "news": NEWS, "decisions": DECISION}

Parcel = tuple[str, bytes]  # one of KINDS, and its records
Parcels = Iterator[tuple[int, Parcel]]  # with the number of the pack that each goes to

_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio


class UndecidedError(Exception):
    """After all rounds more is left than one process shall decide."""


@dataclass(frozen=True)
class Holding:
    """What a pack knows.

    Attributes:
        edges: OPEN_EDGE[], from the pack's documents to those of higher priority.
        watchers: WATCHER[], the packs that are to hear of the pack's documents.
        news: NEWS[], about the documents `high` of edges.
        decisions: DECISION[], about the pack's documents.
    """

    edges: Records
    watchers: Records
    news: Records
    decisions: Records

    @classmethod
    def of(cls, parcels: Iterable[Parcel]) -> "Holding":
        """Unpacks all that was sent to a pack, in any order."""
        found: dict[str, list[bytes]] = {kind: [] for kind in KINDS}
        for kind, records in parcels:
            found[kind].append(records)
        return cls(**{kind: np.frombuffer(b"".join(found[kind]), KINDS[kind]) for kind in KINDS})


def send_edges(edges: Records, packs: int) -> Parcels:
    """Yields each pack's share of some edges, EDGE[k], still without ranks, and of watchers."""
    pack = pack_of(edges["low"], packs)
    opened = np.zeros(edges.size, OPEN_EDGE)
    for name in EDGE.names or ():
        opened[name] = edges[name]
    watchers = np.empty(edges.size, WATCHER)
    watchers["document"], watchers["pack"] = edges["high"], pack
    watchers = _distinct(watchers)
    yield from _send("edges", opened, pack)
    yield from _send("watchers", watchers, pack_of(watchers["document"], packs))


def send_decisions(decisions: Records, packs: int) -> Parcels:
    """Yields each pack's share of some decisions, DECISION[d]."""
    yield from _send("decisions", decisions, pack_of(decisions["dropped"], packs))


def with_ranks(held: Holding, ranks: Callable[[Keys], NDArray[np.uint64]]) -> Holding:
    """Returns a pack with the ranks of its edges, which the first round needs.

    Args:
        held: What `send_edges` gave for the pack.
        ranks: Takes ascending keys of documents, and returns the ranks, of whatever numbers, in
            which a higher priority is a higher rank; equal priorities there are none.
    """
    documents, which = np.unique(held.edges["high"], return_inverse=True)
    edges = held.edges.copy()
    edges["rank"] = ranks(documents)[which]
    return replace(held, edges=edges)


def play_round(pack: int, held: Holding) -> Parcels:
    """Decides all documents of a pack that can be decided now.

    Args:
        pack: The pack's number.
        held: What the last round sent it; in the first round what `with_ranks` returns.

    Yields:
        What goes to which pack for the next round; and decisions about documents of this pack,
        which hold whatever happens to others. Documents that are never named are kept.
    """
    edges = _best_first(_heard(held.edges, held.news))
    begins = differs(edges["low"])
    starts, group = np.flatnonzero(begins), np.cumsum(begins) - 1
    # A document's edges behind its first one to a kept document are worse evidence than that.
    place = np.arange(edges.size)
    proof = np.where(edges["kept"], place, edges.size)
    proof = np.minimum.reduceat(proof, starts) if starts.size else proof
    stays = (place <= proof[group]) & (starts != proof)[group]

    watchers = _distinct(held.watchers)
    at, has_edges = find(edges["low"][starts], watchers["document"])
    waits = has_edges.copy()
    waits[has_edges] = proof[at[has_edges]] == edges.size
    news = np.empty(watchers.size, NEWS)
    news["document"], news["kept"] = watchers["document"], ~has_edges
    decisions = _plain(edges[starts[starts == proof]]).view(DECISION)

    yield from _send("edges", edges[stays], pack)
    yield from _send("watchers", watchers[waits], pack)
    yield from _send("decisions", decisions, pack)
    yield from _send("news", news[~waits], watchers["pack"][~waits])


def undecided(parcels: Iterable[Parcel], most: int) -> Records:
    """Returns the edges that all packs together still hold, for `greedy_survivors`.

    Args:
        parcels: What the last round sent to all packs.
        most: How many edges may be left.

    Returns:
        EDGE[].

    Raises:
        UndecidedError: more edges are left.
    """
    received, edges = [], 0
    for kind, records in parcels:
        if kind == "edges":
            edges += len(records) // OPEN_EDGE.itemsize
        if kind in ("edges", "news") and edges <= most:
            received.append((kind, records))
    if edges > most:
        raise UndecidedError(f"{edges:,} pairs are undecided, at most {most:,} fit one process")
    held = Holding.of(received)
    return _plain(_heard(held.edges, held.news))


def tell_of_dropped(held: Holding) -> Parcels:
    """Yields news of a pack's dropped documents to their watchers, which `check_pack` needs.

    Args:
        held: The watchers that `send_edges` and the decisions that `send_decisions` gave for it.
    """
    watchers = _distinct(held.watchers)
    _, dropped = find(np.sort(held.decisions["dropped"]), watchers["document"])
    news = np.zeros(np.count_nonzero(dropped), NEWS)
    news["document"] = watchers["document"][dropped]
    yield from _send("news", news, watchers["pack"][dropped])


def check_pack(held: Holding, threshold: float) -> None:
    """Checks both guarantees for the documents of a pack; if they hold for all, they hold.

    Args:
        held: The edges of `send_edges`, the decisions of `send_decisions` and the news of
            `tell_of_dropped` for it.
        threshold: Documents at or above this similarity are duplicates.

    Raises:
        GuaranteeError: one of them does not hold.
    """
    check_guarantees(held.edges, threshold, held.decisions, np.sort(held.news["document"]))


def pack_of(keys: Keys, packs: int) -> NDArray[np.int64]:
    """Returns the number of the pack of each document."""
    return ((keys * _SPREAD) >> np.uint64(33)).astype(np.int64) % packs


def _send(kind: str, records: Records, pack: NDArray[np.integer] | int) -> Parcels:
    """Yields the records that go to each pack, nothing to others."""
    packs = np.broadcast_to(pack, records.shape)
    order = np.argsort(packs, kind="stable")
    numbers, starts = np.unique(packs[order], return_index=True)
    for number, share in zip(numbers.tolist(), np.split(order, starts[1:]), strict=False):
        yield number, (kind, records[share].tobytes())


def _heard(edges: Records, news: Records) -> Records:
    """Returns the edges without those to dropped documents, those to kept ones marked."""
    news = news[np.argsort(news["document"])]
    place, known = find(news["document"], edges["high"])
    kept = np.zeros(edges.size, dtype=bool)
    kept[known] = news["kept"][place[known]]
    stays = kept | ~known
    heard = edges[stays]
    heard["kept"] |= kept[stays]
    return heard


def _plain(edges: Records) -> Records:
    """Returns EDGE[] of OPEN_EDGE[]."""
    plain = np.empty(edges.size, EDGE)
    for name in EDGE.names or ():
        plain[name] = edges[name]
    return plain


def _best_first(edges: Records) -> Records:
    """Orders edges by their `low`, and those of one document from the best evidence down."""
    return edges[np.lexsort((~edges["rank"], -edges["jaccard"], edges["low"]))]


def _distinct(watchers: Records) -> Records:
    ordered = watchers[np.lexsort((watchers["pack"], watchers["document"]))]
    return ordered[differs(ordered["document"]) | differs(ordered["pack"])]
