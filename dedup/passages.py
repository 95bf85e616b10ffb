"""Repeated parts of documents: which sentences, lines or paragraphs a text loses to others.

**Units.** A text is a row of units: sentences (`filters.sentences`, the rule "unicode"; a line feed
ends one, too), lines (between line feeds) or paragraphs (between blank lines). What holds no word
(`dedup.shingles.words`), such as a rule of dashes, is no unit. A unit is known by its words: case,
punctuation and white space do not count, digits do.

**Spans.** A span is `length` units of a text in a row; spans overlap. Its hash has 128 bits, all
in arithmetic modulo 2**64: for each of two odd multipliers M, a unit's hash of its word hashes
w1 ... wk is ``mix(w1 * M**(k-1) + ... + wk)``, and a span's of its unit hashes likewise. Words and
`mix` are those of `dedup.shingles`. So two spans have one hash if and, but for a chance of about
2**-128, only if their units have the same words.

**Which copy stays.** Of the spans with one hash the first stays: that in the document of highest
rank, and there the first in the text. A unit is removed if it lies in a span that repeats another
one, unless it also lies in a first copy that others repeat. All this is decided on the spans of the
texts as they were, once, so the order of the work changes nothing. It follows that

* every span that comes more than once stands whole in what remains, where its first copy was;
* a unit in no repeated span is never removed;
* where repeated passages overlap, up to ``length - 1`` units remain at an end of one that need
  not. C4 and datatrove remove these as well, which breaks up first copies: of the texts ABC, ABCD
  and ABCD the second would be left with D, and BCD would stand nowhere.

C4: Raffel et al., 2020, https://arxiv.org/abs/1910.10683, section 2.2.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from dedup.arrays import frozen
from dedup.shingles import (
    _KIND_SHIFT,
    FNV_BASIS,
    FNV_PRIME,
    LETTER,
    MULTIPLIER,
    SEPARATOR,
    UNSPACED,
    _character_table,
    _reference_word_hash,
    mix,
    reference_mix,
    words,
)
from filters.compiled.sentences import sentence_starts
from filters.compiled.words import white_space
from filters.document import code_points

UNITS = ("sentences", "lines", "paragraphs")
# 2**64 divided by the golden ratio, and 2**64 times the fraction of the root of 3.
MULTIPLIERS = (MULTIPLIER, 0xBB67AE8584CAA73B)
_MULTIPLIERS = frozen(MULTIPLIERS, np.uint64)
_BASIS = np.uint64(FNV_BASIS)
_PRIME = np.uint64(FNV_PRIME)


@dataclass(frozen=True)
class Units:
    """The units of one text, in order.

    Attributes:
        starts: int32[units], where they start, in code points.
        ends: int32[units], where they end; white space around a unit is not part of it.
        words: int32[units], how many words each has, at least 1.
        hashes: uint64[units, 2].
    """

    starts: NDArray[np.int32]
    ends: NDArray[np.int32]
    words: NDArray[np.int32]
    hashes: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.starts)


def split_units(text: str, unit: str) -> Units:
    """Splits a text; linear time.

    Args:
        text: The text.
        unit: One of `UNITS`.

    Raises:
        ValueError: There is no such unit.
    """
    if unit not in UNITS:
        raise ValueError(f"no unit {unit!r}; there are: {', '.join(UNITS)}")
    codes = code_points(text)
    if unit == "sentences":
        starts = sentence_starts(codes)
    else:
        starts = _line_starts(codes, _spaces(), 1 if unit == "lines" else 2)
    return Units(*_units(codes, starts, _spaces(), _character_table(), _MULTIPLIERS))


def span_hashes(hashes: NDArray[np.uint64], length: int) -> NDArray[np.uint64]:
    """Returns uint64[spans, 2]: the hash of the span that starts at each unit.

    Args:
        hashes: uint64[units, 2], as `Units` has them.
        length: Units in a span, at least 1; a text with fewer has no spans.
    """
    count = max(len(hashes) - length + 1, 0)
    totals = np.zeros((count, 2), np.uint64)
    for offset in range(length):
        totals *= _MULTIPLIERS
        totals += hashes[offset : offset + count]
    return _mixed(totals)  # type: ignore[no-any-return]


def repeated_spans(hashes: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the spans whose hash another span has, too.

    Args:
        hashes: uint64[spans, 2].

    Returns:
        Two int64[k]: indices of spans, those of one hash side by side, and their group: 0 for
        the first hash, 1 for the next.
    """
    pairs = frozen(hashes, np.uint64).reshape(-1, 2)
    order = np.argsort(pairs[:, 0], kind="stable")
    alike = _in_runs(pairs[order, 0])
    order = order[alike]  # few: a second half is worth comparing only where the first agrees
    order = order[np.lexsort((pairs[order, 1], pairs[order, 0]))]
    order = order[_in_runs(pairs[order, 0], pairs[order, 1])]
    return order, np.cumsum(_starts_run(pairs[order, 0], pairs[order, 1])) - 1


def _starts_run(*columns: NDArray[np.uint64]) -> NDArray[np.bool_]:
    starts = np.zeros(len(columns[0]), dtype=bool)
    starts[:1] = True
    for column in columns:
        starts[1:] |= column[1:] != column[:-1]
    return starts


def _in_runs(*columns: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Returns bool[n]: which rows of sorted columns equal a neighbour."""
    starts = _starts_run(*columns)
    ends = np.append(starts[1:], True)[: len(starts)]
    alone: NDArray[np.bool_] = starts & ends
    return ~alone


def first_copies(groups: ArrayLike, ranks: ArrayLike, places: ArrayLike) -> NDArray[np.int64]:
    """Returns int64[k]: for each span the index of the first copy in its group.

    Args:
        groups: int64[k], as `repeated_spans` returns them.
        ranks: uint64[k], those of the spans' documents; a higher rank is preferred, and no two
            documents have the same.
        places: int64[k], which span of its document each is.
    """
    group = frozen(groups, np.int64)
    order = np.lexsort((frozen(places, np.int64), ~frozen(ranks, np.uint64), group))
    starts = np.flatnonzero(_starts_run(group[order].view(np.uint64)))
    first = np.empty(len(group), np.int64)
    first[order] = np.repeat(order[starts], np.diff(np.append(starts, len(group))))
    return first


def removed_units(
    units: int, length: int, firsts: ArrayLike, others: ArrayLike
) -> NDArray[np.bool_]:
    """Returns bool[units]: which units of a text are removed.

    Args:
        units: How many the text has.
        length: Units in a span.
        firsts: int64, places of those of its spans that are a group's first copy.
        others: int64, places of its spans that repeat a first copy.
    """
    covered, whole = np.zeros(units, dtype=bool), np.zeros(units, dtype=bool)
    for offset in range(length):
        covered[frozen(others, np.int64) + offset] = True
        whole[frozen(firsts, np.int64) + offset] = True
    return covered & ~whole


def cut_ranges(text: str, units: Units, removed: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Returns the ranges of a text, in code points, that go when units are removed.

    A row of removed units goes with what separates it from the unit behind it, or, where only
    the separator behind it has a line feed, with what separates it from the unit before: a
    paragraph that loses its last sentence does not run into the next. At the end of the text all
    goes that follows the last unit that stays.
    """
    edges = np.flatnonzero(np.diff(removed.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    ranges = []
    for first, last in edges.tolist():
        start, end = int(units.starts[first]), int(units.ends[last - 1])
        before = int(units.ends[first - 1]) if first else 0
        if last == len(units):
            ranges.append((before, len(text)))
            continue
        after = int(units.starts[last])
        joins = first > 0 and "\n" in text[end:after] and "\n" not in text[before:start]
        ranges.append((before, end) if joins else (start, after))
    return ranges


def cut(text: str, ranges: Sequence[tuple[int, int]]) -> str:
    """Returns a text without some ranges, which are in order and do not overlap."""
    kept, at = [], 0
    for start, end in ranges:
        kept.append(text[at:start])
        at = end
    return "".join([*kept, text[at:]])


def stands_in(
    passage: NDArray[np.uint64], units: Units, gone: Sequence[tuple[int, int]] = ()
) -> bool:
    """Tells whether some units stand side by side in what is left of a text.

    Args:
        passage: uint64[k, 2], hashes of at least one unit.
        units: The text's.
        gone: Ranges of the text that are cut, in order, without parts of units.
    """
    starts, ends = np.array(gone, np.int64).reshape(-1, 2).T
    left = np.searchsorted(starts, units.starts, "right") == np.searchsorted(ends, units.ends)
    hashes = units.hashes[left]
    places = np.arange(max(len(hashes) - len(passage) + 1, 0))
    for offset in range(len(passage)):
        places = places[(hashes[places + offset] == passage[offset]).all(axis=1)]
    return len(places) > 0


def reference_units(text: str, unit: str) -> list[str]:
    """Returns the units of a text: the definition that `split_units` follows."""
    from filters.sentences import sentence_starts as starts_in_line

    lines = text.split("\n")
    parts: list[str] = []
    if unit == "sentences":
        for line in lines:
            starts = [*starts_in_line(line), len(line)]
            parts += [line[start:end] for start, end in pairwise(starts)]
    elif unit == "lines":
        parts = lines
    else:
        parts = [""]
        for line in lines:
            parts += [""] if not line.strip() else []
            parts[-1] += line + "\n"
    return [part.strip() for part in parts if words(part)]


def reference_removed(texts: Sequence[Sequence[str]], length: int) -> list[list[bool]]:
    """Returns which units of each text are removed: the definition, from words and not from hashes.

    Args:
        texts: The units of each text, as `reference_units` returns them, that of the highest rank
            first.
        length: Units in a span.
    """
    copies: dict[tuple[tuple[str, ...], ...], list[tuple[int, int]]] = defaultdict(list)
    for number, text in enumerate(texts):
        for place in range(len(text) - length + 1):
            span = tuple(tuple(words(unit)) for unit in text[place : place + length])
            copies[span].append((number, place))
    repeats: set[tuple[int, int]] = set()
    whole: set[tuple[int, int]] = set()
    for first, *others in copies.values():
        if others:
            whole.update((first[0], first[1] + offset) for offset in range(length))
            repeats.update((n, place + offset) for n, place in others for offset in range(length))
    return [
        [(n, place) in repeats - whole for place in range(len(text))]
        for n, text in enumerate(texts)
    ]


def reference_unit_hash(unit: str) -> tuple[int, int]:
    """Returns a unit's hash, from Python integers."""
    return _reference_hash([(_reference_word_hash(word),) * 2 for word in words(unit)])


def reference_span_hash(units: Sequence[str]) -> tuple[int, int]:
    """Returns a span's hash, from Python integers."""
    return _reference_hash([reference_unit_hash(unit) for unit in units])


def _reference_hash(parts: Sequence[tuple[int, int]]) -> tuple[int, int]:
    totals = [0, 0]
    for part in parts:
        for half, multiplier in enumerate(MULTIPLIERS):
            totals[half] = (totals[half] * multiplier + part[half]) % 2**64
    return reference_mix(totals[0]), reference_mix(totals[1])


@cache
def _spaces() -> NDArray[np.bool_]:
    return frozen(white_space(), np.bool_)


@njit(cache=True, nogil=True)
def _line_starts(codes, spaces, feeds):  # type: ignore[no-untyped-def]
    """Finds the first character behind at least `feeds` line feeds, white space aside."""
    starts = np.empty(codes.size, dtype=np.int32)  # pages that stay unused cost nothing
    found = 0
    seen = feeds
    for index in range(codes.size):
        if codes[index] == 10:
            seen += 1
        elif not spaces[codes[index]]:
            if seen >= feeds:
                starts[found] = index
                found += 1
            seen = 0
    return starts[:found].copy()


@njit(cache=True, nogil=True)
def _units(codes, starts, spaces, table, multipliers):  # type: ignore[no-untyped-def]
    """Hashes what lies between starts; returns the columns of `Units`."""
    first = np.empty(starts.size, dtype=np.int32)
    ends = np.empty(starts.size, dtype=np.int32)
    counts = np.empty(starts.size, dtype=np.int32)
    hashes = np.empty((starts.size, 2), dtype=np.uint64)
    found = 0
    for number in range(starts.size):
        limit = starts[number + 1] if number + 1 < starts.size else codes.size
        count = 0
        end = starts[number]
        one = two = np.uint64(0)
        value = _BASIS
        previous = SEPARATOR
        for index in range(starts[number], limit + 1):
            entry = table[codes[index]] if index < limit else np.uint32(0)
            kind = entry >> np.uint32(_KIND_SHIFT)
            if index < limit and not spaces[codes[index]]:
                end = index + 1
            starts_word = kind == UNSPACED or (kind == LETTER and previous == UNSPACED)
            if previous != SEPARATOR and (kind == SEPARATOR or starts_word):
                word = mix(value)
                one = one * multipliers[0] + word
                two = two * multipliers[1] + word
                count += 1
                value = _BASIS
            if kind == SEPARATOR:
                previous = SEPARATOR
                continue
            if starts_word or previous == SEPARATOR:
                previous = UNSPACED if kind == UNSPACED else LETTER
            value = (value ^ np.uint64(entry & np.uint32(0x1FFFFF))) * _PRIME
        if count:
            first[found], ends[found], counts[found] = starts[number], end, count
            hashes[found, 0], hashes[found, 1] = mix(one), mix(two)
            found += 1
    return first[:found].copy(), ends[:found].copy(), counts[:found].copy(), hashes[:found].copy()


@njit(cache=True, nogil=True)
def _mixed(totals):  # type: ignore[no-untyped-def]
    """Returns `mix` of each of uint64[k, 2]."""
    mixed = np.empty_like(totals)
    for row in range(totals.shape[0]):
        mixed[row, 0], mixed[row, 1] = mix(totals[row, 0]), mix(totals[row, 1])
    return mixed
