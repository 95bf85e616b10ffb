"""Looking into outputs: rows, one document's story, and whether an output is what it says."""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from command import SMALL, Ended, digests, in_process, write_corpus
from rich.console import Console

from pipeline.errors import UsageError, UserError, VerificationError
from pipeline.explain import explanation
from pipeline.look import TABLES, print_rows, rows, verify_output
from pipeline.output import FORMAT_VERSION

DOCUMENTS = 60


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus") / "corpus.jsonl", DOCUMENTS)


@pytest.fixture(scope="module")
def again(corpus: Path) -> Callable[[Path], Ended]:
    """Runs the same command, into a folder."""
    return lambda root: in_process("run", "gopher", "-i", corpus, "-o", root, *SMALL)


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory, again: Callable[[Path], Ended]) -> Path:
    root = tmp_path_factory.mktemp("run") / "out"
    assert again(root).code == 0
    return root


@pytest.fixture
def damaged(output: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(output, tmp_path / "out"))


@pytest.mark.parametrize("name", [name for name in TABLES if name != "passages"])
def test_rows_of_every_table(name: str, output: Path) -> None:
    found = rows(str(output), name, 7)
    columns = {
        "documents": "text",
        "ledger": "verdict",
        "pairs": "jaccard",
        "duplicates": "cluster_size",
        "errors": "offset",
        "tokens": "tokens",
    }
    assert all(columns[name] in row for row in found)
    if name in ("documents", "ledger", "tokens"):  # more than one part
        assert len(found) == 7
    assert (len(found) > 0) == (name != "errors")


def test_rows_are_those_of_the_file(output: Path) -> None:
    first = pq.read_table(output / "ledger" / "part-00000.parquet").to_pylist()
    assert rows(str(output) + "/", "ledger", len(first)) == first


def test_all_rows_of_a_table(output: Path) -> None:
    assert len(rows(str(output), "ledger", 10_000)) == DOCUMENTS


def test_a_table_that_the_recipe_does_not_ask_for(output: Path) -> None:
    with pytest.raises(UsageError, match="holds no passages"):
        rows(str(output), "passages", 1)


def test_no_such_table(output: Path) -> None:
    with pytest.raises(UsageError) as raised:
        rows(str(output), "docs", 1)
    assert "documents, ledger, pairs" in raised.value.hint


def test_hostile_text_is_shown_as_it_is() -> None:
    console = Console(file=StringIO(), width=200)
    print_rows([{"text": "[red]a[/red]\nb [link=x]", "n": 0.123456789}], console, False)
    assert isinstance(console.file, StringIO)
    shown = console.file.getvalue()
    assert "[red]a[/red]⏎b [link=x]" in shown
    assert "0.1235" in shown


def test_no_rows_are_said_to_be_none(output: Path) -> None:
    assert in_process("inspect", output, "errors").out == "no rows\n"
    assert in_process("inspect", output, "errors", "--json").out == ""


def test_json_rows_are_json_lines(output: Path) -> None:
    ended = in_process("inspect", output, "ledger", "--json", "--limit", "5")
    assert [json.loads(line) for line in ended.out.splitlines()] == rows(str(output), "ledger", 5)


def by_verdict(output: Path, verdict: str, reason: str | None = None) -> dict[str, object]:
    return next(
        row
        for row in rows(str(output), "ledger", 10_000)
        if row["verdict"] == verdict and (reason is None or row["reason"] == reason)
    )


def test_story_of_a_kept_document(output: Path) -> None:
    row = by_verdict(output, "kept")
    (story,) = explanation(str(output), str(row["id"]))
    assert story["verdict"] == "kept"
    assert story["n_tokens"] == row["n_tokens"]
    names = {rule["rule"] for rule in story["rules"]}
    assert {"gopher_quality.word_count", "gopher_repetition.duplicate_line_fraction"} <= names
    shown = in_process("explain", output, row["id"])
    assert f"{row['id']}: kept\n" in shown.out
    assert f"{row['n_tokens']:,} tokens" in shown.out
    assert "failed" not in shown.out


def test_story_of_a_filtered_document(output: Path) -> None:
    row = by_verdict(output, "filtered")
    shown = in_process("explain", output, row["id"])
    assert f"{row['id']}: filtered by {row['reason']}" in shown.out
    assert f"threshold {row['threshold']:.4g}" in shown.out
    assert shown.out.count("failed") == len(row["failed"])  # type: ignore[arg-type]


@pytest.mark.parametrize("reason", ["dedup.exact", "dedup.minhash"])
def test_story_of_a_duplicate(reason: str, output: Path) -> None:
    row = by_verdict(output, "duplicate", reason)
    (story,) = json.loads(in_process("explain", output, row["id"], "--json").out)
    assert story["duplicate"]["kept_id"] == row["duplicate_of"]
    assert (story["duplicate"]["jaccard"] == 1.0) == (reason == "dedup.exact")
    shown = in_process("explain", output, row["id"])
    assert f"duplicate of {row['duplicate_of']}, Jaccard" in shown.out


def test_story_has_the_bounds_of_the_documents_language(corpus: Path, tmp_path: Path) -> None:
    bounds = "{minimum: 30, maximum: 400, languages: {en: {minimum: 200}, de: {minimum: 7}}}"
    setting = ("-s", f"filters.gopher_quality.word_count={bounds}")
    assert (
        in_process("run", "gopher", "-i", corpus, "-o", tmp_path / "out", *SMALL, *setting).code
        == 0
    )
    row = by_verdict(tmp_path / "out", "filtered", "gopher_quality.word_count")
    (story,) = explanation(str(tmp_path / "out"), str(row["id"]))
    assert story["language"] == "en"
    (rule,) = (rule for rule in story["rules"] if rule["rule"] == row["reason"])
    assert (rule["minimum"], rule["maximum"]) == (200, 400) == (row["threshold"], 400)


def test_an_output_of_another_version_is_said_to_be_one(damaged: Path) -> None:
    manifest = json.loads((damaged / "manifest.json").read_text())
    del manifest["cutoffs"]
    for version in (1, None):
        manifest["format_version"] = version
        (damaged / "manifest.json").write_text(json.dumps(manifest))
        for command in (("explain", damaged, "d001"), ("verify", damaged)):
            ended = in_process(*command)
            assert ended.code == 2
            assert f"was made in another format: {version}, not {FORMAT_VERSION}" in ended.err


def test_story_of_nobody(output: Path) -> None:
    with pytest.raises(UserError) as raised:
        explanation(str(output), "nobody")
    assert "nobody" in raised.value.message
    assert "gristmill inspect" in raised.value.hint


@pytest.mark.parametrize("command", [("explain", "d001"), ("verify",)])
def test_unfinished_output(command: tuple[str, ...], damaged: Path) -> None:
    (damaged / "manifest.json").unlink()
    ended = in_process(command[0], damaged, *command[1:])
    assert ended.code == 2
    assert "not a finished output" in ended.err
    assert "the same `gristmill run` goes on" in ended.err
    assert ended.out == ""


def test_verify_says_what_was_checked(output: Path) -> None:
    ended = in_process("verify", output)
    assert (ended.code, ended.err) == (0, "")
    shards = len(json.loads((output / "manifest.json").read_text())["shards"])
    assert f"{DOCUMENTS} documents, each with one verdict; {shards} shards" in ended.out


def flip_a_byte(root: Path) -> str:
    path = root / "tokens" / "train" / "part-00002.arrow"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return "tokens/train/part-00002.arrow is not the file that the manifest names"


def remove_a_shard(root: Path) -> str:
    (root / "tokens" / "train" / "part-00001.arrow").unlink()
    return "tokens/train/part-00001.arrow is missing"


def remove_a_ledger_part(root: Path) -> str:
    (root / "ledger" / "part-00001.parquet").unlink()
    return "ledger/part-00001.parquet is missing or damaged"


def cut_documents(root: Path) -> str:
    path = root / "documents" / "part-00003.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    return "documents/part-00003.parquet is missing or damaged"


def swap_rows(root: Path) -> str:
    path = root / "ledger" / "part-00002.parquet"
    table = pq.read_table(path)
    order = [1, 0, *range(2, len(table))]
    pq.write_table(table.take(pa.array(order)), path)
    return "part 2: ledger/ does not speak of the rows of documents/"


def lose_a_row_everywhere(root: Path) -> str:
    for folder in ("documents", "ledger"):
        path = root / folder / "part-00002.parquet"
        pq.write_table(pq.read_table(path).slice(1), path)
    return "but the manifest has"


def change_a_verdict(root: Path) -> str:
    path = root / "ledger" / "part-00000.parquet"
    table = pq.read_table(path)
    column = table.schema.get_field_index("verdict")
    verdicts = ["filtered" if v == "kept" else v for v in table["verdict"].to_pylist()]
    encoded = pa.array(verdicts).dictionary_encode()
    pq.write_table(table.set_column(column, "verdict", encoded), path)
    return "but the manifest has"


def lose_the_evidence(root: Path) -> str:
    for path in (root / "clusters").iterdir():
        pq.write_table(pq.read_table(path).slice(0, 0), path)
    return "not so in clusters/"


def cut_the_evidence(root: Path) -> str:
    for path in (root / "clusters").iterdir():
        path.write_bytes(path.read_bytes()[:-50])
    return "clusters/ is missing or damaged"


def remove_the_evidence(root: Path) -> str:
    shutil.rmtree(root / "clusters")
    return "clusters/ is missing or damaged"


DAMAGES = (
    lose_the_evidence,
    cut_the_evidence,
    remove_the_evidence,
    flip_a_byte,
    remove_a_shard,
    remove_a_ledger_part,
    cut_documents,
    swap_rows,
    lose_a_row_everywhere,
    change_a_verdict,
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_verify_finds(damage: Callable[[Path], str], damaged: Path) -> None:
    said = damage(damaged)
    ended = in_process("verify", damaged)
    assert ended.code == 3
    assert said in ended.err
    assert ended.out == ""
    assert "Traceback" not in ended.err


@pytest.fixture(scope="module", params=["arrow", "parquet"])
def repeated(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, corpus: Path
) -> Path:
    """An output with repeats."""
    root = tmp_path_factory.mktemp("repeated") / "out"
    more = ("-s", "tokens.repeat={2: 3}", "-s", f"tokens.format={request.param}")
    assert in_process("run", "gopher", "-i", corpus, "-o", root, *SMALL, *more).code == 0
    return root


def the_repeated(root: Path) -> tuple[Path, str, list[int]]:
    """Returns a shard, an id that it has 3 times, and the rows with that id."""
    for path in sorted((root / "tokens" / "train").iterdir()):
        for name, count in Counter(ids := shard_of(path)["id"].to_pylist()).items():
            if count == 3:
                return path, name, [row for row, other in enumerate(ids) if other == name]
    raise AssertionError("nothing is repeated")


def shard_of(path: Path) -> pa.Table:
    if path.suffix == ".parquet":
        return pq.read_table(path)
    with pa.OSFile(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def replace_shard(root: Path, path: Path, table: pa.Table) -> None:
    """Puts another shard into an output, and its figures into the manifest."""
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    manifest = json.loads((root / "manifest.json").read_text())
    (entry,) = (s for s in manifest["shards"] if (root / s["path"]) == path)
    entry |= {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "documents": len(table),
        "tokens": len(pc.list_flatten(table["tokens"])),
    }
    (root / "manifest.json").write_text(json.dumps(manifest))


def test_an_output_with_repeats_is_right(repeated: Path) -> None:
    ended = in_process("verify", repeated)
    assert (ended.code, ended.err) == (0, "")
    assert "each kept document in them as often as it should be" in ended.out
    path, name, found = the_repeated(repeated)
    (story,) = explanation(str(repeated), name)
    assert story["times_in_shards"] == 3
    assert "tokens, 3 times in the shards\n" in in_process("explain", repeated, name).out
    other = set(shard_of(path)["id"].to_pylist()) - {name}
    (story,) = explanation(str(repeated), min(other))
    assert story["times_in_shards"] == 1
    assert "in the shards" not in in_process("explain", repeated, min(other)).out
    dropped = by_verdict(repeated, "duplicate")
    assert explanation(str(repeated), str(dropped["id"]))[0]["times_in_shards"] == 0
    assert len(found) == sum(row["id"] == name for row in rows(str(repeated), "tokens", 10_000))


@pytest.mark.parametrize("change", ["less", "more", "other"])
def test_verify_counts_repeats(change: str, repeated: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(repeated, tmp_path / "out"))
    path, name, places = the_repeated(root)
    table, order = shard_of(path), list(range(len(shard_of(path))))
    single = next(row for row, other in enumerate(table["id"].to_pylist()) if other != name)
    if change == "less":
        order.remove(places[1])
    elif change == "more":
        order.append(places[0])
    else:
        order[places[2]] = single
    replace_shard(root, path, table.take(order))
    ended = in_process("verify", root)
    assert ended.code == 3
    missing, more = {"less": (1, 0), "more": (0, 1), "other": (1, 1)}[change]
    part = path.name.split(".")[0]
    assert f"the shards of {part} do not hold what the ledger keeps" in ended.err
    assert f"{missing} documents are missing, {more} should not be there" in ended.err
    assert f"\n  work/tokenize/{part}.json" in ended.err


def test_verify_compares_lengths_and_partitions(damaged: Path) -> None:
    path = damaged / "ledger" / "part-00000.parquet"
    table = pq.read_table(path)
    column = table.schema.get_field_index("n_tokens")
    longer = pc.add(table["n_tokens"], pa.scalar(1, pa.uint32()))
    pq.write_table(table.set_column(column, "n_tokens", longer), path)
    kept = len(table) - table["n_tokens"].null_count
    assert f"{kept} documents are missing, {kept} should not" in in_process("verify", damaged).err
    flipped = [
        {"train": "validation", None: None}.get(p, "train") for p in table["partition"].to_pylist()
    ]
    column = table.schema.get_field_index("partition")
    encoded = pa.array(flipped, pa.string()).dictionary_encode()
    pq.write_table(table.set_column(column, "partition", encoded), path)
    assert f"{kept} documents are missing, {kept} should not" in in_process("verify", damaged).err


def test_verify_finds_everything_at_once(damaged: Path) -> None:
    said = [damage(damaged) for damage in (flip_a_byte, remove_a_ledger_part, cut_documents)]
    with pytest.raises(VerificationError) as raised:
        verify_output(str(damaged))
    for part in said:
        assert part in raised.value.message


def test_what_verify_advises_mends_the_output(
    output: Path, damaged: Path, again: Callable[[Path], Ended]
) -> None:
    for damage in (flip_a_byte, remove_a_shard, cut_documents, remove_a_ledger_part):
        damage(damaged)
    advised = in_process("verify", damaged).err.split("remove these")[1].splitlines()[1:]
    assert len(advised) >= 4
    for name in advised:
        (damaged / name.strip()).unlink()
    assert again(damaged).code == 0
    assert in_process("verify", damaged).code == 0
    assert digests(damaged) == digests(output)
