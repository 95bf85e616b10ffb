import hashlib
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import prose, run_stages
from tokenizers import Tokenizer

from pipeline import storage, tokens
from pipeline.errors import UserError
from pipeline.shards import read_shard
from pipeline.tokens import make_tokenizer, sample_of_kept, tokenize_part

ROWS = [{"id": f"d{number}", "text": prose(number, words=40)} for number in range(30)]
SMALL = ["tokenizer.vocab_size=400", "tokens.validation=0.3"]


def shards(job) -> list[Path]:
    return sorted(Path(job.output.root, "tokens").rglob("part-*"))


def shard_documents(job) -> list[tuple[str, str, str, list[int], int]]:
    """Returns partition, id, source, tokens and n_bytes of all shards' documents."""
    found = []
    for path in shards(job):
        table = read_shard(path)
        for k in range(len(table.ids)):
            ids = table.tokens[table.offsets[k] : table.offsets[k + 1]].tolist()
            name, source = table.ids[k].as_py(), table.sources[k].as_py()
            found.append((path.parent.name, name, source, ids, int(table.n_bytes[k])))
    return found


def rows_of(job, folder: str) -> list[dict]:
    return [
        row
        for part in range(job.n_parts)
        for row in pq.read_table(job.output.part(folder, part, ".parquet")).to_pylist()
    ]


def tokenizer_of(job) -> Tokenizer:
    return Tokenizer.from_file(job.output.path("tokenizer/tokenizer.json"))


def test_shards_hold_what_tokenizers_gives_for_every_kept_document(finished):
    tokenizer = tokenizer_of(finished)
    end = tokenizer.token_to_id("<|endoftext|>")
    expected = []
    for document, verdict in zip(
        rows_of(finished, "documents"), rows_of(finished, "ledger"), strict=True
    ):
        if verdict["verdict"] != "kept":
            assert verdict["n_tokens"] is None
            assert verdict["partition"] is None
            continue
        parts = document["text"].split("<|endoftext|>")
        ids = tokenizer.encode(parts[0], add_special_tokens=False).ids
        for part in parts[1:]:
            for piece in ("<|endo", "ftext|>", part):
                ids += tokenizer.encode(piece, add_special_tokens=False).ids
        assert end not in ids
        assert verdict["n_tokens"] == len(ids) + 1
        size = len(document["text"].encode())
        row = (verdict["partition"], document["id"], document["source"], [*ids, end], size)
        expected.append(row)
    assert sorted(shard_documents(finished)) == sorted(expected)
    assert {partition for partition, *_ in expected} == {"train", "validation"}


def test_metadata_of_a_shard(finished):
    definition = storage.read_bytes(finished.output.path("tokenizer/tokenizer.json"))
    for path in shards(finished):
        metadata = read_shard(path).metadata
        assert metadata.tokenizer_sha256 == hashlib.sha256(definition).hexdigest()
        assert metadata.vocab_size == 600
        assert metadata.end_of_document_id == 0
        assert metadata.recipe_hash == finished.recipe.hash
        assert read_shard(path).tokens.dtype == np.uint16


def test_summaries_name_the_shards_with_their_checksums(finished):
    named = {}
    for part in range(finished.n_parts):
        summary = finished.output.committed("tokenize", part, finished.fingerprint("tokenize"))
        named |= {shard["path"]: shard for shard in summary["shards"]}
    found = {str(path.relative_to(finished.output.root)): path for path in shards(finished)}
    assert named.keys() == found.keys()
    for name, path in found.items():
        table = read_shard(path)
        data = path.read_bytes()
        assert named[name]["sha256"] == hashlib.sha256(data).hexdigest()
        assert named[name]["bytes"] == len(data)
        assert named[name]["documents"] == len(table.ids)
        assert named[name]["tokens"] == len(table.tokens)


def test_a_large_part_becomes_several_shards(job_of, monkeypatch):
    whole = job_of(ROWS, "raw", SMALL, out="whole")
    run_stages(whole)
    monkeypatch.setattr(tokens, "SHARD_TOKENS", 250)
    job = job_of(ROWS, "raw", SMALL, out="many")
    run_stages(job)
    assert len(shards(whole)) == 2
    assert len(shards(job)) > 6
    for path in shards(job):
        table = read_shard(path)
        assert len(table.tokens) <= 250 or len(table.ids) == 1
    one, other = shard_documents(whole), shard_documents(job)
    assert sorted(one) == sorted(other)
    in_order = [name for partition, name, *_ in one if partition == "train"]
    names = ["part-00000", *(f"part-00000.{n}" for n in range(1, 99))]
    summary = job.output.committed("tokenize", 0, job.fingerprint("tokenize"))
    train = [s["path"] for s in summary["shards"] if s["path"].startswith("tokens/train/")]
    assert train == [f"tokens/train/{name}.arrow" for name in names[: len(train)]]
    split = [str(i) for path in train for i in read_shard(job.output.path(path)).ids]
    assert split == in_order


def test_a_document_longer_than_a_shard_gets_its_own(job_of, monkeypatch):
    monkeypatch.setattr(tokens, "SHARD_TOKENS", 10)
    job = job_of(ROWS[:4], "raw", [*SMALL, "tokens.validation=0"])
    run_stages(job)
    assert [len(read_shard(path).ids) for path in shards(job)] == [1] * 4


def test_the_same_documents_give_the_same_bytes(job_of):
    contents = []
    for out in ("one", "two"):
        job = job_of(ROWS, "raw", SMALL, out=out)
        run_stages(job)
        files = [*shards(job), Path(job.output.path("tokenizer/tokenizer.json"))]
        files += sorted(Path(job.output.root, "ledger").iterdir())
        contents.append([(path.name, path.read_bytes()) for path in files])
    assert contents[0] == contents[1]


def test_parquet_shards_hold_the_same(job_of):
    arrow = job_of(ROWS, "raw", SMALL, out="arrow")
    run_stages(arrow)
    parquet = job_of(ROWS, "raw", [*SMALL, "tokens.format=parquet"], out="parquet")
    run_stages(parquet)
    found = [
        (path.parent.name, row["id"], row["source"], row["tokens"], row["n_bytes"])
        for path in shards(parquet)
        for row in pq.read_table(path).to_pylist()
    ]
    assert {path.suffix for path in shards(parquet)} == {".parquet"}
    assert found == shard_documents(arrow)


def test_empty_documents_have_one_token(job_of):
    job = job_of([{"id": "a", "text": ""}, {"id": "b", "text": ""}], "raw", SMALL)
    accounts = run_stages(job)
    assert accounts.verdict("kept").tokens == 2
    assert [ids for _, _, _, ids, _ in shard_documents(job)] == [[0], [0]]


def test_nothing_kept_writes_a_ledger_and_no_shard(job_of):
    job = job_of([{"text": "short"}, b"broken"], "gopher", ["filters.language=null"])
    accounts = run_stages(job)
    assert accounts.verdict("kept").documents == 0
    assert shards(job) == []
    assert [row["verdict"] for row in rows_of(job, "ledger")] == ["filtered", "error"]
    assert not storage.exists(job.output.path("tokenizer/tokenizer.json"))


# --- the sample ----------------------------------------------------------------------------------


def test_the_sample_is_the_same_every_time_and_grows_with_its_share(job_of):
    rows = [{"id": f"d{number}", "text": f"text {number}"} for number in range(400)]
    job = job_of(rows, "raw", SMALL)
    run_stages(job, until="bin")
    tenth, third = list(sample_of_kept(job, 0.1)), list(sample_of_kept(job, 0.3))
    assert list(sample_of_kept(job, 0.1)) == tenth
    assert 15 < len(tenth) < 70 < len(third) < 180
    assert set(tenth) < set(third)
    for share in (1.0, 7.0):
        assert list(sample_of_kept(job, share)) == [row["text"] for row in rows]
    assert list(sample_of_kept(job, 0.0)) == []


def test_the_sample_depends_on_the_seed_and_holds_kept_text_only(job_of):
    rows = [{"id": f"d{number}", "text": prose(number, words=60)} for number in range(60)]
    rows += [{"id": f"s{number}", "text": "too short"} for number in range(60)]
    samples = []
    for seed in (0, 1):
        job = job_of(rows, "gopher", ["filters.language=null", f"seed={seed}"], out=str(seed))
        run_stages(job, until="bin")
        samples.append(set(sample_of_kept(job, 0.5)))
        assert "too short" not in samples[-1]
    assert samples[0] != samples[1]
    assert samples[0] & samples[1]


def test_the_sample_and_the_validation_set_are_chosen_independently(job_of):
    rows = [{"id": f"d{number}", "text": f"text {number}"} for number in range(400)]
    job = job_of(rows, "raw", ["tokens.validation=0.5"])
    run_stages(job, until="bin")
    chosen = {f"d{text.split()[1]}" for text in sample_of_kept(job, 0.5)}
    ledger = tokens.read_arrow(job.output.part("work/verdicts", 0, ".arrow")).to_pylist()
    held_out = {row["id"] for row in ledger if row["partition"] == "validation"}
    assert 60 < len(chosen & held_out) < 140


def test_the_tokenizer_is_trained_on_about_the_bytes_asked_for(job_of):
    job = job_of(ROWS * 3, "raw", [*SMALL, "tokenizer.sample_bytes=5000"])
    run_stages(job, until="bin")
    summary = make_tokenizer(job)
    total = sum(len(row["text"]) for row in ROWS * 3)
    assert total > 15_000
    assert 2_000 < summary["sample_bytes"] < 10_000
    assert summary["engine"] == "tiktoken"


# --- given tokenizers and resumption -------------------------------------------------------------


def test_a_given_tokenizer_is_used_as_it_is(job_of, tmp_path, finished):
    path = tmp_path / "given.json"
    definition = storage.read_bytes(finished.output.path("tokenizer/tokenizer.json"))
    path.write_bytes(definition)
    job = job_of(ROWS, "raw", [f"tokenizer.path={path}"])
    path.unlink()  # workers elsewhere do not see it
    run_stages(job)
    assert storage.read_bytes(job.output.path("tokenizer/tokenizer.json")) == definition
    tokenizer = Tokenizer.from_str(definition.decode())
    for _, name, _, ids, _ in shard_documents(job):
        text = next(row["text"] for row in ROWS if row["id"] == name)
        assert ids == [*tokenizer.encode(text, add_special_tokens=False).ids, 0]


@pytest.mark.parametrize("content", [b"{}", b"\xff\xfe", b"x"])
def test_a_given_file_that_is_no_tokenizer_is_refused(job_of, tmp_path, content):
    (tmp_path / "given.json").write_bytes(content)
    with pytest.raises(UserError, match="not a Hugging Face tokenizer"):
        job_of(ROWS[:2], "raw", [f"tokenizer.path={tmp_path / 'given.json'}"])
    assert not (tmp_path / "out").exists()  # known before anything is milled


def test_a_given_tokenizer_must_have_the_end_of_document(job_of, tmp_path, finished):
    path = finished.output.path("tokenizer/tokenizer.json")
    settings = [f"tokenizer.path={path}", "tokenizer.end_of_document=</s>"]
    with pytest.raises(UserError, match="has no token </s>\nName one that it has"):
        job_of(ROWS[:2], "raw", settings)


def test_finished_work_is_not_done_again(job_of, monkeypatch):
    job = job_of(ROWS, "raw", SMALL)
    run_stages(job)

    def refuse(*_):
        raise AssertionError("done again")

    before = [(path, path.stat().st_mtime_ns) for path in shards(job)]
    monkeypatch.setattr(tokens, "train", refuse)
    monkeypatch.setattr(tokens, "texts", refuse)
    run_stages(job)
    assert [(path, path.stat().st_mtime_ns) for path in shards(job)] == before


def test_a_part_of_another_runs_tokenizer_is_refused(job_of):
    job = job_of(ROWS, "raw", SMALL)
    run_stages(job, until="bin")
    with pytest.raises(UserError, match="the stage tokenizer is not finished\nTwo runs must not"):
        tokenize_part(job, 0)


def test_the_engine_that_was_checked_is_the_one_that_works(job_of, monkeypatch):
    fast = job_of(ROWS, "raw", SMALL, out="fast")
    run_stages(fast)
    monkeypatch.setattr(tokens.Encoder, "check", lambda self, texts: False)
    monkeypatch.setattr(tokens.Encoder, "_quick", lambda self, text: pytest.fail("used"))
    slow = job_of(ROWS, "raw", SMALL, out="slow")
    run_stages(slow)
    engines = [
        json.loads(storage.read_bytes(job.output.path("work/tokenizer/part-00000.json")))["engine"]
        for job in (fast, slow)
    ]
    assert engines == ["tiktoken", "tokenizers"]
    assert shard_documents(fast) == shard_documents(slow)


# --- repeats -------------------------------------------------------------------------------------

# Clusters of 1, 2, 3 and 6 documents.
CLUSTERS = [
    {"id": f"c{number}-{copy}", "text": prose(number, words=40)}
    for number in range(24)
    for copy in range({3: 2, 9: 3, 15: 6}.get(number, 1))
]
REPEATED = [
    "dedup={}",
    "tokenizer.vocab_size=400",
    "tokens.validation=0",
    "tokens.repeat={2: 2, 5: 4}",
]


def times_found(job) -> dict[str, int]:
    return Counter(name.split("-")[0] for _, name, *_ in shard_documents(job))


def test_documents_that_stand_for_many_are_repeated_and_stand_apart(job_of):
    once = job_of(CLUSTERS, "raw", [*REPEATED, "tokens.repeat=null"], out="once")
    accounts = run_stages(once)
    job = job_of(CLUSTERS, "raw", REPEATED, out="more")
    assert run_stages(job) == accounts  # in which each document counts once
    expected = {f"c{number}": {3: 2, 9: 2, 15: 4}.get(number, 1) for number in range(24)}
    assert times_found(job) == expected
    names = [name.split("-")[0] for _, name, *_ in shard_documents(job)]
    for name, times in expected.items():
        places = [place for place, other in enumerate(names) if other == name]
        assert all(other - one >= 24 // times for one, other in pairwise(places))
    assert set(map(str, shard_documents(job))) == set(map(str, shard_documents(once)))
    assert rows_of(job, "ledger") == rows_of(once, "ledger")


def test_validation_documents_are_never_repeated(job_of):
    job = job_of(CLUSTERS, "raw", [*REPEATED, "tokens.validation=0.5"])
    run_stages(job)
    held_out = {
        row["id"]: row for row in rows_of(job, "ledger") if row["partition"] == "validation"
    }
    assert max(row["cluster_size"] for row in held_out.values()) > 1
    found = [name for partition, name, *_ in shard_documents(job) if partition == "validation"]
    assert sorted(found) == sorted(held_out)
    assert not held_out.keys() & {
        name for partition, name, *_ in shard_documents(job) if partition == "train"
    }


def test_repeats_that_do_not_fit_into_a_shard_go_into_the_next(job_of, monkeypatch):
    monkeypatch.setattr(tokens, "SHARD_TOKENS", 250)
    job = job_of(CLUSTERS, "raw", [*REPEATED, "tokens.repeat={5: 40}"])
    run_stages(job)
    assert times_found(job)["c15"] == 40
    assert len(shards(job)) > 6
    assert all(len(read_shard(path).tokens) <= 250 for path in shards(job))


def test_repeats_in_parquet_shards_are_the_same(job_of):
    arrow = job_of(CLUSTERS, "raw", REPEATED, out="arrow")
    run_stages(arrow)
    parquet = job_of(CLUSTERS, "raw", [*REPEATED, "tokens.format=parquet"], out="parquet")
    run_stages(parquet)
    found = [row["id"] for path in shards(parquet) for row in pq.read_table(path).to_pylist()]
    assert found == [name for _, name, *_ in shard_documents(arrow)]
