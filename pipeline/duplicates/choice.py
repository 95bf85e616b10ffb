"""The choice of survivors among near-duplicates, over all verified pairs, in one process."""

import numpy as np

from dedup.survivors import check_guarantees, greedy_survivors
from pipeline.duplicates.bands import PAIR_PACKS
from pipeline.duplicates.compare import read_pairs
from pipeline.duplicates.packs import Keyed, by_part
from pipeline.duplicates.priority import dedup_of
from pipeline.duplicates.sketches import Sketches
from pipeline.errors import VerificationError
from pipeline.output import Job

DECISION = np.dtype([("dropped", "<u8"), ("kept", "<u8"), ("jaccard", "<f8")])


def choose(job: Job, again: int) -> Keyed:
    """Yields, for each part, which of its documents are near-duplicates: `DECISION` records.

    Args:
        job: The run.
        again: The last pass of comparisons. If it compared nothing, nothing is yielded: the choice
            made before it holds.

    Raises:
        VerificationError: a dropped document's evidence does not hold.
    """
    minhash = dedup_of(job).minhash
    assert minhash is not None
    new = sum(len(read_pairs(job, again, pack)) for pack in range(PAIR_PACKS))
    if again and not new:
        return
    edges = []
    for number in range(again + 1):
        for pack in range(PAIR_PACKS):
            table = read_pairs(job, number, pack)
            jaccards = table["jaccard"].to_numpy()
            similar = np.flatnonzero(jaccards >= minhash.threshold)
            records = np.empty(len(similar), DECISION)
            records["dropped"] = table["a"].to_numpy()[similar]
            records["kept"] = table["b"].to_numpy()[similar]
            records["jaccard"] = jaccards[similar]
            edges.append(records)
    decisions = decide(job, np.concatenate(edges), minhash.threshold)
    mine = dict(by_part(decisions["dropped"]))
    none = np.empty(0, np.int64)
    for part in range(job.n_parts):
        yield part, decisions[mine.get(part, none)].tobytes()


def decide(job: Job, edges: np.ndarray, threshold: float) -> np.ndarray:
    """Returns the decisions, by ascending key of the dropped document, for pairs in any order."""
    ends = np.column_stack([edges["dropped"], edges["kept"]])
    keys, numbers = np.unique(ends, return_inverse=True)
    pairs = numbers.reshape(-1, 2)
    ranks = Sketches(job).ranks(keys)
    kept_by = greedy_survivors(ranks, pairs, edges["jaccard"], threshold)
    try:
        check_guarantees(ranks, pairs, edges["jaccard"], threshold, kept_by)
    except Exception as error:
        raise VerificationError(f"survivors: {error}", "This is a defect of Gristmill.") from None
    first_is_dropped = kept_by[pairs[:, 0]] == pairs[:, 1]
    proof = np.flatnonzero(first_is_dropped | (kept_by[pairs[:, 1]] == pairs[:, 0]))
    dropped = np.where(first_is_dropped[proof], pairs[proof, 0], pairs[proof, 1])
    _, once = np.unique(dropped, return_index=True)
    decisions = np.empty(len(once), DECISION)
    decisions["dropped"] = keys[dropped[once]]
    decisions["kept"] = keys[kept_by[dropped[once]]]
    decisions["jaccard"] = edges["jaccard"][proof[once]]
    return decisions
