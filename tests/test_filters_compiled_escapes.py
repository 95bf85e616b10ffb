"""Escapes and emphasis against a plain definition of both."""

import re

import pytest
from conftest import linear_time
from hypothesis import example, given
from hypothesis import strategies as st

from filters.compiled.escapes import without_escapes

NAMED = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (b"_1_ __2__ *3* _", b" 1    2   *3*  "),
        (b"a_b a__b _a_b_ a_-b", b"a_b a__b  a_b  a -b"),
        (rb"\n1\r2\t3\q4", b" \n1 \r2 \t3\\q4"),
        (rb"\u00221\u00A02\u20133\x2C4\x5", b'     "1      2      3   ,4\\x5'),
        (b"%202%2C3%C2%A04%412%4", b"   2  ,3      4%412%4"),
        (rb"\u0041 \u00 %zz \n_1_", b"\\u0041 \\u00 %zz  \n 1 "),
    ],
)
def test_they_become_spaces(text: bytes, plain: bytes) -> None:
    assert without_escapes(text) == plain


def reference(data: bytes) -> bytes:
    def character(match: re.Match[bytes]) -> bytes:
        name, digits = match[1], match[2] or match[3] or match[4]
        decoded = NAMED[name].decode() if name else chr(int(digits, 16))
        if re.match("[0-9A-Za-z]", decoded):
            return match[0]
        return (decoded.encode() if decoded.isascii() else b" ").rjust(len(match[0]))

    escape = rb"\\([nrt])|%([0-9A-Fa-f]{2})|\\u([0-9A-Fa-f]{4})|\\x([0-9A-Fa-f]{2})"
    plain = re.sub(escape, character, data)
    emphasis = rb"(?<![0-9A-Za-z_])_+|(?<!_)_+(?![0-9A-Za-z_])"
    return re.sub(emphasis, lambda match: b" " * len(match[0]), plain)


pieces = st.sampled_from(
    [b"\\", b"%", b"_", b"n", b"u", b"x", b"00", b"2", b"4", b"a", b"-", b"\xc3"]
)


@example(b"n_\xc3")
@given(st.lists(pieces, max_size=30).map(b"".join))
def test_as_defined(data: bytes) -> None:
    assert without_escapes(data) == reference(data)


@pytest.mark.parametrize("piece", [b"_", b"\\", b"%", b"\\n", b"%20", b"\\u00"])
def test_any_text_takes_linear_time(piece: bytes) -> None:
    with linear_time():
        without_escapes(piece * (1_000_000 // len(piece)))
