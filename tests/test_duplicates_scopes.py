"""What is matched with what, from end to end: over, scope, against."""

import random

import pytest
from conftest import changed, make_test_job, prose, run_stages
from judged import A, B, C, fate, fates, judged, longer, similarity, table

from pipeline.errors import UsageError
from pipeline.run import write_manifest

ALL = ("dedup.over=all", "filters.length.words.maximum=200")


# --- over: kept, all ---------------------------------------------------------------------------


@pytest.fixture
def filtered_rows() -> list[dict]:
    long = prose(9, words=220)
    passing = longer(" ".join(long.split(" ")[:190]), 30)
    return [
        {"id": "long", "text": long},
        {"id": "long-near", "text": changed(long, 30)},
        {"id": "long-equal", "text": longer(long, 1)},
        {"id": "passing", "text": passing},
        {"id": "passing-near", "text": changed(passing, 5).strip()},
        {"id": "b", "text": B},
    ]


def test_over_all_a_filtered_document_never_stands_for_a_passing_one(job_of, filtered_rows):
    job, found = judged(job_of, filtered_rows, *ALL)
    assert similarity(filtered_rows[0]["text"], filtered_rows[3]["text"]) >= 0.8
    # The longest of all are filtered, and yet a shorter one that passes stays.
    assert fate(found["passing-near"]) == ("minhash", "passing")
    assert found["passing"]["verdict"] == found["b"]["verdict"] == "kept"
    for name in ("long", "long-near", "long-equal"):
        assert found[name]["verdict"] == "filtered"
        assert found[name]["reason"] == "length.words"
        assert found[name]["duplicate_of"] is None
    pairs = {frozenset((row["a"], row["b"])) for row in table(job, "pairs")}
    assert any(len(pair & {"long", "long-equal", "long-near"}) == 2 for pair in pairs)
    assert any(pair == {"long-equal", "passing"} for pair in pairs)
    # clusters/ has the filtered duplicates as well, and the size of a cluster counts them.
    stood_for = {row["id"]: row["kept_id"] for row in table(job, "clusters")}
    assert stood_for == dict.fromkeys(
        ("passing-near", "long", "long-near", "long-equal"), "passing"
    )
    assert found["passing"]["cluster_size"] == 5


def test_over_kept_filtered_documents_are_not_matched(job_of, filtered_rows):
    job, found = judged(job_of, filtered_rows, *ALL, "dedup.over=kept")
    assert found["passing"]["cluster_size"] == 2
    assert {frozenset((row["a"], row["b"])) for row in table(job, "pairs")} == {
        frozenset(("passing", "passing-near"))
    }


@pytest.mark.parametrize("seed", range(3))
def test_the_same_documents_are_kept_over_all_and_over_kept(job_of, seed):
    rng = random.Random(seed)
    rows = []
    for n in range(8):
        base = prose(seed * 50 + n, words=rng.choice([150, 210]))
        words = base.split(" ")
        for k in range(rng.randrange(1, 6)):
            text = " ".join(words[: rng.choice([185, 200, 230, 400])])
            places = rng.sample(range(140), rng.choice([0, 1, 2, 3]))
            rows.append({"id": f"{n}-{k}", "text": changed(text, *places)})
    _, with_all = judged(job_of, rows, *ALL, out="all")
    _, with_kept = judged(job_of, rows, *ALL, "dedup.over=kept", out="kept")
    verdicts = [row["verdict"] for row in with_kept.values()]
    assert {"kept", "filtered", "duplicate"} <= set(verdicts)
    assert {i: row["verdict"] for i, row in with_all.items()} == {
        i: row["verdict"] for i, row in with_kept.items()
    }
    assert {i: fate(row) for i, row in with_all.items() if row["verdict"] == "duplicate"} == {
        i: fate(row) for i, row in with_kept.items() if row["verdict"] == "duplicate"
    }


# --- scope -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["source", "snapshot"])
def test_documents_of_other_scopes_are_not_matched(job_of, scope):
    url = "http://e.org/"
    rows = [
        {"id": "one-long", "text": longer(A, 9), scope: "one"},
        {"id": "one-equal", "text": A, scope: "one"},
        {"id": "one-near", "text": changed(A, 30), scope: "one", "url": url},
        {"id": "two-long", "text": longer(A, 7), scope: "two"},
        {"id": "two-near", "text": changed(A, 40), scope: "two"},
        {"id": "two-other", "text": longer(B, 9), scope: "two", "url": url},
        {"id": "two-url", "text": C, scope: "two", "url": url},
        {"id": "none", "text": longer(A, 20)},
        {"id": "none-near", "text": changed(A, 50)},
    ]
    job, found = judged(job_of, rows, f"dedup.scope={scope}", "dedup.url=true")
    same = {name: fate(row) for name, row in found.items()}
    assert same["one-long"] == ("kept", 3)
    assert same["one-equal"] == ("exact", "one-long")
    assert same["one-near"] == ("minhash", "one-long")
    assert same["two-long"] == ("kept", 2)
    assert same["two-near"] == ("minhash", "two-long")
    url_fates = {same["two-other"][0], same["two-url"][0]}
    assert url_fates == {"kept", "url"}
    assert same["none"] == ("kept", 2)
    assert same["none-near"] == ("minhash", "none")
    sides = {(row["a"].split("-")[0], row["b"].split("-")[0]) for row in table(job, "pairs")}
    assert sides == {("one", "one"), ("two", "two"), ("none", "none")}


def test_in_the_corpus_all_are_matched(job_of):
    rows = [
        {"id": f"{source}-{n}", "text": changed(A, 10 * n), "source": source}
        for source in ("one", "two")
        for n in range(2)
    ]
    _, found = judged(job_of, rows)
    assert [row["verdict"] for row in found.values()].count("kept") == 1


# --- against -----------------------------------------------------------------------------------


@pytest.fixture
def earlier(tmp_path):
    """A finished output over A, its duplicate, B, and a filtered document."""
    rows = [
        {"id": "old-a", "text": longer(A, 5), "url": "http://e.org/a"},
        {"id": "old-a-near", "text": changed(A, 30)},
        {"id": "old-b", "text": B},
        {"id": "old-b-2", "text": changed(B, 60, 61), "url": "http://e.org/b2"},
        {"id": "old-long", "text": prose(9, words=300)},
    ]
    (tmp_path / "old").mkdir()
    settings = ["dedup={minhash: {threshold: 0.95}}", "filters.length.words.maximum=200"]
    settings += ["tokenizer.vocab_size=300"]
    files = {f"old-{n}.jsonl": rows[n::3] for n in range(3)}
    job = make_test_job(tmp_path / "old", files, "raw", settings)
    write_manifest(job, run_stages(job))
    return job


def test_new_documents_are_matched_against_an_earlier_output(job_of, earlier):
    rows = [
        {"id": "new-a", "text": changed(A, 60) + " and a longer end"},
        {"id": "new-a-copy", "text": A},
        {"id": "new-url", "text": prose(20), "url": "https://E.org/a#top"},
        {"id": "new-long", "text": prose(9, words=300)},
        {"id": "new-c", "text": longer(C, 20)},
        {"id": "new-c-near", "text": changed(C, 50)},
    ]
    against = f"dedup.against={earlier.output.root}"
    job, found = judged(job_of, rows, against, "dedup.url=true")
    same = fates(found)
    assert same["new-a"] == ("minhash", "old-a")
    assert same["new-a-copy"] == ("exact", "old-a")
    assert same["new-url"] == ("url", "old-a")
    assert same["new-long"] == ("kept", 1)  # the earlier run has dropped it
    assert same["new-c"] == ("kept", 2)
    assert same["new-c-near"] == ("minhash", "new-c")
    # What a kept document of this run stands for counts here; what an old one stands for does not.
    assert sum(row["cluster_size"] for row in found.values() if row["cluster_size"]) == 3
    sizes = {row["kept_id"]: row["cluster_size"] for row in table(job, "clusters")}
    assert sizes == {"old-a": 4, "new-c": 2}


def test_pairs_of_two_old_documents_are_not_compared(job_of, earlier):
    rows = [{"id": "new-b", "text": changed(B, 60)}]
    job, found = judged(job_of, rows, f"dedup.against={earlier.output.root}")
    names = [(row["a"], row["b"]) for row in table(job, "pairs")]
    assert names == [("new-b", "old-b"), ("new-b", "old-b-2")]
    assert found["new-b"]["reason"] == "dedup.minhash"
    best = max(table(job, "pairs"), key=lambda row: row["jaccard"])
    assert found["new-b"]["duplicate_of"] == best["b"]


def test_against_itself_nothing_is_kept_that_was(job_of, earlier):
    rows = [
        {"id": f"again-{n}", "text": text}
        for n, text in enumerate([longer(A, 5), changed(A, 30), B, changed(B, 60, 61)])
    ]
    _, found = judged(job_of, rows, f"dedup.against={earlier.output.root}")
    assert {row["verdict"] for row in found.values()} == {"duplicate"}
    assert fate(found["again-2"]) == ("exact", "old-b")


def test_the_same_ids_as_in_the_earlier_output(job_of, earlier):
    rows = [{"id": "old-a", "text": longer(A, 5)}, {"id": "old-b", "text": C}]
    _, found = judged(job_of, rows, f"dedup.against={earlier.output.root}")
    assert fates(found) == {"old-a": ("exact", "old-a"), "old-b": ("kept", 1)}


def test_equal_documents_in_the_earlier_output(job_of, tmp_path):
    """It need not have been deduplicated: its equal documents drop nothing of each other."""
    rows = [{"id": f"old-{n}", "text": A, "url": "http://e.org"} for n in range(3)]
    (tmp_path / "old").mkdir()
    job = make_test_job(tmp_path / "old", {"old.jsonl": rows}, "raw", ["tokenizer.vocab_size=300"])
    write_manifest(job, run_stages(job))
    new = [{"id": "equal", "text": A}, {"id": "near", "text": changed(A, 30)}]
    new += [{"id": "url", "text": C, "url": "http://e.org"}]
    _, found = judged(job_of, new, f"dedup.against={job.output.root}", "dedup.url=true")
    assert {row["reason"] for row in found.values()} == {
        "dedup.exact",
        "dedup.minhash",
        "dedup.url",
    }
    assert all(row["duplicate_of"].startswith("old-") for row in found.values())


@pytest.mark.parametrize("what", ["nothing", "unfinished", "foreign"])
def test_what_is_no_finished_output_is_refused(job_of, earlier, tmp_path, what):
    root = tmp_path / "nowhere"
    if what != "nothing":
        root = tmp_path / "old" / "out"
        (root / "manifest.json").unlink()
    if what == "foreign":
        (root / "manifest.json").write_text('{"name": "another tool"}')
    with pytest.raises(UsageError, match=r"dedup\.against: ") as raised:
        job_of([{"id": "a", "text": A}], "raw", [f"dedup={{against: {root}}}"])
    assert str(root) in raised.value.message
    assert raised.value.hint
