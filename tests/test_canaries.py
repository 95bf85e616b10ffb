"""Personal data planted everywhere a document has room for it is nowhere afterwards."""

import gzip
import html
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from command import (
    SMALL,
    committed,
    end,
    environment,
    gristmill,
    group,
    kill_group,
    said_by,
    start,
    wait_until,
)
from conftest import CONFIG, changed, prose
from tokenizers import Tokenizer

from filters.redaction import find
from pipeline.recipe import load_recipe
from pipeline.redacting import options_of

OPTIONS = options_of(load_recipe("gopher", CONFIG).redaction)

# A value of each type (of some two), and a part of it that is nowhere else. Made up, or from ranges
# kept for examples; in pieces where a scanner for secrets would take them for real.
PLANTED = {
    "email": ("canary.mailbox@secret-domain.org", "canary.mailbox"),
    "ip": ("81.2.69.142", "81.2.69"),
    "ip v6": ("2a02:8108:96c0:3f1e::4d2b", "96c0:3f1e"),
    "phone": ("+44 20 7946 0958", "7946 0958"),
    "card": ("4111 1111 1111 1111", "4111 1111"),
    "iban": ("GB82 WEST 1234 5698 7654 32", "5698 7654"),
    "ssn": ("536-22-8726", "22-8726"),
    "credential": ("AKIA" + "Q3EGTZ7RLW5XMPJ2", "Q3EGTZ7RLW5X"),
    "mac": ("3c:5a:b4:7e:19:d2", "b4:7e:19"),
    "coordinates": ("48.858370, 2.294481", "858370, 2.29"),
    "national_id": ("529.982.247-25", "982.247-25"),
}
ANNOUNCED = {"48.858370, 2.294481": "coordinates: ", "529.982.247-25": "CPF "}


def said_of(value: str) -> str:
    """Returns a sentence with a value, announced where its type needs that."""
    return f"Ask for {ANNOUNCED.get(value, '')}{value} when you come back to the old bridge."


def is_found(text: str, value: str) -> bool:
    """Tells whether the detectors find all of a value in a text."""
    start = text.index(value)
    return any(s.start <= start and s.end >= start + len(value) for s in find(text, OPTIONS))


# What the detectors cannot find where it stands would be no leak.
CANARIES = {
    name: planted for name, planted in PLANTED.items() if is_found(said_of(planted[0]), planted[0])
}
BARE = {name: planted for name, planted in CANARIES.items() if is_found(planted[0], planted[0])}

SETTINGS = (*SMALL, "-s", "max_error_rate=1", "-s", "source.max_document_bytes=8192")
SETTINGS += ("-s", "filters.regex.patterns=[forbidden]")


def test_the_detectors_find_what_is_planted() -> None:
    assert {"email", "ip", "ip v6", "phone", "card"} <= CANARIES.keys()
    assert {"email", "ip", "ip v6", "phone", "card"} <= BARE.keys()
    assert set(OPTIONS.types) <= {name.split()[0] for name in PLANTED}


def json_rows(name: str, value: str, number: int) -> Iterator[bytes]:
    """Yields JSON lines with a canary in documents of every fate."""
    said = said_of(value)
    base = f"{prose(number)} {said} {prose(number + 500, 30)}"
    near = changed(base, 20)
    rows: list[dict[str, object]] = [
        {"id": f"{name}-kept", "text": base, "title": value, "meta": {"author": [value]}},
        {"id": f"{name}-exact", "text": base, "url": f"https://example.org/{number}"},
        {"id": f"{name}-near", "text": near},
        {"id": f"{name}-filtered", "text": f"Too short. {said}"},
        {"id": f"{name}-forbidden", "text": f"{prose(number + 600)} forbidden {said}"},
        {"id": f"{name}-crash", "text": f"{prose(number + 700)} CRASH {said}"},
        {"id": f"{name}-list", "text": [said]},
        {"id": f"{name}-number", "text": {"value": said}},
        {"id": f"{name}-none", "body": said},
        {"id": f"{name}-large", "text": f"{said} " * 300},
        {value: said},
    ]
    if name in BARE:
        rows += [
            {"id": value, "text": prose(number + 800)},
            {"id": f"{name}-source", "source": value, "text": prose(number + 900)},
            {"id": value, "text": "Too short."},
            {"id": value, "source": value, "text": f"{prose(number + 1000)} CRASH"},
            {"id": value, "source": value, "text": 5},
        ]
    for seed, url in ((1100, f"https://example.org/?q={value}"), (1200, f"?q={quote(value, '')}")):
        if is_found(f"https://example.org/?q={value}", value):
            rows.append({"id": f"{name}-url-{seed}", "url": url, "text": prose(number + seed)})
    for row in rows:
        yield json.dumps(row, ensure_ascii=number % 2 == 0).encode()
    yield json.dumps({"text": said}).encode()[:-2]  # the line breaks off
    yield b'{"text": "' + said.encode() + b'", "text": }'
    yield b'{"text": "\xff\xfe ' + said.encode() + b'"}'
    yield said.encode()
    yield json.dumps([said]).encode()


def warc_record(value: str, number: int, more: int = 0) -> bytes:
    """Returns a page with a canary wherever a page has room; `more` makes its length wrong."""
    said = said_of(value)
    page = (
        f'<html><head><title>{value}</title><meta name="author" content="{value}">'
        f"<!-- {value} --></head><body><main><p>{prose(number)} {said}</p>"
        f'<a href="mailto:{value}" title="{value}">{said}</a></main></body></html>'
    )
    fields = f"X-Author: {value}\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    message = f"HTTP/1.1 200 OK\r\n{fields}{page}".encode()
    url = f"https://example.org/?q={value}"
    url = url if is_found(url, value) else "https://example.org/"
    head = (
        "WARC/1.0\r\nWARC-Type: response\r\nContent-Type: application/http; msgtype=response\r\n"
        f"WARC-Record-ID: <urn:canary:{number}>\r\nWARC-Date: 2024-01-01T00:00:00Z\r\n"
        f"WARC-IP-Address: {PLANTED['ip'][0]}\r\nWARC-Filename: {value}\r\n"
        f"WARC-Target-URI: {url}\r\nContent-Length: {len(message) + more}\r\n\r\n"
    )
    return head.encode() + message + b"\r\n\r\n"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files of every kind, whole and damaged; some are named by a canary."""
    folder = tmp_path_factory.mktemp("inputs")
    values = [value for value, _ in CANARIES.values()]
    named = [(name, value, 10 * at) for at, (name, (value, _)) in enumerate(CANARIES.items())]
    lines = [line for each in named for line in json_rows(*each)]
    lines += [json.dumps({"text": prose(n)}).encode() for n in range(3000, 3030)]
    (folder / "main.jsonl").write_bytes(b"\n".join(lines))
    some = b"\n".join(lines[:40])
    (folder / "cut.jsonl.gz").write_bytes(gzip.compress(some)[:-30])
    zst = bytearray(zstandard.compress(some))
    zst[len(zst) // 2] ^= 255
    (folder / "flipped.jsonl.zst").write_bytes(zst)
    (folder / "plain.jsonl.zst").write_bytes(some)
    records = [warc_record(value, 4000 + n) for n, value in enumerate(values)]
    broken = [warc_record(value, 4100 + n, 99) for n, value in enumerate(values)]
    (folder / "whole.warc.gz").write_bytes(b"".join(map(gzip.compress, records)))
    (folder / "broken.warc").write_bytes(records[0] + b"".join(broken) + records[1])
    (folder / "cut.warc.gz").write_bytes(
        gzip.compress(records[0]) + gzip.compress(records[1])[:-90]
    )
    (folder / "a.txt").write_bytes(b"\xff\xfe" + said_of(values[0]).encode())
    texts = [said_of(value) for value in values]
    (folder / "b.md").write_text("\n".join(texts))
    for name, (value, _) in BARE.items():
        if "/" not in value and "::" not in value:  # which chains file systems in fsspec
            (folder / f"{value}.txt").write_text(prose(4200 + len(name)))
            (folder / value).mkdir()
            (folder / value / f"{value}.jsonl").write_text('{"text": 5}\n')
    table = pa.table(
        {"text": [f"{prose(4300 + n)} {text}" for n, text in enumerate(texts)], "more": texts}
    )
    pq.write_table(table, folder / "whole.parquet")
    data = (folder / "whole.parquet").read_bytes()
    (folder / "cut.parquet").write_bytes(data[:-50])
    (folder / "flipped.parquet").write_bytes(data[:60] + bytes(200) + data[260:])
    return folder


def hits(text: str) -> list[str]:
    """Returns which canaries are in a text, whole or in part."""
    text = html.unescape(text)
    return [name for name, parts in CANARIES.items() if any(part in text for part in parts)]


def leaks(folder: Path, inputs: Path) -> dict[str, list[str]]:
    """Returns which canaries are in which files of a folder, or in their names."""
    files = sorted((str(path) for path in inputs.rglob("*")), key=len, reverse=True)
    found = {}
    for path in folder.rglob("*"):
        said = said_by(path) if path.is_file() else ""
        if path.parts[-2:] in (("work", "plan.json"), ("work", "run.json")):
            for file in files:  # the run must find its inputs
                said = said.replace(file, "")
        name = str(path.relative_to(folder))
        found[name] = hits(f"{name} {said}")
    return {name: names for name, names in found.items() if names}


def decoded(root: Path) -> str:
    """Returns the text of all tokens, decoded by the library that is not the pipeline's own."""
    tokenizer = Tokenizer.from_file(str(root / "tokenizer" / "tokenizer.json"))
    texts = []
    for path in (root / "tokens").rglob("*.arrow"):
        table = pa.ipc.open_file(path.read_bytes()).read_all()
        texts += [tokenizer.decode(tokens.as_py(), False) for tokens in table["tokens"]]
    return "\n".join([*texts, *(tokenizer.decode([n], False) for n in range(400))])


@dataclass(frozen=True)
class Place:
    """Where a run goes, and the folder that it has for temporary files."""

    root: Path
    temporary: Path
    inputs: Path
    changes: dict[str, str]

    def command(self, *more: object) -> tuple[object, ...]:
        return ("run", "gopher", "-i", self.inputs, "-o", self.root, *SETTINGS, *more)

    def assert_clean(self, *said: str) -> None:
        assert leaks(self.root, self.inputs) == {}
        assert leaks(self.temporary, self.inputs) == {}
        for text in said:
            for path in sorted(self.inputs.rglob("*"), key=lambda path: -len(str(path))):
                text = text.replace(str(path), "")
            assert hits(text) == []


# Documents with CRASH make a filter fail, warn and log, each with the text in its message.
CRASH = """
import logging, warnings
from filters.registry import implementation
module = implementation("gopher_quality")
plain = module.signals
def signals(document, parameters):
    if "CRASH" in document.text:
        warnings.warn(document.text)
        logging.getLogger("a.library").error(document.text)
        try:
            raise KeyError(document.text)
        except KeyError as error:
            raise ValueError(document.text) from error
    return plain(document, parameters)
module.signals = signals
"""


@pytest.fixture
def place(inputs: Path, tmp_path: Path) -> Place:
    code, temporary = tmp_path / "code", tmp_path / "temporary"
    code.mkdir()
    temporary.mkdir()
    (code / "sitecustomize.py").write_text(CRASH)
    path = os.pathsep.join([str(code), *filter(None, [os.environ.get("PYTHONPATH")])])
    changes = {"PYTHONPATH": path, "TMPDIR": str(temporary), "XDG_CACHE_HOME": str(temporary)}
    return Place(tmp_path / "out", temporary, inputs, changes)


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--debug",), ("--workers", 2, "--debug")])
def test_nothing_leaks(more: tuple[object, ...], place: Place) -> None:
    ended = gristmill(*place.command(*more), **place.changes)
    assert ended.code == 0
    place.assert_clean(ended.out, ended.err, decoded(place.root))
    # Every fate is there, and every kind of damage.
    report = json.loads((place.root / "report" / "report.json").read_text())
    assert min(report["documents"].values()) >= len(CANARIES)
    assert {row["reason"] for row in report["reasons"]} >= {
        "dedup.exact",
        "dedup.minhash",
        "gopher_quality.word_count",
        "regex.matches",
    }
    assert report["errors"].keys() >= {
        "failed_ValueError",
        "invalid_compression",
        "invalid_json",
        "invalid_parquet",
        "invalid_utf8",
        "invalid_warc",
        "no_text_field",
        "not_text",
        "too_large",
        "truncated",
    }
    counted = [
        dict(row)
        for path in (place.root / "documents").glob("*.parquet")
        for row in pq.read_table(path)["redactions"].to_pylist()
    ]
    assert set().union(*counted) >= {name.split()[0] for name in CANARIES}
    documents = ("inspect", "documents", "--json", "--limit", 9999)
    for words in (("verify",), ("report",), documents):
        looked = gristmill(words[0], place.root, *words[1:])
        assert looked.code == 0
        place.assert_clean(looked.out, looked.err)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_nothing_leaks_when_broken_off(sent: signal.Signals, workers: int, place: Place) -> None:
    process = start(*place.command("--workers", workers, "--debug"), **place.changes)
    assert wait_until(lambda: committed(place.root) >= 2, process)
    os.killpg(process.pid, sent)
    while group(process) and sent == signal.SIGINT:
        time.sleep(0.02)
    kill_group(process)
    ended = end(process)
    assert ended.code in (-signal.SIGKILL, 130)
    assert not (place.root / "manifest.json").exists()
    place.assert_clean(ended.out, ended.err)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_leaks_when_a_worker_fails(workers: int, place: Place) -> None:
    code = (place.temporary.parent / "code" / "sitecustomize.py").resolve()
    code.write_text(
        "import pipeline.mill\n"
        "def measured(split, recipe, count, files):\n"
        "    for record in pipeline.mill.read(split, recipe.source.options()):\n"
        "        raise ValueError(repr(record)) from KeyError(repr(record))\n"
        "pipeline.mill.measured = measured\n"
    )
    words = place.command("--workers", workers, "--debug")
    ended = gristmill(*words, **place.changes)
    assert ended.code == 1
    assert "internal error: ValueError in sitecustomize:4" in ended.err
    assert 'sitecustomize.py", line 4, in measured' in ended.err
    assert "KeyError (its message is left out" in ended.err
    place.assert_clean(ended.out, ended.err)


def test_the_environment_of_a_test_reaches_the_command(place: Place) -> None:
    assert environment(**place.changes)["TMPDIR"] == str(place.temporary)
