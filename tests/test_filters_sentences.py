import random
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from conftest import linear_time
from hypothesis import given
from hypothesis import strategies as st
from real_texts import needs_data, real_texts

from filters.punctuation import TERMINAL_PUNCTUATION
from filters.sentences import sentence_count, sentence_starts


@cache
def pipeline() -> Any:
    """Returns what datatrove splits sentences with."""
    spacy = pytest.importorskip("spacy", reason="the extra spacy is not installed")
    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer")
    return pipeline


def spacys_count(line: str) -> int:
    nlp = pipeline()
    nlp.max_length = len(line) + 10
    with nlp.memory_zone():
        return len(list(nlp(line).sents)) if line else 1


PIECES = st.sampled_from(
    [
        *(" ", " ", " ", "  ", "   ", "\t", "\n", "\r\n", "\xa0", "\u2003", "\u3000", " \n "),
        *("word", "Mr.", "U.S.", "don't", "3.14", "e.g.", "x.com", "中文", "word.", "so!", "no?"),
        *(".", "..", "...", "!", "?", "?!", "。", "！", "…", "।", "։", "؟", "‽"),
        *(
            '"',
            "'",
            "”",
            "“",
            "»",
            ")",
            "(",
            "]",
            "」",
            "-",
            "—",
            "$",
            "+",
            "•",
            "\u0301",
            "\u200b",
        ),
    ]
)
LINES = st.lists(PIECES, max_size=20).map("".join)


@given(LINES)
def test_equals_spacys_sentencizer(line: str) -> None:
    assert sentence_count(line, "spacy") == spacys_count(line)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["", " ", ". "]))
def test_equals_spacys_sentencizer_on_any_characters(text: str, glue: str) -> None:
    line = glue.join(text)
    assert sentence_count(line, "spacy") == spacys_count(line)


def test_every_mark_of_spacys() -> None:
    for mark in sorted(TERMINAL_PUNCTUATION | set("…,:;-$")):
        for line in (f"one {mark} two", f"one{mark} two", f"one{mark}two", f"one {mark}  "):
            assert sentence_count(line, "spacy") == spacys_count(line)


@pytest.mark.slow
@needs_data
def test_equals_spacys_sentencizer_on_real_lines() -> None:
    lines = [line for text in real_texts()[::8] for line in text.splitlines()]
    different = [line for line in lines if sentence_count(line, "spacy") != spacys_count(line)]
    assert len(lines) > 1000
    assert len(different) <= len(lines) / 10_000


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("", 1),
        ("   ", 1),
        ("...", 1),
        ("No mark at all", 1),
        ("One.", 1),
        ("One. ", 1),
        ("One. Two", 2),
        ("One.\tTwo!\nThree?", 3),
        ("One.\u3000Two.", 2),
        ("He said “So!” and left. (He did.) Yes.", 4),
        ("«Oui.» «Non.»", 2),
        ('"One."\' Two', 2),
        ("It is 3.14 at example.com, is it not?!", 1),
        ("Wait ... what? !", 2),
        ("Mr. Smith", 2),
        ("A colon: no. An ellipsis… no", 2),
        ("一。二！三", 3),
        ("「一。」二？？三｡", 3),
        ("一．二", 1),
        ("ഒന്ന്. രണ്ട്.", 2),
        ("एक। दो।", 2),
        ("(.a) b", 1),
    ],
)
def test_the_rule_without_a_package(line: str, count: int) -> None:
    assert sentence_count(line, "unicode") == count


@given(LINES, LINES)
def test_lines_with_white_space_between_have_the_sentences_of_both(one: str, two: str) -> None:
    separate = sentence_count(one, "unicode") + sentence_count(two, "unicode")
    assert sentence_count(f"{one} {two}", "unicode") in (separate, separate - 1)
    assert 1 <= sentence_count(one, "unicode") <= 1 + sum(map(one.count, TERMINAL_PUNCTUATION))


@given(LINES, st.sampled_from(["\t", "\n", "  ", "\xa0", "\u2003"]))
def test_the_rule_without_a_package_takes_all_white_space_alike(line: str, space: str) -> None:
    assert sentence_count(line.replace(" ", space), "unicode") == sentence_count(line, "unicode")


@pytest.mark.parametrize(
    ("line", "sentences"),
    [
        (" One. (Two) three! ", ["One. ", "(Two) three! "]),
        ("... so? !. Yes", ["... ", "so? !. ", "Yes"]),
        ("一。「二！」三。", ["一。", "「二！」", "三。"]),
        ('One." ) Two', ['One." ', ") Two"]),
        (" \t", []),
    ],
)
def test_where_sentences_start(line: str, sentences: list[str]) -> None:
    starts = sentence_starts(line)
    assert [line[start:end] for start, end in pairwise([*starts, len(line)])] == sentences


@given(LINES)
def test_as_many_sentences_start_as_there_are(line: str) -> None:
    starts = sentence_starts(line)
    assert len(starts) == (sentence_count(line, "unicode") if line.strip() else 0)
    assert starts == sorted(set(starts))
    assert not any(line[start].isspace() for start in starts)


def test_there_are_two_splitters() -> None:
    with pytest.raises(KeyError):
        sentence_count("A line.", "tabs")


HOSTILE = ["a", ".", " ", ". ", ")", '."', ".)x", "。", "。a", "\t", ".\t", "\ud800. ", "a.", "('"]


@pytest.mark.parametrize("splitter", ["unicode", "spacy"])
@pytest.mark.parametrize("part", HOSTILE, ids=ascii)
def test_a_hostile_line_takes_linear_time(part: str, splitter: str) -> None:
    if splitter == "spacy":
        pipeline()
    sentence_count("One. (Two.)", splitter)
    line = (part * 10**6)[: 10**6]
    with linear_time():
        sentence_count(line, splitter)


def test_marks_that_never_repeat_take_linear_time() -> None:
    rng = random.Random(0)
    marks = "".join(rng.choices('.!?)”"。x', k=10**6))
    with linear_time():
        sentence_count(marks, "unicode")
