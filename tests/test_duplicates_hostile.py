"""Hostile input: chains of similar documents, and buckets of which no pair can be left to chance.

Judged by the oracle, which compares all pairs and shares no kernel with the pipeline.
"""

import json
import random
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from conftest import CONFIG
from dedup_oracle import AllPairs, all_pairs
from dedup_outcome import Outcome, read_outcome
from rich.console import Console

from pipeline.recipe import load_recipe
from pipeline.run import make_job, run

THRESHOLD = 0.8
CHEAP = ("tokenizer.vocab_size=300", "tokenizer.sample_bytes=100000")


def outcome_of(texts: list[str], folder: Path, *settings: str) -> Outcome:
    rows = ({"id": f"d{number:06}", "text": text} for number, text in enumerate(texts))
    source = folder / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    inputs = f"source.inputs={json.dumps([str(source)])}"
    recipe = load_recipe("raw", CONFIG, [inputs, "dedup={}", *CHEAP, *settings])
    job = make_job("raw", recipe, str(folder / "out"))
    run(job, "local", 1, [], Console(file=StringIO()))
    return read_outcome(folder / "out")


def assert_the_guarantees(outcome: Outcome, truth: AllPairs) -> None:
    """A duplicate names a kept document that is as similar as the threshold; kept ones are not."""
    assert np.all(outcome.kept[outcome.dropped_for])
    true = truth.between(outcome.dropped, outcome.dropped_for)
    assert np.array_equal(outcome.jaccard, true)
    assert np.all(true >= THRESHOLD)
    assert np.array_equal(np.flatnonzero(~outcome.kept), outcome.dropped)
    # Of all pairs that share a band no two are kept; at most one pair in a thousand shares none.
    a, b = outcome.pairs.T
    similar = outcome.compared >= THRESHOLD
    assert not np.any(similar & outcome.kept[a] & outcome.kept[b])
    assert truth.recall(outcome.kept, THRESHOLD) >= 0.999


def chain(count: int, step: int = 16, words: int = 200) -> list[str]:
    """Returns windows over one sequence of words, each moved on by `step`: neighbours at 0.849."""
    rng = random.Random(count)
    sequence = [f"w{rng.randrange(10_000)}" for _ in range(count * step + words)]
    return [" ".join(sequence[n * step : n * step + words]) for n in range(count)]


@pytest.mark.parametrize("count", [200, pytest.param(2_000, marks=pytest.mark.slow)])
def test_a_chain_keeps_enough(count, tmp_path):
    """Merged by its links it would keep one document; half of all can stay, a third must."""
    texts = chain(count)
    truth = all_pairs(texts)
    alike = truth.jaccard >= THRESHOLD
    assert np.all(truth.b[alike] - truth.a[alike] == 1)
    assert np.sum(alike) > 0.99 * count
    outcome = outcome_of(texts, tmp_path)
    assert_the_guarantees(outcome, truth)
    assert count / 3 <= np.sum(outcome.kept) <= 0.51 * count
    assert len(outcome.pairs) < 5 * count


def test_the_ends_of_a_chain_are_unrelated(tmp_path):
    texts = chain(60)
    truth = all_pairs(texts, 0.001)
    assert truth.between([0], [59]).tolist() == [0.0]
    outcome = outcome_of(texts, tmp_path)
    # No duplicate is named for a document further away than its neighbours.
    assert np.all(np.abs(outcome.dropped - outcome.dropped_for) == 1)


@pytest.mark.slow
def test_a_bucket_of_identical_documents(tmp_path):
    """Without exact matching all of them share every band; each is compared with one."""
    count = 5_000
    outcome = outcome_of([chain(1)[0]] * count, tmp_path, "dedup.exact=null")
    assert np.sum(outcome.kept) == 1
    assert len(outcome.dropped) == len(outcome.pairs) == count - 1
    assert set(outcome.reasons) == {"dedup.minhash"}
    assert np.all(outcome.jaccard == 1)


def variants(count: int, words: int, seed: int = 1) -> list[str]:
    """Returns copies of one text, each with 1 to 3 of its words changed."""
    rng = random.Random(seed)
    template = [f"w{rng.randrange(10_000)}" for _ in range(words)]
    texts = []
    for number in range(count):
        copy = list(template)
        for place in rng.sample(range(words), rng.randint(1, 3)):
            copy[place] = f"new{number}"
        texts.append(" ".join(copy))
    return texts


@pytest.mark.slow
def test_a_bucket_of_near_identical_documents(tmp_path):
    """Many are not alike, so leaders do not reach all; what is left of them is compared as well."""
    texts = variants(2_000, 150)
    truth = all_pairs(texts, 0.5)
    outcome = outcome_of(texts, tmp_path)
    assert np.all(outcome.kept[outcome.dropped_for])
    true = truth.between(outcome.dropped, outcome.dropped_for)
    assert np.array_equal(outcome.jaccard, true)
    assert np.all(true >= THRESHOLD)
    a, b = outcome.pairs.T
    assert not np.any((outcome.compared >= THRESHOLD) & outcome.kept[a] & outcome.kept[b])
    assert len(outcome.pairs) < len(truth.jaccard) / 3
    report = json.loads((tmp_path / "out" / "work" / "match" / "part-00000.json").read_text())
    assert len(truth.missed(outcome.kept, THRESHOLD)) <= report["uncompared"]
    assert truth.recall(outcome.kept, THRESHOLD) >= 0.999
