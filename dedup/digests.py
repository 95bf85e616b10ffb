"""Digests of texts that are equal up to a normalisation."""

import hashlib

import numpy as np
from numba import njit

from dedup.shingles import normalise, normalised_codes

DIGEST_BYTES = 16
NORMALISATIONS = ("bytes", "spaces", "words")


def exact_digest(text: str, normalisation: str = "spaces") -> bytes:
    """Returns 16 bytes of BLAKE2b of the UTF-8 of a normalised text.

    Texts with one digest have the same words, and so the same shingles, whatever the normalisation:

    * ``bytes``: the text as it is.
    * ``spaces``: each run of whitespace is one space; whitespace is `str.split`'s, and that at both
      ends does not count. Case and punctuation do.
    * ``words``: only words count, as `dedup.shingles.normalise` writes them. A text without any
      word, such as a row of stars, has its digest of ``spaces``, so that it equals not every other
      one without words.

    Raises:
        ValueError: there is no such normalisation.
    """
    if normalisation not in NORMALISATIONS:
        raise ValueError(f"a normalisation is one of {', '.join(NORMALISATIONS)}: {normalisation}")
    if normalisation == "words" and (codes := normalised_codes(text)).size:
        return _digest(str(codes.data, "utf-32-le").encode())
    encoded = text.encode("utf-8", "surrogatepass")
    if normalisation == "bytes":
        return _digest(encoded)
    return _digest(_collapse_spaces(np.frombuffer(encoded, dtype=np.uint8)).data)


def reference_exact_digest(text: str, normalisation: str = "spaces") -> bytes:
    """Returns what `exact_digest` returns, in a few lines of Python: its definition."""
    if normalisation == "spaces":
        text = " ".join(text.split())
    elif normalisation == "words":
        text = normalise(text) or " ".join(text.split())
    return _digest(text.encode("utf-8", "surrogatepass"))


def _digest(data: bytes | memoryview) -> bytes:
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).digest()


@njit(cache=True, nogil=True)
def _collapse_spaces(encoded):  # type: ignore[no-untyped-def]
    """Returns the UTF-8 of ``" ".join(text.split())`` for the UTF-8 of a text, uint8[m]."""
    collapsed = np.empty(encoded.size, dtype=np.uint8)
    size = 0
    index = 0
    pending = False  # whitespace was read that becomes one space if more text follows
    while index < encoded.size:
        width = _space_width(encoded, index)
        if width:
            pending = size > 0
            index += width
            continue
        if pending:
            collapsed[size] = 0x20
            size += 1
            pending = False
        collapsed[size] = encoded[index]
        size += 1
        index += 1
    return collapsed[:size]


@njit(cache=True, nogil=True, inline="always")
def _space_width(encoded, index):  # type: ignore[no-untyped-def]
    """Returns how many bytes the whitespace character at `index` has, 0 if it is none.

    The encoding is valid, so the bytes that follow a lead byte are there.
    """
    byte = encoded[index]
    if byte < 0x80:
        return 1 if byte == 0x20 or 0x09 <= byte <= 0x0D or 0x1C <= byte <= 0x1F else 0
    if byte < 0xC2 or byte > 0xE3:
        return 0
    second = encoded[index + 1]
    if byte == 0xC2:  # U+0085, U+00A0
        return 2 if second == 0x85 or second == 0xA0 else 0
    if byte < 0xE1:
        return 0
    third = encoded[index + 2]
    if byte == 0xE1:  # U+1680
        return 3 if second == 0x9A and third == 0x80 else 0
    if byte == 0xE3:  # U+3000
        return 3 if second == 0x80 and third == 0x80 else 0
    if second == 0x80:  # U+2000 to U+200A, U+2028, U+2029, U+202F
        return 3 if third <= 0x8A or third == 0xA8 or third == 0xA9 or third == 0xAF else 0
    return 3 if second == 0x81 and third == 0x9F else 0  # U+205F
