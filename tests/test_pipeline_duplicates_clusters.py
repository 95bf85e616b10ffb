"""Who stands for whom: runs against an oracle that compares all documents, and the evidence."""

import hashlib
import random
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import changed, make_test_job, prose, run_stages
from duplicates_rows import rows_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dedup.survivors import DECISION
from pipeline import storage
from pipeline.duplicates import choice, clusters
from pipeline.errors import VerificationError

BASES = [prose(seed, words=40) for seed in range(4)]
DEDUP = ["dedup={}", "tokenizer.vocab_size=300"]
Fate = tuple[int, str] | None


def ranked(rows: list[dict]) -> list[int]:
    """Returns the places of the documents, the preferred one first: the longest."""

    def key(place: int) -> tuple[int, int, int]:
        row = rows[place]
        tie = int.from_bytes(hashlib.blake2b(row["id"].encode(), digest_size=8).digest(), "little")
        return -len(row["text"].encode()), tie, place

    return sorted(range(len(rows)), key=key)


def shingles(text: str) -> set[str]:
    words = "".join(c if c.isalnum() else " " for c in text.lower()).split()
    if len(words) < 5:
        return {" ".join(words)} if words else set()
    return {" ".join(words[k : k + 5]) for k in range(len(words) - 4)}


def oracle(rows: list[dict], url: bool, threshold: float = 0.8) -> list[Fate]:
    """Returns for each document None if it stays, or who stands for it and why.

    Step by step, and greedily from the preferred document down: of one URL and of one text up to
    white space the first stays; all others are compared on sets of strings, and one is dropped for
    the kept one most like it. What is dropped shares the fate of what it is dropped for.
    """
    order = ranked(rows)
    link: dict[int, tuple[int, str]] = {}
    keys = {"dedup.url": lambda row: row.get("url") if url else None}
    keys["dedup.exact"] = lambda row: " ".join(row["text"].split())
    for reason, key in keys.items():
        first: dict[str, int] = {}
        for place in order:
            value = key(rows[place])
            if value is not None and place not in link and first.setdefault(value, place) != place:
                link[place] = first[value], reason
    kept: list[int] = []
    sets = [shingles(row["text"]) for row in rows]
    for place in order:
        if place in link:
            continue
        likeness = [
            (len(sets[place] & sets[k]) / (len(sets[place] | sets[k]) or 1), -rank, k)
            for rank, k in enumerate(kept)
        ]
        jaccard, _, best = max(likeness, default=(0.0, 0, 0))
        if jaccard >= threshold:
            link[place] = best, "dedup.minhash"
        else:
            kept.append(place)
    return [_followed(place, link) for place in range(len(rows))]


def _followed(place: int, link: dict[int, tuple[int, str]]) -> Fate:
    if place not in link:
        return None
    place, reason = link[place]
    while place in link:
        place, next_reason = link[place]
        if (reason, next_reason) == ("dedup.exact", "dedup.minhash"):
            reason = next_reason  # a copy is as similar as what it is a copy of
    return place, reason


def check_against_oracle(job, rows: list[dict]) -> None:
    expected = oracle(rows, job.recipe.dedup.url)
    sizes = Counter(fate[0] for fate in expected if fate)
    ledger = rows_of(job, "ledger")
    for place, (row, found, fate) in enumerate(zip(rows, ledger, expected, strict=True)):
        assert found["id"] == row["id"]
        if fate is None:
            assert (found["verdict"], found["cluster_size"]) == ("kept", sizes[place] + 1)
        else:
            kept, reason = fate
            assert (found["verdict"], found["cluster_size"]) == ("duplicate", None)
            assert (found["duplicate_of"], found["reason"]) == (rows[kept]["id"], reason)
    found = [
        (row["kept_id"], row["id"], row["jaccard"], row["cluster_size"], row["reason"])
        for row in rows_of(job, "clusters")
    ]
    assert Counter(found) == Counter(
        (
            rows[fate[0]]["id"],
            rows[place]["id"],
            ledger[place]["value"],
            sizes[fate[0]] + 1,
            fate[1],
        )
        for place, fate in enumerate(expected)
        if fate
    )
    for place, fate in enumerate(expected):
        if fate and fate[1] == "dedup.minhash":
            one, other = shingles(rows[place]["text"]), shingles(rows[fate[0]]["text"])
            assert ledger[place]["value"] == len(one & other) / len(one | other) >= 0.8
        elif fate:
            assert ledger[place]["value"] == (1.0 if fate[1] == "dedup.exact" else None)


DOCUMENT = st.builds(
    lambda base, places, space, name, url: {
        "id": name,
        "text": changed(BASES[base], *places).replace(" ", "  " if space else " ", 2),
        "url": url and f"https://example.com/{url}",
    },
    st.integers(0, 3),
    st.lists(st.sampled_from([3, 20, 37]), max_size=1),
    st.booleans(),
    st.sampled_from(["same", "a", "b", "c"]),
    st.sampled_from([None, None, "x", "y"]),
)
ODD = st.sampled_from(["", " ", "!", "one two", "One  two", "one, two"]).map(
    lambda text: {"id": "odd", "text": text}
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(st.one_of(DOCUMENT, DOCUMENT, ODD), min_size=1, max_size=14), url=st.booleans()
)
def test_duplicates_are_those_of_the_oracle(tmp_path_factory, rows, url):
    dedup = [*DEDUP, f"dedup.url={str(url).lower()}"]
    job = make_test_job(tmp_path_factory.mktemp("match"), {"in.jsonl": rows}, "raw", dedup)
    run_stages(job)
    check_against_oracle(job, rows)


@pytest.mark.parametrize("seed", range(2))
def test_files_and_order_change_no_byte(tmp_path, seed):
    rng = random.Random(seed)
    bases = [prose(1000 * seed + n, words=90) for n in range(15)]
    rows = []
    for number in range(70):
        text = rng.choice(bases)
        places = rng.sample(range(60), rng.choice([0, 0, 1, 1, 2]))
        rows.append({"id": f"d{number}", "text": changed(text, *places)})
    outputs = []
    for number, (cut, order) in enumerate([([70], None), ([1, 20, 49], 11), ([10] * 7, 12)]):
        mixed = rows[:]
        random.Random(number).shuffle(mixed)
        ends = [sum(cut[: k + 1]) for k in range(len(cut))]
        files = {
            f"{k}.jsonl": mixed[end - count : end]
            for k, (count, end) in enumerate(zip(cut, ends, strict=True))
        }
        folder = tmp_path / str(number)
        folder.mkdir()
        job = make_test_job(folder, files, "raw", [*DEDUP, "source.split_bytes=4096"])
        run_stages(job, shuffle=order)
        check_against_oracle(job, mixed)
        outputs.append(
            [
                (file.url.removeprefix(job.output.root), storage.read_bytes(file.url))
                for folder in ("clusters", "pairs")
                for file in storage.list_files(job.output.path(folder))
            ]
        )
    assert outputs[0] == outputs[1] == outputs[2]
    assert len(rows_of(job, "clusters")) > 20


def fates(job_of, rows: list[dict], *more: str) -> dict[str, tuple[str, str | None]]:
    job = job_of(rows, "raw", [*DEDUP, *more])
    run_stages(job)
    return {row["id"]: (row["reason"], row["duplicate_of"]) for row in rows_of(job, "ledger")}


def test_copies_of_a_near_duplicate_share_its_fate(job_of):
    best = f"{BASES[0]} and more"
    rows = [
        {"id": "copy-1", "text": BASES[0]},
        {"id": "best", "text": best},
        {"id": "copy-2", "text": BASES[0]},
        {"id": "leader", "text": f"{BASES[0]}\n"},
        {"id": "other", "text": BASES[1]},
    ]
    job = job_of(rows, "raw", DEDUP)
    run_stages(job)
    found = {row["id"]: row for row in rows_of(job, "ledger")}
    for name in ("copy-1", "copy-2", "leader"):
        assert (found[name]["reason"], found[name]["duplicate_of"]) == ("dedup.minhash", "best")
        assert 0.8 <= found[name]["value"] < 1
        assert found[name]["value"] == found["leader"]["value"]
    assert found["best"]["verdict"] == found["other"]["verdict"] == "kept"
    assert {row["cluster_size"] for row in rows_of(job, "clusters")} == {4}
    assert (found["best"]["cluster_size"], found["other"]["cluster_size"]) == (4, 1)


def test_a_chain_does_not_merge(job_of):
    """The second goes for the first; the third, like the second but not the first, stays."""
    first = prose(9, words=45)
    second = changed(first, 5)
    third = changed(second, 30)
    rows = [
        {"id": "third", "text": third},
        {"id": "first", "text": first + "\n" * 60},  # the longest is preferred
        {"id": "second", "text": second + "\n" * 30},
    ]
    found = fates(job_of, rows)
    assert found["first"] == (None, None)
    assert found["second"] == ("dedup.minhash", "first")
    assert found["third"] == (None, None)


def test_copies_up_to_white_space_only(job_of):
    rows = [
        {"id": "a", "text": "One  two\n\tthree "},
        {"id": "b", "text": "One two three"},
        {"id": "c", "text": "one two three"},
    ]
    assert fates(job_of, rows, "dedup.minhash=null") == {
        "a": (None, None),
        "b": ("dedup.exact", "a"),
        "c": (None, None),
    }


def test_without_exact_copies_are_near_duplicates(job_of):
    rows = [{"id": name, "text": BASES[0]} for name in "abc"]
    found = fates(job_of, rows, "dedup.exact=null")
    assert sorted(reason or "" for reason, _ in found.values()) == [
        "",
        "dedup.minhash",
        "dedup.minhash",
    ]


def test_documents_of_one_id_and_text_leave_the_first(job_of):
    rows = [{"id": "same", "text": BASES[0]} for _ in range(4)]
    job = job_of(rows, "raw", DEDUP)
    run_stages(job)
    assert [row["verdict"] for row in rows_of(job, "ledger")] == ["kept"] + ["duplicate"] * 3


def test_empty_documents_are_exact_copies(job_of):
    rows = [{"id": "a", "text": ""}, {"id": "b", "text": "  "}, {"id": "c", "text": "!"}]
    found = fates(job_of, rows)
    assert found["a"] == ("dedup.exact", "b")
    assert found["b"] == found["c"] == (None, None)


def test_personal_data_does_not_tell_documents_apart(job_of):
    rows = [
        {"id": name, "text": f"{BASES[0]} Write to {name}@secret-domain.org."}
        for name in ("anna", "bertram")
    ]
    assert sorted(reason or "" for reason, _ in fates(job_of, rows).values()) == ["", "dedup.exact"]


def test_no_near_duplicate_of_a_training_document_is_held_out(finished):
    """The partition is drawn after deduplication, so all that is left is different enough."""
    verdict = {row["id"]: row for row in rows_of(finished, "ledger")}
    for file in storage.list_files(finished.output.path("pairs")):
        for pair in pq.read_table(file.url).to_pylist():
            if pair["jaccard"] >= 0.8:
                assert "duplicate" in (verdict[pair["a"]]["verdict"], verdict[pair["b"]]["verdict"])


def test_the_evidence_agrees_with_the_ledger(finished):
    duplicates = {row["id"]: row for row in rows_of(finished, "ledger") if row["duplicate_of"]}
    clusters = rows_of(finished, "clusters")
    assert {row["id"] for row in clusters} == duplicates.keys()
    assert len(clusters) == 4
    for row in clusters:
        ledger = duplicates[row["id"]]
        assert ledger["duplicate_of"] == row["kept_id"]
        assert ledger["value"] == pytest.approx(row["jaccard"])
        assert ledger["value"] >= ledger["threshold"]


def test_the_summary_counts_what_was_written(finished):
    summary = finished.output.committed("match", 0, finished.fingerprint("match"))
    assert (summary["exact_duplicates"], summary["near_duplicates"]) == (1, 3)
    assert summary["clusters"] == 2
    files = storage.list_files(finished.output.path("pairs"))
    assert summary["pairs"] == sum(len(pq.read_table(file.url)) for file in files) >= 2


def test_an_equal_url_is_followed_to_who_is_kept(job_of):
    """By URL to a text, from there as a copy to another, and from there by similarity."""
    rows = [
        {"id": "page", "text": prose(20, words=20), "url": "http://example.com"},
        {"id": "copy", "text": BASES[0], "url": "https://EXAMPLE.com/#top"},
        {"id": "leader", "text": f"{BASES[0]}\n", "url": "https://example.com/leader"},
        {"id": "best", "text": f"{BASES[0]} and more"},
    ]
    job = job_of(rows, "raw", [*DEDUP, "dedup.url=true"])
    run_stages(job)
    found = {row["id"]: row for row in rows_of(job, "ledger")}
    assert {name: found[name]["reason"] for name in found} == {
        "page": "dedup.url",
        "copy": "dedup.minhash",
        "leader": "dedup.minhash",
        "best": None,
    }
    assert {found[name]["duplicate_of"] for name in ("page", "copy", "leader")} == {"best"}
    assert (found["page"]["value"], found["page"]["threshold"]) == (None, None)
    assert found["best"]["cluster_size"] == 4
    assert job.summaries("match")[0]["url_duplicates"] == 1


def test_a_decision_without_evidence_fails_the_run(job_of, monkeypatch):
    rows = [{"id": "a", "text": BASES[0]}, {"id": "b", "text": changed(BASES[0], 3)}]
    monkeypatch.setattr(choice, "greedy_survivors", lambda *_: np.empty(0, DECISION))
    job = job_of(rows, "raw", DEDUP)
    with pytest.raises(VerificationError, match=r"survivors: .* both are kept") as caught:
        run_stages(job)
    assert caught.value.exit_code == 3
    assert job.output.committed("match", 0, job.fingerprint("match")) is None


def test_survivors_of_every_part_are_ascending_rows(finished):
    for part in range(finished.n_parts):
        table = pa.ipc.open_file(finished.output.part("work/survivors", part, ".arrow")).read_all()
        rows = table["row"].to_pylist()
        assert rows == sorted(set(rows))


def test_the_files_of_clusters_are_sorted(finished):
    files = storage.list_files(finished.output.path("clusters"))
    assert len(files) == clusters.PACKS
    count = 0
    for file in files:
        table = pq.read_table(file.url)
        rows = [(row["kept_id"], row["id"]) for row in table.to_pylist()]
        assert rows == sorted(rows)
        count += len(rows)
    assert count == 4
