"""What runs, the detectors in the windows of the compiled scan, against what it means."""

import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters.redaction import TYPES, Options, Span, find
from filters.redaction.detection import _DETECTORS

EVERYTHING = Options(spelled_out_emails=True, private_addresses=True, regions=("US", "GB", "IT"))
KEY = "AK" + "IAIOSFODNN7EXAMPLE"  # in two pieces, for what looks for secrets in source code
TOKEN = "gh" + "p_" + "16C7e42F292c6912E7710c838347Ae178B4a"
VALUES = (
    'a@b.de|"john doe"@example.org|müller@bücher.de|x%40b.de|name [at] domain [dot] org|@|%40|a@b'
    "|8.8.8.8|192.168.0.1|2a00:1450:4001::200e|::ffff:8.8.8.8|::1|12:34:56|2001:db8::1%eth0"
    "|4111111111111111|4111 1111 1111 1111|3782-822463-10005"
    "|+49 30 901820|+49 (0)30 901820|(212) 736-5000|020 7946 0958|2127365000|06 123 45678"
    "|DE89370400440532013000|GB82 WEST 1234 5698 7654 32|NL91ABNA0417164300|fr14 2004 1010 05"
    "|123-45-6789|123456789|12345678Z|AB 12 34 56 C|RSSMRA85T10A562S|85 02 78 01 23|1.23.4.56-7"
    "|00:1a:2b:3c:4d:5e|00-1A-2B-3C-4D-5E|001a.2b3c.4d5e|001a2b3c4d5e"
    "|48.137154, 11.576124|48.1372|48°08'13.8\"N 11°34'34.5\"E|geo:48.13715,11.57612"
    f"|{KEY}|{TOKEN}|https://user:pass@host.org/|-----BEGIN RSA PRIVATE KEY-----"
    "|eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
)
WORDS = "tel|call|SSN|passport no.|version|lat|mac|password=|IBAN|from|E|x|A|é|我|\ud800|<|email|>"
MARKS = " |  |\n|\t|.|,|:|::|-|–|/|(|)|+|@|%|=|'|\"|[|]|°|\xa0|\u202f|\u2011|_|#|$|0|1|9|12|٣|５|०"
ESCAPES = ("\\n", "\\u0022", "%20")
pieces = st.sampled_from([*VALUES.split("|"), *WORDS.split("|"), *MARKS.split("|"), *ESCAPES, "|"])
texts = st.lists(pieces | pieces | pieces | st.text(max_size=3), max_size=16).map("".join)


@settings(max_examples=500)
@example("8.8.8.8é٣@b.de")
@example("000-00-0000::1")
@example(f"{TOKEN}-----BEGIN PRIVATE KEY-----\n{TOKEN[4:]}{TOKEN[4:]}\n-----END PRIVATE KEY-----")
@example("00:1a:2b:3c:4d:5e;00-1A-2B-3C-4D-5E")
@given(texts)
@pytest.mark.parametrize("options", [Options(), EVERYTHING], ids=["default", "everything"])
def test_windows_lose_nothing(options: Options, text: str) -> None:
    assert find(text, options) == find(text, options, compiled=False)


@settings(max_examples=200)
@given(texts)
@pytest.mark.parametrize("name", TYPES)
def test_windows_lose_nothing_of_one_type(name: str, text: str) -> None:
    options = Options(types=(name,), private_addresses=True)
    assert find(text, options) == find(text, options, compiled=False)


def test_every_type_has_a_detector_in_the_order_of_claims() -> None:
    assert tuple(_DETECTORS) == TYPES


def test_offsets_count_code_points() -> None:
    text = "\ud800é我👍 a@b.de 👍 8.8.8.8"
    assert find(text) == [Span(5, 11, "email"), Span(14, 21, "ip")]


def test_the_earlier_type_wins() -> None:
    assert find("8.8.8.8@example.com") == [Span(0, 19, "email")]
    assert [span.type for span in find("tel. 4111 1111 1111 1111")] == ["card"]


def test_types_that_are_not_asked_for_are_not_found() -> None:
    assert find("a@b.de 8.8.8.8", Options(types=("ip",))) == [Span(7, 14, "ip")]
    assert find("a@b.de 8.8.8.8", Options(types=())) == []


ZEROS = [chr(c) for c in range(sys.maxunicode) if chr(c).isdecimal() and int(chr(c)) == 0]


@pytest.mark.parametrize("zero", ZEROS, ids=lambda zero: f"{ord(zero):x}")
def test_digits_of_every_script_are_digits(zero: str) -> None:
    card = "".join(chr(ord(zero) + int(digit)) for digit in "4111111111111111")
    assert find(f"é {card}.") == [Span(2, 18, "card")]


def test_digits_of_other_scripts_keep_offsets() -> None:
    assert find("８.８.８.８ é a@b.de ８.８.８.８") == [
        Span(0, 7, "ip"),
        Span(10, 16, "email"),
        Span(17, 24, "ip"),
    ]


HIDDEN = (KEY, "8.8.8.8", "4111111111111111", "+49 30 901820", "123-45-6789", "AB123456C")


@pytest.mark.parametrize("value", [*HIDDEN, "DE89370400440532013000", "00:1a:2b:3c:4d:5e"])
@pytest.mark.parametrize("mark", ["%20", "\\u0022", "\\n", "\\t", "_", "__", "*", "%C2%A0"])
def test_escapes_and_emphasis_are_no_part_of_a_word(value: str, mark: str) -> None:
    text = f"é {mark}{value}{mark} x"
    assert [text[span.start : span.end] for span in find(text)] == [value]
