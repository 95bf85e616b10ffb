"""The choice of survivors among near-duplicates, over all verified pairs, in one process."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from dedup.survivors import (
    EDGE,
    GuaranteeError,
    Records,
    check_guarantees,
    documents_of,
    find,
    greedy_survivors,
)
from pipeline.duplicates.bands import PAIR_PACKS
from pipeline.duplicates.compare import read_pairs
from pipeline.duplicates.packs import Keyed, by_part
from pipeline.duplicates.priority import dedup_of
from pipeline.duplicates.sketches import Sketches
from pipeline.errors import UserError, VerificationError
from pipeline.output import Job

MOST_PAIRS = 10_000_000  # in one process, where one takes about 100 bytes


def choose(job: Job, again: int) -> Keyed:
    """Yields, for each part, which of its documents are near-duplicates: DECISION records.

    Args:
        job: The run.
        again: The last pass of comparisons. If it compared nothing, nothing is yielded: the choice
            made before it holds.

    Raises:
        UserError: there are too many pairs for one process.
        VerificationError: a dropped document's evidence does not hold.
    """
    if not compared(job, again):
        return
    edges, count = [], 0
    for pack in range(PAIR_PACKS):
        edges.append(similar_pairs(job, again, pack))
        count += len(edges[-1])
        if count > MOST_PAIRS:
            raise UserError(
                f"one process chooses among {MOST_PAIRS:,} pairs of similar documents, and there "
                "are more",
                "Choose in rounds on all workers: -s dedup.rounds=12",
            )
    decisions = decide(job, np.concatenate(edges))
    for part in range(job.n_parts):
        yield part, b""
    for part, mine in by_part(decisions["dropped"]):
        yield part, decisions[mine].tobytes()


def compared(job: Job, again: int) -> bool:
    """Tells whether a pass of comparisons has to be followed by a choice."""
    return again == 0 or any(len(read_pairs(job, again, pack)) for pack in range(PAIR_PACKS))


def similar_pairs(job: Job, again: int, pack: int) -> Records:
    """Returns the edges EDGE[k] of one pack: its similar pairs from all passes up to `again`."""
    minhash = dedup_of(job).minhash
    assert minhash is not None
    found = []
    for number in range(again + 1):
        table = read_pairs(job, number, pack)
        jaccards = table["jaccard"].to_numpy()
        similar = np.flatnonzero(jaccards >= minhash.threshold)
        edges = np.empty(len(similar), EDGE)
        edges["low"] = table["a"].to_numpy()[similar]
        edges["high"] = table["b"].to_numpy()[similar]
        edges["jaccard"] = jaccards[similar]
        found.append(edges)
    pairs = np.concatenate(found)
    documents = documents_of(pairs)
    ranks = Sketches(job).ranks(documents)
    a, b = (ranks[find(documents, pairs[end])[0]] for end in ("low", "high"))
    edges = pairs.copy()
    edges["low"] = np.where(a < b, pairs["low"], pairs["high"])
    edges["high"] = np.where(a < b, pairs["high"], pairs["low"])
    return edges


def decide(job: Job, edges: Records) -> Records:
    """Returns the decisions DECISION[], by ascending key of the dropped document."""
    minhash = dedup_of(job).minhash
    assert minhash is not None
    documents = documents_of(edges)
    decisions = greedy_survivors(edges, documents, Sketches(job).ranks(documents))
    with told():
        check_guarantees(edges, minhash.threshold, decisions, decisions["dropped"])
    return decisions


@contextmanager
def told() -> Iterator[None]:
    """Lets the user know of a broken guarantee."""
    try:
        yield
    except GuaranteeError as error:
        raise VerificationError(f"survivors: {error}", "This is a defect of Gristmill.") from None
