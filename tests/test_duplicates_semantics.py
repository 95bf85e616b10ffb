"""What the match stage decides, from end to end, on small sets whose right outcome is plain."""

import random

import pyarrow.parquet as pq
import pytest
from conftest import changed, make_test_job, prose, run_stages

from dedup.jaccard import jaccard
from dedup.shingles import shingle_hashes
from pipeline import storage
from pipeline.arrow_files import read_arrow
from pipeline.errors import UsageError
from pipeline.run import write_manifest

A, B, C = (prose(seed, words=120) for seed in (1, 2, 3))
ALL = ("dedup.over=all", "filters.length.words.maximum=200")


def judged(job_of, rows, *settings: str, out: str = "out"):
    """Runs mill, match and verdicts; returns the job and the ledger's rows by id."""
    job = job_of(rows, "raw", ["dedup={}", *settings], out=out)
    run_stages(job, until="bin")
    return job, ledger(job)


def ledger(job) -> dict[str, dict]:
    rows = [
        row
        for part in range(job.n_parts)
        for row in read_arrow(job.output.part("work/verdicts", part, ".arrow")).to_pylist()
    ]
    found = {row["id"]: row for row in rows}
    check(job, rows)
    return found


def check(job, rows) -> None:
    """Checks what is always true of a ledger and of clusters/."""
    kept = [row for row in rows if row["verdict"] == "kept"]
    duplicates = [row for row in rows if row["verdict"] == "duplicate"]
    names = {row["id"] for row in kept}
    clusters = table(job, "clusters")
    if job.recipe.dedup.against is None and job.recipe.dedup.over == "kept":
        assert all(row["duplicate_of"] in names for row in duplicates)
        assert sum(row["cluster_size"] for row in kept) == len(rows) - sum(
            row["verdict"] in ("filtered", "error") for row in rows
        )
        assert len(clusters) == len(duplicates)
    for row in rows:
        assert (row["cluster_size"] is None) == (row["verdict"] != "kept")
        assert (row["duplicate_of"] is None) == (row["verdict"] != "duplicate")
    told = {(row["id"], row["kept_id"], row["reason"], row["jaccard"]) for row in clusters}
    for row in duplicates:
        assert (row["id"], row["duplicate_of"], row["reason"], row["value"]) in told


def table(job, folder: str) -> list[dict]:
    files = storage.list_files(job.output.path(folder))
    return [row for file in files for row in pq.read_table(file.url).to_pylist()]


def fate(row: dict) -> tuple:
    """Returns why and for whom a document is dropped, else its verdict and cluster size."""
    if row["verdict"] == "duplicate":
        return row["reason"].removeprefix("dedup."), row["duplicate_of"]
    return row["verdict"], row["cluster_size"]


def fates(found: dict[str, dict]) -> dict[str, tuple]:
    return {name: fate(row) for name, row in found.items()}


def longer(text: str, size: int) -> str:
    """Returns a text equal up to white space that is longer by `size` bytes."""
    return text + "\n" * size


def similarity(one: str, other: str) -> float:
    return jaccard(shingle_hashes(one, 5), shingle_hashes(other, 5))


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


# --- prefer ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefer", "stays"),
    [
        ("longest", "longest"),
        ("first_url", "first-url"),
        ("{sources: [books, web]}", "of-books"),
        ("{best: length.lines}", "most-lines"),
    ],
)
@pytest.mark.parametrize("kind", ["exact", "minhash"])
def test_who_stays(job_of, prefer, stays, kind):
    rows = [
        {"id": "longest", "text": longer(A, 3) + " " * 90, "url": "http://z.org", "source": "web"},
        {"id": "first-url", "text": longer(A, 1), "url": "http://a.org", "source": "web"},
        {"id": "of-books", "text": longer(A, 2), "url": "http://b.org", "source": "books"},
        {"id": "most-lines", "text": longer(A, 50), "source": "web"},
    ]
    more = ["dedup.exact=null"] if kind == "minhash" else []
    _, found = judged(job_of, rows, f"dedup.prefer={prefer}", "filters.length={}", *more)
    assert fate(found.pop(stays)) == ("kept", 4)
    assert {fate(row) for row in found.values()} == {(kind, stays)}


# --- url, exact, near --------------------------------------------------------------------------


def test_documents_of_one_url(job_of):
    rows = [
        {"id": "short", "text": B, "url": "http://Example.org"},
        {"id": "long", "text": longer(A, 200), "url": "https://example.org/#x"},
        {"id": "other", "text": C, "url": "https://example.org/c"},
        {"id": "none", "text": prose(30)},
        {"id": "none-too", "text": prose(31)},
    ]
    _, found = judged(job_of, rows, "dedup.url=true")
    assert fate(found["short"]) == ("url", "long")
    assert found["short"]["value"] is None
    assert found["short"]["threshold"] is None
    assert [row["verdict"] for row in found.values()].count("kept") == 4
    _, found = judged(job_of, rows, "dedup.url=false", out="without")
    assert {row["verdict"] for row in found.values()} == {"kept"}


def test_urls_with_personal_data_are_not_matched(job_of):
    """They are redacted to one form, which says nothing of the pages."""
    rows = [
        {"id": "a", "text": A, "url": "http://e.org/?to=one.person@secret-domain.org"},
        {"id": "b", "text": B, "url": "http://e.org/?to=another.person@secret-domain.org"},
    ]
    _, found = judged(job_of, rows, "dedup.url=true")
    assert {row["verdict"] for row in found.values()} == {"kept"}


@pytest.mark.parametrize(
    ("exact", "dropped"),
    [
        ("bytes", {"copy"}),
        ("spaces", {"copy", "spaced"}),
        ("words", {"copy", "spaced", "loud"}),
        ("null", set()),
    ],
)
def test_when_texts_are_equal(job_of, exact, dropped):
    rows = [
        {"id": "first", "text": longer(f"{A} More!", 9)},
        {"id": "copy", "text": longer(f"{A} More!", 9)},
        {"id": "spaced", "text": f"{A}  More!"},
        {"id": "loud", "text": f"{A} MORE"},
        {"id": "near", "text": f"{A} More and more"},
    ]
    settings = (
        ["dedup.minhash=null"] if exact != "null" else ["dedup.url=true", "dedup.minhash=null"]
    )
    _, found = judged(job_of, rows, f"dedup.exact={exact}", *settings)
    found_dropped = {name for name, row in found.items() if row["verdict"] == "duplicate"}
    # Which of two texts equal in every byte stays is for the hash of the id to decide.
    assert {"copy" if name == "first" else name for name in found_dropped} == dropped
    assert {row["value"] for name, row in found.items() if name in found_dropped} <= {1.0}


def test_a_chain_of_all_three_names_the_kept_document(job_of):
    """D has the URL of C, C the text of B, and B is similar to A."""
    rows = [
        {"id": "a", "text": longer(A, 30)},
        {"id": "b", "text": longer(changed(A, 60), 20)},
        {"id": "c", "text": longer(changed(A, 60), 10), "url": "http://e.org/c"},
        {"id": "d", "text": C[:200], "url": "https://e.org/c"},
    ]
    _, found = judged(job_of, rows, "dedup.url=true")
    assert fates(found) == {
        "a": ("kept", 4),
        "b": ("minhash", "a"),
        "c": ("minhash", "a"),
        "d": ("url", "a"),
    }
    value = similarity(A, changed(A, 60))
    assert [found[name]["value"] for name in "bcd"] == [value, value, None]


def test_what_is_equal_to_a_document_dropped_by_url_stays(job_of):
    """The URL's other document may have any text, so it does not stand for this one's."""
    rows = [
        {"id": "kept", "text": longer(A, 100), "url": "http://e.org"},
        {"id": "dropped", "text": longer(B, 50), "url": "http://e.org"},
        {"id": "equal", "text": B},
        {"id": "near", "text": changed(B, 30)},
    ]
    _, found = judged(job_of, rows, "dedup.url=true")
    assert fate(found["dropped"]) == ("url", "kept")
    assert {found["equal"]["verdict"], found["near"]["verdict"]} == {"kept", "duplicate"}
    assert "dropped" not in {row["duplicate_of"] for row in found.values()}


def test_a_chain_does_not_merge(job_of):
    """The second goes for the first; the third, like the second but not the first, stays."""
    first = prose(9, words=45)
    second = changed(first, 5)
    third = changed(second, 30)
    rows = [
        {"id": "third", "text": third},
        {"id": "first", "text": longer(first, 60)},
        {"id": "second", "text": longer(second, 30)},
    ]
    _, found = judged(job_of, rows)
    assert fates(found) == {
        "third": ("kept", 1),
        "first": ("kept", 2),
        "second": ("minhash", "first"),
    }


def test_the_most_similar_kept_document_is_named(job_of):
    base = prose(40, words=120)
    one, other = changed(base, 10, 70), changed(base, 100)
    rows = [
        {"id": "one", "text": longer(one, 60)},
        {"id": "other", "text": longer(other, 30)},
        {"id": "base", "text": base},
    ]
    assert similarity(one, other) < 0.84 <= similarity(one, base) < similarity(other, base)
    _, found = judged(job_of, rows, "dedup.minhash.threshold=0.84")
    assert fates(found)["base"] == ("minhash", "other")


# --- odd documents -----------------------------------------------------------------------------


def test_documents_without_words(job_of):
    rows = [{"id": f"d{n}", "text": text} for n, text in enumerate(["...", "!?", ". . .", "!?"])]
    _, found = judged(job_of, rows)
    kinds = sorted(fate(row)[0] for row in found.values())
    assert kinds == ["exact", "kept", "kept", "kept"]


def test_empty_documents_are_equal_texts(job_of):
    rows = [{"id": "empty", "text": ""}, {"id": "blank", "text": " \n"}, {"id": "c", "text": "."}]
    _, found = judged(job_of, rows)
    assert fates(found) == {"empty": ("exact", "blank"), "blank": ("kept", 2), "c": ("kept", 1)}


def test_fewer_words_than_a_shingle(job_of):
    rows = [
        {"id": "short", "text": "Three short words."},
        {"id": "same", "text": "three SHORT words"},
        {"id": "more", "text": "three short words more"},
        {"id": "less", "text": "three short"},
    ]
    _, found = judged(job_of, rows)
    assert fates(found) == {
        "short": ("kept", 2),
        "same": ("minhash", "short"),
        "more": ("kept", 1),
        "less": ("kept", 1),
    }
    assert found["same"]["value"] == 1.0


def test_two_documents_of_one_id(job_of):
    rows = [
        {"id": "twin", "text": A},
        {"id": "twin", "text": A},
        {"id": "other", "text": B},
        {"id": "other", "text": longer(changed(B, 30), 9)},
        {"id": "apart", "text": C},
        {"id": "apart", "text": prose(50)},
    ]
    job = job_of(rows, "raw", ["dedup={}"])
    run_stages(job, until="bin")
    found = read_arrow(job.output.part("work/verdicts", 0, ".arrow")).to_pylist()
    assert [fate(row) for row in found] == [
        ("kept", 2),
        ("exact", "twin"),
        ("minhash", "other"),
        ("kept", 2),
        ("kept", 1),
        ("kept", 1),
    ]
    assert [(row["a"], row["b"]) for row in table(job, "pairs")] == [("other", "other")]


def test_unreadable_documents_are_not_matched(job_of):
    rows = [b"{broken", b"{broken", {"id": "none"}, {"id": "a", "text": A}, {"id": "b", "text": B}]
    _, found = judged(job_of, rows, "dedup.over=all")
    verdicts = [row["verdict"] for row in found.values()]
    assert verdicts == ["error", "error", "error", "kept", "kept"]


def test_one_document_and_a_part_without_any(tmp_path):
    files = {"one.jsonl": [{"id": "a", "text": A}], "broken.jsonl": [b"{"], "blank.jsonl": [b""]}
    job = make_test_job(tmp_path, files, "raw", ["dedup.url=true"])
    run_stages(job, until="bin")
    assert [row["verdict"] for row in ledger(job).values()].count("kept") == 1
    assert table(job, "clusters") == table(job, "pairs") == []
