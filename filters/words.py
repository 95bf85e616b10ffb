"""Splitting text into words.

Every splitter is a function from a text to its words, in order, none of them empty and none
with white space inside; `SPLITTERS` names them for the recipe. Another one (spaCy's rules, for
decisions equal to datatrove's) is a function and a line in that table.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

# What a code point does to the split; see `split_unicode`.
_PLAIN, _ALONE, _RUN, _MARK = range(4)

# Scripts that put no spaces between words, by code point. Their digits are left plain.
_ALONE_RANGES = (
    (0x0E01, 0x0E30), (0x0E32, 0x0E32), (0x0E40, 0x0E46), (0x0E4F, 0x0E4F),  # Thai
    (0x0E81, 0x0EB0), (0x0EB2, 0x0EB2), (0x0EBD, 0x0EC6), (0x0EDC, 0x0EDF),  # Lao
    (0x0F0B, 0x0F0D),  # Tibetan marks between syllables
    (0x1000, 0x102A), (0x103F, 0x103F), (0x104A, 0x1055), (0x105A, 0x105D),  # Myanmar
    (0x1061, 0x1061), (0x1065, 0x1066), (0x106E, 0x1070), (0x1075, 0x1081), (0x108E, 0x108E),
    (0xA9E0, 0xA9E4), (0xA9E7, 0xA9EF), (0xA9FA, 0xA9FE), (0xAA60, 0xAA7A), (0xAA7E, 0xAA7F),
    (0x1780, 0x17B3), (0x17D4, 0x17DC),  # Khmer
    (0x1950, 0x19AF), (0x1A20, 0x1A54), (0xAA80, 0xAAAF),  # Tai Le, New Tai Lue, Tham, Viet
    (0x3001, 0x3029), (0x3030, 0x3096), (0x309D, 0x309F),  # Han, Hiragana
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x1B100, 0x1B122), (0x20000, 0x3FFFD),
    (0xFF01, 0xFF0F), (0xFF1A, 0xFF20), (0xFF3B, 0xFF40), (0xFF5B, 0xFF65),  # full-width marks
)  # fmt: skip
_RUN_RANGES = ((0x30A1, 0x30FA), (0x30FC, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F))  # Katakana
_MARK_RANGES = (
    (0x0300, 0x036F), (0x0E31, 0x0E31), (0x0E33, 0x0E3A), (0x0E47, 0x0E4E),
    (0x0EB1, 0x0EB1), (0x0EB3, 0x0EBC), (0x0EC8, 0x0ECE), (0x102B, 0x103E), (0x1056, 0x1059),
    (0x105E, 0x1060), (0x1062, 0x1064), (0x1067, 0x106D), (0x1071, 0x1074), (0x1082, 0x108D),
    (0x108F, 0x108F), (0x109A, 0x109D), (0xA9E5, 0xA9E5), (0xAA7B, 0xAA7D), (0x17B4, 0x17D3),
    (0x17DD, 0x17DD), (0x19B0, 0x19C9), (0x1A55, 0x1A7F), (0xAAB0, 0xAADF), (0x200C, 0x200D),
    (0x302A, 0x302F), (0x3099, 0x309C), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF),
)  # fmt: skip


@cache
def _classes() -> NDArray[np.uint8]:
    """Returns uint8[0x110000], the class of every code point."""
    table = np.full(0x110000, _PLAIN, dtype=np.uint8)
    for kind, ranges in ((_ALONE, _ALONE_RANGES), (_RUN, _RUN_RANGES), (_MARK, _MARK_RANGES)):
        for first, last in ranges:
            table[first : last + 1] = kind
    return table


def split_unicode(text: str) -> list[str]:
    """Splits at white space, and inside scripts that are written without spaces.

    A word is a longest stretch without white space (as `str.split` sees it), so punctuation
    stays with its word: "don't stop, now." has three words. Inside such a stretch the scripts
    without spaces follow the default rules of Unicode's text segmentation (UAX 29), which need
    no dictionary: a Han or Hiragana character, a Thai, Lao, Khmer, Myanmar or Tai letter with
    the marks that belong to it, and a mark of full-width punctuation is a word each; Katakana
    and all other text stays together. Such words are shorter than what a dictionary would give,
    so thresholds on word length need values of their own for these languages.

    Linear time; text in alphabets costs little more than `str.split`.
    """
    if text.isascii():
        return text.split()
    lead = np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)
    # Of the characters that take three or four bytes, those behind 0xE2 are typographic marks
    # and symbols, frequent in all scripts; the scripts without spaces are behind the others.
    if not ((lead >= 0xE0) & (lead != 0xE2)).any():
        return text.split()
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    classes = _classes()[codes]
    if not ((classes == _ALONE) | (classes == _RUN)).any():
        return text.split()
    marks = classes == _MARK
    if marks.any():
        # A mark is of the class of the character that carries it; the text may begin with one.
        carriers = np.maximum.accumulate(np.where(marks, 0, np.arange(len(classes))))
        classes = classes[carriers]
        classes[classes == _MARK] = _PLAIN
    starts = (classes[1:] != classes[:-1]) | (classes[1:] == _ALONE)
    starts &= ~marks[1:]
    spaced = np.insert(codes, np.flatnonzero(starts) + 1, ord(" "))
    return spaced.tobytes().decode("utf-32-le", "surrogatepass").split()


SPLITTERS: dict[str, Callable[[str], list[str]]] = {"unicode": split_unicode}
"""Splitters by the name a recipe uses."""
