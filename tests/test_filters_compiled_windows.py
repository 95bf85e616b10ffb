"""The compiled scan against a plain definition of each kind of window."""

import re
import sys

import pytest
from conftest import linear_time
from hypothesis import given
from hypothesis import strategies as st

from filters.compiled.windows import windows

SEPARATOR = rb"(?:[ ().\-/+]|\xc2\xa0|\xe2\x80[\x90-\x93\xaf])"
NUMBER = re.compile(rb"[0-9](?:" + SEPARATOR + rb"*[0-9])*")
DIGIT = re.compile(rb"[0-9]")


def numbers(data: bytes) -> list[tuple[int, int]]:
    found = []
    for match in NUMBER.finditer(data):
        digits, dots = len(DIGIT.findall(match[0])), match[0].count(b".")
        if digits >= 7 or (dots >= 3 and digits >= 4):
            before = re.search(rb"(?:\(?\+|\()?\Z", data[: match.start()])
            assert before is not None
            found.append((before.start(), match.end()))
    return found


def decimals(data: bytes) -> list[tuple[int, int]]:
    return [
        match.span()
        for match in NUMBER.finditer(data)
        if re.search(rb"\.[0-9]{4}", match[0]) or data.startswith("°".encode(), match.end())
    ]


def hexes(data: bytes) -> list[tuple[int, int]]:
    return [
        match.span()
        for match in re.finditer(rb"[0-9A-Fa-f:.]+", data)
        if match[0].count(b":") >= 2
        or (match[0].count(b".") >= 2 and len(match[0]) >= 14 and re.search(b"[A-Fa-f]", match[0]))
    ]


def tokens(data: bytes) -> list[tuple[int, int]]:
    found = [
        match.span()
        for match in re.finditer(rb"[0-9A-Za-z_-]{16,}", data)
        if re.search(rb"[0-9]|[A-Z].*[A-Z]", match[0])
    ]
    return sorted(found + [match.span() for match in re.finditer(b"-----BEGIN", data)])


def ats(data: bytes) -> list[tuple[int, int]]:
    found = []
    for match in re.finditer(rb"[^\x00-\x20]+", data):
        at = re.search(b"@|%40", match[0])
        if at:
            before, after = match[0][: at.start()], match[0][at.start() + 1 :]
            if (before or re.search(b"[@%]", after)) and (
                b":" in before or re.search(b"[.:]", after)
            ):
                found.append(match.span())
    return found


KINDS = {"number": numbers, "decimal": decimals, "hex": hexes, "token": tokens, "at": ats}
PIECES = "1|12|1234|8.8.8.8|1.23456|°| |  |.|-|/|(|)|+|\xa0|\u202f|–|—|a|F|B|x|_|:|::|@|%40|%|é|\t"
pieces = st.sampled_from([*PIECES.split("|"), "abcdefghijklmnop", "-----BEGIN", "5f"])
texts = st.lists(pieces, max_size=30).map("".join)


@given(texts)
@pytest.mark.parametrize("kind", KINDS)
def test_windows_are_as_defined(kind: str, text: str) -> None:
    data = text.encode()
    assert windows(data)[0][kind] == KINDS[kind](data)


words = st.from_regex(r"[A-Z]{1,6}|[0-9A-Z]{0,4}[0-9][0-9A-Za-z]{0,4}", fullmatch=True)


@given(
    st.lists(words, min_size=1, max_size=4),
    st.sampled_from([" ", "-", ".", "/", "\xa0"]),
    st.sampled_from(["", "is ", "é", ", "]),
)
def test_a_code_is_in_one_window(parts: list[str], separator: str, before: str) -> None:
    code = separator.join(parts)
    digits = sum(character.isdigit() for character in code)
    if digits < 4 or not any(character.isalpha() for character in code):
        return
    start = len(before.encode())
    end = start + len(code.encode())
    found = windows(f"{before}{code}, or".encode())[0]["code"]
    assert any(first <= start and end <= last for first, last in found)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("IBAN DE89 3704 0044.", "IBAN DE89 3704 0044"),
        ("no. AB-12/34-C, x", "AB-12/34-C"),
        ("in 1984 and 2001", None),
        ("A123 only three", None),
    ],
)
def test_codes(text: str, code: str | None) -> None:
    found = [text[first:last] for first, last in windows(text.encode())[0]["code"]]
    assert found == ([code] if code else [])


def test_a_quoted_string_in_front_of_an_at_sign_belongs_to_it() -> None:
    for text, expected in (
        ('to "john doe"@b.de!', '"john doe"@b.de!'),
        ('to x"john doe"@b.de', 'x"john doe"@b.de'),
        ('to john doe"@b.de', 'doe"@b.de'),
        (f'to "{"a " * 40}"@b.de', '"@b.de'),
    ):
        data = text.encode()
        assert [data[first:last].decode() for first, last in windows(data)[0]["at"]] == [expected]


def test_digits_of_other_scripts_are_told() -> None:
    digits = [code for code in range(0x80, sys.maxunicode) if chr(code).isdecimal()]
    for code in digits:
        for near in (code - 1, code, code + 1):
            text = f"a{chr(near)}b"
            assert windows(text.encode())[1] == (near in digits), hex(near)
            assert not windows(text.encode()[:-2])[1]  # cut within the character
    assert not windows(b"0123456789")[1]


@given(st.text(st.characters() | st.just("\ud800")))
def test_other_digits_are_unicodes_decimals(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    assert windows(data)[1] == any(c.isdecimal() and not c.isascii() for c in text)


@given(st.binary())
def test_any_bytes_have_windows_within_them(data: bytes) -> None:
    for found in windows(data)[0].values():
        assert all(0 <= first < last <= len(data) for first, last in found)


@pytest.mark.parametrize("piece", ["1", "1 ", "A1 ", "a:", "1.", "@", '"@', '" @', "%40", "-", "A"])
def test_windows_take_linear_time(piece: str) -> None:
    with linear_time():
        windows(piece.encode() * (1_000_000 // len(piece)))
