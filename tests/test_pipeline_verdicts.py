import dataclasses
import hashlib
import math
import random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import CONFIG, prose, run_stages
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.rules import threshold_failed
from pipeline import mill, storage, verdicts
from pipeline.duplicates.outcome import Duplicates
from pipeline.recipe import Recipe, load_recipe
from pipeline.verdicts import (
    LEDGER_SCHEMA,
    VERDICTS,
    Cutoff,
    Judgement,
    bin_documents,
    in_validation,
    judge,
    rules_of,
    verdict_table,
)

# Three rules of two filters, in an order that is not the registry's.
RECIPE = load_recipe(
    "raw",
    CONFIG,
    [
        "filters.gopher_quality.word_count={minimum: 2, maximum: 5}",
        *(
            f"filters.gopher_quality.{rule}=null"
            for rule in (
                "mean_word_length",
                "hash_to_word_ratio",
                "ellipsis_to_word_ratio",
                "bullet_line_fraction",
                "ellipsis_line_fraction",
                "alphabetic_word_fraction",
            )
        ),
        "filters.gopher_quality.stop_word_count={minimum: 1}",
        "filters.language.score={minimum: 0.5}",
        "dedup={passages: {}}",
        "tokens.validation=0.3",
    ],
)
RULES = ["gopher_quality.word_count", "gopher_quality.stop_word_count", "language.score"]
VALUE = st.one_of(st.none(), st.sampled_from([math.nan, 0.0, 0.5, 1.0, 2.0, 5.0, 6.0]))


def column(rows) -> pa.StructArray:
    kind = pa.struct(
        [
            (
                "gopher_quality",
                pa.struct([("word_count", pa.float64()), ("stop_word_count", pa.float64())]),
            ),
            ("language", pa.struct([("score", pa.float64())])),
        ]
    )
    values = [
        None
        if row is None
        else {
            "gopher_quality": {"word_count": row[0], "stop_word_count": row[1]},
            "language": {"score": row[2]},
        }
        for row in rows
    ]
    return pa.array(values, kind)


def batch(rows, language=None) -> pa.RecordBatch:
    """Returns rows of documents/ as far as judging needs them."""
    return pa.record_batch(
        {
            "id": pa.array([f"id-{number}" for number in range(len(rows))], pa.string()),
            "language": pa.array([language] * len(rows), pa.string()),
            "signals": column(rows),
        }
    )


DUPLICATES_SCHEMA = pa.schema(
    [
        ("row", pa.uint32()),
        ("kept_id", pa.string()),
        ("value", pa.float64()),
        ("reason", pa.string()),
    ]
)


def ledger_of(
    rows: pa.RecordBatch, judgement: Judgement, recipe: Recipe = RECIPE, **more: Any
) -> pa.Table:
    """Returns the ledger of documents; what is not given is none."""
    given = {
        "errors": np.zeros(len(rows), dtype=bool),
        "duplicates": Duplicates.of(DUPLICATES_SCHEMA.empty_table(), 0),
        "stands": np.ones(len(rows), np.uint32),
        "removed": np.zeros(len(rows), np.uint32),
        **more,
    }
    return verdict_table(rows, judgement, recipe=recipe, **given)


def test_rules_are_in_recipe_order():
    assert [f"{name}.{rule.signal}" for name, rule in rules_of(RECIPE)] == RULES


KINDS = {  # reason: value and threshold
    "dedup.url": (None, None),
    "dedup.exact": (1.0, 1.0),
    "dedup.minhash": (0.875, 0.8),
    "dedup.passages": (7.0, 50.0),
}
DOCUMENT = st.tuples(
    st.one_of(st.none(), st.tuples(VALUE, VALUE, VALUE)),
    st.booleans(),  # is an error
    st.sampled_from([None, None, *KINDS]),
    st.integers(1, 2**32 - 1),  # stands for so many
    st.integers(0, 9),  # bytes that it loses
)


@settings(max_examples=150, deadline=None)
@given(st.lists(DOCUMENT, max_size=12))
def test_the_ledger_is_what_its_definition_says(documents):
    """The oracle decides document by document, with the scalar twin of the rules."""
    kinds = [kind for _, _, kind, _, _ in documents]
    rows = [row for row, kind in enumerate(kinds) if kind]
    table = pa.table(
        {
            "row": [10 + row for row in rows],
            "kept_id": [f"kept-{row}" for row in rows],
            "value": [KINDS[kinds[row]][0] for row in rows],
            "reason": [kinds[row] for row in rows],
        },
        schema=DUPLICATES_SCHEMA,
    )
    found = batch([values for values, *_ in documents])
    table = ledger_of(
        found,
        judge(found, RECIPE),
        errors=np.array([error for _, error, *_ in documents], dtype=bool),
        duplicates=Duplicates.of(table, 10),
        stands=np.array([stands for *_, stands, _ in documents], np.uint32),
        removed=np.array([removed for *_, removed in documents], np.uint32),
    )
    assert table.schema == LEDGER_SCHEMA
    table.validate(full=True)

    for row, (values, error, kind, stands, removed) in zip(
        table.to_pylist(), documents, strict=True
    ):
        number = int(row["id"][3:])
        failed = []
        for name, rule, value in zip(
            RULES, (r for _, r in rules_of(RECIPE)), values or (None,) * 3, strict=True
        ):
            bound = threshold_failed(rule, value)
            if bound is not None:
                failed.append((name, value, bound))
        assert row["failed"] == [name for name, _, _ in failed]
        names = "reason value threshold duplicate_of cluster_size n_removed partition"
        expected = dict.fromkeys(names.split())
        if error:
            verdict = "error"
        elif failed:
            verdict = "filtered"
            expected |= dict(zip(("reason", "value", "threshold"), failed[0], strict=True))
        elif kind:
            verdict = "duplicate"
            expected["duplicate_of"] = f"kept-{number}"
            expected["reason"] = kind
            expected["value"], expected["threshold"] = KINDS[kind]
        else:
            verdict = "kept"
            chosen = in_validation([row["id"]], RECIPE.seed, 0.3)[0]
            expected["partition"] = "validation" if chosen else "train"
            expected["cluster_size"], expected["n_removed"] = stands, removed
        assert row["verdict"] == verdict
        assert {key: row[key] for key in expected} == expected
        assert row["n_tokens"] is None


def test_the_ledger_tells_a_value_from_a_threshold_just_above_it():
    value, cutoff = 0.99999998, 0.99999999
    rows = batch([(3.0, 5.0, value)])
    judgement = judge(rows, RECIPE, {"language.score": Cutoff(cutoff, 0)})
    (row,) = ledger_of(rows, judgement).to_pylist()
    assert (row["reason"], row["value"], row["threshold"]) == ("language.score", value, cutoff)


@pytest.mark.parametrize("value", [math.nan, None])
def test_an_undefined_signal_passes(value):
    judgement = judge(batch([(value, 1.0, value)]), RECIPE)
    assert judgement.passed.tolist() == [True]


@pytest.mark.parametrize(("value", "kept"), [(2.0, True), (5.0, True), (1.0, False), (6.0, False)])
def test_bounds_are_inclusive(value, kept):
    assert judge(batch([(value, 1.0, 1.0)]), RECIPE).passed.tolist() == [kept]


def test_a_strict_bound_is_not():
    assert judge(batch([(3.0, 1.0, 0.5)]), RECIPE).passed.tolist() == [False]


def test_bounds_of_a_language_hold_for_its_documents_only():
    settings = RECIPE.model_dump(mode="json")
    bounds = settings["filters"]["gopher_quality"]["word_count"]
    bounds["languages"] = {"de": {"minimum": 1.0}, "fr": {"minimum": 0, "maximum": None}}
    recipe = Recipe.model_validate(settings)
    for language, value, kept in [
        ("en", 1.0, False),
        (None, 1.0, False),
        ("de", 1.0, True),
        ("de", 6.0, False),  # the bound that the language leaves out is as elsewhere
        ("fr", 6.0, True),
        ("fr", -1.0, False),
    ]:
        judgement = judge(batch([(value, 1.0, 1.0)], language), recipe)
        assert judgement.passed.tolist() == [kept], (language, value)


def test_a_recipe_without_rules_keeps_everything():
    raw = load_recipe("raw", CONFIG)
    rows = batch([None] * 3)
    table = ledger_of(rows, judge(rows, raw), raw)
    assert table["verdict"].to_pylist() == ["kept"] * 3
    assert table["failed"].to_pylist() == [[]] * 3


# --- the validation partition ------------------------------------------------------------------

IDS = [f"https://example.com/{number}" for number in range(20_000)]


@given(st.permutations(IDS[:50]), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_validation_depends_on_id_and_seed_only(ids, seed):
    chosen = dict(zip(ids, in_validation(ids, seed, 0.4).tolist(), strict=True))
    alone = {name: bool(in_validation([name], seed, 0.4)[0]) for name in ids[:10]}
    assert {name: chosen[name] for name in alone} == alone
    assert [chosen[name] for name in IDS[:50]] == in_validation(IDS[:50], seed, 0.4).tolist()


@pytest.mark.parametrize("share", [0.003, 0.1, 0.5, 0.9])
def test_the_share_of_validation_is_about_right(share):
    count = int(in_validation(IDS, 7, share).sum())
    deviation = math.sqrt(len(IDS) * share * (1 - share))
    assert abs(count - len(IDS) * share) < 5 * deviation


def test_validation_at_its_ends():
    assert not in_validation(IDS, 0, 0.0).any()
    assert in_validation(IDS, 0, 1.0).all()
    assert in_validation([], 0, 0.5).tolist() == []


def test_a_larger_share_adds_documents_and_another_seed_chooses_others():
    small, large = in_validation(IDS, 0, 0.1), in_validation(IDS, 0, 0.2)
    assert (large | ~small).all()
    other = in_validation(IDS, 1, 0.1)
    assert 0.05 < (small & other).sum() / small.sum() < 0.15


# --- bin ---------------------------------------------------------------------------------------


def ledger_rows(job) -> list[dict]:
    return [
        row
        for part in range(job.n_parts)
        for row in pq.read_table(job.output.part("ledger", part, ".parquet")).to_pylist()
    ]


def test_every_document_of_a_run_has_one_verdict(finished):
    rows = ledger_rows(finished)
    documents = [
        name
        for part in range(finished.n_parts)
        for name in pq.read_table(finished.output.part("documents", part, ".parquet"))[
            "id"
        ].to_pylist()
    ]
    assert [row["id"] for row in rows] == documents
    assert {row["verdict"] for row in rows} == set(VERDICTS)
    verdict = {row["id"]: row["verdict"] for row in rows}
    assert verdict["near-0"] == verdict["far-2"] == verdict["base-5"] == "kept"
    assert verdict["base-0"] == verdict["copy-0"] == verdict["copy-near-1"] == "duplicate"
    assert verdict["short"] == verdict["short-copy"] == verdict["german"] == "filtered"
    assert sum(row["verdict"] == "error" for row in rows) == 5
    by_id = {row["id"]: row for row in rows}
    assert by_id["short"]["reason"] == "gopher_quality.word_count"
    assert (by_id["short"]["value"], by_id["short"]["threshold"]) == (4.0, 50.0)
    assert by_id["german"]["reason"] == "language.score"
    assert by_id["german"]["failed"][:2] == ["language.score", "gopher_quality.stop_word_count"]


def test_verdicts_do_not_depend_on_batches(finished, copied, monkeypatch):
    monkeypatch.setattr(verdicts, "BATCH_ROWS", 1)
    found = set()
    for part in range(finished.n_parts):
        marker = f"work/bin/part-{part:05d}.json"
        summary = copied.output.read_json(marker)
        storage.remove(copied.output.path(marker))
        before = pa.ipc.open_file(finished.output.part("work/verdicts", part, ".arrow")).read_all()
        again = bin_documents(copied, part)
        assert again == {key: value for key, value in summary.items() if key != "fingerprint"}
        assert again["documents"] == len(before)
        after = pa.ipc.open_file(copied.output.part("work/verdicts", part, ".arrow")).read_all()
        assert after.to_pylist() == before.to_pylist()
        found.update(after["verdict"].to_pylist()[1:])
    assert found == set(VERDICTS)  # also in batches that are not the first


def test_summaries_count_what_the_files_hold(finished):
    rows = ledger_rows(finished)
    counted: dict[str, int] = {}
    kept_bytes = 0
    for part in range(finished.n_parts):
        summary = finished.output.committed("bin", part, finished.fingerprint("bin", part))
        kept_bytes += summary["kept_bytes"]
        for _, verdict, count in summary["verdicts"]:
            counted[verdict] = counted.get(verdict, 0) + count
    assert counted == {name: sum(row["verdict"] == name for row in rows) for name in VERDICTS}
    sizes = [
        size
        for part in range(finished.n_parts)
        for size in pq.read_table(finished.output.part("documents", part, ".parquet"))[
            "n_bytes"
        ].to_pylist()
    ]
    assert kept_bytes == sum(
        size for size, row in zip(sizes, rows, strict=True) if row["verdict"] == "kept"
    )


def test_another_threshold_needs_no_second_pass_over_the_text(job_of, monkeypatch):
    rows = [{"id": str(n), "text": prose(n, words=20 * (n + 1))} for n in range(5)]
    job = job_of(rows, "gopher", ["filters.language=null", "filters.gopher_repetition=null"])
    run_stages(job)
    assert [row["verdict"] for row in ledger_rows(job)] == ["filtered"] * 2 + ["kept"] * 3

    def refuse(*_):
        raise AssertionError("milled again")

    monkeypatch.setattr(mill, "measured", refuse)
    settings = job.recipe.model_dump(mode="json")
    settings["filters"]["gopher_quality"]["word_count"]["minimum"] = 70.0
    changed = Recipe.model_validate(settings).model_dump_json()
    stricter = dataclasses.replace(job, recipe_json=changed)
    run_stages(stricter)
    assert [row["verdict"] for row in ledger_rows(job)] == ["filtered"] * 3 + ["kept"] * 2


def test_two_documents_of_one_id_share_a_partition(job_of):
    rng = random.Random(0)
    rows = [
        {"id": f"twin-{n}", "text": f"{side} {rng.random()}"} for n in range(30) for side in "ab"
    ]
    job = job_of(rows, "raw", ["tokens.validation=0.5"])
    run_stages(job)
    found = ledger_rows(job)
    sides = [[row["partition"] for row in found[start::2]] for start in (0, 1)]
    assert sides[0] == sides[1]
    assert set(sides[0]) == {"train", "validation"}
    expected = [
        int.from_bytes(
            hashlib.blake2b(f"twin-{n}".encode(), digest_size=8, key=bytes(4)).digest(), "little"
        )
        < 2**63
        for n in range(30)
    ]
    assert [name == "validation" for name in sides[0]] == expected
