import dataclasses
import itertools
import json
import math
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console

from filters.rules import Rule, thresholds_failed
from pipeline.accounts import take_accounts
from pipeline.recipe import load_recipe
from pipeline.report import EXCERPT, SAMPLES, _edges, build_report
from pipeline.run import make_job, run
from pipeline.verdicts import judged_batches

CONFIG = Path(__file__).resolve().parents[1] / "pipelines.yaml"
SETTINGS = ["source.split_bytes=4096", "tokenizer.vocab_size=300", "max_error_rate=1"]
ENGLISH = (
    "the river ran past a mill where that old stone had been turned with care and people came to "
    "have their grain ground of an evening when it was not too cold for the long road home again"
)
WORDS = ENGLISH.split()


def corpus() -> list[str]:
    """JSON lines: good, short and repetitive documents, two kinds of duplicates, broken lines."""
    draw = random.Random(7)
    good = [" ".join(draw.choices(WORDS, k=draw.randint(60, 120))) + "." for _ in range(24)]
    texts = [*good, *good[:3], *(f"{text} And so it went on." for text in good[3:5])]
    texts += ["Too short to keep.", "Far too short, that one.", ""]
    texts += [f"{draw.choice(WORDS)} mill stone " * 80 for _ in range(4)]
    lines = [
        json.dumps({"text": text, "id": f"d{n}", "source": f"s{n % 3}"})
        for n, text in enumerate(texts)
    ]
    return [*lines, "{broken", '{"no": "text"}']


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp("report")
    (root / "in.jsonl").write_text("\n".join(corpus()) + "\n")
    settings = [*SETTINGS, f"source.inputs=[{root / 'in.jsonl'}]"]
    recipe = load_recipe("gopher", CONFIG, settings)
    job = make_job("gopher", recipe, str(root / "out"))
    return job, run(job, "local", 1, [], Console(quiet=True))


@pytest.fixture(scope="module")
def report(finished):
    return build_report(*finished)


def test_the_page_and_the_figures_are_written(finished, report):
    folder = Path(finished[0].output.root) / "report"
    assert json.loads((folder / "report.json").read_text()) == report
    assert (folder / "report.html").read_text().startswith("<!doctype html>")


def test_the_corpus_reaches_every_verdict(report):
    assert all(report["documents"].values())
    assert report["documents"]["read"] == len(corpus())
    assert report["errors"] == {"invalid_json": 1, "no_text_field": 1}
    assert report["error_rate"] == 2 / len(corpus())
    assert report["run"]["recipe"] == "gopher"
    assert report["run"]["parts"] > 1
    assert report["run"]["input_bytes"] == sum(len(line) + 1 for line in corpus())


def test_the_funnel_adds_up(report):
    funnel, documents = report["funnel"], report["documents"]
    assert funnel[0]["documents"] == documents["read"]
    for before, after in itertools.pairwise(funnel):
        assert before["documents"] - after["dropped"] == after["documents"]
        assert before["bytes"] >= after["bytes"]
    assert funnel[-1]["documents"] == documents["kept"]
    assert sum(row["dropped"] for row in funnel) == documents["read"] - documents["kept"]
    assert [row["stage"] for row in funnel[:2]] == ["read", "readable"]
    assert funnel[1]["dropped"] == documents["error"]
    assert funnel[-1]["tokens"] == sum(shard["tokens"] for shard in report["shards"])
    assert documents["kept"] == sum(shard["documents"] for shard in report["shards"])


def test_the_first_failures_are_the_reasons(report):
    rules = report["rules"]
    assert sum(rule["first"] for rule in rules) == report["documents"]["filtered"]
    reasons = {row["reason"]: row["documents"] for row in report["reasons"]}
    assert {rule["rule"]: rule["first"] for rule in rules if rule["first"]} == {
        reason: count for reason, count in reasons.items() if not reason.startswith("dedup.")
    }
    assert sum(reasons.values()) == (
        report["documents"]["filtered"] + report["documents"]["duplicate"]
    )
    for rule in rules:
        assert rule["alone"] <= rule["first"] <= rule["failed"]


def test_histograms_count_every_document_that_has_the_signal(finished, report):
    job = finished[0]
    values = {rule["rule"]: [] for rule in report["rules"]}
    for part in range(job.n_parts):
        for _, judgement in judged_batches(job, part):
            for number, name in enumerate(judgement.rules):
                values[name].extend(judgement.values[:, number])
    assert len(report["histograms"]) == len(values) > 10
    for data, rule in zip(report["histograms"], report["rules"], strict=True):
        known = [value for value in values[data["rule"]] if math.isfinite(value)]
        assert known
        assert sum(data["counts"]) == len(known)
        assert (data["smallest"], data["largest"]) == (min(known), max(known))
        assert len(data["edges"]) == len(data["counts"]) + 1
        assert dropped_side(data, rule) == rule["failed"]


def dropped_side(data, rule) -> int:
    low = -math.inf if rule["minimum"] is None else rule["minimum"]
    high = math.inf if rule["maximum"] is None else rule["maximum"]
    middles = [(a + b) / 2 for a, b in itertools.pairwise(data["edges"])]
    return sum(
        count
        for middle, count in zip(middles, data["counts"], strict=True)
        if not low <= middle <= high
    )


@given(
    st.lists(st.one_of(st.floats(-1e6, 1e6), st.integers(0, 8).map(float)), max_size=30),
    st.lists(st.floats(-100, 1e5).map(lambda bound: round(bound, 2)), max_size=2, unique=True),
    st.booleans(),
    st.booleans(),
)
@example([], [1.0], False, True)  # the bound and the float after it
@example([1.0, 1.0 + 2**-52], [], False, False)
@example([-1e6, -1e6], [], False, False)
def test_no_bin_is_half_dropped(values, bounds, strict, only_maximum):
    low, high = [*sorted(bounds), None, None][:2]
    if only_maximum and high is None:
        low, high = None, low
    rule = Rule("signal", minimum=low, maximum=high, strict=strict)
    # The values that a bound decides on are the hard ones.
    column = np.array([*values, *bounds], dtype=np.float64)
    edges, scale = _edges(rule, column)
    assert scale in ("linear", "log")
    assert np.isfinite(edges).all()
    assert (np.diff(edges) > 0).all()
    bins = np.searchsorted(edges[1:-1], column, side="right")
    counts = np.bincount(bins, minlength=len(edges) - 1)
    data = {"edges": edges.tolist(), "counts": counts.tolist()}
    failed = int(np.isfinite(thresholds_failed(rule, column)).sum())
    assert dropped_side(data, dataclasses.asdict(rule)) == failed


def test_counts_get_a_log_scale_and_small_numbers_a_bin_each():
    words = np.array([3.0, 40.0, 800.0, 5_000.0])
    edges, scale = _edges(Rule("word_count", minimum=50, maximum=100_000), words)
    assert scale == "log"
    assert edges[-1] > 100_000
    edges, scale = _edges(Rule("stop_words", minimum=2), np.arange(0.0, 9.0))
    assert scale == "linear"
    assert np.bincount(np.searchsorted(edges[1:-1], np.arange(0.0, 9.0), side="right")).max() <= 2


@pytest.mark.parametrize("bound", [math.inf, -math.inf])
def test_an_infinite_bound_is_not_drawn(bound):
    edges, _ = _edges(Rule("signal", maximum=bound), np.array([1.0, 2.0]))
    assert np.isfinite(edges).all()


def test_samples_are_deterministic_and_bounded(finished, report):
    assert build_report(finished[0], take_accounts(finished[0])) == report
    by_reason = {}
    for sample in report["samples"]:
        by_reason.setdefault(sample["reason"] or sample["verdict"], []).append(sample["id"])
        assert len(sample["excerpt"]) == min(EXCERPT, sample["characters"])
    assert set(by_reason) == {row["reason"] for row in report["reasons"]} | {"kept"}
    totals = {row["reason"]: row["documents"] for row in report["reasons"]}
    totals["kept"] = report["documents"]["kept"]
    for reason, ids in by_reason.items():
        assert len(ids) == len(set(ids)) == min(SAMPLES, totals[reason])


def test_sources_and_duplicates_add_up(report):
    for verdict in ("read", "kept", "filtered", "duplicate", "error"):
        assert sum(row[verdict] for row in report["sources"]) == report["documents"][verdict]
    found = report["duplicates"]
    assert found["exact_duplicates"] == 3
    assert found["near_duplicates"] == 2
    assert sum(count for _, count in found["sizes"]) == found["clusters"]
    assert sum((size - 1) * count for size, count in found["sizes"]) == 5
    assert all(cluster["lowest_jaccard"] >= 0.8 for cluster in found["largest"])


def test_redactions_are_counted_and_small_numbers_hidden(job_of):
    mails = [f"{ENGLISH} {n}: a{n}@b.de and c{n}@d.org" for n in range(9)]
    cards = [f"{ENGLISH} {n}: 4111111111111111" for n in range(10)]
    rows = [{"text": text} for text in [*mails, *cards, f"{ENGLISH} 8.8.8.8", ENGLISH]]
    rows[0]["url"] = "https://x.org/?to=one@x.org"
    job = job_of(rows, settings=[*SETTINGS, "redaction.types=[email, card, ip, mac]"])
    accounts = run(job, "local", 1, [], Console(quiet=True))
    few = "fewer than 10"
    assert build_report(job, accounts)["redactions"] == {
        "card": {"replaced": 10, "documents": 10},
        "email": {"replaced": 19, "documents": few},
        "ip": {"replaced": few, "documents": few},
        "mac": {"replaced": 0, "documents": 0},
    }
    counts = [summary["redacted_documents"] for summary in job.summaries("mill")]
    assert sum(map(Counter, counts), Counter()) == {"card": 10, "email": 9, "ip": 1}


def test_without_redaction_there_is_nothing_to_count(job_of):
    job = job_of([{"text": f"{ENGLISH} a@b.de"}], settings=[*SETTINGS, "redaction=null"])
    assert build_report(job, run(job, "local", 1, [], Console(quiet=True)))["redactions"] == {}
