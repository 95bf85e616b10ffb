"""The Beam graph of a run. All work is done by functions elsewhere; here they are only wired.

The elements are part numbers and packs of hashes, never text. A step that needs all of an earlier
one waits for it by a side input.
"""

from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsList

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
    milled = parts | "spread splits" >> Spread() | "mill" >> beam.ParDo(Call(_mill, job))
    measured = (milled, *_cutoffs(pipeline, milled, job))
    decided = measured if job.recipe.dedup is None else match(pipeline, measured, job)
    binned = (
        parts
        | "spread parts" >> Spread()
        | "bin" >> beam.ParDo(Call(_bin, job), *map(AsList, decided))
    )
    tokenizer = (
        pipeline
        | "one tokenizer" >> beam.Create([0])
        | "train tokenizer" >> beam.ParDo(Call(_tokenizer, job), AsList(binned))
    )
    _ = (
        parts
        | "spread kept" >> Spread()
        | "tokenize" >> beam.ParDo(Call(_tokenize, job), AsList(tokenizer))
    )


def _cutoffs(pipeline: beam.Pipeline, milled: Any, job: Job) -> tuple[Any, ...]:
    """Adds the step that finds cutoffs, where a rule needs one; returns what it gives."""
    if not job.recipe.filters.keeps():
        return ()
    return (
        pipeline
        | "all signals" >> beam.Create([0])
        | "cutoffs" >> beam.ParDo(Call(_find_cutoffs, job), AsList(milled)),
    )


# Functions with names of their own, since runners pickle them.


def _numbers(count: int) -> list[int]:
    return list(range(count))


def _mill(job: Job, part: int) -> int:
    mill(job, part)
    return part


def _find_cutoffs(job: Job, _: int, milled: list[int]) -> int:
    find_cutoffs(job)
    return 0


def _bin(job: Job, part: int, *decided: list[int]) -> int:
    bin_documents(job, part)
    return part


def _tokenizer(job: Job, _: int, binned: list[int]) -> int:
    make_tokenizer(job)
    return 0


def _tokenize(job: Job, part: int, tokenizer: list[int]) -> int:
    tokenize_part(job, part)
    return part
