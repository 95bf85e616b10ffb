"""Deduplication from end to end against brute force over all pairs of documents.

The oracle (`dedup_oracle`) shares no kernel with what it judges. Two things are held: every drop is
right (its exact similarity to a kept document is at or above the threshold), and of the pairs
at or above the threshold at most one in a thousand keeps both documents.
"""

import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from conftest import CONFIG
from dedup_oracle import AllPairs, all_pairs
from dedup_outcome import Outcome, curve, read_outcome
from dedup_sets import STEPS, family, later_crawls, made_up, one_site, pages, read_texts
from real_texts import DATA, needs_data
from rich.console import Console

from pipeline.recipe import load_recipe
from pipeline.run import make_job, run

THRESHOLD = 0.8
CHEAP = ("source.split_bytes=300000", "tokenizer.vocab_size=400", "tokenizer.sample_bytes=100000")


def deduplicated(texts: Sequence[str], folder: Path, *settings: str) -> tuple[Outcome, AllPairs]:
    """Runs the whole pipeline over texts; returns what it decided, and the truth."""
    rows = ({"id": f"d{number:05}", "text": text} for number, text in enumerate(texts))
    source = folder / "documents.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    inputs = f"source.inputs={json.dumps([str(source)])}"
    recipe = load_recipe("raw", CONFIG, [inputs, "dedup={}", *CHEAP, *settings])
    job = make_job("raw", recipe, str(folder / "out"))
    run(job, "local", 1, [], Console(file=StringIO()))
    outcome = read_outcome(folder / "out")
    assert len(outcome.texts) == len(texts)
    return outcome, all_pairs(outcome.texts, 0.1)


def assert_every_drop_is_right(outcome: Outcome, truth: AllPairs, threshold: float) -> None:
    assert len(outcome.dropped) > 0
    assert np.all(outcome.kept[outcome.dropped_for])
    assert np.array_equal(~outcome.kept, np.isin(np.arange(len(outcome.texts)), outcome.dropped))
    exact = np.array([reason == "dedup.exact" for reason in outcome.reasons])
    for one, other in zip(outcome.dropped[exact], outcome.dropped_for[exact], strict=True):
        assert outcome.texts[one].split() == outcome.texts[other].split()
    assert np.all(outcome.jaccard[exact] == 1)
    near = ~exact
    assert {reason for reason, one in zip(outcome.reasons, near, strict=True) if one} <= {
        "dedup.minhash"
    }
    true = truth.between(outcome.dropped[near], outcome.dropped_for[near])
    assert np.array_equal(outcome.jaccard[near], true)
    assert np.all(true >= threshold)


def assert_the_evidence_is_exact(outcome: Outcome, truth: AllPairs, threshold: float) -> None:
    a, b = outcome.pairs.T
    true = truth.between(a, b)
    seen = outcome.compared >= truth.at_least
    assert np.array_equal(outcome.compared[seen], true[seen])
    assert not true[~seen].any()
    assert not np.any((outcome.compared >= threshold) & outcome.kept[a] & outcome.kept[b])


def assert_judged(outcome: Outcome, truth: AllPairs, threshold: float = THRESHOLD) -> None:
    assert_every_drop_is_right(outcome, truth, threshold)
    assert_the_evidence_is_exact(outcome, truth, threshold)
    assert truth.recall(outcome.kept, threshold) >= 0.999


def assert_found_as_theory_says(outcome: Outcome, truth: AllPairs, width: float = 0.05) -> None:
    for step in curve(outcome, truth, width):
        assert abs(step.found - step.expected) <= 5 * step.deviation + 0.5, step


def test_the_made_up_set_has_pairs_at_every_step():
    texts = made_up(300)
    truth = all_pairs(texts, 0.3)
    for step in STEPS:
        assert np.sum(np.abs(truth.jaccard - step) < 0.0125) >= 20, step
    assert np.sum(truth.jaccard == 0.8) > 10  # exactly at the threshold
    assert sum(len(text.split()) < 5 for text in texts) > 50


def test_made_up_documents(tmp_path):
    outcome, truth = deduplicated(made_up(400), tmp_path)
    assert len(outcome.texts) > 2_000
    assert np.sum(truth.jaccard >= THRESHOLD) > 1_000
    assert_judged(outcome, truth)
    assert_found_as_theory_says(outcome, truth)


@pytest.mark.parametrize("threshold", [0.5, 0.9, 1.0])
def test_made_up_documents_at_another_threshold(threshold, tmp_path):
    outcome, truth = deduplicated(
        made_up(100, seed=2),
        tmp_path,
        f"dedup.minhash.threshold={threshold}",
        "dedup.minhash.bands=60",
        "dedup.minhash.rows=3",
    )
    assert_judged(outcome, truth, threshold)


def test_more_versions_of_a_text_than_one_bucket_compares(tmp_path):
    outcome, truth = deduplicated(family(400), tmp_path)
    assert 10_000 < np.sum(truth.jaccard >= THRESHOLD) < len(truth.jaccard) * 0.9
    assert len(outcome.pairs) < 0.4 * len(truth.jaccard)
    assert_judged(outcome, truth)


def test_pages_that_share_most_of_their_words(tmp_path):
    outcome, truth = deduplicated(one_site(300), tmp_path)
    assert np.sum(truth.jaccard > 0.75) > 100_000  # nearly all pairs are nearly similar
    assert np.sum(truth.jaccard >= THRESHOLD) == 300
    assert_judged(outcome, truth)


@needs_data
@pytest.mark.slow
def test_web_pages(tmp_path):
    # By two extractors, whose texts are alike to all degrees, and with later versions.
    one = read_texts(DATA / "web" / "crawl.warc.gz", "resiliparse")
    other = read_texts(DATA / "web" / "crawl.warc.gz", "trafilatura")
    assert len(one) == len(other) > 900
    outcome, truth = deduplicated([*one, *other, *later_crawls(one)], tmp_path)
    assert np.sum(truth.jaccard >= THRESHOLD) > 1_000
    assert_judged(outcome, truth)
    assert_found_as_theory_says(outcome, truth)


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("name", ["novels", "ocr"])
def test_pages_of_prose(name, tmp_path):
    chapters = read_texts(DATA / "prose" / f"{name}.jsonl.zst")
    outcome, truth = deduplicated(pages(chapters[:: 3 if name == "novels" else 1]), tmp_path)
    assert np.sum(truth.jaccard >= THRESHOLD) > 1_000
    assert_judged(outcome, truth)
    assert_found_as_theory_says(outcome, truth)
