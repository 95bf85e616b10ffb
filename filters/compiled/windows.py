"""One scan over the bytes of a text for the windows in which personal data may be."""

from functools import cache

import numba
import numpy as np
from numpy.typing import NDArray

KINDS = ("number", "code", "hex", "decimal", "token", "at")
"""The kinds of windows:

number: digits with single or several separators between them (space, no-break spaces, hyphens,
    dots, slashes, brackets, plus signs), at least 7 digits, or 4 and three dots.
code: words of capital letters or with digits in them, one separator between two; at least 4 digits
    and a letter.
hex: hexadecimal digits with at least two colons, or with dots.
decimal: a number that has four or more digits after a point, unless it follows another number in
    a list; or a degree sign and a number of minutes behind it.
token: letters, digits, hyphens and underscores without a gap, at least 16 of them with a digit or
    two capital letters; and "-----BEGIN".
at: what has an at-sign, or %40, and no white space (but for a quoted string in front), with
    something in front of the at-sign and a dot or a colon.
"""
_NUMBER, _CODE, _HEX, _DECIMAL, _TOKEN, _AT = range(len(KINDS))

_DIGIT, _UPPER, _LOWER, _IN_TOKEN, _SEPARATOR, _IN_HEX, _TRIGGER = 1, 2, 4, 8, 16, 32, 64
_LETTER = _UPPER | _LOWER
_ALNUM = _DIGIT | _LETTER
_MIN_NUMBER_DIGITS, _MIN_CODE_DIGITS, _MIN_TOKEN, _MIN_HEX_WITH_DOTS = 7, 4, 16, 14
_MAX_CAPITALS = 6  # letters in a word without digits that is part of a code
_MAX_QUOTED = 70
_MAX_LIST_GAP = 4
_PRIVATE_KEY = b"-----BEGIN"
_SPACE, _QUOTE, _PERCENT, _AT_SIGN, _COLON, _DOT, _PLUS, _BRACKET, _COMMA = b' "%@:.+(,'

Bytes = NDArray[np.uint8]
Flags = NDArray[np.bool_]


def windows(data: bytes) -> tuple[dict[str, list[tuple[int, int]]], bool]:
    """Returns the windows of each kind, and whether there are digits of other scripts.

    Windows of a kind are in order.
    """
    found, other_digits = _scan(np.frombuffer(data, np.uint8), _classes(), _decimals())
    by_kind: dict[str, list[tuple[int, int]]] = {kind: [] for kind in KINDS}
    for kind, first, last in found.tolist():
        by_kind[KINDS[kind]].append((first, last))
    start = data.find(_PRIVATE_KEY)
    while start >= 0:
        by_kind["token"].append((start, start + len(_PRIVATE_KEY)))
        start = data.find(_PRIVATE_KEY, start + 1)
    by_kind["token"].sort()
    return by_kind, bool(other_digits)


@cache
def _classes() -> Bytes:
    table = np.zeros(256, np.uint8)
    table[48:58] = _DIGIT | _IN_TOKEN | _TRIGGER
    table[65:91] = _UPPER | _IN_TOKEN
    table[97:123] = _LOWER | _IN_TOKEN
    table[list(b"0123456789ABCDEFabcdef:.")] |= _IN_HEX
    table[list(b"-_")] = _IN_TOKEN
    table[list(b" ().-/+")] |= _SEPARATOR
    table[list(b":.@%")] |= _TRIGGER
    leads = {chr(code).encode()[0] for code in np.flatnonzero(_decimals())}
    table[list(leads)] |= _TRIGGER
    return table


@cache
def _decimals() -> Flags:
    """Returns which characters beyond ASCII are decimal digits; Unicode has none further up."""
    return np.array([code > 0x7F and chr(code).isdecimal() for code in range(0x20000)])


@numba.njit(cache=True)
def _separator(data: Bytes, i: int, classes: Bytes) -> int:
    """Returns how many bytes the separator at i has; 0 if there is none."""
    if classes[data[i]] & _SEPARATOR:
        return 1
    if data[i] == 0xC2 and i + 1 < len(data) and data[i + 1] == 0xA0:
        return 2
    if data[i] == 0xE2 and i + 2 < len(data) and data[i + 1] == 0x80:
        last = data[i + 2]
        if 0x90 <= last <= 0x93 or last == 0xAF:
            return 3
    return 0


@numba.njit(cache=True)
def _number_end(data: Bytes, i: int, classes: Bytes) -> tuple[int, int, int, bool]:
    """Returns where the number at i ends, its digits, its dots, and whether it is precise."""
    start, digits, dots, end, decimals, precise = i, 0, 0, i, -1, False
    while i < len(data):
        if classes[data[i]] & _DIGIT:
            digits += 1
            i += 1
            end = i
            if decimals >= 0:
                decimals += 1
                precise |= decimals >= 4
            continue
        length = _separator(data, i, classes)
        if not length:
            break
        dots += data[i] == _DOT
        decimals = 0 if data[i] == _DOT and i == end and decimals < 0 else -1  # no date
        i += length
    if precise and dots == 1 and digits + dots == end - start:
        precise = not _in_list(data, start, classes)
    return end, digits, dots, precise or _minutes_follow(data, end, classes)


@numba.njit(cache=True)
def _in_list(data: Bytes, start: int, classes: Bytes) -> bool:
    """Returns whether another number stands before the one at `start`: spaces, commas between."""
    i = start
    while i > max(0, start - _MAX_LIST_GAP) and (data[i - 1] == _SPACE or data[i - 1] == _COMMA):
        i -= 1
    return i < start and i > 0 and classes[data[i - 1]] & _DIGIT != 0


@numba.njit(cache=True)
def _minutes_follow(data: Bytes, end: int, classes: Bytes) -> bool:
    """Returns whether a degree sign stands at `end`, and behind it a number of minutes."""
    if end + 4 >= len(data) or data[end] != 0xC2 or data[end + 1] not in (0xB0, 0xBA):
        return False
    i = end + 2 + (data[end + 2] == _SPACE)
    start = i
    while i < len(data) and i < start + 2 and classes[data[i]] & _DIGIT:
        i += 1
    while i < len(data) and data[i] == _SPACE and i < start + 3:
        i += 1
    return (
        i > start
        and i + 1 < len(data)
        and (data[i] in (39, 44, 46, 0xE2) or (data[i] == 0xC2 and data[i + 1] == 0xB4))
    )  # ' , . ′ ’ ´


@numba.njit(cache=True)
def _code_word_start(data: Bytes, end: int, stop: int, classes: Bytes) -> int:
    """Returns where the word that ends at `end` begins if it may be part of a code; or `end`."""
    i, plain = end, True
    while i > stop and classes[data[i - 1]] & _ALNUM:
        i -= 1
        plain &= classes[data[i]] & _UPPER != 0
    return i if plain and end - i <= _MAX_CAPITALS else end


@numba.njit(cache=True)
def _code(data: Bytes, i: int, stop: int, classes: Bytes) -> tuple[int, int, int, int]:
    """Returns start, end, digits and letters of the code around the digit at i."""
    start = i
    while start > stop and classes[data[start - 1]] & _ALNUM:
        start -= 1
    for _ in range(3):  # capital letters in front
        gap = 0
        if start > stop and _separator(data, start - 1, classes) == 1:
            gap = 1
        elif start > stop + 1 and _separator(data, start - 2, classes) == 2:
            gap = 2
        if not gap:
            break
        before = _code_word_start(data, start - gap, stop, classes)
        if before == start - gap:
            break
        start = before
    digits = letters = 0
    i = end = start
    while True:
        word, some_digits, some_lower = i, 0, 0
        while i < len(data) and classes[data[i]] & _ALNUM:
            some_digits += classes[data[i]] & _DIGIT
            some_lower += classes[data[i]] & _LOWER
            i += 1
        if i == word or (not some_digits and (some_lower or i - word > _MAX_CAPITALS)):
            break
        digits += some_digits
        letters += i - word - some_digits
        end = i
        gap = _separator(data, i, classes) if i < len(data) else 0
        if not gap:
            break
        i += gap
    return start, end, digits, letters


@numba.njit(cache=True)
def _other_digit(data: Bytes, i: int, decimals: Flags) -> bool:
    """Returns whether the character of several bytes at i is a decimal digit."""
    lead = data[i]
    more = 3 if lead >= 0xF0 else 2 if lead >= 0xE0 else 1
    if i + more >= len(data):
        return False
    code = np.int64(lead & (0x3F >> more))
    for j in range(i + 1, i + 1 + more):
        code = code << 6 | data[j] & 0x3F
    return bool(code < len(decimals) and decimals[code])


@numba.njit(cache=True)
def _hex(data: Bytes, i: int, stop: int, classes: Bytes) -> tuple[int, int, bool]:
    """Returns start and end of the hexadecimal digits, colons and dots around i, and whether."""
    start = i
    while start > stop and classes[data[start - 1]] & _IN_HEX:
        start -= 1
    end, colons, dots, letters = start, 0, 0, 0
    while end < len(data) and classes[data[end]] & _IN_HEX:
        colons += data[end] == _COLON
        dots += data[end] == _DOT
        letters += (classes[data[end]] & _LETTER) != 0
        end += 1
    return (
        start,
        end,
        colons > 1 or (dots > 1 and letters > 0 and end - start >= _MIN_HEX_WITH_DOTS),
    )


@numba.njit(cache=True)
def _around_at(data: Bytes, i: int, stop: int) -> tuple[int, int, bool]:
    """Returns start and end of what has no white space around the at-sign at i, and whether.

    A quoted string in front is part of it, also where it begins in the window before. It counts
    if something is in front of an at-sign and there is a dot or a colon.
    """
    start, end = i, i + 1
    if i > 1 and data[i - 1] == _QUOTE:
        quote = i - 2
        while (
            quote > max(0, i - _MAX_QUOTED)
            and data[quote] != _QUOTE
            and data[quote] != _AT_SIGN
            and data[quote] != _PERCENT
        ):
            quote -= 1
        if data[quote] == _QUOTE:
            start = quote
    while start > stop and data[start - 1] > _SPACE:
        start -= 1
    has_local, has_mark = start < i, False
    for j in range(start, i):
        has_mark |= data[j] == _COLON
    while end < len(data) and data[end] > _SPACE:
        has_local |= data[end] == _AT_SIGN or data[end] == _PERCENT
        has_mark |= data[end] == _DOT or data[end] == _COLON
        end += 1
    return start, end, has_local and has_mark


@numba.njit(cache=True)
def _token(data: Bytes, i: int, stop: int, classes: Bytes) -> tuple[int, int, bool]:
    """Returns start and end of the token around i, and whether it may be a secret."""
    start = end = i
    while start > stop and classes[data[start - 1]] & _IN_TOKEN:
        start -= 1
    while end < len(data) and classes[data[end]] & _IN_TOKEN:
        end += 1
    if end - start < _MIN_TOKEN:
        return start, end, False
    upper = digits = 0
    for j in range(start, end):
        digits += (classes[data[j]] & _DIGIT) != 0
        upper += (classes[data[j]] & _UPPER) != 0
    return start, end, digits > 0 or upper > 1


@numba.njit(cache=True)
def _scan(data: Bytes, classes: Bytes, decimals: Flags) -> tuple[NDArray[np.int64], bool]:
    size = len(data)
    found = np.empty((64, 3), np.int64)
    count = 0
    other_digits = False
    number_end = code_end = hex_end = at_end = token_end = 0
    for i in range(0, size, _MIN_TOKEN):  # every token has a byte at one of these
        if i >= token_end and classes[data[i]] & _IN_TOKEN:
            start, token_end, is_secret = _token(data, i, token_end, classes)
            if is_secret:
                found = _room(found, count)
                found[count] = _TOKEN, start, token_end
                count += 1
    for i in range(size):
        of = classes[data[i]]
        if not of & _TRIGGER:
            continue
        found = _room(found, count)
        byte = data[i]
        if of & _DIGIT:
            if i >= number_end:
                number_end, digits, dots, precise = _number_end(data, i, classes)
                if digits >= _MIN_NUMBER_DIGITS or (dots >= 3 and digits >= 4):
                    first = i - (i > 0 and (data[i - 1] == _PLUS or data[i - 1] == _BRACKET))
                    first -= first > 0 and data[first] == _PLUS and data[first - 1] == _BRACKET
                    found[count] = _NUMBER, first, number_end
                    count += 1
                if precise:
                    found[count] = _DECIMAL, i, number_end
                    count += 1
            if i >= code_end:
                start, end, digits, letters = _code(data, i, code_end, classes)
                code_end = max(end, i + 1)
                if digits >= _MIN_CODE_DIGITS and letters:
                    found[count] = _CODE, start, end
                    count += 1
        elif byte in (_COLON, _DOT):
            if i >= hex_end:
                start, end, is_address = _hex(data, i, hex_end, classes)
                hex_end = max(end, i + 1)
                if is_address:
                    found[count] = _HEX, start, end
                    count += 1
        elif byte in (_AT_SIGN, _PERCENT):
            if i >= at_end and (
                byte == _AT_SIGN
                or (i + 2 < size and data[i + 1] == 52 and data[i + 2] == 48)  # %40
            ):
                start, at_end, is_address = _around_at(data, i, at_end)
                if is_address:
                    found[count] = _AT, start, at_end
                    count += 1
        elif not other_digits:
            other_digits = _other_digit(data, i, decimals)
    return found[:count], other_digits


@numba.njit(cache=True)
def _room(found: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Returns an array with room for more windows."""
    if count + 4 <= len(found):
        return found
    longer = np.empty((2 * len(found), 3), np.int64)
    longer[:count] = found[:count]
    return longer
