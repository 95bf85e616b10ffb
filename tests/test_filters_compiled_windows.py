"""The compiled scan against a plain definition of each kind of window."""

import re
import sys

import pytest
from conftest import linear_time
from hypothesis import given
from hypothesis import strategies as st

from filters.compiled.windows import windows
from filters.redaction.check_digits import luhn

SEPARATOR = rb"(?:[ ().\-/+]|\xc2\xa0|\xe2\x80[\x90-\x93\xaf])"
NUMBER = re.compile(rb"[0-9](?:" + SEPARATOR + rb"*[0-9])*")
DIGIT = re.compile(rb"[0-9]")
MINUTES = re.compile(rb"\xc2[\xb0\xba] ?(?:[0-9] {0,2}|[0-9]{2} ?)(?:[',.\xe2]|\xc2\xb4)")


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
        if any(
            len(part) >= 4
            for parts in re.findall(rb"[0-9]+(?:\.[0-9]+)*", match[0])
            for part in parts.split(b".")[1::2]
        )
        or (MINUTES.match(data, match.end()) and match.end() + 4 < len(data))
    ]


def runs(data: bytes) -> list[tuple[int, int]]:
    """Returns the numbers with single separators."""
    found = re.finditer(rb"[0-9](?:" + SEPARATOR + rb"?[0-9])*", data)
    number = numbers(data)
    return [match.span() for match in found if any(a <= match.start() < b for a, b in number)]


def longs(data: bytes) -> list[tuple[int, int]]:
    long = [first for first, last in runs(data) if len(DIGIT.findall(data[first:last])) >= 9]
    return [
        (DIGIT.search(data, first).start(), last)  # type: ignore[union-attr]
        for first, last in numbers(data)
        if any(first <= place < last for place in long)
    ]


def cards(data: bytes) -> list[tuple[int, int]]:
    found = []
    for first, last in runs(data):
        groups = re.findall(rb"[0-9]+", data[first:last])
        parts = [
            b"".join(groups[i:j])
            for i in range(len(groups))
            for j in range(i + 1, len(groups) + 1)
            if len(groups[i]) >= 4 and groups[i][0] not in b"079"
        ]
        if any(12 <= len(digits) <= 19 and luhn(digits) for digits in parts):
            found.append((first, last))
    return found


def ssns(data: bytes) -> list[tuple[int, int]]:
    found = []
    for first, last in runs(data):
        groups = re.findall(rb"[0-9]+", data[first:last])
        sizes = [*map(len, groups)]
        nine = any(len(group) == 9 and group[0] != ord("9") for group in groups)
        if nine or any(sizes[i : i + 3] == [3, 2, 4] for i in range(len(sizes))):
            found.append((first, last))
    return found


def dotted(data: bytes) -> list[tuple[int, int]]:
    number = numbers(data)
    found = []
    for match in re.finditer(rb"(?<![0-9A-Za-z.])[0-9]+(?:\.[0-9]+)*", data):
        parts = match[0].split(b".")
        if len(parts) == 4 and all(part == b"%d" % min(int(part), 255) for part in parts):
            assert any(first <= match.start() < last for first, last in number)
            found.append(match.span())
    return found


def colons(data: bytes) -> list[tuple[int, int]]:
    found = []
    for match in re.finditer(rb"[0-9A-Fa-f:.]+", data):
        hexes = match[0].removeprefix(b":") if match[0][1:2] != b":" else match[0]
        if len(match[0]) <= 47 and not re.search(rb"[^:.]{5}", match[0]):
            double = b"::" in match[0] and re.match(rb"(0*|[23fF][^:]{3}):", hexes)
            if match[0].count(b":") >= 7 or double:
                found.append(match.span())
    return found


def macs(data: bytes) -> list[tuple[int, int]]:
    found = [
        match.span()
        for match in re.finditer(rb"[0-9A-Fa-f:.]{14,}", data)
        if match[0].count(b":") >= 5
        or (match[0].count(b".") >= 2 and re.search(b"[A-Fa-f]", match[0]))
    ]
    found += [
        match.span()
        for match in re.finditer(rb"[0-9A-Za-z_-]{16,}", data)
        if match[0].count(b"-") >= 5 and DIGIT.search(match[0])
    ]
    return sorted(found)


def tokens(data: bytes) -> list[tuple[int, int]]:
    found = [
        match.span()
        for match in re.finditer(rb"[0-9A-Za-z_-]{16,}", data)
        if re.search(rb"[0-9].*[A-Za-z]|[A-Za-z].*[0-9]|[A-Z].*[A-Z]", match[0])
    ]
    return sorted(found + [match.span() for match in re.finditer(b"-----BEGIN ", data)])


def addresses(data: bytes) -> list[tuple[int, int]]:
    found = []
    for match in re.finditer(rb"[^\x00-\x20]+", data):
        at = re.search(b"@|%40", match[0])
        if at:
            before, after = match[0][: at.start()], match[0][at.start() + 1 :]
            domain = rb"[0-9A-Za-z\x80-\xff]\.[A-Za-z\x80-\xff]{2}"
            if (before or re.search(b"[@%]", after)) and re.search(domain, after):
                found.append(match.span())
    return found


def logins(data: bytes) -> list[tuple[int, int]]:
    found = re.finditer(rb"[^\x00-\x20]+", data)
    return [match.span() for match in found if re.search(b"://.*@", match[0])]


KINDS = {
    "number": numbers,
    "long": longs,
    "card": cards,
    "ssn": ssns,
    "dotted": dotted,
    "mac": macs,
    "colons": colons,
    "decimal": decimals,
    "token": tokens,
    "login": logins,
    "address": addresses,
}
PIECES = "1|12|1234|8.8.8.8|1.23456|°| |  |.|-|/|(|)|+|\xa0|\u202f|–|—|a|F|B|x|_|:|::|@|%40|%|é|\t|://|x.de"
pieces = st.sampled_from(
    [
        *PIECES.split("|"),
        "abcdefghijklmnop",
        "-----BEGIN ",
        "5f",
        "°1.",
        "° 12x",
        "2001:",
        "ffff",
        "4111",
        "111111111",
        "123-12-1234",
    ]
)
texts = st.lists(pieces, max_size=30).map("".join)


@given(texts)
@pytest.mark.parametrize("kind", KINDS)
def test_windows_are_as_defined(kind: str, text: str) -> None:
    data = text.encode()
    found = windows(data)[0][kind]
    assert (sorted(found) if kind == "mac" else found) == KINDS[kind](data)


words = st.from_regex(r"[A-Z]{1,6}|[0-9A-Z]{0,4}[0-9][0-9A-Za-z]{0,4}", fullmatch=True)


@given(
    st.lists(words, min_size=1, max_size=4),
    st.sampled_from([" ", "-", ".", "/", "\xa0"]),
    st.sampled_from(["", "is ", "é", ", "]),
)
def test_a_code_is_in_one_window(parts: list[str], separator: str, before: str) -> None:
    code = separator.join(parts)
    digits = sum(character.isdigit() for character in code)
    letters = [character for character in code if character.isalpha()]
    if digits < 4 or not (any(map(str.isupper, letters)) or (letters and digits >= 17)):
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
        assert [data[first:last].decode() for first, last in windows(data)[0]["address"]] == [
            expected
        ]


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
