import hashlib
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import changed, make_test_job, prose, run_stages
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dedup.survivors import GuaranteeError
from pipeline import storage, survivors
from pipeline.errors import VerificationError
from pipeline.survivors import choose_survivors

BASES = [prose(seed, words=40) for seed in range(4)]
DEDUP = ["dedup={}", "tokenizer.vocab_size=300"]


def rows_of(job, folder: str) -> list[dict]:
    return [
        row
        for part in range(job.n_parts)
        for row in pq.read_table(job.output.part(folder, part, ".parquet")).to_pylist()
    ]


def oracle(rows: list[dict], threshold: float = 0.8) -> list[tuple[int, bool] | None]:
    """Returns for each document None if it stays, or who stands for it and if it is an exact copy.

    All pairs are compared, on sets of strings. Copies form one group, whose best document is
    compared; greedily from the best document down, one is dropped for the kept one most like it.
    """

    def rank(place: int) -> tuple[int, int, int]:
        identifier, text = rows[place]["id"], rows[place]["text"]
        tie = hashlib.blake2b(identifier.encode(), digest_size=4).digest()
        return len(text.encode()), int.from_bytes(tie, "little"), -place

    def shingles(text: str) -> set[str]:
        words = "".join(c if c.isalnum() else " " for c in text.lower()).split()
        if len(words) < 5:
            return {" ".join(words)} if words else set()
        return {" ".join(words[k : k + 5]) for k in range(len(words) - 4)}

    groups: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        groups.setdefault(" ".join(row["text"].split()), []).append(place)
    leaders = sorted((max(members, key=rank) for members in groups.values()), key=rank)[::-1]
    sets = {place: shingles(rows[place]["text"]) for place in leaders}
    kept: list[int] = []
    dropped_for: dict[int, int] = {}
    for place in leaders:
        likeness = [
            (
                len(sets[place] & sets[other]) / (len(sets[place] | sets[other]) or 1),
                rank(other),
                other,
            )
            for other in kept
        ]
        best = max(likeness, default=(0.0, 0, 0))
        if best[0] >= threshold:
            dropped_for[place] = best[2]
        else:
            kept.append(place)
    result: list[tuple[int, bool] | None] = [None] * len(rows)
    for members in groups.values():
        leader = max(members, key=rank)
        for place in members:
            if leader in dropped_for:
                result[place] = (dropped_for[leader], False)
            elif place != leader:
                result[place] = (leader, True)
    return result


def check_against_oracle(job, rows: list[dict]) -> None:
    expected = oracle(rows)
    ledger = rows_of(job, "ledger")
    for row, found, fate in zip(rows, ledger, expected, strict=True):
        assert found["id"] == row["id"]
        if fate is None:
            assert found["verdict"] == "kept"
        else:
            kept, exact = fate
            assert found["verdict"] == "duplicate"
            assert found["duplicate_of"] == rows[kept]["id"]
            assert found["reason"] == ("dedup.exact" if exact else "dedup.minhash")
            assert expected[kept] is None
    clusters = rows_of(job, "clusters")
    assert [row["id"] for row in clusters] == [
        row["id"] for row, fate in zip(rows, expected, strict=True) if fate
    ]
    counts = {kept: sum(fate == kept for fate in _kept(expected)) for kept in _kept(expected)}
    assert [row["cluster_size"] for row in clusters] == [
        counts[fate[0]] + 1 for fate in expected if fate
    ]


def _kept(fates) -> list[int]:
    return [fate[0] for fate in fates if fate]


DOCUMENT = st.builds(
    lambda base, places, space, name: {
        "id": name,
        "text": changed(BASES[base], *places).replace(" ", "  " if space else " ", 2),
    },
    st.integers(0, 3),
    st.lists(st.sampled_from([3, 20, 37]), max_size=1),
    st.booleans(),
    st.sampled_from(["same", "a", "b", "c"]),
)
ODD = st.sampled_from(["", " ", "!", "one two", "One  two", "one, two"]).map(
    lambda text: {"id": "odd", "text": text}
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(st.one_of(DOCUMENT, DOCUMENT, ODD), min_size=1, max_size=14))
def test_duplicates_are_those_of_the_oracle(tmp_path_factory, rows):
    job = make_test_job(tmp_path_factory.mktemp("match"), {"in.jsonl": rows}, "raw", DEDUP)
    run_stages(job)
    check_against_oracle(job, rows)


@pytest.mark.parametrize("seed", range(3))
def test_a_larger_corpus_in_many_parts_and_any_order(tmp_path, seed):
    rng = random.Random(seed)
    bases = [prose(1000 * seed + n, words=90) for n in range(15)]
    rows = []
    for number in range(70):
        text = rng.choice(bases)
        places = rng.sample(range(60), rng.choice([0, 0, 1, 1, 2]))
        rows.append({"id": f"d{number % 60}", "text": changed(text, *places)})
    settings = [*DEDUP, "source.split_bytes=4096"]
    outputs = []
    for order in (None, 11, 12):
        job = make_test_job(tmp_path, {"in.jsonl": rows}, "raw", settings, out=f"out-{order}")
        assert job.n_parts > 8
        run_stages(job, shuffle=order)
        check_against_oracle(job, rows)
        folders = ("clusters", "ledger", "pairs")
        outputs.append(
            {
                f"{folder}/{file.url.rsplit('/', 1)[-1]}": storage.read_bytes(file.url)
                for folder in folders
                for file in storage.list_files(job.output.path(folder))
            }
        )
    assert outputs[0] == outputs[1] == outputs[2]


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
    found = fates(job_of, rows, "dedup.exact=false")
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


def test_a_finished_choice_is_not_made_again(finished, monkeypatch):
    monkeypatch.setattr(survivors, "_near", lambda *_: pytest.fail("chosen again"))
    summary = choose_survivors(finished, [], [])
    assert summary["near_duplicates"] == 3


@pytest.mark.parametrize("broken", ["keeps both", "drops both", "raises"])
def test_a_choice_without_evidence_fails_the_run(job_of, monkeypatch, broken):
    rows = [{"id": "a", "text": BASES[0]}, {"id": "b", "text": changed(BASES[0], 3)}]

    def wrong(ranks, pairs, jaccards, threshold):
        if broken == "raises":
            raise GuaranteeError("no evidence")
        return [0, 1] if broken == "keeps both" else [1, 0]

    if broken == "raises":
        monkeypatch.setattr(survivors, "check_guarantees", lambda *_: wrong(*[None] * 4))
    else:
        monkeypatch.setattr(survivors, "greedy_survivors", wrong)
    job = job_of(rows, "raw", DEDUP)
    with pytest.raises(VerificationError, match="survivors: ") as caught:
        run_stages(job)
    assert caught.value.exit_code == 3
    assert job.output.committed("match", 0, job.fingerprint("match")) is None


def test_survivors_of_every_part_are_ascending_rows(finished):
    for part in range(finished.n_parts):
        table = pa.ipc.open_file(finished.output.part("work/survivors", part, ".arrow")).read_all()
        rows = table["row"].to_pylist()
        assert rows == sorted(set(rows))
