import gzip
import io
import random
import tracemalloc

import pyarrow  # noqa: F401  (its import must not count as memory of a test)
import pytest
import zstandard

from pipeline.sources.compression import DamagedError, chunks

RAW = random.Random(1).randbytes(300_000)


def zst(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def read(data: bytes, codec: str | None) -> tuple[bytes, str | None]:
    got = b""
    try:
        for piece in chunks(io.BytesIO(data), codec):
            got += piece
    except DamagedError as damage:
        return got, damage.error
    return got, None


CODECS = [("gzip", gzip.compress), ("zstd", zst)]


def test_plain():
    assert read(RAW, None) == (RAW, None)


@pytest.mark.parametrize(("codec", "compress"), CODECS)
def test_whole_and_concatenated(codec, compress):
    assert read(compress(RAW), codec) == (RAW, None)
    assert read(compress(RAW) + compress(b"end"), codec) == (RAW + b"end", None)


@pytest.mark.parametrize(("codec", "compress"), CODECS)
@pytest.mark.parametrize("cut", [1, 4, 150_000])
def test_truncated(codec, compress, cut):
    got, error = read(compress(RAW)[:-cut], codec)
    assert error == "truncated"
    assert RAW.startswith(got)
    whole = compress(RAW)
    got, error = read(whole + whole[:-cut], codec)
    assert error == "truncated"
    assert (RAW + RAW).startswith(got)
    # A zstd frame comes out in blocks of 128 KiB.
    assert len(got) >= len(RAW) + (len(RAW) - cut) // 131072 * 131072 - 8192


@pytest.mark.parametrize(("codec", "compress"), CODECS)
def test_damaged(codec, compress):
    assert read(b'{"text": "not compressed"}\n', codec) == (b"", "invalid_compression")
    assert read(compress(RAW) + b"garbage that follows", codec)[1] == "invalid_compression"


def test_bomb_is_inflated_piecewise():
    bomb = zstandard.ZstdCompressor(level=19).compress(bytes(256 << 20))
    assert len(bomb) < 10_000
    tracemalloc.start()
    total = sum(len(piece) for piece in chunks(io.BytesIO(bomb), "zstd"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 256 << 20
    assert peak < 1 << 20


def test_failure_to_read_is_no_damage():
    class Broken(io.RawIOBase):
        def readable(self):
            return True

        def read(self, size=-1):
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        list(chunks(Broken(), "gzip"))
