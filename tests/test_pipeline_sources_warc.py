import gzip
import math
import time
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import storage
from pipeline.errors import UserError
from pipeline.sources import warc
from pipeline.sources.records import Record, SourceOptions, Split, Unreadable

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SAMPLES = DATA / "warc" / "samples"
OPTIONS = SourceOptions()
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the shared test data are not here")


def split(url, start=0, end=None) -> Split:
    end = storage.info(str(url)).size if end is None else end
    return Split(0, "warc", str(url), start, end, end - start, "")


def record(kind: str, block: bytes, mime: str = "application/http", name: str = "x") -> bytes:
    return (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:uuid:{name}>\r\n"
        f"WARC-Target-URI: http://x/{name}\r\nContent-Type: {mime}\r\n"
        f"Content-Length: {len(block)}\r\n\r\n"
    ).encode() + block + b"\r\n\r\n"  # fmt: skip


def page(words: str, mime: str = "text/html", status: str = "200 OK", name: str = "x") -> bytes:
    body = f"<html><body><p>{words}</p></body></html>" if mime == "text/html" else words
    block = f"HTTP/1.1 {status}\r\nContent-Type: {mime}\r\n\r\n{body}".encode()
    return record("response", block, name=name)


def put(data: bytes, suffix: str) -> str:
    url = f"memory://{uuid4().hex}{suffix}"
    storage.write_bytes(url, data)
    return url


def read(data: bytes, suffix: str = ".warc", options: SourceOptions = OPTIONS):
    return list(warc.read(split(put(data, suffix)), options))


def test_what_is_a_document():
    data = b"".join(
        [
            record("warcinfo", b"software: x", "application/warc-fields"),
            record("request", b"GET / HTTP/1.1\r\n\r\n"),
            page("found", name="a"),
            page("gone", status="404 Not Found"),
            page("{}", "application/json"),
            page("plain", "text/plain", name="b"),
            record("resource", b"<p>resource</p>", "text/html", "c"),
            record("resource", b"\x89PNG", "image/png"),
            record("conversion", "größer".encode(), "text/plain", "d"),
            record("response", b"1.2.3.4", "text/dns"),
            record("revisit", b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"),
            page("", name="e"),
        ]
    )
    items = read(data)
    assert [(item.id, item.url, item.text) for item in items] == [
        (f"<urn:uuid:{name}>", f"http://x/{name}", text)
        for name, text in zip(
            "abcde", ["found", "plain", "resource", "größer", ""], strict=True
        )
    ]  # fmt: skip
    assert items[0].place == str(data.index(b"<urn:uuid:a>") - len(b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: "))  # fmt: skip # noqa: E501


def test_errors_of_single_records():
    options = replace(OPTIONS, max_document_bytes=1000)
    bad = [
        record("response", b"no http at all"),
        record("conversion", b"\xff", "text/plain"),
        page("x" * 200_000),
        page("y" * 1001, "text/plain"),
    ]
    items = read(page("a") + b"".join(bad) + page("b"), options=options)
    assert [i.text for i in items if isinstance(i, Record)] == ["a", "b"]
    assert [i.error for i in items if isinstance(i, Unreadable)] == [
        "invalid_http",
        "invalid_utf8",
        "too_large",
        "too_large",
    ]


def test_large_records_that_are_no_documents_leave_no_trace():
    options = replace(OPTIONS, max_document_bytes=1000)
    film = record(
        "response", b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n\r\n" + bytes(200_000)
    )
    assert [item.text for item in read(film + page("a"), options=options)] == ["a"]


def test_failing_extraction_is_an_error_row(monkeypatch):
    def fail(html):
        raise ValueError("secret text")

    monkeypatch.setattr(warc, "extractor", lambda tool: fail)
    (item,) = read(page("secret text"))
    assert item == Unreadable("0", "extraction_failed", item.size)


def test_clipped_members_are_told_and_passed_over():
    members = [gzip.compress(page(f"page {k} " + "word " * 500, name=str(k))) for k in range(4)]
    members[1] = members[1][:-25]
    items = read(b"".join(members), ".warc.gz")
    assert [i.id for i in items if isinstance(i, Record)] == [f"<urn:uuid:{k}>" for k in (0, 2, 3)]
    assert [i.error for i in items if isinstance(i, Unreadable)] == ["invalid_compression"]
    items = read(b"".join(members[2:])[:-25], ".warc.gz")
    assert [getattr(item, "error", None) for item in items] == [None, "truncated"]


def test_clipped_plain_record_does_not_hide_the_next():
    items = read(page("first " * 50)[:-40] + b"\r\n" + page("second"))
    assert [getattr(item, "error", None) or item.text for item in items] in (
        ["invalid_warc", "second"],
        ["truncated", "second"],
    )


def test_file_that_is_no_warc():
    assert [i.error for i in read(b"hello", ".warc.gz")] == ["invalid_warc"]
    assert [i.error for i in read(gzip.compress(b"hello"), ".warc.gz")] == ["invalid_warc"]
    assert [i.error for i in read(b"hello\n")] == ["invalid_warc"]


def by_ranges(url: str, step: int):
    size = storage.info(url).size
    return [
        item
        for start in range(0, size, step)
        for item in warc.read(split(url, start, min(start + step, size)), OPTIONS)
    ]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["good", "request", "clipped", "twins"]), min_size=1, max_size=8),
    st.integers(20, 600),
)
def test_any_split_size_gives_the_same_documents(kinds, step):
    data = b""
    for k, kind in enumerate(kinds):
        content = page(f"page {k}", name=str(k))
        if kind == "request":
            content = record("request", b"GET / HTTP/1.1\r\n\r\n")
        elif kind == "twins":
            content += page(f"twin {k}", name=f"{k}b")
        member = gzip.compress(content, mtime=0)
        data += member[:-12] if kind == "clipped" and k else member
    url = put(data, ".warc.gz")
    whole = list(warc.read(split(url), OPTIONS))
    assert by_ranges(url, step) == whole
    assert len({item.place for item in whole}) == len(whole)


def test_whole_file_in_one_member_and_in_blocks():
    content = b"".join(page(f"page {k}", name=str(k)) for k in range(20))
    blocks = b"".join(gzip.compress(content[at : at + 700]) for at in range(0, len(content), 700))
    for data in (gzip.compress(content), blocks):
        url = put(data, ".warc.gz")
        items = list(warc.read(split(url), OPTIONS))
        assert [item.text for item in items] == [f"page {k}" for k in range(20)]
        assert by_ranges(url, 100) == items


def test_split_inside_an_embedded_archive_is_refused():
    inner = gzip.compress(page("inner"), mtime=0)
    block = b"HTTP/1.1 200 OK\r\nContent-Type: application/gzip\r\n\r\n" + inner
    outer = gzip.compress(record("response", block), compresslevel=0, mtime=0)  # stored as it is
    data = outer + gzip.compress(page("after"))
    url = put(data, ".warc.gz")
    assert [item.text for item in warc.read(split(url), OPTIONS)] == ["after"]
    with pytest.raises(UserError, match="another compressed WARC"):
        list(warc.read(split(url, 0, 30), OPTIONS))
    beyond = outer.index(inner) + 1
    assert list(warc.read(split(url, 0, beyond), OPTIONS)) == []


EXPECTED = {  # documents, error classes; counted with fastwarc and by hand
    "data__block-sized-records.warc": (0, []),
    "data__block-sized-records.warc.gz": (0, []),
    "data__block-sized-records.warc.lz4": (0, []),
    "data__clipped.warc.gz": (0, ["truncated"]),
    "data__clueweb-quirk.warc.gz": (29, []),
    "data__example-bad-non-chunked.warc.gz": (1, []),
    "data__example-digest.warc": (0, []),
    "data__example-iana.org-chunked.warc": (1, []),
    "data__example-resource.warc.gz": (1, []),
    "data__example-space-in-target-uri.warc.gz": (0, []),
    "data__example-trunc.warc": (0, ["invalid_warc"]),
    "data__example-wget-bad-target-uri.warc.gz": (3, []),
    "data__example-wrong-chunks.warc.gz": (1, []),
    "data__example.warc": (1, []),
    "data__example.warc.gz": (1, []),
    "data__post-test.warc.gz": (0, []),
    "data__warcfile.warc": (16, []),
    "data__warcfile.warc.gz": (16, []),
    "data__warcfile.warc.lz4": (16, []),
    "whirlwind__whirlwind.warc.gz": (1, []),
    "whirlwind__whirlwind.warc.wet.gz": (1, []),
    "data__bad.arc": (0, ["invalid_warc"]),
    "data__example.arc.gz": (0, ["invalid_warc"]),
}


@needs_data
@pytest.mark.parametrize("name", EXPECTED)
def test_samples(name):
    items = list(warc.read(split(SAMPLES / name), OPTIONS))
    documents, errors = EXPECTED[name]
    assert [item.error for item in items if isinstance(item, Unreadable)] == errors
    assert len(items) - len(errors) == documents


@needs_data
def test_compression_does_not_change_the_texts():
    texts = [
        [item.text for item in warc.read(split(SAMPLES / f"data__warcfile.warc{suffix}"), OPTIONS)]
        for suffix in ("", ".gz", ".lz4")
    ]
    assert texts[0] == texts[1] == texts[2]


@needs_data
@pytest.mark.slow
def test_real_crawl_by_ranges():
    url = str(DATA / "web" / "crawl.warc.gz")
    start = time.process_time()
    whole = list(warc.read(split(url), OPTIONS))
    seconds = time.process_time() - start
    assert len(whole) == 990
    assert all(isinstance(item, Record) for item in whole)
    assert 143 / seconds > 10  # MB of HTML a second; about 60 on an idle core
    assert by_ranges(url, math.ceil(storage.info(url).size / 7)) == whole
