import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_texts import needs_data, real_texts

from filters.compiled import sentences as compiled
from filters.document import Document, code_points
from filters.punctuation import TERMINAL_PUNCTUATION
from filters.sentences import sentence_count, sentence_starts

SPLITTERS = ["unicode", "spacy"]
PIECES = st.sampled_from(
    [
        *(" ", " ", " ", "  ", "\t", "\xa0", "\n", "a", "Two words", "1", "-", "$", "(", "、"),
        *(".", ".", "...", "?", "!", '"', "'", "。", "！", "…", "»", ")", "3.14", "U.S.", "Mr."),
        *("a.b", "a.B", ":)", "\u0301", "\ud800", "😀", "\U00011f43", "።"),
    ]
)


def assert_equal(lines: list[str], words: str) -> None:
    """Compares lines, with something between them, with the sum over each."""
    if words == "spacy":
        pytest.importorskip("spacy")
    document = Document("".join(f"{line}. X. " for line in lines), words=words)
    sizes = np.array([len(line) for line in lines], np.int64)
    ends = (np.cumsum(sizes + 5) - 5).astype(np.int32)
    starts = (ends - sizes).astype(np.int32)
    found = compiled.count_sentences(document, starts, ends)
    assert found == sum(sentence_count(line, words) for line in lines)


@pytest.mark.parametrize("words", SPLITTERS)
@given(lines=st.lists(st.lists(PIECES, max_size=20).map(lambda pieces: "".join(pieces).strip())))
def test_equals_the_sum_over_lines(words: str, lines: list[str]) -> None:
    assert_equal([line for line in lines if line], words)


@pytest.mark.parametrize("words", SPLITTERS)
@given(line=st.text(min_size=1).map(str.strip).filter(bool))
def test_equals_the_count_of_any_line(words: str, line: str) -> None:
    assert_equal([line, f"a.{line}a b."], words)


@pytest.mark.parametrize("words", SPLITTERS)
def test_every_mark_in_every_place(words: str) -> None:
    for mark in sorted(TERMINAL_PUNCTUATION | set("\"'»”)]")):
        for other in (mark, ".", '"'):
            end = f"{mark}{other}"
            lines = [
                f"a b{end}c d",
                f"a b{end} c{end}",
                f"a b {end} c",
                f"{end} a",
                f"a {end}",
                end,
            ]
            assert_equal(lines, words)


@pytest.mark.parametrize("words", SPLITTERS)
@pytest.mark.parametrize("line", ["a b.  )", "a. - )", "a. $", 'a. "', 'a. b. " c', "a.\t)"])
def test_what_is_a_word_behind_an_end(line: str, words: str) -> None:
    assert_equal([line], words)


@pytest.mark.parametrize("words", SPLITTERS)
def test_no_lines(words: str) -> None:
    assert_equal([], words)


def starts_of_lines(text: str) -> list[int]:
    starts, at = [], 0
    for line in text.split("\n"):
        starts += [at + start for start in sentence_starts(line)]
        at += len(line) + 1
    return starts


@given(text=st.lists(PIECES, max_size=40).map("".join) | st.text())
def test_starts_are_those_of_each_line(text: str) -> None:
    assert compiled.sentence_starts(code_points(text)).tolist() == starts_of_lines(text)


@pytest.mark.slow
@needs_data
def test_starts_are_those_of_each_line_of_real_texts() -> None:
    for text in real_texts():
        assert compiled.sentence_starts(code_points(text)).tolist() == starts_of_lines(text)


def test_kinds_of_all_characters() -> None:
    kinds = compiled._kinds()
    for code in range(sys.maxunicode + 1):
        character, kind = chr(code), int(kinds[code])
        assert bool(kind & compiled._SPACE) == character.isspace()
        assert bool(kind & compiled._PUNCTUATION) == unicodedata.category(character).startswith("P")
        assert bool(kind & compiled._END_MARK) == (character in TERMINAL_PUNCTUATION)


@pytest.mark.slow
@needs_data
@pytest.mark.parametrize("words", SPLITTERS)
def test_equals_the_sum_over_lines_of_real_texts(words: str) -> None:
    for text in real_texts():
        assert_equal([line.strip() for line in text.split("\n") if line.strip()], words)


def test_every_punctuation_mark_is_in_the_table() -> None:
    kinds = compiled._kinds()
    for code in range(0x110000):
        is_mark = unicodedata.category(chr(code))[0] == "P"
        assert bool(kinds[code] & compiled._PUNCTUATION) == is_mark, hex(code)
