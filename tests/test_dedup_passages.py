from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from conftest import linear_time
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from real_texts import needs_data, real_texts

from dedup.passages import (
    UNITS,
    cut,
    cut_ranges,
    first_copies,
    reference_removed,
    reference_span_hash,
    reference_unit_hash,
    reference_units,
    removed_units,
    repeated_spans,
    span_hashes,
    split_units,
    stands_in,
)
from dedup.shingles import words

PIECES = st.sampled_from(
    [
        *("a", "b", "Two", "words.", "1", "中", "文。", "\u0301", "ก", "İ", "\ud800", "x_y"),
        *(" ", " ", " ", ". ", "! ", "\n", "\n", "\n\n", " \n \t\n", "\r\n", "\xa0", "\x0b"),
        *(".", "。", '"', ")", "(", "-", "---\n", "...", "?!"),
    ]
)
TEXTS = st.lists(PIECES, max_size=40).map("".join) | st.text()
CORPORA = st.lists(st.lists(st.sampled_from("ABCD"), max_size=9), max_size=7)
LENGTHS = st.integers(1, 4)


def removed_by_hashes(texts: Sequence[str], unit: str, length: int) -> list[NDArray[np.bool_]]:
    """Decides as the pipeline does; the first text has the highest rank."""
    units = [split_units(text, unit) for text in texts]
    hashes = [span_hashes(each.hashes, length) for each in units]
    document = np.repeat(np.arange(len(texts)), [len(each) for each in hashes])
    place = np.concatenate([np.empty(0, np.int64), *(np.arange(len(each)) for each in hashes)])
    # Mixed, since the order of the entries must not matter.
    mixed = np.random.default_rng(len(document)).permutation(len(document))
    document, place = document[mixed], place[mixed]
    entries, groups = repeated_spans(np.concatenate([np.empty((0, 2), np.uint64), *hashes])[mixed])
    document, place = document[entries], place[entries]
    first = first_copies(groups, (len(texts) - document).astype(np.uint64), place)
    is_first = first == np.arange(len(first))
    return [
        removed_units(
            len(each), length, place[(document == n) & is_first], place[(document == n) & ~is_first]
        )
        for n, each in enumerate(units)
    ]


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("sentences", ["A title", "One (1).", "Two, three", "still three!", "* Item."]),
        ("lines", ["A title", "One (1). Two, three", "still three!", "* Item."]),
        ("paragraphs", ["A title", "One (1). Two, three\nstill three!\n---", "* Item."]),
    ],
)
def test_units_of_a_text(unit: str, expected: list[str]) -> None:
    text = "  A title\n \n One (1). Two, three\nstill three!\n---\n\n***\n\n* Item.\n"
    units = split_units(text, unit)
    pairs = zip(units.starts, units.ends, strict=True)
    assert [text[start:end] for start, end in pairs] == expected == reference_units(text, unit)


@pytest.mark.parametrize("unit", UNITS)
@given(text=TEXTS)
def test_units_are_those_of_the_definition(unit: str, text: str) -> None:
    units = split_units(text, unit)
    expected = reference_units(text, unit)
    pairs = zip(units.starts, units.ends, strict=True)
    assert [text[start:end] for start, end in pairs] == expected
    assert units.words.tolist() == [len(words(each)) for each in expected]
    assert units.words.sum() == len(words(text))
    assert units.hashes.tolist() == [list(reference_unit_hash(each)) for each in expected]


@given(text=TEXTS, length=LENGTHS)
def test_span_hashes_are_those_of_the_definition(text: str, length: int) -> None:
    found = span_hashes(split_units(text, "lines").hashes, length)
    units = reference_units(text, "lines")
    spans = [units[place : place + length] for place in range(len(units) - length + 1)]
    assert found.tolist() == [list(reference_span_hash(span)) for span in spans]


def test_what_counts_in_a_span() -> None:
    def hashed(text: str, length: int = 2) -> list[list[int]]:
        return span_hashes(split_units(text, "sentences").hashes, length).tolist()

    assert hashed("One, two. THREE!") == hashed("“One   two?”\nThree")
    assert hashed("One two. Three.") != hashed("One. Two three.")
    assert hashed("One. Two.") != hashed("Two. One.")
    assert hashed("One 1. Two.") != hashed("One 2. Two.")
    assert hashed("One. Two.", 3) == []


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="sentences, lines, paragraphs"):
        split_units("A text.", "words")


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 4), max_size=30))
def test_first_copies_are_those_of_a_dictionary(rows: list[tuple[int, int, int, int]]) -> None:
    groups = defaultdict(list)
    for number, (low, high, rank, place) in enumerate(rows):
        groups[low, high].append((-rank, place, number))
    expected = {
        member: min(members)[:2]
        for members in groups.values()
        if len(members) > 1
        for _, _, member in members
    }
    table = np.array(rows, np.int64).reshape(-1, 4)
    entries, group = repeated_spans(table[:, :2].astype(np.uint64))
    first = first_copies(group, table[entries, 2].astype(np.uint64), table[entries, 3])
    found = {
        int(entry): (-table[entries[at], 2], table[entries[at], 3])
        for entry, at in zip(entries, first, strict=True)
    }
    assert found == expected
    assert (np.diff(group) >= 0).all()
    assert set(group.tolist()) == set(range(len({rows[entry][:2] for entry in entries.tolist()})))


@given(corpus=CORPORA, length=LENGTHS)
def test_removed_units_are_those_of_the_definition(corpus: list[list[str]], length: int) -> None:
    texts = ["\n".join(units) for units in corpus]
    found = removed_by_hashes(texts, "lines", length)
    assert [each.tolist() for each in found] == reference_removed(corpus, length)


def spans_of(units: Sequence[str], length: int) -> list[tuple[str, ...]]:
    return [tuple(units[place : place + length]) for place in range(len(units) - length + 1)]


@given(corpus=CORPORA, length=LENGTHS)
def test_every_repeated_span_stays_where_its_first_copy_was(
    corpus: list[list[str]], length: int
) -> None:
    removed = reference_removed(corpus, length)
    first: dict[tuple[str, ...], tuple[int, int]] = {}
    count: dict[tuple[str, ...], int] = defaultdict(int)
    for number, units in enumerate(corpus):
        for place, span in enumerate(spans_of(units, length)):
            first.setdefault(span, (number, place))
            count[span] += 1
    for span, (number, place) in first.items():
        if count[span] > 1:
            assert not any(removed[number][place : place + length])
    for number, units in enumerate(corpus):
        spans = spans_of(units, length)
        for place in np.flatnonzero(removed[number]):
            over = spans[max(0, place - length + 1) : place + 1]
            assert any(count[span] > 1 and first[span][0] <= number for span in over)


@given(corpus=CORPORA, length=LENGTHS)
def test_what_stays_twice_overlaps_a_first_copy(corpus: list[list[str]], length: int) -> None:
    """A copy that is not the first stays whole only where first copies cover all of it."""
    removed = reference_removed(corpus, length)
    seen: dict[tuple[str, ...], int] = defaultdict(int)
    spans = [spans_of(units, length) for units in corpus]
    for span in (span for each in spans for span in each):
        seen[span] += 1
    met: set[tuple[str, ...]] = set()
    for each, gone in zip(spans, removed, strict=True):
        first = [
            seen[span] > 1 and span not in met and span not in each[:n]
            for n, span in enumerate(each)
        ]
        for place, span in enumerate(each):
            if seen[span] > 1 and not first[place] and not any(gone[place : place + length]):
                around = range(max(0, place - length + 1), min(len(each), place + length))
                kept = {at + k for at in around if first[at] for k in range(length)}
                assert kept >= set(range(place, place + length))
        met.update(each)


def test_overlapping_passages() -> None:
    assert reference_removed(["ABC", "ABCD", "ABCD"], 3) == [
        [False] * 3,
        [True, False, False, False],
        [True] * 4,
    ]
    assert reference_removed(["AAAAAA"], 3) == [[False] * 3 + [True] * 3]
    assert reference_removed(["AB", "AB", "xABy"], 3) == [[False] * 2, [False] * 2, [False] * 4]


@pytest.mark.parametrize(
    ("text", "gone", "rest"),
    [
        ("One. Two. Three.", [1], "One. Three."),
        ("One. Two. Three.", [0], "Two. Three."),
        ("One. Two. Three.\n", [1, 2], "One."),
        ("One. Two.\n\nThree. Four.", [1], "One.\n\nThree. Four."),
        ("One. Two.\n\nThree. Four.", [2], "One. Two.\n\nFour."),
        ("One. Two.\n\nThree. Four.", [1, 2], "One. Four."),
        ("One.\n***\nTwo.\n***\nThree.", [1], "One.\n***\nThree."),
        ("* One.\n* Two.", [0], "* Two."),
        ("One. Two. Three.", [0, 1, 2], ""),
        ("一。二。三。", [1], "一。三。"),
        ("One. Two. Three. Four.", [0, 2], "Two. Four."),
    ],
)
def test_cutting_units_out_of_a_text(text: str, gone: list[int], rest: str) -> None:
    units = split_units(text, "sentences")
    removed = np.isin(np.arange(len(units)), gone)
    assert cut(text, cut_ranges(text, units, removed)) == rest


@pytest.mark.parametrize("unit", UNITS)
@given(text=TEXTS, choice=st.integers(0, 2**40))
def test_what_remains_are_the_other_units(unit: str, text: str, choice: int) -> None:
    units = split_units(text, unit)
    removed = np.array([bool(choice >> place & 1) for place in range(len(units))], dtype=bool)
    ranges = cut_ranges(text, units, removed)
    rest = cut(text, ranges)
    assert all(0 <= a < b <= len(text) for a, b in ranges)
    assert all(one[1] < two[0] for one, two in pairwise(ranges))
    kept = [
        each for each, gone in zip(reference_units(text, unit), removed, strict=True) if not gone
    ]
    assert [words(each) for each in reference_units(rest, unit)] == list(map(words, kept))
    assert (rest == text) == (not removed.any())


@given(
    text=st.lists(st.sampled_from("ABC"), max_size=9),
    passage=st.lists(st.sampled_from("ABC"), min_size=1, max_size=3),
    choice=st.integers(0, 2**9),
)
def test_what_stands_in_the_rest_of_a_text(
    text: list[str], passage: list[str], choice: int
) -> None:
    units = split_units("\n".join(text), "lines")
    gone = [place for place in range(len(text)) if choice >> place & 1]
    left = [letter for place, letter in enumerate(text) if place not in gone]
    ranges = [(int(units.starts[place]), int(units.ends[place])) for place in gone]
    expected = "".join(passage) in "".join(left)
    assert stands_in(split_units("\n".join(passage), "lines").hashes, units, ranges) == expected


HOSTILE = ["a", ".", " ", "\n", "a\n", ". ", "\n\n", " \n\t\n", "a.\n\n", "。", "\u0301", "中", ")"]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("part", HOSTILE, ids=ascii)
def test_a_hostile_text_takes_linear_time(part: str, unit: str) -> None:
    split_units("A text. Another\n\none.", unit)
    text = (part * 10**6)[: 10**6]
    with linear_time():
        units = split_units(text, unit)
        removed = np.arange(len(units)) % 2 == 1
        cut(text, cut_ranges(text, units, removed))


@pytest.mark.slow
@needs_data
@pytest.mark.parametrize(("unit", "length"), [("sentences", 3), ("lines", 2), ("paragraphs", 1)])
def test_real_texts_lose_what_the_definition_says(unit: str, length: int) -> None:
    texts = real_texts()[:150]  # web pages; the definition takes a second for 100 KB
    corpus = [reference_units(text, unit) for text in texts]
    expected = reference_removed(corpus, length)
    found = removed_by_hashes(texts, unit, length)
    assert [each.tolist() for each in found] == expected
    assert sum(map(sum, expected)) > 20
