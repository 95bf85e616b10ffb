import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command import SMALL, gristmill, in_process, write_corpus
from conftest import CANARIES, CONFIG

from filters.errors import FilterUnavailable
from filters.redaction import Options, Span, names
from pipeline import verify
from pipeline.bpe import Encoder
from pipeline.recipe import load_recipe
from pipeline.shards import read_shard, write_shard
from pipeline.verify import Scan, scan

EMAIL = CANARIES["email"]
PARSED = ("canary.person", "secret-domain", *(value for value in CANARIES.values()))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus") / "corpus.jsonl", 40)


@pytest.fixture(scope="module")
def output(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished output with a table of every kind and a filter that names evidence."""
    root = tmp_path_factory.mktemp("output") / "out"
    pattern = "filters.regex.patterns=['One more sentence']"
    ended = in_process("run", "gopher", "-i", corpus, "-o", root, *SMALL, "-s", pattern)
    assert ended.code == 0
    return root


@pytest.fixture
def copy(output: Path, tmp_path: Path) -> Path:
    shutil.copytree(output, tmp_path / "copy")
    return tmp_path / "copy"


def change(path: Path, column: str, changed: Callable[[Any], Any], row: int = 1) -> None:
    """Changes one value of a Parquet file."""
    table = pq.read_table(path)
    values = table[column].to_pylist()
    values[row] = changed(values[row])
    at = table.schema.get_field_index(column)
    new = pa.array(values, table.schema.field(column).type)
    pq.write_table(table.set_column(at, table.schema.field(column), new), path)


def in_table(name: str, column: str, value: Any, row: int = 1) -> Callable[[Path], str]:
    def plant(root: Path) -> str:
        files = sorted((root / name).glob("*.parquet"))
        path = next(file for file in files if pq.read_metadata(file).num_rows > row)
        change(path, column, value if callable(value) else lambda _: value, row)
        return f"{name}/{path.name}, row {row}, column {column}: email 1"

    plant.__name__ = f"{name}.{column}"
    return plant


def in_evidence(root: Path) -> str:
    path = root / "documents" / "part-00000.parquet"
    put = lambda signals: {**signals, "regex": {**signals["regex"], "evidence": EMAIL}}  # noqa: E731
    change(path, "signals", put)
    return "documents/part-00000.parquet, row 1, column signals: email 1"


def in_pairs(root: Path) -> str:
    schema = [("a", pa.string()), ("b", pa.string()), ("jaccard", pa.float64())]
    table = pa.table({"a": ["x"], "b": [EMAIL], "jaccard": [0.5]}, schema=pa.schema(schema))
    (root / "pairs").mkdir(exist_ok=True)
    pq.write_table(table, root / "pairs" / "part-00000.parquet")
    return "pairs/part-00000.parquet, row 0, column b: email 1"


def in_errors(root: Path) -> str:
    path = root / "errors" / "part-00000.parquet"
    schema = pq.read_schema(path)
    row = {"split": 0, "id": "x", "offset": "0", "stage": "mill", "error": f"failed at {EMAIL}"}
    pq.write_table(pa.Table.from_pylist([row], schema), path)
    return "errors/part-00000.parquet, row 0, column error: email 1"


def in_arrow(root: Path) -> str:
    path = root / "work" / "verdicts" / "part-00000.arrow"
    table = pa.ipc.open_file(path.read_bytes()).read_all()
    ids = [EMAIL, *table["id"].to_pylist()[1:]]
    table = table.set_column(0, "id", pa.array(ids, pa.string()))
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)
    return "work/verdicts/part-00000.arrow, row 0, column id: email 1"


def in_schema(root: Path) -> str:
    path = root / "ledger" / "part-00000.parquet"
    pq.write_table(pq.read_table(path).replace_schema_metadata({"made by": EMAIL}), path)
    return "ledger/part-00000.parquet, metadata: email 1"


def in_tokens(root: Path) -> str:
    definition = (root / "tokenizer" / "tokenizer.json").read_text()
    encoder = Encoder(definition, "<|endoftext|>")
    path = sorted((root / "tokens" / "train").glob("*.arrow"))[0]
    table = read_shard(path)
    tokens = np.concatenate([encoder.encode(f"to {EMAIL} it"), [encoder.end_of_document_id]])
    first = int(table.offsets[1])
    changed = {
        **{name: getattr(table, name) for name in ("ids", "sources", "n_bytes", "metadata")},
        "tokens": np.concatenate([tokens, table.tokens[first:]]),
        "offsets": np.concatenate([[0], table.offsets[1:] - first + len(tokens)]),
    }
    data = type(table)(**changed)
    write_shard(path.with_suffix(".new"), data)
    path.with_suffix(".new").replace(path)
    return f"tokens/train/{path.name}, row 0, column tokens: email 1"


def in_json(name: str, put: Callable[[Any], None], place: str) -> Callable[[Path], str]:
    def plant(root: Path) -> str:
        path = root / name
        value = json.loads(path.read_text())
        put(value)
        path.write_text(json.dumps(value))
        return f"{name}, {place}: email 1"

    plant.__name__ = f"{name}:{place}"
    return plant


def in_page(old: str, new: str, place: str) -> Callable[[Path], str]:
    def plant(root: Path) -> str:
        page = root / "report" / "report.html"
        text = page.read_text()
        assert old in text
        page.write_text(text.replace(old, new, 1))
        return f"report/report.html, {place} before line "

    plant.__name__ = f"report.html:{place}"
    return plant


def in_file(name: str, before: int) -> Callable[[Path], str]:
    def plant(root: Path) -> str:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"\xff\0\n " * (before // 4) + EMAIL.encode() + b" \xff")
        return f"{name}, bytes "

    plant.__name__ = f"{name}:{before}"
    return plant


BROKEN = "canary.<wbr>person@secret-domain.<wbr>org"
PLANTS = (
    in_table("documents", "text", lambda text: f"{text} {EMAIL}"),
    in_table("documents", "url", f"https://example.org/?to={EMAIL}"),
    in_table("documents", "source", EMAIL),
    in_table("documents", "language", EMAIL),
    in_table("documents", "redactions", [(EMAIL, 1)]),
    in_evidence,
    in_table("ledger", "failed", ["gopher_quality.word_count", EMAIL]),
    in_table("ledger", "verdict", EMAIL),
    in_table("ledger", "duplicate_of", EMAIL),
    in_table("clusters", "kept_id", EMAIL, row=0),
    in_pairs,
    in_errors,
    in_arrow,
    in_schema,
    in_tokens,
    in_json("manifest.json", lambda m: m["inputs"][0].update(url=f"/in/{EMAIL}"), "inputs[0].url"),
    in_json(
        "manifest.json",
        lambda m: m["by_source_and_verdict"].update({f"{EMAIL}/kept": {}}),
        "by_source_and_verdict, a key",
    ),
    in_json(
        "report/report.json",
        lambda r: r["samples"][2].update(excerpt=f"by {EMAIL}"),
        "samples[2].excerpt",
    ),
    in_json(
        "work/mill/part-00000.json", lambda m: m["sources"].update({EMAIL: 1}), "sources, a key"
    ),
    in_json(
        "tokenizer/tokenizer.json",
        lambda t: t["added_tokens"].append({**t["added_tokens"][0], "id": 400, "content": EMAIL}),
        "token 400",
    ),
    in_page("</main>", f"<p>{BROKEN}</p></main>", "text"),
    in_page("</main>", f'<p title="{EMAIL}">x</p></main>', "attribute title"),
    in_page("</main>", f"<p>{EMAIL}&#46;</p></main>", "text"),
    in_file("notes.txt", 0),
    in_file("documents/.0123456789abcdef.tmp", 400),
    in_file("core", verify.PIECE - 8),
    in_file("work/core", 2 * verify.PIECE + 12),
)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_finds(plant: Callable[[Path], str], copy: Path) -> None:
    place = plant(copy)
    ended = in_process("verify", copy)
    assert ended.code == 3
    assert f"  {place}" in ended.err
    assert any(place in line and line.endswith("email 1") for line in ended.err.splitlines())
    assert "Do not pass it on" in ended.err
    assert not any(part in ended.err + ended.out for part in PARSED)


def test_a_clean_output_is_said_to_be_one(output: Path) -> None:
    ended = in_process("verify", output)
    assert (ended.code, ended.err) == (0, "")
    for group in ("documents", "ledger", "report", "tokenizer", "tokens", "work"):
        line = next(line for line in ended.out.splitlines() if line.startswith(f"  {group}  "))
        assert line.endswith(": none")
        assert " 0 strings" not in line
    assert "looked for personal data (" in ended.out
    assert all(name in ended.out for name in ("email", "ip", "phone", "card"))


def test_everything_wrong_is_said_at_once(copy: Path) -> None:
    place = in_tokens(copy)
    (copy / "errors" / "part-00001.parquet").write_bytes(b"PAR1")
    (copy / "report" / "report.json").write_text("{")
    ended = in_process("verify", copy)
    assert ended.code == 3
    assert place in ended.err
    assert "is not the file that the manifest names" in ended.err
    assert "errors/part-00001.parquet is damaged" in ended.err
    assert "report/report.json is damaged" in ended.err


def test_many_places_are_counted(copy: Path) -> None:
    path = copy / "documents" / "part-00000.parquet"
    table = pq.read_table(path)
    urls = pa.array([f"https://{EMAIL}/"] * len(table))
    table = table.set_column(table.schema.get_field_index("url"), "url", urls)
    tables = [table] * (1 + verify.MOST_PLACES // len(table))
    pq.write_table(pa.concat_tables(tables), path)
    ended = in_process("verify", copy)
    more = sum(map(len, tables)) - verify.MOST_PLACES
    assert f"and {more:,} more" in ended.err
    assert ended.err.count("column url") == verify.MOST_PLACES


def looked_at(root: Path, **manifest: Any) -> Scan:
    found = scan(str(root), {**json.loads((root / "manifest.json").read_text()), **manifest})
    assert found is not None
    return found


def test_what_the_user_typed_is_counted_apart(corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / EMAIL
    folder.mkdir()
    shutil.copy(corpus, folder / "in.jsonl")
    root = tmp_path / "out"
    words = ("run", "raw", "-i", folder / "in.jsonl", "-o", root, *SMALL)
    assert in_process(*words, "-s", f"description='Ask {EMAIL}'").code == 0
    ended = in_process("verify", root)
    assert ended.code == 0
    assert "what the recipe says and names, not counted: email " in ended.out
    assert EMAIL not in json.loads((root / "manifest.json").read_text())["inputs"][0]["url"]
    # The page shows the description; anything else in it would count.
    assert EMAIL in (root / "report" / "report.html").read_text()
    assert looked_at(root).hits == {}


def test_numbers_of_our_own_are_no_false_alarm(copy: Path) -> None:
    digits = "".join(str(n % 10) for n in range(32))
    for name in ("documents", "ledger"):
        change(copy / name / "part-00000.parquet", "id", lambda _: digits)
    assert looked_at(copy).hits == {}
    versions = {"libraries": {"numpy": "8.8.8.8"}, "code": {"source": "81.2.69.142"}}
    manifest = json.loads((copy / "manifest.json").read_text()) | versions
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert looked_at(copy).hits == {}


def test_a_text_clipped_in_the_page_is_judged_by_the_whole(copy: Path) -> None:
    page = copy / "report" / "report.html"
    text = page.read_text()
    page.write_text(text.replace("</main>", "<p>call +49 30 901820…</p></main>"))
    assert looked_at(copy).hits == {}
    page.write_text(text.replace("</main>", "<p>call +49 30 901820… now</p></main>"))
    assert looked_at(copy).hits == {"phone": 1}


def test_files_of_the_filters_are_known_by_their_hash(copy: Path) -> None:
    name = "0" * 64
    (copy / "work" / "files").mkdir()
    (copy / "work" / "files" / name).write_text(EMAIL)
    found = looked_at(copy, files=[{"url": "words.txt", "sha256": name}])
    assert (found.skipped, found.hits) == (1, {})
    assert looked_at(copy).hits == {"email": 1}


def test_nothing_is_looked_for_without_redaction(corpus: Path, tmp_path: Path) -> None:
    root = tmp_path / "out"
    words = ("run", "raw", "-i", corpus, "-o", root, *SMALL, "-s", "redaction=null")
    assert in_process(*words).code == 0
    ended = in_process("verify", root)
    assert ended.code == 0
    assert "no personal data looked for" in ended.out


def test_only_the_recipes_types_are_looked_for(corpus: Path, tmp_path: Path) -> None:
    root = tmp_path / "out"
    words = ("run", "raw", "-i", corpus, "-o", root, *SMALL, "-s", "redaction.types=[ip]")
    assert in_process(*words).code == 0
    texts = [pq.read_table(path)["text"].to_pylist() for path in (root / "documents").glob("*")]
    assert "jane.roe@example.org" in str(texts)
    assert looked_at(root).options == Options(types=("ip",))
    assert in_process("verify", root).code == 0


def test_names_are_looked_for_in_documents_and_tokens(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_names(text: str) -> list[Span]:
        return [Span(*match.span(), "person") for match in re.finditer("Funnel|Ada", text)]

    monkeypatch.setattr(names, "finder", lambda types, model: find_names)
    monkeypatch.setattr(names, "digest_of", str.upper)
    root = tmp_path / "out"
    setting = "redaction.names=[person]"
    assert in_process("run", "raw", "-i", corpus, "-o", root, *SMALL, "-s", setting).code == 0
    assert "Funnel" in (root / "report" / "report.html").read_text()
    ended = in_process("verify", root)
    assert (ended.code, ended.err) == (0, "")
    assert "for names (person) in documents and tokens" in ended.out
    change(root / "documents" / "part-00000.parquet", "text", lambda text: f"{text} Ada")
    ended = in_process("verify", root)
    assert ended.code == 3
    assert "documents/part-00000.parquet, row 1, column text: person 1" in ended.err

    def missing(types: tuple[str, ...], model: str) -> None:
        raise FilterUnavailable(f"There is no spaCy model {model}; install it")

    monkeypatch.setattr(names, "finder", missing)
    ended = in_process("verify", root)
    assert ended.code == 1
    assert ended.err.startswith("error: There is no spaCy model en_core_web_lg; install it")


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_shards_are_turned_back_into_text(kind: str, corpus: Path, tmp_path: Path) -> None:
    root = tmp_path / "out"
    words = ("run", "raw", "-i", corpus, "-o", root, *SMALL, "-s", f"tokens.format={kind}")
    assert in_process(*words).code == 0
    texts = []
    for path in sorted((root / "tokens").rglob(f"*.{kind}")):
        name = str(path.relative_to(root))
        recipe = load_recipe("raw", CONFIG, [f"tokens.format={kind}"])
        written = verify._texts(str(root), name, recipe)
        texts += [each.text for each in written if each.place.endswith("column tokens")]
    documents = [
        row
        for path in sorted((root / "documents").glob("*"))
        for row in pq.read_table(path)["text"].to_pylist()
    ]
    assert set(texts) == {text for text in documents if text in texts}
    assert len(texts) > 30


def test_of_an_unfinished_output(copy: Path) -> None:
    (copy / "manifest.json").unlink()
    assert gristmill("verify", copy).code == 2
