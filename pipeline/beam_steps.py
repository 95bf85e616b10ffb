"""Transforms that every part of the Beam graph uses."""

from collections.abc import Callable, Iterator
from typing import Any

import apache_beam as beam

from pipeline.errors import WorkerError
from pipeline.output import Job


class Call(beam.DoFn):
    """Calls a function on each element, and lets its errors reach the user on any runner.

    Args:
        function: Takes the job and the element; returns the result, or yields results if `many`.
        job: The run.
        many: Whether the function yields.
    """

    def __init__(self, function: Callable[..., Any], job: Job, many: bool = False) -> None:
        self.function = function
        self.job = job
        self.many = many

    def process(self, element: Any) -> Iterator[Any]:
        """Yields the function's results."""
        try:
            results = self.function(self.job, element)
            yield from results if self.many else (results,)
        except Exception as error:  # runners log messages, which may hold text
            raise WorkerError(error) from None


class Grouped(beam.PTransform):
    """Groups by key, each value once, when all that it waits for is done.

    The input is a tuple: the collection to group, and those to wait for. Nothing of these is
    grouped. A side input would make a step wait, too, but Dask's runner does all that a side input
    comes from once more for each element.

    Dask's runner also gives what a step yields more than once where one worker does it for several
    bundles: it takes all that the step has yielded so far for the yield of the last bundle. So what
    is grouped must say what it is of: two equal values count as one.
    """

    def expand(self, collections: Any) -> Any:
        """Groups, and drops what is there again."""
        return _waiting(collections) | beam.GroupByKey() | beam.MapTuple(_once)


class Spread(beam.PTransform):
    """Gives every worker its share of part numbers, when all that they wait for is done.

    The input is a tuple: the numbers, and the collections to wait for.
    """

    def expand(self, collections: Any) -> Any:
        """Groups each number by itself, so that the runner divides the groups evenly."""
        parts, *waited_for = collections
        keyed = parts | beam.Map(_keyed)
        return _waiting((keyed, *waited_for)) | beam.GroupByKey() | beam.Keys()


def _waiting(collections: Any) -> Any:
    """Returns the first collection with one behind it that is empty and ends when the others do."""
    keyed, *waited_for = collections
    if not waited_for:
        return keyed
    ends = [
        done | f"end {number}" >> beam.FlatMap(_nothing) for number, done in enumerate(waited_for)
    ]
    return (keyed, *ends) | beam.Flatten()


def _nothing(_: Any) -> tuple[tuple[int, Any], ...]:
    return ()


def _once(key: int, values: Any) -> tuple[int, list[Any]]:
    return key, list(dict.fromkeys(values))


def _keyed(part: int) -> tuple[int, int]:
    return part, part
