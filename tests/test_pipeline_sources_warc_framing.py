import io

from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.sources.compression import DamagedError
from pipeline.sources.warc_framing import ByteReader, frames


def record(block: bytes, length: int | None = None, extra: bytes = b"") -> bytes:
    length = len(block) if length is None else length
    head = b"WARC/1.0\r\nWARC-Type: resource\r\nContent-Length: %d\r\n%s\r\n" % (length, extra)
    return head + block + b"\r\n\r\n"


def run(data: bytes, limit: int = 1000, step: int = 7) -> list[tuple[bytes, str | None]]:
    pieces = (data[at : at + step] for at in range(0, len(data), step))
    return [(frame.block, frame.error) for frame in frames(ByteReader(pieces), limit)]


@given(st.lists(st.binary(max_size=30), max_size=5), st.integers(1, 50))
def test_records_come_back(blocks, step):
    assert run(b"".join(map(record, blocks)), step=step) == [(block, None) for block in blocks]


def test_offsets_and_headers():
    one, two = record(b"one", extra=b"Folded: a\r\n  b\r\n"), record(b"two")
    first, second = frames(ByteReader(iter([one + two])), 100)
    assert (first.offset, second.offset) == (0, len(one))
    assert first.headers["folded"] == "a b"
    assert first.length == 3


@given(st.integers(3, 100), st.binary(max_size=80), st.sampled_from([b"\n", b"\r\n"]))
def test_clipped_record_does_not_swallow_the_next(cut, block, end):
    # Where the next record ends exactly with the promised length, nothing shows the damage.
    assume(cut - len(end) != len(record(block)) - 4)
    clipped = record(b"x" * 100)[: -cut - 4] + end
    found = run(clipped + record(block))
    assert found[0][1] in ("invalid_warc", "truncated")
    assert found[1:] == [(block, None)]


def test_clipped_last_record():
    assert run(record(b"a") + record(b"b" * 50)[:-20]) == [(b"a", None), (b"", "truncated")]
    assert run(record(b"a") + b"WARC/1.0\r\nWARC-Ty") == [(b"a", None), (b"", "invalid_warc")]


def test_broken_headers_are_passed_over():
    for bad in (
        b"hello\r\nworld\r\n",
        b"WARC/1.0\r\nno colon here\r\n\r\n",
        b"WARC/1.0\r\nContent-Length: many\r\n\r\n",
        b"WARC/1.0\r\nWARC-Type: resource\r\n\r\nblock\r\n\r\n",
        b"WARC/1.0\r\nContent-Length: -5\r\n\r\n",
        b"WARC/1.0\r\n" + b"x" * 100_000 + b"\r\n\r\n",
    ):
        assert run(record(b"a") + bad + record(b"b"), step=999) == [
            (b"a", None),
            (b"", "invalid_warc"),
            (b"b", None),
        ]


def test_wrong_length_is_noticed():
    assert run(record(b"abcdef", 3) + record(b"b")) == [(b"", "invalid_warc"), (b"b", None)]


def test_large_block_is_cut_not_held():
    ((block, error),) = run(record(b"z" * 5000), limit=10, step=100)
    assert (block, error) == (b"z" * 10, None)


def test_damage_of_the_stream_is_told_once():
    def pieces():
        yield record(b"a") + record(b"b" * 100)[:90]
        raise DamagedError("invalid_compression")

    reader = ByteReader(pieces())
    assert [frame.error for frame in frames(reader, 1000)] == [None, "invalid_compression"]


def test_hostile_lengths_stay_linear():
    # Every record claims the rest of the file; each search of it must not be repeated for ever.
    data = b"WARC/1.0\r\nContent-Length: 9999999\r\n\r\n\n" * 20_000
    found = list(frames(ByteReader(iter([data])), 1 << 20))
    assert 1 <= len(found) <= 200


def test_reader_lines_and_push_back():
    reader = ByteReader(iter([b"ab", b"c\nde", b"f"]))
    assert reader.line() == b"abc\n"
    assert reader.line(2) == b"de"
    reader.push_back(b"de")
    assert (reader.offset, reader.take(10), reader.take(1)) == (4, b"def", b"")
    assert ByteReader(iter(io.BytesIO(b"x\ny\n"))).skip(3) == 3
