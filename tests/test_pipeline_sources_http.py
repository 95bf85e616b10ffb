import gzip
import tracemalloc
import zlib

import pyarrow as pa
import pytest
import zstandard

from pipeline.sources import http

PAGE = b"<html>" + b"hello " * 500


def response(body: bytes, *fields: bytes) -> http.Response:
    return http.parse(b"\r\n".join([b"HTTP/1.1 200 OK", *fields, b"", body]))


def brotli(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "brotli") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


def deflate_raw(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


def test_parse():
    parsed = http.parse(b"HTTP/1.0 404 Not Found\nA: 1\na: 2\n\nbody\n\nmore")
    assert parsed == http.Response(404, {"a": "1"}, b"body\n\nmore")
    assert http.parse(b"HTTP/2 200\r\nA: 1").status == 200
    for bad in (b"", b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 OK\r\n\r\n"):
        with pytest.raises(http.InvalidHTTPError):
            http.parse(bad)


def test_media_type():
    assert http.media_type('Text/HTML; a=b; CharSet="UTF-8"') == ("text/html", "UTF-8")
    assert http.media_type("text/plain") == ("text/plain", None)
    assert http.media_type(None) == ("", None)


@pytest.mark.parametrize(
    ("name", "encode"),
    [
        (b"gzip", gzip.compress),
        (b"x-gzip", gzip.compress),
        (b"deflate", zlib.compress),
        (b"deflate", deflate_raw),
        (b"zstd", zstandard.ZstdCompressor().compress),
        (b"br", brotli),
        (b"identity", bytes),
    ],
)
def test_content_encodings(name, encode):
    field = b"Content-Encoding: " + name
    assert http.decode_body(response(encode(PAGE), field), 10_000) == PAGE
    assert http.decode_body(response(PAGE, field), 10_000) == PAGE  # stored decoded
    with pytest.raises(http.BodyTooLargeError):
        http.decode_body(response(encode(PAGE), field), 1000)


def test_damaged_and_unknown_encodings():
    with pytest.raises(http.InvalidHTTPError):
        http.decode_body(response(gzip.compress(PAGE)[:-9], b"Content-Encoding: gzip"), 10_000)
    with pytest.raises(http.InvalidHTTPError):
        http.decode_body(response(b"xyz", b"Content-Encoding: deflate"), 10_000)
    with pytest.raises(http.InvalidHTTPError):
        http.decode_body(response(b"xyz", b"Content-Encoding: compress"), 10_000)


def test_chunks():
    field = b"Transfer-Encoding: chunked"
    chunked = b"5;x=y\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n"
    assert http.decode_body(response(chunked, field), 100) == b"hello world"
    for plain in (PAGE, b"5\r\nhel", b"-5\r\nhello\r\n0\r\n", b""):
        assert http.decode_body(response(plain, field), 10_000) == plain
    both = gzip.compress(PAGE)
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(both), both)
    assert http.decode_body(response(body, field, b"Content-Encoding: gzip"), 10_000) == PAGE


@pytest.mark.parametrize("name", ["gzip", "deflate"])
def test_bomb(name):
    bomb = (gzip.compress if name == "gzip" else zlib.compress)(bytes(64 << 20))
    message = response(bomb, b"Content-Encoding: " + name.encode())
    tracemalloc.start()
    with pytest.raises(http.BodyTooLargeError):
        http.decode_body(message, 1 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20
