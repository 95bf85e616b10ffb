"""The fast path of `filters.sentences`, for all lines of a text together."""

import unicodedata
from functools import cache

import numba
import numpy as np
from numpy.typing import NDArray

from filters.compiled.spans import Codes
from filters.compiled.words import Places, white_space
from filters.document import Document
from filters.sentences import _CLOSING, _LETTERS, _NARROW, _WIDE

# What a code point may be: a mark of the rules, white space, and punctuation to Unicode.
_CLOSING_MARK, _NARROW_MARK, _WIDE_MARK, _SPACE, _PUNCTUATION = 1, 2, 4, 8, 16
_END_MARK = _NARROW_MARK | _WIDE_MARK
# From here on there are ideographs, tags and private use; asking for each would take 0.2 s.
_NO_PUNCTUATION = 0x20000

# The letters, as `filters.sentences` has them, that follow those of a chunk: none, words, the end
# of the line, both.
_NOTHING, _WORDS, _LINE_END = 0, 1, 2
_FOLLOWING = ("", "w", "|", "w|")


@cache
def _kinds() -> NDArray[np.uint8]:
    """Returns uint8[0x110000]: what every code point may be."""
    table = np.zeros(0x110000, np.uint8)
    categories = map(unicodedata.category, map(chr, range(_NO_PUNCTUATION)))
    table[[code for code, kind in enumerate(categories) if kind[0] == "P"]] = _PUNCTUATION
    for kind, marks in ((_CLOSING_MARK, _CLOSING), (_NARROW_MARK, _NARROW), (_WIDE_MARK, _WIDE)):
        table[list(map(ord, marks))] |= kind
    table[white_space()] |= _SPACE
    return table


def count_sentences(document: Document, starts: Places, ends: Places) -> int:
    """Returns the sum of `filters.sentences.sentence_count` over lines.

    Args:
        document: The text, and the splitter whose rule counts.
        starts: int32[lines], where the lines start.
        ends: int32[lines], where they end. No line is empty, or starts or ends with white space.
    """
    if document.splitter == "unicode":
        return int(_count_by_marks(document.codes, starts, ends, _kinds()))
    chunks = _chunks_with_marks(document.codes, starts, ends, _kinds())
    text, letters = document.text, _LETTERS[document.splitter]
    written = [
        letters[text[start:end]] + _FOLLOWING[following]
        for start, end, following in zip(*(column.tolist() for column in chunks), strict=True)
    ]
    return len(starts) + "".join(written).count("ew")


def sentence_starts(codes: Codes) -> Places:
    """Returns int32[sentences]: where sentences start, as `filters.sentences.sentence_starts` says.

    Args:
        codes: uint32[characters], a text; its lines, which end at line feeds, are split by
            themselves.
    """
    return _starts_by_marks(codes, _kinds())  # type: ignore[no-any-return]


@numba.njit(cache=True)
def _starts_by_marks(codes, kinds):  # type: ignore[no-untyped-def]
    """Finds the starts of sentences as `_count_by_marks` counts them."""
    starts = np.empty(len(codes), np.int32)  # memory is used where written to
    found = 0
    blank = True  # nothing but white space was read of the line
    ended = False
    marks = run = 0  # of the run of marks that is being read: what they may be, where it starts
    for i in range(len(codes) + 1):
        line_end = i == len(codes) or codes[i] == 10
        kind = _SPACE if line_end else kinds[codes[i]]
        space = (kind & _SPACE) > 0
        if blank and not space:
            starts[found] = i
            found += 1
            blank = False
        if kind & (_CLOSING_MARK | _END_MARK):
            run = run if marks else i
            marks |= kind
            continue
        if marks & _WIDE_MARK or (space and marks & _NARROW_MARK):
            ended = True
            marks = 0
        if ended and (marks or not space):  # marks that end nothing are words
            starts[found] = run if marks else i
            found += 1
            ended = False
        marks = 0
        if line_end:
            blank = True
            ended = False
    return starts[:found].copy()


@numba.njit(cache=True)
def _count_by_marks(codes, starts, ends, kinds):  # type: ignore[no-untyped-def]
    """Counts the sentences of lines by the rule that needs no package."""
    sentences = len(starts)
    for line in range(len(starts)):
        ended = False
        marks = 0  # of the run of marks that is being read
        for i in range(starts[line], ends[line] + 1):
            kind = kinds[codes[i]] if i < ends[line] else _SPACE
            if kind & (_CLOSING_MARK | _END_MARK):
                marks |= kind
                continue
            space = (kind & _SPACE) > 0
            if marks & _WIDE_MARK or (space and marks & _NARROW_MARK):
                ended = True
                marks = 0
            if ended and (marks or not space):  # marks that end nothing are words
                sentences += 1
                ended = False
            marks = 0
    return sentences


@numba.njit(cache=True)
def _chunks_with_marks(codes, starts, ends, kinds):  # type: ignore[no-untyped-def]
    """Finds the chunks, between single spaces, in which spaCy may find the end of a sentence.

    A chunk without a mark that ends sentences is a word to the rule unless it is all punctuation.
    So is, for the sentences before it, one that has such marks only at the end of the line.

    Returns:
        int32[chunks] starts and ends; uint8[chunks] what follows up to the next of these chunks.
    """
    room = np.sum(ends - starts)  # more than there are chunks: memory is used where written to
    found_starts = np.empty(room, np.int32)
    found_ends = np.empty(room, np.int32)
    following = np.empty(room, np.uint8)
    found = 0
    for line in range(len(starts)):
        first = found  # of the chunks of this line
        end = ends[line]
        while end > starts[line] and _is_final(codes[end - 1]):
            end -= 1
        start = starts[line]
        marks = word = False
        for i in range(start, ends[line] + 1):
            if i < ends[line] and codes[i] != 32:
                kind = kinds[codes[i]]
                marks = marks or (i < end and (kind & _END_MARK) > 0)
                word = word or (kind & _PUNCTUATION) == 0
                continue
            if marks:
                found_starts[found], found_ends[found], following[found] = start, i, _NOTHING
                found += 1
            elif found > first and (word or i == start):
                following[found - 1] = _WORDS
            start = i + 1
            marks = word = False
        if found > first:
            following[found - 1] |= _LINE_END
    return found_starts[:found], found_ends[:found], following[:found]


@numba.njit(cache=True)
def _is_final(code):  # type: ignore[no-untyped-def]
    """Returns whether a code point is . ? ! " or ', all of them punctuation to Unicode."""
    return code == 46 or code == 63 or code == 33 or code == 34 or code == 39
