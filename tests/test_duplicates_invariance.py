"""The match stage's result depends on the documents alone: not on files, order, runner or workers.

The corpus has everything that the stage treats in its own way: equal URLs, equal texts,
near-duplicates to all degrees and chains of them, buckets above the size of which all pairs are
compared, sources, filtered documents, documents without words.
"""

import json
import random
from io import StringIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from conftest import CONFIG, changed, make_test_job, prose, run_stages
from rich.console import Console

from pipeline import runners
from pipeline.duplicates import leaders
from pipeline.duplicates.bands import ALL_PAIRS_UP_TO
from pipeline.recipe import load_recipe
from pipeline.run import make_job, run

SETTINGS = (
    "dedup.url=true",
    "dedup.minhash.leaders=3",  # so that some pairs of large buckets stay uncompared
    "filters.length.words.maximum=400",
    "tokenizer.vocab_size=300",
    "tokens.validation=0.1",
    "tokens.repeat={2: 2, 5: 3}",
)
CUTS = (1, 3, 17)


def corpus() -> list[dict]:
    """Returns documents, all of them with an id."""
    rng = random.Random(5)
    rows = []

    def add(text: str, **more: str) -> None:
        source = rng.choice(["web", "books", "forum"])
        rows.append({"id": f"d{len(rows):04}", "text": text, "source": source, **more})

    bases = [prose(n, words=rng.choice([12, 60, 120])) for n in range(16)]
    for text in bases:  # near-duplicates of near-duplicates
        family = [text]
        for _ in range(rng.randrange(8)):
            one = rng.choice(family)
            places = rng.sample(range(len(one.split(" "))), rng.choice([0, 1, 1, 2, 4]))
            family.append(changed(one, *places).replace(" ", " " * rng.choice([1, 1, 2])))
        for one in family:
            add(one, **({"url": f"http://e.org/{rng.randrange(30)}"} if rng.random() < 0.4 else {}))
    template = prose(100, words=150)
    for n in range(2 * ALL_PAIRS_UP_TO):  # one bucket, in which many are not alike
        words = template.split(" ")
        for place in rng.sample(range(len(words)), rng.choice([1, 2, 3, 4])):
            words[place] = f"word{n}"
        add(" ".join(words))
    long = prose(101, words=450)
    for n in range(4):  # filtered, and one that is not
        add(changed(long, n) if n else " ".join(long.split(" ")[:390]))
    for text in ("", " ", "!", "…", "one two", "One, two", "one  two"):
        add(text)
    for _ in range(5):  # equal texts with equal and with different URLs
        add(bases[0], url="https://e.org/1#part")
        add(bases[1])
    rng.shuffle(rows)
    return rows


ROWS = corpus()


def cut(rows: list[dict], files: int) -> dict[str, list[dict]]:
    """Divides rows into files of unequal lengths."""
    rng = random.Random(files)
    bounds = [0, *sorted(rng.sample(range(1, len(rows)), files - 1)), len(rows)]
    return {f"f{n:02}.jsonl": rows[bounds[n] : bounds[n + 1]] for n in range(files)}


def mixed(files: int, seed: int) -> dict[str, list[dict]]:
    """Divides the corpus into files, documents and files in another order for each seed."""
    rng = random.Random(seed)
    rows = rng.sample(ROWS, len(ROWS)) if seed else ROWS
    found = list(cut(rows, files).items())
    if seed:
        rng.shuffle(found)
    return dict(found)


def tables(root: Path) -> dict:
    """Returns what must not depend on files: bytes of clusters/ and pairs/, ledger rows by id."""
    found: dict = {
        str(path.relative_to(root)): path.read_bytes()
        for folder in ("clusters", "pairs")
        for path in sorted((root / folder).iterdir())
    }
    ledger = [row for path in sorted((root / "ledger").iterdir()) for row in _rows(path)]
    found["ledger"] = {row["id"]: row for row in ledger}
    assert len(found["ledger"]) == len(ledger) == len(ROWS)
    return found


def _rows(path: Path) -> list[dict]:
    return pq.read_table(path).to_pylist()


def every_byte(root: Path) -> dict[str, bytes]:
    """Returns all files of an output but those of work/."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.relative_to(root).parts[0] != "work"
    }


def staged(folder: Path, files: int, seed: int = 0, *more: str) -> Path:
    """Runs all stages without Beam, parts, packs and chunks in the order of a seed."""
    job = make_test_job(folder, mixed(files, seed), "raw", ["dedup={}", *SETTINGS, *more])
    run_stages(job, shuffle=seed or None)
    return folder / "out"


def beamed(folder: Path, out: str, runner: str, workers: int, files: int, *more: str) -> Path:
    """Runs the pipeline as the command does, over documents and files in another order."""
    named = mixed(files, seed=files)
    for name, rows in named.items():
        if not (folder / name).exists():  # another time of change would be another input
            (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    names = json.dumps([str(folder / name) for name in named])
    settings = [f"source.inputs={names}", "dedup={}", *SETTINGS, *more]
    job = make_job("raw", load_recipe("raw", CONFIG, settings), str(folder / out))
    run(job, runner, workers, [], Console(file=StringIO()))
    return folder / out


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> dict:
    """The tables of one file, in the natural order of everything."""
    return tables(staged(tmp_path_factory.mktemp("plain"), 1))


def test_the_corpus_leaves_pairs_out_where_the_bounds_are_narrow(tmp_path, monkeypatch):
    monkeypatch.setattr(leaders, "REST_UP_TO", 1)
    job = make_test_job(tmp_path, mixed(3, 0), "raw", ["dedup={}", "dedup.over=all", *SETTINGS])
    run_stages(job, until="match")
    assert job.summaries("match")[0]["uncompared"] > 0


def test_the_corpus_has_every_case(tmp_path):
    job = make_test_job(tmp_path, mixed(3, 0), "raw", ["dedup={}", "dedup.over=all", *SETTINGS])
    run_stages(job)
    summary = job.summaries("match")[0]
    assert summary["large_buckets"] > 0
    for kind in ("url", "exact", "near"):
        assert summary[f"{kind}_duplicates"] >= 10
    verdicts = [row["verdict"] for row in tables(tmp_path / "out")["ledger"].values()]
    assert {verdicts.count(name) > 2 for name in ("kept", "filtered", "duplicate")} == {True}


@pytest.mark.parametrize("files", CUTS)
def test_files_and_order_change_nothing(files, plain, tmp_path):
    assert tables(staged(tmp_path, files, seed=files + 1)) == plain


def test_files_and_order_change_nothing_with_other_settings(tmp_path):
    more = ("dedup.over=all", "dedup.scope=source", "dedup.prefer=first_url", "dedup.exact=words")
    found = [
        tables(staged(tmp_path / str(files), files, files, *more))
        for files in CUTS
        if not (tmp_path / str(files)).mkdir()
    ]
    assert found[0] == found[1] == found[2]


def test_the_runner_changes_no_byte(plain, tmp_path, monkeypatch):
    one = beamed(tmp_path, "local", "local", 1, 3)
    assert tables(one) == plain
    monkeypatch.setattr(runners, "_runner", lambda *_: BundleBasedDirectRunner())
    other = beamed(tmp_path, "bundles", "local", 1, 3)
    assert every_byte(one) == every_byte(other)


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "files"), [(2, 3), (3, 17)])
def test_workers_change_no_byte(workers, files, plain, tmp_path):
    one = beamed(tmp_path, "one", "local", 1, files)
    many = beamed(tmp_path, "many", "local", workers, files)
    assert tables(many) == plain
    assert every_byte(one) == every_byte(many)


@pytest.mark.slow
def test_rounds_on_two_workers_change_nothing(plain, tmp_path):
    assert tables(beamed(tmp_path, "out", "local", 2, 3, "dedup.rounds=3")) == plain


@pytest.mark.slow
def test_dask_changes_no_byte(plain, tmp_path):
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    one = beamed(tmp_path, "one", "local", 1, 3)
    other = beamed(tmp_path, "dask", "dask", 1, 3)
    assert tables(other) == plain
    assert every_byte(one) == every_byte(other)
