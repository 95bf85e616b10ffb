"""What the match stage decides, from end to end, on small sets whose right outcome is plain."""

import pytest
from conftest import changed, make_test_job, prose, run_stages
from judged import A, B, C, fate, fates, judged, ledger, longer, similarity, table

from pipeline.arrow_files import read_arrow

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
