"""Shingles of a text, n-grams of its words or characters, as 64-bit hashes.

**Words.** `normalise` defines them. Upper case becomes lower case, one character for one character.
Letters, digits and combining marks make words, everything else separates them. Chinese characters,
kana and the letters of Thai, Lao, Khmer and Myanmar are words of their own, because these scripts
put no spaces between words: a whole sentence would be one word, and one changed character would
change every shingle. A combining mark stays with the character before it.

**Characters** are those of the normalised text: its words with one space between them. So in this
unit, too, case, punctuation and spacing change nothing. Between two Chinese characters is a space.

Which characters are letters is Python's Unicode database's answer (`unicodedata.unidata_version`),
so a new Python can hash newly assigned characters differently.

**Hashes**, all in arithmetic modulo 2**64:

* A word's hash is FNV-1a over its code points c, ``h = (h ^ c) * 0x100000001b3`` from
  ``h = 0xcbf29ce484222325``, then the 64-bit finaliser of MurmurHash3 (`mix`).
* A character's hash is that of a word of this one character.
* A shingle's hash of the hashes w1 ... wn of its words or characters is
  ``mix(w1 * M**(n-1) + ... + wn)`` for ``M = 0x9e3779b97f4a7c15``. A sum of this form rolls: one
  multiplication drops the first word and takes in the next, so that the cost does not depend on n.
  M is odd, so two shingles that differ in one word never collide unless the two words do.

FNV: Fowler, Noll and Vo, http://www.isthe.com/chongo/tech/comp/fnv/. MurmurHash3: Appleby,
https://github.com/aappleby/smhasher/wiki/MurmurHash3. M is 2**64 divided by the golden ratio
(Knuth, The Art of Computer Programming 3, 6.4). Not keyed: whoever wants two texts to collide can
make it so, which only costs them their own text.
"""

import unicodedata
from functools import cache
from re import finditer

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dedup.arrays import frozen
from dedup.distinct import sorted_distinct

FNV_BASIS = 0xCBF29CE484222325
FNV_PRIME = 0x100000001B3
MULTIPLIER = 0x9E3779B97F4A7C15
UNITS = ("words", "characters")

# Scripts that put no spaces between words: first and last code point of their blocks.
UNSPACED_BLOCKS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # Chinese iteration mark and zero
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),  # Katakana extension
    (0x3400, 0x4DBF),  # Chinese characters, extension A
    (0x4E00, 0x9FFF),  # Chinese characters
    (0xA9E0, 0xA9FF),  # Myanmar extension B
    (0xAA60, 0xAA7F),  # Myanmar extension A
    (0xF900, 0xFAFF),  # Chinese compatibility characters
    (0xFF66, 0xFF9F),  # half-width Katakana
    (0x1AFF0, 0x1B16F),  # historic kana
    (0x20000, 0x3FFFF),  # Chinese characters, extensions B and later
)

# Kinds of character. The kernel's table holds the kind above the 21 bits of a code point.
SEPARATOR, LETTER, MARK, UNSPACED = range(4)
_KIND_SHIFT = 21
_CODE = np.uint32((1 << _KIND_SHIFT) - 1)
_SPACE = np.uint32(0x20)
_CODE_POINT = np.dtype("<u4")
_CODE_POINTS = 0x110000
# Letters and digits have code points below this (a test looks at all of them); looking further
# would make the table three times as slow. Marks exist above it, but only in one block.
_LETTERS_END = 0x40000
_MARK_RANGES = (range(0x20000), range(0xE0000, 0xE0200))

_BASIS = np.uint64(FNV_BASIS)
_PRIME = np.uint64(FNV_PRIME)
_MULTIPLIER = np.uint64(MULTIPLIER)


def character_kind(character: str) -> int:
    """Returns SEPARATOR, LETTER (also digits), MARK or UNSPACED."""
    if character.isalnum():
        code = ord(character)
        unspaced = any(first <= code <= last for first, last in UNSPACED_BLOCKS)
        return UNSPACED if unspaced else LETTER
    return MARK if unicodedata.category(character).startswith("M") else SEPARATOR


def words(text: str) -> list[str]:
    """Returns the words of `text` in lower case. The definition; the kernel follows it.

    Lone surrogates separate words, as every unassigned code point does.
    """
    found: list[str] = []
    previous = SEPARATOR  # UNSPACED also within the marks that follow an unspaced character
    for character in text:
        kind = character_kind(character)
        if kind == SEPARATOR:
            previous = SEPARATOR
            continue
        # "İ" alone has a lower case of two characters; the first is its simple mapping.
        lower = character.lower()[0]
        starts = kind == UNSPACED or previous == SEPARATOR or (kind == LETTER != previous)
        if starts:
            found.append(lower)
            previous = UNSPACED if kind == UNSPACED else LETTER
        else:
            found[-1] += lower
    return found


def normalise(text: str) -> str:
    """Returns the words of `text`, in lower case, with single spaces between them."""
    return " ".join(words(text))


def normalised_codes(text: str) -> NDArray[np.uint32]:
    """Returns the code points of ``normalise(text)``, by a kernel."""
    return _normalise(_codes(text), _character_table())  # type: ignore[no-any-return]


def shingle_hashes(text: str, n: int, unit: str = "words") -> NDArray[np.uint64]:
    """Returns the sorted, distinct hashes of the shingles of `n` words or characters of `text`.

    A text of fewer than `n` has one shingle, all its words or characters; one without words has
    none.

    Args:
        text: any text.
        n: words or characters in a shingle.
        unit: one of `UNITS`.

    Raises:
        ValueError: `n` is less than 1, or there is no such unit.
    """
    return sorted_distinct(shingle_sequence(text, n, unit))


def shingle_sequence(text: str, n: int, unit: str = "words") -> NDArray[np.uint64]:
    """Returns the hashes of the shingles of `text` in their order, repeated ones too.

    Arguments and errors are those of `shingle_hashes`, which makes a sorted set of them.
    """
    if n < 1:
        raise ValueError(f"a shingle has at least 1 of its units, not {n}")
    if unit not in UNITS:
        raise ValueError(f"shingles are of {' or '.join(UNITS)}, not {unit!r}")
    return _shingle(_codes(text), _character_table(), n, unit == "characters")  # type: ignore[no-any-return]


def reference_shingle_hashes(text: str, n: int, unit: str = "words") -> list[int]:
    """Returns what `shingle_hashes` returns, from Python integers: the definition of the hashes."""
    units = words(text) if unit == "words" else list(normalise(text))
    hashed = [_reference_word_hash(each) for each in units]
    if not hashed:
        return []
    size = min(n, len(hashed))
    shingles = set()
    for first in range(len(hashed) - size + 1):
        total = 0
        for value in hashed[first : first + size]:
            total = (total * MULTIPLIER + value) % 2**64
        shingles.add(reference_mix(total))
    return sorted(shingles)


def reference_mix(value: int) -> int:
    """Returns MurmurHash3's 64-bit finaliser of `value`, a bijection; `mix` is its kernel."""
    value ^= value >> 33
    value = value * 0xFF51AFD7ED558CCD % 2**64
    value ^= value >> 33
    value = value * 0xC4CEB9FE1A85EC53 % 2**64
    return value ^ (value >> 33)


def _reference_word_hash(word: str) -> int:
    value = FNV_BASIS
    for character in word:
        value = (value ^ ord(character)) * FNV_PRIME % 2**64
    return reference_mix(value)


def _codes(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=_CODE_POINT)


@cache
def _character_table() -> NDArray[np.uint32]:
    """Returns, for each code point, its lower case and, from bit 21, its kind; 0 for separators.

    Asking about every character takes half a second, and each worker needs the table. Instead, a
    pattern finds the runs of letters and digits (a word character is what `str.isalnum` accepts, or
    an underscore), and only blocks that `str.lower` changes are looked at character by character.
    """
    codes = np.arange(_LETTERS_END, dtype="<u4")
    characters = codes.tobytes().decode("utf-32-le", "surrogatepass")
    table = np.zeros(_CODE_POINTS, dtype=np.uint32)
    kinds = np.full(_CODE_POINTS, SEPARATOR, dtype=np.uint32)
    table[:_LETTERS_END] = codes
    for start in range(0, _LETTERS_END, 256):
        block = characters[start : start + 256]
        if block.lower() != block:
            table[start : start + 256] = [ord(character.lower()[0]) for character in block]

    for run in finditer(r"\w+", characters):
        kinds[run.start() : run.end()] = LETTER
    kinds[ord("_")] = SEPARATOR
    for first, last in UNSPACED_BLOCKS:
        block_kinds = kinds[first : last + 1]
        block_kinds[block_kinds == LETTER] = UNSPACED
    for candidates in _MARK_RANGES:
        part = kinds[candidates.start : candidates.stop]
        for code in (np.flatnonzero(part == SEPARATOR) + candidates.start).tolist():
            if unicodedata.category(chr(code)).startswith("M"):
                kinds[code] = MARK
                table[code] = code
    return frozen(np.where(kinds == SEPARATOR, 0, table | kinds << _KIND_SHIFT), np.uint32)


@njit(cache=True, nogil=True, inline="always")
def mix(value):  # type: ignore[no-untyped-def]
    """Returns MurmurHash3's 64-bit finaliser of the uint64 `value`; for kernels.

    numba's cache notices a change of a kernel's own file only: after a change here, delete the
    cached kernels of the modules that import it.
    """
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))


@njit(cache=True, nogil=True)
def _shingle(codes, table, n, of_characters):  # type: ignore[no-untyped-def]
    """Hashes the shingles of the code points uint32[m] in text order, with repetitions."""
    hashes = _hash_characters(codes, table) if of_characters else _hash_words(codes, table)
    count = hashes.size
    if count == 0:
        return hashes.copy()  # the slice would keep all its memory
    size = min(n, count)
    total = np.uint64(0)
    leaving = np.uint64(1)  # MULTIPLIER ** size: the weight of the unit that a step drops
    for index in range(size):
        total = total * _MULTIPLIER + hashes[index]
        leaving *= _MULTIPLIER
    shingles = np.empty(count - size + 1, dtype=np.uint64)
    shingles[0] = total
    for index in range(size, count):
        total = total * _MULTIPLIER + (hashes[index] - leaving * hashes[index - size])
        shingles[index - size + 1] = total
    for index in range(shingles.size):  # on its own, for many at once
        shingles[index] = mix(shingles[index])
    return shingles


@njit(cache=True, nogil=True)
def _hash_words(codes, table):  # type: ignore[no-untyped-def]
    """Hashes the words of code points as `words` finds them, uint64[words]."""
    hashes = np.empty(codes.size, dtype=np.uint64)  # pages that stay unused cost nothing
    count = 0
    value = _BASIS
    previous = SEPARATOR
    for code in codes:
        entry = table[code]
        kind = entry >> np.uint32(_KIND_SHIFT)
        if kind == SEPARATOR:
            if previous != SEPARATOR:
                hashes[count] = mix(value)
                count += 1
                value = _BASIS
                previous = SEPARATOR
            continue
        starts = kind == UNSPACED or (kind == LETTER and previous == UNSPACED)
        if starts and previous != SEPARATOR:
            hashes[count] = mix(value)
            count += 1
            value = _BASIS
        if starts or previous == SEPARATOR:
            previous = UNSPACED if kind == UNSPACED else LETTER
        value = (value ^ np.uint64(entry & _CODE)) * _PRIME
    if previous != SEPARATOR:
        hashes[count] = mix(value)
        count += 1
    return hashes[:count]


@njit(cache=True, nogil=True)
def _hash_characters(codes, table):  # type: ignore[no-untyped-def]
    """Hashes the characters of the normalised text, uint64[characters]."""
    characters = _normalise(codes, table)
    hashes = np.empty(characters.size, dtype=np.uint64)
    for index in range(characters.size):
        hashes[index] = mix((_BASIS ^ np.uint64(characters[index])) * _PRIME)
    return hashes


@njit(cache=True, nogil=True)
def _normalise(codes, table):  # type: ignore[no-untyped-def]
    """Returns the code points of the normalised text, uint32[characters]."""
    normal = np.empty(2 * codes.size, dtype=np.uint32)  # at most one space before each
    size = 0
    previous = SEPARATOR
    for code in codes:
        entry = table[code]
        kind = entry >> np.uint32(_KIND_SHIFT)
        if kind == SEPARATOR:
            previous = SEPARATOR
            continue
        starts = kind == UNSPACED or (kind == LETTER and previous == UNSPACED)
        if starts or previous == SEPARATOR:
            if size > 0:
                normal[size] = _SPACE
                size += 1
            previous = UNSPACED if kind == UNSPACED else LETTER
        normal[size] = entry & _CODE
        size += 1
    return normal[:size]
