"""The choice in rounds gives the bytes of the choice in one process, on every runner."""

import dataclasses
import re
from collections.abc import Callable, Iterable
from io import StringIO
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.testing.util import assert_that, equal_to
from command import digests
from conftest import changed, make_test_job, prose, run_stages
from rich.console import Console

from dedup.survivors import DECISION
from pipeline import flow
from pipeline.duplicates import choice, leaders, rounds
from pipeline.duplicates.compare import PASSES
from pipeline.errors import UserError, VerificationError, from_worker
from pipeline.output import Job
from pipeline.run import run

SETTINGS = ("dedup={}", "source.split_bytes=30000", "tokenizer.vocab_size=300")


def texts() -> list[str]:
    """A chain in the order of priority, more versions of a text than a small bucket has, copies."""
    words = prose(1, words=400).split()
    chain = [" ".join(words[3 * n : 3 * n + 100]) + "\n" * (60 - n) for n in range(60)]
    versions = [changed(prose(2, words=90), n % 80) for n in range(160)]
    versions = [text.replace("xylophone", f"xylophone{n // 80}") for n, text in enumerate(versions)]
    families = [changed(prose(10 + n // 4, words=60), *range(n % 4)) for n in range(60)]
    return [*chain, *versions, *families, *families[:7]]


def hard_job(folder: Path, number: int) -> Job:
    rows = [{"id": f"d{place}", "text": text} for place, text in enumerate(texts())]
    settings = (*SETTINGS, f"dedup.rounds={number}")
    job = make_test_job(folder, {"in.jsonl": rows}, "raw", settings)
    assert job.n_parts > 1
    return job


def run_locally(job: Job, workers: int = 1) -> dict[str, str]:
    run(job, "local", workers, [], Console(file=StringIO()))
    return digests(Path(job.output.root))


@pytest.fixture(scope="module")
def one_process(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("one")
    job = hard_job(folder, 0)
    found = run_locally(job)
    done = job.output.committed("match", 0, job.fingerprint("match"))
    assert done is not None
    assert done["near_duplicates"] > 50
    assert done["large_buckets"] > 0
    return found


def test_the_same_bytes_in_rounds(
    one_process: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = []

    def decide(job: Job, edges: Any) -> Any:
        left.append(len(edges))
        return rest(job, edges)

    rest = rounds.decide
    monkeypatch.setattr(rounds, "decide", decide)
    assert run_locally(hard_job(tmp_path, 5)) == one_process
    assert left  # the chain needs more rounds


@pytest.mark.slow
def test_the_same_bytes_with_two_workers(one_process: dict[str, str], tmp_path: Path) -> None:
    assert run_locally(hard_job(tmp_path, 5), workers=2) == one_process


def test_the_same_bytes_on_another_runner(one_process: dict[str, str], tmp_path: Path) -> None:
    job = hard_job(tmp_path, 5)
    with beam.Pipeline(runner=BundleBasedDirectRunner()) as pipeline:
        flow.build(pipeline, job)
    found = digests(tmp_path / "out")
    assert found == {name: one_process[name] for name in found}
    assert {name.split("/")[0] for name in found} >= {"clusters", "ledger", "pairs", "tokens"}


@pytest.fixture(scope="module")
def matched(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A job that is matched, with something to compare in every pass."""
    job = hard_job(tmp_path_factory.mktemp("matched"), 5)
    with pytest.MonkeyPatch.context() as bounds:  # else the second pass settles all
        bounds.setattr(leaders, "REST_UP_TO", 1)
        bounds.setattr(leaders, "REPLACEMENTS", 0)
        run_stages(job, until="match")
    assert all(choice.compared(job, again) for again in range(PASSES))
    return job


def in_rounds(job: Job, again: int, is_right: Callable[[list[Any]], None]) -> None:
    with beam.Pipeline(runner=BundleBasedDirectRunner()) as pipeline:
        ready = pipeline | "ready" >> beam.Create([0])
        found = ready | rounds.ChooseInRounds(job, again)
        assert_that(found, is_right)


def by_part(found: Iterable[tuple[int, bytes]]) -> dict[int, list[Any]]:
    decisions: dict[int, list[Any]] = {}
    for part, data in found:
        decisions.setdefault(part, []).extend(np.frombuffer(data, DECISION).tolist())
    return {part: sorted(records) for part, records in decisions.items()}


@pytest.mark.parametrize("again", [0, 1, 3])
def test_every_pass_gives_the_decisions_of_one_process(matched: Job, again: int) -> None:
    expected = by_part(choice.choose(matched, again))
    assert len(expected) == matched.n_parts

    def is_right(found: list[Any]) -> None:
        assert by_part(found) == expected

    in_rounds(matched, again, is_right)


def test_a_pass_that_compared_nothing_is_followed_by_no_choice(job_of: Any) -> None:
    job = job_of([{"text": prose(1)}, {"text": prose(1) + " and more"}], "raw", SETTINGS)
    run_stages(job, until="match")
    in_rounds(job, 1, equal_to([]))


def test_what_is_undecided_and_does_not_fit_is_refused_with_advice(
    matched: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "MOST_PAIRS", 10)
    with pytest.raises(Exception, match="gristmill-error") as raised:
        in_rounds(matched, 0, print)
    error = from_worker(raised.value)
    assert isinstance(error, UserError)
    assert re.fullmatch(
        r"survivors: after 5 rounds \d\d pairs are undecided, at most 10 fit one process",
        error.message,
    )
    assert error.hint == "Each round decides more: -s dedup.rounds=10"


def test_a_choice_that_breaks_a_guarantee_fails_the_run(
    matched: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "decide", lambda job, edges: np.empty(0, DECISION))
    with pytest.raises(Exception, match="gristmill-error") as raised:
        in_rounds(matched, 0, print)
    error = from_worker(raised.value)
    assert isinstance(error, VerificationError)
    assert re.match(
        "survivors: document 0x[0-9a-f]+ and document 0x[0-9a-f]+ are similar at 0.8 or above, "
        "and both are kept",
        error.message,
    )


def test_the_number_of_rounds_is_no_reason_to_match_again(matched: Job) -> None:
    other = matched.recipe.model_copy(
        update={"dedup": matched.recipe.dedup.model_copy(update={"rounds": 7})}
    )
    assert other.hash == matched.recipe.hash
    again = dataclasses.replace(matched, recipe_json=other.model_dump_json())
    for stage in ("match", "bin", "tokenize"):
        assert again.fingerprint(stage) == matched.fingerprint(stage)
