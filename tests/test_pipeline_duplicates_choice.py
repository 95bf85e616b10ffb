from collections.abc import Callable

import numpy as np
import pytest
from conftest import changed, prose, run_stages

from dedup.survivors import DECISION, EDGE
from pipeline.duplicates import choice
from pipeline.errors import UserError, VerificationError
from pipeline.output import Job

BASE = prose(1, words=60)
ROWS = [
    {"id": "middle", "text": changed(BASE, 3) + " and more"},
    {"id": "short", "text": BASE},
    {"id": "longest", "text": changed(BASE, 3) + " and much more"},
    {"id": "other", "text": prose(2, words=60)},
    {"id": "another", "text": changed(prose(2, words=60), *range(0, 60, 4))},
]


@pytest.fixture
def matched(job_of: Callable[..., Job]) -> Job:
    job = job_of(ROWS, "raw", ["dedup={}"])
    run_stages(job, until="match")
    return job


def edges(job: Job) -> np.ndarray:
    packs = range(choice.PAIR_PACKS)
    return np.sort(np.concatenate([choice.similar_pairs(job, 0, pack) for pack in packs]))


def test_edges_lead_from_the_lower_to_the_higher_priority(matched: Job) -> None:
    found = edges(matched)
    assert found.dtype == EDGE
    assert found[["low", "high"]].tolist() == [(0, 2), (1, 0), (1, 2)]
    assert np.all(found["jaccard"] >= 0.8)


def test_every_part_gets_its_decisions_even_if_there_are_none(matched: Job) -> None:
    (part, none), (same, data) = choice.choose(matched, 0)
    assert part == same == 0
    assert none == b""
    decisions = np.frombuffer(data, DECISION)
    assert decisions["dropped"].tolist() == [0, 1]
    assert decisions["kept"].tolist() == [2, 2]


def test_a_pass_that_compared_nothing_is_followed_by_no_choice(matched: Job) -> None:
    assert choice.compared(matched, 0)
    for again in (1, 2, 3):
        assert not choice.compared(matched, again)
        assert list(choice.choose(matched, again)) == []


def test_too_many_pairs_are_refused_with_advice(
    matched: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "MOST_PAIRS", 3)
    assert list(choice.choose(matched, 0))
    monkeypatch.setattr(choice, "MOST_PAIRS", 2)
    with pytest.raises(UserError, match="chooses among 2 pairs of similar documents") as raised:
        list(choice.choose(matched, 0))
    assert raised.value.hint == "Choose in rounds on all workers: -s dedup.rounds=12"


def test_a_broken_guarantee_is_told(matched: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "greedy_survivors", lambda *_: np.empty(0, DECISION))
    with pytest.raises(VerificationError, match=r"^survivors: .* and both are kept") as raised:
        choice.decide(matched, edges(matched))
    assert raised.value.exit_code == 3
