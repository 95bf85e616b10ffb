"""The pairs of a run against all pairs of its documents."""

import dataclasses
import random

import datasketch
import numpy as np
import pyarrow as pa
import pytest
from conftest import changed, make_test_job, prose, run_stages
from duplicates_rows import brute_force, pairs_of
from hypothesis import given
from hypothesis import strategies as st

from dedup.shingles import shingle_hashes
from pipeline import storage
from pipeline.duplicates import bands, compare, sketches
from pipeline.output import Output
from pipeline.recipe import Recipe

DEDUP = ["dedup={}"]


def family(seed: int, count: int = 40) -> list[dict]:
    """Returns documents of which many are near-duplicates of others, to all degrees."""
    rng = random.Random(seed)
    texts = [prose(seed * 100 + n, words=rng.choice([12, 60, 120])) for n in range(count // 4)]
    while len(texts) < count:
        text = rng.choice(texts)
        words = len(text.split(" "))
        texts.append(changed(text, *rng.sample(range(words), rng.choice([1, 1, 2, 5]))))
    rng.shuffle(texts)
    return [{"id": f"d{number:03}", "text": text} for number, text in enumerate(texts)]


@pytest.mark.parametrize("seed", range(4))
def test_every_similar_pair_is_found_and_every_jaccard_is_exact(job_of, seed):
    rows = family(seed)
    job = job_of(rows, "raw", ["dedup.exact=null"])
    run_stages(job, until="match")
    found, truth = pairs_of(job), brute_force(rows)
    assert found == {pair: truth[pair] for pair in found}
    similar = {pair for pair, value in truth.items() if value >= 0.8}
    assert len(similar) > 5
    assert similar <= found.keys()
    assert len(found) < len(truth) / 2


def test_candidates_are_those_of_datasketch(job_of):
    """The same bands of the same signatures, by an implementation that is not ours."""
    rows = family(7)
    job = job_of(rows, "raw", ["dedup.exact=null"])
    run_stages(job, until="match")
    index = datasketch.MinHashLSH(num_perm=100, params=(20, 5))
    signatures = {}
    for row in rows:
        sketch = datasketch.MinHash(
            num_perm=100, seed=1, scheme="affine32", hashfunc=lambda value: value % 2**32
        )
        for value in shingle_hashes(row["text"], 5).tolist():
            sketch.update(value)
        signatures[row["id"]] = sketch
        index.insert(row["id"], sketch)
    expected = {
        (min(name, other), max(name, other))
        for name, sketch in signatures.items()
        for other in index.query(sketch)
        if other != name
    }
    assert len(expected) > 10
    assert pairs_of(job).keys() == expected


@pytest.mark.parametrize("size", [1, 3])
def test_the_size_of_a_shingle_is_the_recipes(job_of, size):
    rows = family(3, count=20)
    job = job_of(rows, "raw", ["dedup.exact=null", f"dedup.minhash.shingle={size}"])
    run_stages(job, until="match")
    truth = brute_force(rows, size)
    found = pairs_of(job)
    assert found
    assert found == {pair: truth[pair] for pair in found}


def test_pairs_under_the_threshold_are_evidence_too(job_of):
    text = prose(1)
    rows = [{"id": "a", "text": text}, {"id": "b", "text": changed(text, 20, 60, 100)}]
    job = job_of(rows, "raw", ["dedup.minhash.threshold=0.99"])
    run_stages(job)
    (jaccard,) = pairs_of(job).values()
    assert 0.6 < jaccard < 0.99


def test_of_equal_texts_one_is_compared(job_of):
    text = prose(1)
    rows = [{"id": f"copy-{n}", "text": text} for n in range(30)]
    rows += [{"id": "near", "text": changed(text, 50)}]
    exact = job_of(rows, "raw", DEDUP, out="exact")
    run_stages(exact, until="match")
    assert len(pairs_of(exact)) == 1
    near_only = job_of(rows, "raw", ["dedup.exact=null"], out="near")
    run_stages(near_only, until="match")
    assert len(pairs_of(near_only)) == 31 * 30 // 2


def test_wordless_documents_are_never_near_duplicates(job_of):
    rows = [{"id": f"d{n}", "text": text} for n, text in enumerate(["", " ", "...", "!?", "…", ""])]
    job = job_of(rows, "raw", DEDUP)
    run_stages(job)
    assert pairs_of(job) == {}


def test_unreadable_and_filtered_documents_are_not_matched(finished):
    found = pairs_of(finished)
    assert found
    assert not {"short", "short-copy", "german", "empty"} & {
        name for pair in found for name in pair
    }


@pytest.mark.parametrize("scope", ["source", "snapshot"])
def test_documents_of_different_scopes_are_not_compared(job_of, scope):
    rows = [
        {"id": f"{group}{n}", "text": changed(prose(1), n), scope: group}
        for group in "ab"
        for n in range(4)
    ]
    job = job_of(rows, "raw", [f"dedup.scope={scope}"])
    run_stages(job)
    found = pairs_of(job)
    assert len(found) == 2 * (4 * 3 // 2)
    assert all(a[0] == b[0] for a, b in found)


def test_comparing_in_pieces_changes_nothing(job_of, monkeypatch):
    rows = family(2)
    whole = job_of(rows, "raw", DEDUP, out="whole")
    run_stages(whole, until="match")
    monkeypatch.setattr(sketches, "SHINGLES_AT_ONCE", 100)
    pieces = job_of(rows, "raw", DEDUP, out="pieces")
    run_stages(pieces, until="match")
    assert pairs_of(pieces) == pairs_of(whole)
    assert len(pairs_of(whole)) > 10


def test_the_files_of_pairs_do_not_depend_on_parts_and_order(tmp_path):
    rows = family(6)
    outputs = []
    for number, (size, shuffle) in enumerate([(2**24, None), (4096, 3), (8192, 4)]):
        mixed = rows[:]
        random.Random(number).shuffle(mixed)
        folder = tmp_path / str(number)
        folder.mkdir()
        settings = [*DEDUP, f"source.split_bytes={size}"]
        job = make_test_job(folder, {"in.jsonl": mixed}, "raw", settings)
        run_stages(job, shuffle=shuffle, until="match")
        files = storage.list_files(job.output.path("pairs"))
        outputs.append([(f.url.rsplit("/", 1)[1], storage.read_bytes(f.url)) for f in files])
    assert outputs[0] == outputs[1] == outputs[2]
    assert len(outputs[0]) == bands.PAIR_PACKS


PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(2**64 - 4, 2**64 - 1)), max_size=12)


@given(PAIRS, PAIRS)
def test_pairs_that_were_compared_are_left_out(pairs, known):
    wanted = np.array(sorted(set(pairs)), np.uint64).reshape(-1, 2)
    earlier = np.array(sorted(set(known)), np.uint64).reshape(-1, 2)
    found = compare._without(wanted, pa.table({"a": earlier[:, 0], "b": earlier[:, 1]}))
    assert list(map(tuple, found.tolist())) == sorted(set(pairs) - set(known))


# --- large buckets ------------------------------------------------------------------------------


def test_a_large_bucket_of_near_copies_costs_one_pair_each(job_of):
    text = prose(1)
    rows = [{"id": f"d{n}", "text": f"{text} ending{n}"} for n in range(90)]
    job = job_of(rows, "raw", DEDUP)
    run_stages(job)
    summary = job.summaries("match")[0]
    assert summary["large_buckets"] >= 10
    assert summary["uncompared"] == 0
    assert summary["pairs"] == len(pairs_of(job)) < 90 * 89 // 4
    assert summary["near_duplicates"] == 89


# --- what is left of other settings --------------------------------------------------------------


def test_pairs_left_by_other_settings_are_removed(job_of):
    rows = family(5)
    first = job_of(rows, "raw", DEDUP)
    run_stages(first)
    assert len(pairs_of(first)) > 10
    again = job_of(rows, "raw", ["dedup.minhash.rows=64"])
    run_stages(again)
    fresh = job_of(rows, "raw", ["dedup.minhash.rows=64"], out="fresh")
    run_stages(fresh)
    assert pairs_of(again) == pairs_of(fresh)
    assert len(pairs_of(fresh)) < 3


def test_another_threshold_compares_nothing_again(job_of, monkeypatch):
    rows = family(8)
    first = job_of(rows, "raw", DEDUP)
    run_stages(first)
    settings = first.recipe.model_dump(mode="json")
    settings["dedup"]["minhash"]["threshold"] = 0.5
    again = dataclasses.replace(first, recipe_json=Recipe(**settings).model_dump_json())
    fresh = dataclasses.replace(again, output=Output(f"{first.output.root}-fresh"))
    fresh.output.write_json("work/plan.json", first.output.read_json("work/plan.json"))
    run_stages(fresh)
    before = first.summaries("match")[0]["near_duplicates"]
    monkeypatch.setattr(bands, "band_packs", lambda *_: pytest.fail("compared again"))
    run_stages(again)
    for folder in ("ledger", "clusters", "pairs"):
        files = storage.list_files(fresh.output.path(folder))
        assert files
        for file in files:
            name = file.url.removeprefix(fresh.output.root)
            assert storage.read_bytes(again.output.root + name) == storage.read_bytes(file.url)
    assert again.summaries("match")[0]["near_duplicates"] > before > 0


def test_pairs_of_earlier_passes_are_left_out_also_where_there_are_none():
    def table(*pairs):
        return pa.table(
            {
                "a": pa.array([a for a, _ in pairs], pa.uint64()),
                "b": pa.array([b for _, b in pairs], pa.uint64()),
            }
        )

    def found(*pairs):
        return np.array(pairs, np.uint64).reshape(-1, 2)

    assert compare._without(found(), table()).tolist() == []
    assert compare._without(found(), table((1, 2))).tolist() == []
    assert compare._without(found((1, 2)), table()).tolist() == [[1, 2]]
    kept = compare._without(found((0, 9), (1, 2), (1, 3)), table((1, 3), (0, 8)))
    assert kept.tolist() == [[0, 9], [1, 2]]
