"""The Beam graph of a run. All work is done by functions elsewhere; here they are only wired.

The elements are part numbers and packs of hashes, never text. A step that needs all of an earlier
one waits for it by a side input.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsList

from pipeline.cutoffs import find_cutoffs
from pipeline.errors import WorkerError
from pipeline.match import (
    PAIR_PACKS,
    distinct_pairs,
    documents_in,
    hash_packs,
    match_pack,
    verify,
    write_exact,
    write_sketches,
)
from pipeline.mill import mill
from pipeline.output import Job
from pipeline.survivors import choose_survivors
from pipeline.tokens import make_tokenizer, tokenize_part
from pipeline.verdicts import bin_documents


class Call(beam.DoFn):
    """Calls a function on each element, and lets its errors reach the user on any runner.

    Args:
        function: Takes the job, the element, and what it waits for; returns the result, or
            yields results if `many`.
        job: The run.
        many: Whether the function yields.
    """

    def __init__(self, function: Callable[..., Any], job: Job, many: bool = False) -> None:
        self.function = function
        self.job = job
        self.many = many

    def process(self, element: Any, *waited_for: Any) -> Iterator[Any]:
        """Yields the function's results."""
        try:
            results = self.function(self.job, element, *waited_for)
            yield from results if self.many else (results,)
        except Exception as error:  # runners log messages, which may hold text
            raise WorkerError(error) from None


def build(pipeline: beam.Pipeline, job: Job) -> None:
    """Adds the steps of a run to a pipeline."""
    parts = (
        pipeline
        | "count parts" >> beam.Create([job.n_parts])
        | "number parts" >> beam.FlatMap(_numbers)
    )
    milled = parts | "spread splits" >> Spread() | "mill" >> beam.ParDo(Call(_mill, job))
    measured = (milled, *_cutoffs(pipeline, milled, job))
    decided = measured if job.recipe.dedup is None else _match(pipeline, measured, job)
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


def _match(pipeline: beam.Pipeline, measured: tuple[Any, ...], job: Job) -> tuple[Any, ...]:
    """Adds the match stage; returns what the verdicts must wait for."""
    milled, *cutoffs = measured
    pairs = (
        milled
        | "hashes" >> beam.ParDo(Call(_hash_packs, job, many=True), *map(AsList, cutoffs))
        | "group hashes" >> beam.GroupByKey()
        | "candidates" >> beam.ParDo(Call(_match_pack, job, many=True))
        | "group pairs" >> beam.GroupByKey()
    )
    near = pairs | "near" >> beam.Filter(_is_near) | "distinct" >> beam.MapTuple(_distinct)
    exact = (
        pairs
        | "exact" >> beam.Filter(_is_exact)
        | "write exact" >> beam.ParDo(Call(_write_exact, job))
    )
    sketches = (
        near
        | "documents in pairs" >> beam.FlatMap(_documents_in)
        | "group documents" >> beam.GroupByKey()
        | "sketch" >> beam.ParDo(Call(_write_sketches, job))
    )
    verified = near | "verify" >> beam.ParDo(Call(_verify, job), AsList(sketches))
    return (
        pipeline
        | "one choice" >> beam.Create([0])
        | "survivors"
        >> beam.ParDo(Call(_survivors, job), AsList(milled), AsList(verified), AsList(exact)),
    )


class Spread(beam.PTransform):
    """Gives every worker its share of part numbers."""

    def expand(self, parts: Any) -> Any:
        """Groups each number by itself, so that the runner divides the groups evenly."""
        return parts | beam.Map(_keyed) | beam.GroupByKey() | beam.Keys()


# Functions with names of their own, since runners pickle them.


def _numbers(count: int) -> list[int]:
    return list(range(count))


def _keyed(part: int) -> tuple[int, int]:
    return part, part


def _mill(job: Job, part: int) -> int:
    mill(job, part)
    return part


def _find_cutoffs(job: Job, _: int, milled: list[int]) -> int:
    find_cutoffs(job)
    return 0


def _hash_packs(job: Job, part: int, *cutoffs: list[int]) -> Iterator[tuple[int, bytes]]:
    return hash_packs(job, part)


def _match_pack(job: Job, keyed: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
    return match_pack(job, *keyed)


def _is_near(keyed: tuple[int, Iterable[bytes]]) -> bool:
    return keyed[0] < PAIR_PACKS


def _is_exact(keyed: tuple[int, Iterable[bytes]]) -> bool:
    return keyed[0] >= PAIR_PACKS


def _distinct(pack: int, chunks: Iterable[bytes]) -> tuple[int, bytes]:
    return pack, distinct_pairs(chunks).tobytes()


def _documents_in(keyed: tuple[int, bytes]) -> list[tuple[int, bytes]]:
    return list(documents_in(distinct_pairs([keyed[1]])))


def _write_exact(job: Job, keyed: tuple[int, Iterable[bytes]]) -> int:
    return write_exact(job, keyed[0] - PAIR_PACKS, keyed[1])


def _write_sketches(job: Job, keyed: tuple[int, Iterable[bytes]]) -> int:
    return write_sketches(job, *keyed)


def _verify(job: Job, keyed: tuple[int, bytes], sketches: list[int]) -> int:
    verify(job, keyed[0], distinct_pairs([keyed[1]]))
    return keyed[0]


def _survivors(job: Job, _: int, milled: list[int], pairs: list[int], exact: list[int]) -> int:
    choose_survivors(job, pairs, exact)
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
