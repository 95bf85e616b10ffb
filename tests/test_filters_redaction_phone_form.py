import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.redaction.phone_form import LONGEST, Form, forms, shape, stretches

TEXTS = st.text("0123456789 .-/()+\u00a0\u202f\u2011\u2013x\u00c2", max_size=40)


def form(text: str) -> Form:
    return forms(shape(text.encode()))[0]


def test_a_shape_has_the_length_of_the_text_and_no_values() -> None:
    assert shape(b"+49 30/901820, x") == b"+00 00/000000# #"
    assert shape("1\u00a02\u202f3\u20134é".encode()) == b"0na0pqs0pqh0##"


@given(TEXTS)
def test_digits_do_not_matter(text: str) -> None:
    assert shape(text.encode()) == shape(re.sub("[0-9]", "7", text).encode())


@given(TEXTS)
def test_endings_are_inside_and_get_shorter(text: str) -> None:
    data = text.encode()
    for place in forms(shape(data)):
        assert data[place.start : place.start + 1].isdigit()
        ends = [ending.end for ending in place.endings]
        assert ends == sorted(set(ends), reverse=True)
        for ending in place.endings:
            number = data[ending.start : ending.end]
            assert [len(group) for group in re.findall(rb"[0-9]+", number)] == list(ending.sizes)
            assert number.count(b"(") == number.count(b")")
            assert sum(ending.sizes) >= 7


@given(TEXTS)
def test_stretches_hold_every_form(text: str) -> None:
    data = text.encode()
    inside = [
        first + place.start
        for first, last in stretches(data, 0, len(data))
        for place in forms(shape(data[first:last]))
    ]
    assert inside == [place.start for place in forms(shape(data))]


@pytest.mark.parametrize(
    "text",
    [
        "030/901820",
        "0171 1234567",
        "01.42.68.53.00",
        "(0171) 123 45 67",
        "07 11/97 81-0",
        "0123456789",
        "8 (495) 123-45-67",
        "0228 - 8491 - 4444",
        "0800 000 98 00",
    ],
)
def test_national_groups(text: str) -> None:
    assert form(text).endings[0].is_national


@pytest.mark.parametrize(
    "text",
    [
        "02110-1301",
        "0377-0427",
        "0100 0000",
        "0123.456 789",
        "02.213.783",
        "01 2 3 4 56 78",
        "012345678",
        "0123 45/67 89",
        "01-23 45-67 89",
        "0123 456.78",
    ],
)
def test_rows_of_figures_are_no_national_groups(text: str) -> None:
    assert not form(text).endings[0].is_national


@pytest.mark.parametrize("text", ["31.12.1999", "1999-12-31", "1/2/1999 10", "01-02-2003-1234"])
def test_dates_are_no_numbers(text: str) -> None:
    assert all(not place.endings for place in forms(shape(text.encode())))


@pytest.mark.parametrize(
    ("text", "unmistakable"),
    [("212-736-5000", True), ("212 736 5000", False), ("(212) 736 5000", True)],
)
def test_north_american_groups(text: str, unmistakable: bool) -> None:
    ending = form(text).endings[0]
    assert ending.is_north_american
    assert ending.is_unmistakable == unmistakable
    assert form(f"1 {text}").endings[0].is_north_american
    assert not form(f"{text} 5").endings[0].is_north_american


def test_a_bracket_belongs_to_the_number_if_it_closes() -> None:
    assert [form(text).endings[0].start for text in ("(030) 901820", "(030 901820")] == [0, 1]
    assert form("(+49 30) 901820").endings[0].start == 0


def test_a_number_amid_others_is_told() -> None:
    assert [place.is_amid for place in forms(shape(b"12 34 56 78 90"))] == [False, True]
    assert [place.is_amid for place in forms(shape(b"12345 0171 1234567"))] == [False, False, False]
    assert [place.is_first for place in forms(shape(b"12 0171-1234567"))] == [True, False]


def test_tables_have_no_forms() -> None:
    assert forms(b"00 " * 17) == ()
    assert forms(b"0" * (LONGEST + 1)) == ()
    assert list(stretches(b"1" * (LONGEST + 1), 0, LONGEST + 1)) == []
