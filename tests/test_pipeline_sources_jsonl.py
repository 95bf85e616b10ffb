import gzip
import itertools
import json
import random
import tracemalloc
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pyarrow  # noqa: F401  (its import must not count as memory of a test)
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import storage
from pipeline.sources import jsonl
from pipeline.sources.records import Record, SourceOptions, Split, Unreadable

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
OPTIONS = SourceOptions()


def split(path, start=0, end=None) -> Split:
    end = storage.info(str(path)).size if end is None else end
    return Split(0, "jsonl", str(path), start, end, end - start, "")


def texts(items) -> list[str]:
    return [item.text for item in items if isinstance(item, Record)]


def errors(items) -> list[str]:
    return [item.error for item in items if isinstance(item, Unreadable)]


def test_fields_places_and_blank_lines(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text":"one","id":7,"url":"u"}\r\n\n  \n{"text":""}\n{"text":"last"}')
    assert list(jsonl.read(split(path), OPTIONS)) == [
        Record("0", "one", "7", "u"),
        Record("37", ""),
        Record("49", "last"),
    ]


def test_the_field_of_the_snapshot(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b'{"text":"one","snapshot":"2024-10","dump":7}\n{"text":"two","snapshot":null}\n'
        b'{"text":"three","snapshot":["2024-10"]}\n{"text":"four"}'
    )
    found = [item.snapshot for item in jsonl.read(split(path), OPTIONS)]
    assert found == ["2024-10", None, None, None]
    by_dump = replace(OPTIONS, snapshot_field="dump")
    assert [item.snapshot for item in jsonl.read(split(path), by_dump)] == ["7", None, None, None]


LINE = st.sampled_from([b"", b" ", b'{"text":"a"}', b'{"text":"bb","id":1}', b"broken", b"\xff"])


@settings(max_examples=200, deadline=None)
@given(st.lists(LINE), st.booleans(), st.integers(1, 40))
def test_any_split_size_gives_the_same_lines(content, newline, step):
    data = b"\n".join(content) + (b"\n" if newline else b"")
    url = f"memory://{uuid4().hex}.jsonl"
    storage.write_bytes(url, data)
    whole = list(jsonl.read(split(url), OPTIONS))
    parts = [
        item
        for start in range(0, len(data), step)
        for item in jsonl.read(split(url, start, min(start + step, len(data))), OPTIONS)
    ]
    storage.remove(url)
    assert parts == whole
    assert len(whole) == sum(bool(line.strip()) for line in content)


@given(st.lists(st.binary(max_size=6), max_size=6), st.integers(0, 8))
def test_lines_do_not_depend_on_the_pieces(pieces, limit):
    data = b"".join(pieces)
    expected = []
    offset = 0
    for line in data.split(b"\n"):
        expected.append((offset, len(line), line if len(line) <= limit else None))
        offset += len(line) + 1
    if not expected[-1][1]:
        expected.pop()  # nothing follows the last newline
    assert list(jsonl.lines(pieces, 0, limit)) == expected


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"{", "invalid_json"),
        (b"[" * 200_000, "invalid_json"),
        (b'"just a string"', "no_text_field"),
        (b'{"body":"x"}', "no_text_field"),
        (b'{"text":["x"]}', "not_text"),
        (b'{"text":null}', "not_text"),
        (b'{"text":NaN}', "not_text"),
        (b'{"text":"\xff"}', "invalid_utf8"),
        (b"\x00\x01", "invalid_json"),
    ],
)
def test_bad_lines_give_one_error_and_the_rest_is_read(tmp_path, line, error):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text":"before"}\n' + line + b'\n{"text":"after"}\n')
    before, bad, after = jsonl.read(split(path), OPTIONS)
    assert texts([before, after]) == ["before", "after"]
    assert bad == Unreadable("18", error, len(line))


@pytest.mark.parametrize(
    ("line", "record"),
    [
        (rb'{"text":"a\ud800b"}', Record("0", "a\ufffdb")),
        (rb'{"text":"\ud83d\ude00 \udc00"}', Record("0", "\U0001f600 \ufffd")),
        (b'{"text":"x","score":NaN,"id":5}', Record("0", "x", "5")),
        (b'{"text":"x","score":NaN,"big":' + b"9" * 5000 + b"}", Record("0", "x")),
        (b'\xef\xbb\xbf{"text":"x"}', Record("0", "x")),
    ],
)
def test_lines_that_only_strict_parsers_reject(line, record):
    assert jsonl.parse(line, "0", OPTIONS) == record


def test_long_line_is_skipped_without_being_held(tmp_path):
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.write(b'{"text":"before"}\n{"text":"')
        for _ in range(64):
            file.write(b"x" * (1 << 20))
        file.write(b'"}\n{"text":"after"}\n')
    options = replace(OPTIONS, max_document_bytes=1 << 20)
    tracemalloc.start()
    items = list(jsonl.read(split(path), options))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert texts(items) == ["before", "after"]
    assert errors(items) == ["too_large"]
    assert peak < 6 << 20


def test_zeros_do_not_fill_the_memory(tmp_path):
    path = tmp_path / "bomb.jsonl.zst"
    path.write_bytes(zstandard.ZstdCompressor(level=19).compress(bytes(256 << 20)))
    options = replace(OPTIONS, max_document_bytes=1 << 20)
    tracemalloc.start()
    items = list(jsonl.read(split(path), options))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert items == [Unreadable("0", "too_large", 256 << 20)]
    assert peak < 6 << 20


def rows(count: int) -> list[bytes]:
    source = random.Random(3)
    return [
        json.dumps({"text": f"{k} {source.randbytes(100).hex()}"}).encode() for k in range(count)
    ]


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [("gz", gzip.compress), ("zst", zstandard.ZstdCompressor().compress)],
)
def test_truncated_file_gives_what_it_holds_and_an_error(tmp_path, suffix, compress):
    lines = rows(4000)
    first, second = b"\n".join(lines[:2000]) + b"\n", b"\n".join(lines[2000:])
    path = tmp_path / f"a.jsonl.{suffix}"
    path.write_bytes(compress(first) + compress(second))
    assert len(texts(jsonl.read(split(path), OPTIONS))) == 4000
    path.write_bytes(compress(first) + compress(second)[:-100])
    items = list(jsonl.read(split(path), OPTIONS))
    assert texts(items) == [json.loads(line)["text"] for line in lines[: len(items) - 1]]
    assert len(items) > 2800
    assert errors(items) == ["truncated"]
    assert items[-1].error == "truncated"
    assert len({item.place for item in items}) == len(items)


@pytest.mark.skipif(not DATA.exists(), reason="the shared test data are not here")
def test_real_file():
    items = jsonl.read(split(DATA / "prose" / "ocr.jsonl.zst"), OPTIONS)
    first = list(itertools.islice(items, 899 + 1))
    assert len(first) == 899
    assert not errors(first)
