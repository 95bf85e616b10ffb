"""Escapes and emphasis, which hide where the words of a text begin and end."""

import numba
import numpy as np
import re2
from numpy.typing import NDArray

_BYTES = re2.Options()
_BYTES.encoding = re2.Options.Encoding.LATIN1  # what is no UTF-8 is something beside a word, too
_ANY = re2.compile(
    rb"\\[nrtux]|%[0-9A-Fa-f][0-9A-Fa-f]|(?:^|[^0-9A-Za-z_])_|_(?:[^0-9A-Za-z_]|\z)", _BYTES
)
_SPACE, _PERCENT, _BACKSLASH, _UNDERSCORE, _N, _R, _T, _U, _X = b" %\\_nrtux"


def without_escapes(data: bytes) -> bytes:
    r"""Returns a text in which no escape and no emphasis touches a word; offsets stay.

    The escapes \n, \r, \t, \xXX, \uXXXX and %XX become spaces and, last, the character that they
    stand for if it is in ASCII; those of letters and digits stay. Underscores become spaces unless
    they have a letter or digit of ASCII on both sides, as in a name.
    """
    if not ((b"_" in data or b"%" in data or b"\\" in data) and _ANY.search(data)):
        return data
    return _without_escapes(np.frombuffer(data, np.uint8)).tobytes()


@numba.njit(cache=True)
def _without_escapes(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    plain = data.copy()
    i = 0
    while i < len(data):
        if data[i] == _UNDERSCORE:
            end = i + 1
            while end < len(data) and data[end] == _UNDERSCORE:
                end += 1
            if i == 0 or end == len(data) or not (_is_word(plain[i - 1]) and _is_word(data[end])):
                plain[i:end] = _SPACE
            i = end
            continue
        length, value = _escape(data, i)
        if value >= 0 and not _is_word(value):
            plain[i : i + length] = _SPACE
            if value < 128:
                plain[i + length - 1] = value
        i += length
    return plain


@numba.njit(cache=True)
def _escape(data: NDArray[np.uint8], i: int) -> tuple[int, int]:
    """Returns the length of the escape at i and its character; 1 and -1 if there is none."""
    length, value = 1, -1
    if data[i] == _PERCENT:
        length, value = 3, _value(data, i + 1, 2)
    elif data[i] == _BACKSLASH and i + 1 < len(data):
        letter = data[i + 1]
        if letter == _N:
            length, value = 2, 10
        elif letter == _R:
            length, value = 2, 13
        elif letter == _T:
            length, value = 2, 9
        elif letter == _U:
            length, value = 6, _value(data, i + 2, 4)
        elif letter == _X:
            length, value = 4, _value(data, i + 2, 2)
    return (length, value) if value >= 0 else (1, -1)


@numba.njit(cache=True)
def _is_word(byte: int) -> bool:
    return 48 <= byte < 58 or 65 <= byte < 91 or 97 <= byte < 123


@numba.njit(cache=True)
def _value(data: NDArray[np.uint8], start: int, digits: int) -> int:
    """Returns the value of hexadecimal digits, or -1 where there are fewer of them."""
    if start + digits > len(data):
        return -1
    value = 0
    for byte in data[start : start + digits]:
        if not _is_word(byte) or (byte | 32) > 102:
            return -1
        value = value * 16 + (byte - 48 if byte < 58 else (byte | 32) - 87)
    return value
