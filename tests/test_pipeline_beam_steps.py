"""The transforms of every graph: calls and their errors, groupings and what they wait for."""

from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to

from pipeline.beam_steps import Call, Grouped, Spread
from pipeline.errors import UserError, WorkerError, from_worker
from pipeline.output import Job, Output

JOB = Job(Output("/nowhere"), "{}", "plan", 5, "code")


def _double(job: Job, number: int) -> int:
    return 2 * number


def _twice(job: Job, number: int) -> list[int]:
    return [number, number]


def _refuse(job: Job, number: int) -> int:
    raise UserError("no", "yes")


def test_call_yields_one_result_or_many() -> None:
    assert list(Call(_double, JOB).process(4)) == [8]
    assert list(Call(_twice, JOB, many=True).process(4)) == [4, 4]


def test_call_marks_errors_for_the_user() -> None:
    with pytest.raises(WorkerError) as raised:
        list(Call(_refuse, JOB).process(1))
    found = from_worker(RuntimeError(f"Beam says: {raised.value} [while running]"))
    assert found is not None
    assert (found.message, found.hint) == ("no", "yes")


RUNNERS = [BundleBasedDirectRunner, FnApiRunner]


@pytest.mark.parametrize("runner", RUNNERS)
def test_spread_keeps_every_part_once(runner: Any) -> None:
    with beam.Pipeline(runner=runner()) as pipeline:
        parts = (pipeline | beam.Create([*range(9), 4]),) | Spread()
        assert_that(parts, equal_to(list(range(9))))


def _written(number: int, folder: str) -> int:
    (Path(folder) / str(number)).touch()
    return number


def _files(number: int, folder: str) -> int:
    return len(list(Path(folder).iterdir()))


@pytest.mark.parametrize("runner", RUNNERS)
def test_spread_waits(runner: Any, tmp_path: Path) -> None:
    """When a number comes through, all that it waits for is done."""
    with beam.Pipeline(runner=runner()) as pipeline:
        written = pipeline | "files" >> beam.Create(range(50)) | beam.Map(_written, str(tmp_path))
        parts = (pipeline | "parts" >> beam.Create(range(4)), written) | Spread()
        assert_that(parts | beam.Map(_files, str(tmp_path)), equal_to([50] * 4))


@pytest.mark.parametrize("runner", RUNNERS)
def test_grouped_takes_equal_values_once(runner: Any) -> None:
    with beam.Pipeline(runner=runner()) as pipeline:
        keyed = pipeline | beam.Create([(1, b"a"), (2, b"a"), (1, b"a"), (1, b"b")])
        groups = (keyed,) | Grouped() | beam.MapTuple(_sorted)
        assert_that(groups, equal_to([(1, [b"a", b"b"]), (2, [b"a"])]))


def _sorted(key: int, values: list[bytes]) -> tuple[int, list[bytes]]:
    return key, sorted(values)
