"""From every kind of source to shards and ledger, with the same bytes on any runner."""

import gzip
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import zstandard
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from command import DATA, ROOT, SMALL, TABLES, digests, gristmill, in_process, times, write_corpus
from fastwarc.warc import ArchiveIterator, WarcRecordType
from rich.console import Console

from pipeline import flow
from pipeline.recipe import load_recipe
from pipeline.run import make_job, run, take_accounts, write_manifest
from pipeline.sources import environment

DOCUMENTS = 60
CONFIG = ROOT / "pipelines.yaml"


def table(root: Path, name: str) -> pa.Table:
    return pa.concat_tables(pq.read_table(path) for path in sorted((root / name).glob("*.parquet")))


def milled(root: Path, source: object, *settings: str, recipe: str = "raw") -> pa.Table:
    """Runs a recipe over a source and returns its ledger, after checking it against the rest."""
    recipe_ = load_recipe(recipe, CONFIG, [f"source.inputs={json.dumps([str(source)])}", *settings])
    run(make_job(recipe, recipe_, str(root)), "local", 1, [], Console(file=StringIO()))
    manifest = json.loads((root / "manifest.json").read_text())
    documents, ledger = table(root, "documents"), table(root, "ledger")
    assert documents["id"] == ledger["id"]
    assert manifest["documents"]["read"] == len(ledger)
    verdicts = Counter(ledger["verdict"].to_pylist())
    assert {name: count for name, count in manifest["documents"].items() if count} == {
        "read": len(ledger),
        **verdicts,
    }
    assert sum(shard["documents"] for shard in manifest["shards"]) == verdicts["kept"]
    assert (
        sum(shard["tokens"] for shard in manifest["shards"]) == pc.sum(ledger["n_tokens"]).as_py()
    )
    return ledger


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus") / "corpus.jsonl", DOCUMENTS)


def written(kind: str, corpus: Path, folder: Path) -> tuple[object, tuple[str, ...]]:
    """Writes the corpus as another kind of source; returns its name and settings."""
    lines = corpus.read_bytes()
    rows = [json.loads(line) for line in lines.splitlines()]
    if kind == "jsonl":
        return corpus, ("source.split_bytes=4096",)
    if kind == "jsonl.zst":
        (folder / "c.jsonl.zst").write_bytes(zstandard.compress(lines))
    elif kind == "jsonl.gz":
        (folder / "c.jsonl.gz").write_bytes(gzip.compress(lines))
    elif kind == "parquet":
        renamed = pa.table({"key": [r["id"] for r in rows], "body": [r["text"] for r in rows]})
        pq.write_table(renamed, folder / "c.parquet", row_group_size=7)
        return folder, (
            "source.split_bytes=4096",
            "source.text_field=body",
            "source.id_field=key",
        )
    elif kind == "text":
        for row in rows:
            (folder / f"{row['id']}.txt").write_text(row["text"])
        return folder, ("source.split_bytes=8192",)
    elif kind == "warc.gz":
        (folder / "c.warc.gz").write_bytes(b"".join(map(_warc_record, rows)))
        return folder, ("source.split_bytes=4096",)
    elif kind == "hf":
        (folder / "train.jsonl").write_bytes(lines)
        return f"hf:{folder}", ()
    return folder, ()


def _warc_record(row: dict[str, Any]) -> bytes:
    page = f"<html><body><main><p>{row['text']}</p></main></body></html>".encode()
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + page
    head = (
        "WARC/1.0\r\nWARC-Type: response\r\nContent-Type: application/http; msgtype=response\r\n"
        f"WARC-Record-ID: <urn:test:{row['id']}>\r\nWARC-Date: 2024-01-01T00:00:00Z\r\n"
        f"WARC-Target-URI: https://example.org/{row['id']}\r\nContent-Length: {len(http)}\r\n\r\n"
    )
    return gzip.compress(head.encode() + http + b"\r\n\r\n")


@pytest.mark.parametrize(
    "kind", ["jsonl", "jsonl.zst", "jsonl.gz", "parquet", "text", "warc.gz", "hf"]
)
def test_every_document_of_a_source(
    kind: str, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = tmp_path / "source"
    folder.mkdir()
    source, settings = written(kind, corpus, folder)
    ledger = milled(tmp_path / "out", source, "tokenizer.vocab_size=400", *settings)
    assert len(ledger) == DOCUMENTS
    assert set(ledger["verdict"].to_pylist()) == {"kept"}
    texts = [json.loads(line)["text"] for line in corpus.read_text().splitlines()]
    found = table(tmp_path / "out", "documents")["text"].to_pylist()
    if kind != "warc.gz":  # where extraction may change white space
        redacted = [text for text in texts if "@" in text]
        assert len(redacted) == 1
        assert sorted(set(texts) - set(redacted)) == sorted(set(found) & set(texts))
    if kind in ("jsonl", "parquet", "warc.gz"):
        assert len(list((tmp_path / "out" / "documents").iterdir())) > 3


@pytest.mark.slow
def test_embedded_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "TOTAL_BYTES", 3_000_000)  # no more packages after that
    ledger = milled(
        tmp_path / "out", "environment", "tokenizer.vocab_size=500", "tokenizer.sample_bytes=200000"
    )
    assert len(ledger) > 500
    assert len(set(ledger["id"].to_pylist())) == len(ledger)
    sources = set(table(tmp_path / "out", "documents")["source"].to_pylist())
    assert sources == {"reference", "stdlib", "descriptions", "licences", "packages"}


def needs(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"{path} is not here: real data that is not part of the project")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["fineweb", "gopher"])
def test_some_real_web_pages(recipe: str, tmp_path: Path) -> None:
    # The first pages of the crawl, whole gzip members, as a file of their own.
    whole = needs(DATA / "web" / "crawl.warc.gz")
    with whole.open("rb") as stream:
        ends = [r.stream_pos for r in _members(stream, 41)]
    some = tmp_path / "some.warc.gz"
    with whole.open("rb") as stream:
        some.write_bytes(stream.read(ends[40]))
    settings = ("tokenizer.vocab_size=500", "source.split_bytes=400000")
    ledger = milled(tmp_path / "out", some, *settings, recipe=recipe)
    with some.open("rb") as stream:
        pages = sum(1 for _ in ArchiveIterator(stream, record_types=WarcRecordType.response))
    assert pages > 30
    assert len(ledger) == pages
    assert len(set(ledger["verdict"].to_pylist())) > 1


def _members(stream: Any, count: int) -> Iterator[Any]:
    for number, record in enumerate(ArchiveIterator(stream, parse_http=False)):
        if number >= count:
            return
        yield record


@pytest.mark.slow
def test_some_real_prose(tmp_path: Path) -> None:
    with needs(DATA / "prose" / "ocr.jsonl.zst").open("rb") as stream:
        lines = zstandard.ZstdDecompressor().stream_reader(stream).read(600_000).split(b"\n")[:-1]
    some = tmp_path / "some.jsonl.zst"
    some.write_bytes(zstandard.compress(b"\n".join(lines) + b"\n"))
    ledger = milled(tmp_path / "out", some, "tokenizer.vocab_size=500", recipe="gopher")
    assert len(ledger) == len(lines)
    rows = [json.loads(line) for line in lines]
    assert sorted(ledger["id"].to_pylist()) == sorted(row["id"] for row in rows)


@pytest.fixture(scope="module")
def one_worker(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("one") / "out"
    assert in_process("run", "gopher", "-i", corpus, "-o", root, *SMALL).code == 0
    found = digests(root)
    for name in TABLES:
        assert any(path.startswith(f"{name}/") for path in found), f"no {name} to compare"
    verdicts = set(table(root, "ledger")["verdict"].to_pylist())
    assert verdicts == {"kept", "filtered", "duplicate"}
    return root


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 3])
def test_same_bytes_with_more_workers(
    workers: int, corpus: Path, one_worker: Path, tmp_path: Path
) -> None:
    root = tmp_path / "out"
    ended = gristmill("run", "gopher", "-i", corpus, "-o", root, *SMALL, "--workers", workers)
    assert ended.code == 0
    assert digests(root) == digests(one_worker)
    # Another machine's manifest differs in paths at most; this one's not at all.
    assert (root / "manifest.json").read_bytes() == (one_worker / "manifest.json").read_bytes()


def test_same_bytes_on_another_runner(corpus: Path, one_worker: Path, tmp_path: Path) -> None:
    inputs = json.dumps([str(corpus)])
    settings = [word for word in SMALL if word != "-s"]
    recipe = load_recipe("gopher", CONFIG, [f"source.inputs={inputs}", *settings])
    job = make_job("gopher", recipe, str(tmp_path / "out"))
    with beam.Pipeline(runner=BundleBasedDirectRunner()) as pipeline:
        flow.build(pipeline, job)
    write_manifest(job, take_accounts(job))
    assert digests(tmp_path / "out") == digests(one_worker)


def test_shards_hold_what_the_ledger_says(one_worker: Path) -> None:
    manifest = json.loads((one_worker / "manifest.json").read_text())
    ledger = {row["id"]: row for row in table(one_worker, "ledger").to_pylist()}
    seen = {}
    for shard in manifest["shards"]:
        partition = shard["path"].split("/")[1]
        with pa.memory_map(str(one_worker / shard["path"])) as source:
            rows = pa.ipc.open_file(source).read_all()
        for row in rows.to_pylist():
            assert ledger[row["id"]]["partition"] == partition
            assert ledger[row["id"]]["n_tokens"] == len(row["tokens"])
            seen[row["id"]] = partition
    assert set(seen) == {i for i, row in ledger.items() if row["verdict"] == "kept"}
    assert set(seen.values()) == {"train", "validation"}


@pytest.fixture
def finished(one_worker: Path, tmp_path: Path) -> Path:
    """A copy of the finished output, to change."""
    return Path(shutil.copytree(one_worker, tmp_path / "out"))


def test_a_finished_output_is_left_alone(corpus: Path, finished: Path) -> None:
    import time

    before, begun = times(finished), time.monotonic()
    ended = gristmill("run", "gopher", "-i", corpus, "-o", finished, *SMALL)
    assert time.monotonic() - begun < 5
    assert ended.code == 0
    assert f"{finished} is finished already; nothing to do." in ended.err
    assert "kept" in ended.out or "tokens in" in ended.out
    assert times(finished) == before


def changed(before: dict[str, int], root: Path) -> set[str]:
    """Returns the folders with files that are new or were written again."""
    after = times(root)
    return {"/".join(name.split("/")[:-1]) for name in after if after[name] != before.get(name)} - {
        "",
        "report",
    }


def test_another_tokenizer_reuses_what_was_milled_and_decided(corpus: Path, finished: Path) -> None:
    before = times(finished)
    words = ("-s", "tokenizer.vocab_size=350")
    assert in_process("run", "gopher", "-i", corpus, "-o", finished, *SMALL, *words).code == 0
    assert changed(before, finished) == {
        *("tokenizer", "tokens/train", "tokens/validation", "ledger"),
        *("work/tokenizer", "work/tokenize"),
    }


def test_other_repeats_write_shards_and_ledger_only(corpus: Path, finished: Path) -> None:
    before, once = (
        times(finished),
        {row["id"]: row for row in table(finished, "ledger").to_pylist()},
    )
    words = ("-s", "tokens.repeat={2: 3}")
    assert in_process("run", "gopher", "-i", corpus, "-o", finished, *SMALL, *words).code == 0
    assert changed(before, finished) == {
        *("tokens/train", "tokens/validation", "ledger"),
        "work/tokenize",
    }
    assert {row["id"]: row for row in table(finished, "ledger").to_pylist()} == once
    manifest = json.loads((finished / "manifest.json").read_text())
    found: Counter[str] = Counter()
    for shard in manifest["shards"]:
        with pa.memory_map(str(finished / shard["path"])) as source:
            rows = pa.ipc.open_file(source).read_all()
        assert (shard["documents"], shard["tokens"]) == (
            len(rows),
            len(pc.list_flatten(rows["tokens"])),
        )
        found.update(rows["id"].to_pylist())
    assert found == {
        name: 3 if row["cluster_size"] > 1 and row["partition"] == "train" else 1
        for name, row in once.items()
        if row["verdict"] == "kept"
    }
    assert set(found.values()) == {1, 3}
    assert sum(tally["tokens"] for tally in manifest["by_source_and_verdict"].values()) == sum(
        row["n_tokens"] or 0 for row in once.values()
    )


def test_another_threshold_reuses_what_was_milled(corpus: Path, finished: Path) -> None:
    before = times(finished)
    words = ("-s", "filters.gopher_quality.word_count.minimum=90")
    assert in_process("run", "gopher", "-i", corpus, "-o", finished, *SMALL, *words).code == 0
    written_again = changed(before, finished)
    assert {"ledger", "work/bin", "work/match", "clusters"} <= written_again
    assert not written_again & {"documents", "errors", "work/signatures", "work/mill"}


def test_another_similarity_reuses_what_was_compared(corpus: Path, finished: Path) -> None:
    before = times(finished)
    words = ("-s", "dedup.minhash.threshold=0.7")
    assert in_process("run", "gopher", "-i", corpus, "-o", finished, *SMALL, *words).code == 0
    written_again = changed(before, finished)
    assert {"ledger", "work/bin", "work/match", "work/near", "clusters"} <= written_again
    compared = {"pairs", "work/compare", "work/pairs", "work/sketches", "work/order", "work/exact"}
    assert not written_again & {"documents", "work/signatures", "work/mill", *compared}


def test_a_changed_file_is_milled_again_and_no_other(corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    for number in range(3):
        write_corpus(folder / f"{number}.jsonl", 20, seed=number)
    words = ("run", "gopher", "-i", folder, "-o", tmp_path / "out", *SMALL[2:])
    assert in_process(*words).code == 0
    before = times(tmp_path / "out")
    write_corpus(folder / "1.jsonl", 21, seed=9)
    assert in_process(*words).code == 0
    after = times(tmp_path / "out")
    milled_again = {
        name for name in after if name.startswith("documents/") and after[name] != before[name]
    }
    assert milled_again == {"documents/part-00001.parquet"}
    fresh = tmp_path / "fresh"
    assert in_process(*words[:5], fresh, *SMALL[2:]).code == 0
    assert digests(tmp_path / "out") == digests(fresh)


def test_fewer_parts_leave_nothing_of_the_earlier_run(corpus: Path, finished: Path) -> None:
    words = (*SMALL, "-s", "source.split_bytes=20000")
    assert in_process("run", "gopher", "-i", corpus, "-o", finished, *words).code == 0
    fresh = finished.with_name("fresh")
    assert in_process("run", "gopher", "-i", corpus, "-o", fresh, *words).code == 0
    assert digests(finished) == digests(fresh)
