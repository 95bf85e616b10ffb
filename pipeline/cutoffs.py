"""Cutoffs: for rules that keep a share of the corpus, the value at which that share ends.

`keep: 10%` of a signal keeps exactly that share, to a document, of the documents that have the
signal and pass every rule before it in the recipe. The signals are stored, so the cutoff is an
exact quantile and not an estimate from a sample. Of documents with the very value of the cutoff,
those with the smallest hashes of their ids are kept, whatever file they are in; documents with the
same value and the same id stand or fall together.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.output import Job
from pipeline.verdicts import Cutoff, id_hashes, judged_batches


def find_cutoffs(job: Job) -> None:
    """Finds the cutoff of every rule that keeps a share, in the recipe's order.

    One process reads one signal at a time: 8 bytes a document.
    """
    fingerprint = job.fingerprint("cutoffs")
    if job.output.committed("cutoffs", 0, fingerprint):
        return
    found: dict[str, Cutoff] = {}
    for name, rule, share in job.recipe.filters.keeps():
        cutoff = _cutoff(job, f"{name}.{rule.signal}", share, rule.keeps_low, found)
        if cutoff is not None:  # one that is not known drops nothing
            found[f"{name}.{rule.signal}"] = cutoff
    values = {rule: {"value": cutoff.value, "tie": cutoff.tie} for rule, cutoff in found.items()}
    job.output.commit("cutoffs", 0, fingerprint, {"cutoffs": values})


def _cutoff(
    job: Job, rule: str, share: float, low: bool, found: dict[str, Cutoff]
) -> Cutoff | None:
    """Returns the cutoff of one rule, given those of the rules before it.

    There is none if no document that passes those has the signal.
    """
    sign = -1.0 if low else 1.0
    values = np.concatenate([np.empty(0), *(v for v, _ in _candidates(job, rule, found))]) * sign
    if not len(values):
        return None
    wanted = max(1, round(share * len(values)))
    place = len(values) - wanted
    value = float(np.partition(values, place)[place])
    above, equal = int((values > value).sum()), int((values == value).sum())
    tie = 2**64 - 1
    if above + equal > wanted:
        hashes = np.concatenate(
            [
                id_hashes(ids.filter(pa.array(v * sign == value)))
                for v, ids in _candidates(job, rule, found)
            ]
        )
        tie = int(np.sort(hashes)[wanted - above - 1])
    return Cutoff(value=value * sign, tie=tie)


def _candidates(
    job: Job, rule: str, found: dict[str, Cutoff]
) -> Iterator[tuple[NDArray[np.float64], pa.Array]]:
    """Yields a rule's values, and the ids, of the documents that pass all rules before it."""
    for part in range(job.n_parts):
        for batch, judgement in judged_batches(job, part, found):
            column = judgement.rules.index(rule)
            values = judgement.values[:, column]
            eligible = ~judgement.failed[:, :column].any(axis=1) & ~np.isnan(values)
            yield values[eligible], batch["id"].filter(pa.array(eligible))
