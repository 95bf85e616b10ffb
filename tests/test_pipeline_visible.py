"""No text steers a terminal."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.visible import CELL, clipped, visible


@given(st.text())
def test_nothing_that_steers_is_left(text: str) -> None:
    for character in visible(text):
        code = ord(character)
        assert code >= 32
        assert not 0x7F <= code <= 0x9F
        assert not 0x202A <= code <= 0x202E
        assert not 0x2066 <= code <= 0x2069


def test_the_rest_stays() -> None:
    assert visible("Grüße, 汉字 [bold]") == "Grüße, 汉字 [bold]"
    assert visible("a\tb\nc\x1b[2J\u202e") == "a b⏎c␛[2J\ufffd"
    assert visible("a\nb", newline="\n") == "a\nb"


def test_a_long_text_is_clipped() -> None:
    assert clipped("x" * CELL) == "x" * CELL
    assert clipped("x" * 10**6) == "x" * CELL + "…"
