"""`keep: 10%`: exact, by rank of the stored signal, with ties by hash of the id."""

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import make_test_job, run_stages
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.explain import explanation
from pipeline.recipe import Recipe
from pipeline.verdicts import id_hashes, known_cutoffs, rules_of

ONLY_WORD_COUNT = tuple(
    f"filters.gopher_quality.{rule}=null"
    for rule in (
        "mean_word_length",
        "hash_to_word_ratio",
        "ellipsis_to_word_ratio",
        "bullet_line_fraction",
        "ellipsis_line_fraction",
        "alphabetic_word_fraction",
        "stop_word_count",
    )
)


def rows(counts: list[int]) -> list[dict[str, str]]:
    return [{"id": f"d{n}", "text": "word " * count} for n, count in enumerate(counts)]


def kept(job: Any) -> dict[str, str]:
    """Returns the verdict of every document by its id."""
    found: dict[str, str] = {}
    for part in range(job.n_parts):
        table = pq.read_table(job.output.part("ledger", part, ".parquet"))
        found.update(zip(table["id"].to_pylist(), table["verdict"].to_pylist(), strict=True))
    return found


def run(folder: Path, files: dict[str, Any], keep: str, *more: str, **options: Any) -> Any:
    settings = ("dedup=null", "tokenizer.vocab_size=300", *more, *ONLY_WORD_COUNT)
    keep_setting = f"filters.gopher_quality.word_count.keep={keep}"
    job = make_test_job(folder, files, "raw", (*settings, keep_setting), **options)
    run_stages(job)
    return job


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    counts=st.lists(st.integers(1, 6), min_size=1, max_size=40),
    percent=st.integers(1, 100),
)
def test_exactly_the_share_is_kept_whatever_the_ties(tmp_path_factory, counts, percent):
    documents = rows(counts)
    job = run(tmp_path_factory.mktemp("share"), {"a.jsonl": documents}, f"{percent}%")
    verdicts = kept(job)
    wanted = max(1, round(percent / 100 * len(counts)))
    assert Counter(verdicts.values())["kept"] == wanted
    hashes = id_hashes(pq.read_table(job.output.part("ledger", 0, ".parquet"))["id"])
    best = sorted(range(len(counts)), key=lambda n: (-counts[n], hashes[n]))[:wanted]
    assert {f"d{n}" for n in best} == {name for name, v in verdicts.items() if v == "kept"}


def test_the_choice_does_not_depend_on_files(tmp_path):
    documents = rows([3] * 20 + [5] * 3 + [1] * 10)
    (tmp_path / "one").mkdir()
    (tmp_path / "three").mkdir()
    one = run(tmp_path / "one", {"a.jsonl": documents}, "30%")
    backwards = documents[::-1]
    files = {"x.jsonl": backwards[:5], "y.jsonl": backwards[5:6], "z.jsonl": backwards[6:]}
    three = run(tmp_path / "three", files, "30%")
    assert kept(one) == kept(three)
    assert Counter(kept(one).values()) == {"kept": 10, "filtered": 23}


def test_only_documents_that_pass_the_rules_before_are_counted(tmp_path):
    documents = rows([1] * 10 + [2] * 10 + [60] * 20)
    job = run(
        tmp_path,
        {"a.jsonl": documents},
        "50%",
        "filters.length.words={minimum: 2, maximum: 50}",
    )
    # 10 of 40 documents have 2 to 50 words; half of them are kept.
    assert Counter(kept(job).values()) == {"kept": 5, "filtered": 35}
    ledger = pq.read_table(job.output.part("ledger", 0, ".parquet")).to_pylist()
    late = [row for row in ledger if row["reason"] == "gopher_quality.word_count"]
    assert {(row["value"], row["threshold"]) for row in late} == {(2.0, 2.0)}


def test_unreadable_documents_do_not_count(tmp_path):
    job = run(
        tmp_path,
        {"a.jsonl": [*rows(list(range(1, 11))), b"{broken", b"{broken too"]},
        "20%",
        "max_error_rate=1",
    )
    assert Counter(kept(job).values()) == {"kept": 2, "filtered": 8, "error": 2}


def test_a_changed_share_does_not_measure_again(tmp_path):
    documents = {"a.jsonl": rows([1, 2, 3, 4])}
    first = run(tmp_path, documents, "25%")
    marker = Path(first.output.path("work/mill/part-00000.json"))
    before = marker.stat().st_mtime_ns
    settings = first.recipe.model_dump(mode="json")
    settings["filters"]["gopher_quality"]["word_count"]["keep"] = 0.75
    changed = Recipe.model_validate(settings).model_dump_json()
    second = dataclasses.replace(first, recipe_json=changed)
    run_stages(second)
    assert marker.stat().st_mtime_ns == before
    assert known_cutoffs(second)["gopher_quality.word_count"].value == 2.0
    assert Counter(kept(second).values())["kept"] == 3
    with pytest.raises(UserError, match="not finished"):
        known_cutoffs(first)


def test_a_rule_that_keeps_low_values_keeps_the_lowest(tmp_path):
    job = make_test_job(
        tmp_path,
        {"a.jsonl": rows([1, 2, 3, 4])},
        "raw",
        (
            "dedup=null",
            "tokenizer.vocab_size=300",
            "filters.gopher_repetition.duplicate_line_fraction.keep=50%",
            *(f"filters.gopher_repetition.{name}=null" for name in _other_repetition_rules()),
        ),
    )
    run_stages(job)
    ((_, rule),) = rules_of(job.recipe, known_cutoffs(job))
    assert (rule.minimum, rule.maximum) == (None, 0.0)
    assert Counter(kept(job).values()) == {"kept": 2, "filtered": 2}


def _other_repetition_rules() -> list[str]:
    from filters.gopher_repetition import RULES

    return [rule.signal for rule in RULES if rule.signal != "duplicate_line_fraction"]


def executed(folder: Path, documents: list[dict[str, str]], *settings: str) -> tuple[Any, Any]:
    """Runs a job to its end; returns its manifest and its report."""
    from io import StringIO

    from rich.console import Console

    from pipeline.run import run as run_job

    job = make_test_job(
        folder, {"a.jsonl": documents}, "raw", ("tokenizer.vocab_size=300", *settings)
    )
    run_job(job, "local", 1, [], Console(file=StringIO()))
    manifest, report = (
        json.loads(Path(job.output.path(name)).read_text())
        for name in ("manifest.json", "report/report.json")
    )
    return manifest, report


def test_the_manifest_of_a_run_names_the_cutoff(tmp_path):
    manifest, report = executed(
        tmp_path,
        rows(list(range(1, 21))),
        *ONLY_WORD_COUNT,
        "filters.gopher_quality.word_count.keep=10%",
    )
    assert manifest["cutoffs"] == {"gopher_quality.word_count": 19.0}
    assert manifest["documents"]["kept"] == 2
    (rule,) = report["rules"]
    assert (rule["minimum"], rule["keep"], rule["failed"]) == (19.0, 0.1, 18)


def test_where_no_document_has_the_signal_there_is_no_cutoff(tmp_path):
    # None of the documents has a URL; the rule after it counts all of them.
    manifest, report = executed(
        tmp_path,
        rows(list(range(1, 21))),
        "filters.url.listed_domain.keep=10%",
        "filters.length.words.keep=50%",
    )
    assert manifest["cutoffs"] == {"length.words": 11.0}
    assert manifest["documents"]["kept"] == 10
    rule = next(rule for rule in report["rules"] if rule["rule"] == "url.listed_domain")
    assert (rule["minimum"], rule["maximum"], rule["failed"]) == (None, None, 0)
    (story,) = explanation(str(tmp_path / "out"), "d3")
    told = next(rule for rule in story["rules"] if rule["rule"] == "url.listed_domain")
    assert (told["minimum"], told["maximum"], told["cutoff"]) == (None, None, None)
    page = (tmp_path / "out/report/report.html").read_text()
    assert "no document that passes the rules before has the signal" in page
