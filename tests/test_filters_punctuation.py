import unicodedata

from filters.punctuation import PUNCTUATION, SYMBOLS, TERMINAL_PUNCTUATION


def test_the_sets_have_the_published_sizes() -> None:
    assert (len(PUNCTUATION), len(TERMINAL_PUNCTUATION), len(SYMBOLS)) == (129, 159, 281)


def test_what_is_in_and_what_is_not() -> None:
    assert set("!~…—»。？\r\x00\x7f\x9f") <= PUNCTUATION
    assert not PUNCTUATION & set("•\t\n \xa0aé1")
    assert set(".!?。؟।‼") <= TERMINAL_PUNCTUATION
    assert not TERMINAL_PUNCTUATION & set("\"'”’…:;,")


def test_no_mark_is_a_letter_or_a_space() -> None:
    # gopher_quality strips marks from a word and looks for letters in the rest.
    assert not any(mark.isalpha() for mark in SYMBOLS)
    assert {unicodedata.category(mark)[0] for mark in SYMBOLS} <= set("PSCN")
