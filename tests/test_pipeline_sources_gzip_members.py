import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.compression import DamagedError
from pipeline.sources.gzip_members import GzipMembers


def groups(data: bytes, start: int, end: int) -> list[tuple[int, bytes]]:
    members = GzipMembers(io.BytesIO(data))
    found = []
    position = members.find(start, end)
    while position is not None and position < end:
        found.append((position, b"".join(members.group(position))))
        position = None if members.at_end() else members.position
    return found


@given(
    st.lists(st.sampled_from([b"WARC/1.0 a", b"WARC/1.0 bb" * 50, b"more of it", b""]), max_size=6),
    st.integers(1, 200),
)
def test_ranges_find_every_group_once(contents, step):
    data = b""
    expected: list[tuple[int, bytes]] = []
    for content in [b"WARC/first", *contents]:
        if content.startswith(b"WARC/"):
            expected.append((len(data), content))
        else:
            expected[-1] = (expected[-1][0], expected[-1][1] + content)
        data += gzip.compress(content, mtime=0)
    assert groups(data, 0, len(data)) == expected
    parts = [g for start in range(0, len(data), step) for g in groups(data, start, start + step)]
    assert parts == expected


def test_magic_bytes_that_are_no_member_are_passed_over():
    data = b"\x1f\x8b\x08 no member \x1f\x8b\x08" + gzip.compress(b"other") * 3
    member = gzip.compress(b"WARC/1.0 x")
    assert groups(data + member, 0, 10_000) == [(len(data), b"WARC/1.0 x")]


def test_magic_across_the_edge_of_a_read():
    for size in range(65_530, 65_540):
        data = b"-" * size + gzip.compress(b"WARC/x")
        assert groups(data, 0, len(data)) == [(size, b"WARC/x")]


def test_broken_and_clipped_members():
    good = gzip.compress(b"WARC/" + bytes(range(256)) * 100)
    with pytest.raises(DamagedError, match="truncated"):
        groups(good[:-10], 0, len(good))
    broken = bytearray(good)
    broken[-6] ^= 1
    with pytest.raises(DamagedError, match="invalid_compression"):
        groups(bytes(broken), 0, len(good))


def test_members_inflate_in_small_pieces():
    data = gzip.compress(b"WARC/" + bytes(20 << 20))
    assert max(len(piece) for piece in GzipMembers(io.BytesIO(data)).group(0)) <= 256 << 10
