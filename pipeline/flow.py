"""The Beam graph of a run. All work is done by functions elsewhere; here they are only wired.

The elements are part numbers and packs of hashes, never text. A step that needs all of an earlier
one comes behind a grouping that waits for it.
"""

from typing import Any

import apache_beam as beam

from pipeline.beam_steps import Call, Spread
from pipeline.cutoffs import find_cutoffs
from pipeline.duplicates.flow import match
from pipeline.mill import mill
from pipeline.output import Job
from pipeline.tokens import make_tokenizer, tokenize_part
from pipeline.verdicts import bin_documents


def build(pipeline: beam.Pipeline, job: Job) -> None:
    """Adds the steps of a run to a pipeline."""
    parts = (
        pipeline
        | "count parts" >> beam.Create([job.n_parts])
        | "number parts" >> beam.FlatMap(_numbers)
    )
    done = (parts,) | "spread splits" >> Spread() | "mill" >> beam.ParDo(Call(_mill, job))
    if job.recipe.filters.keeps():
        done = _once(pipeline, "cutoffs", _find_cutoffs, job, done)
    if job.recipe.dedup is not None:
        done = match(pipeline, done, job)
    done = (parts, done) | "spread parts" >> Spread() | "bin" >> beam.ParDo(Call(_bin, job))
    done = _once(pipeline, "train tokenizer", _tokenizer, job, done)
    _ = (parts, done) | "spread kept" >> Spread() | "tokenize" >> beam.ParDo(Call(_tokenize, job))


def _once(pipeline: beam.Pipeline, label: str, function: Any, job: Job, done: Any) -> Any:
    """Adds a step that one worker does."""
    one = pipeline | f"one {label}" >> beam.Create([0])
    return (one, done) | f"before {label}" >> Spread() | label >> beam.ParDo(Call(function, job))


# Functions with names of their own, since runners pickle them.


def _numbers(count: int) -> list[int]:
    return list(range(count))


def _mill(job: Job, part: int) -> int:
    mill(job, part)
    return part


def _find_cutoffs(job: Job, _: int) -> int:
    find_cutoffs(job)
    return 0


def _bin(job: Job, part: int) -> int:
    bin_documents(job, part)
    return part


def _tokenizer(job: Job, _: int) -> int:
    make_tokenizer(job)
    return 0


def _tokenize(job: Job, part: int) -> int:
    tokenize_part(job, part)
    return part
