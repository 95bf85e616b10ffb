"""One scan over the bytes of a text for the windows in which personal data may be."""

from functools import cache

import numba
import numpy as np
from numpy.typing import NDArray

from filters.compiled.numbers import (
    DIGIT,
    IN_HEX,
    IN_TOKEN,
    LOWER,
    SEPARATOR,
    TRIGGER,
    UPPER,
    Bytes,
    read_dotted,
    read_hex,
    read_number,
    read_run,
    separator,
)

KINDS = (
    *("number", "long", "card", "ssn", "dotted", "code", "iban", "mac", "colons"),
    *("decimal", "token", "login", "address"),
)
"""The kinds of windows:

number: digits with single or several separators between them (space, no-break spaces, hyphens,
    dots, slashes, brackets, plus signs), at least 7 digits, or 4 and three dots.
long: a number that has a run of at least 9 digits, a run being as much of it as has single
    separators.
card: a run in which 12 to 19 digits in whole groups, the first of at least 4, have the check
    digit of ISO/IEC 7812-1.
ssn: a run with a group of 9 digits or groups of 3, 2 and 4, the first digit not 9.
dotted: four numbers up to 255 with dots between and neither letter, digit nor dot in front.
code: words of capital letters or with digits in them, one separator between two; at least 4 digits
    and a capital letter, or 17 digits and a letter.
iban: the same words if one of them begins with two letters and two digits and 15 bytes are left.
mac: hexadecimal digits with at least five colons or two dots; a token with five hyphens.
colons: hexadecimal digits and colons, perhaps dots, up to 47 bytes, with two colons in a row or
    at least seven, if they can be an IP address in use: with two in a row, the first group is
    empty or 0 (of 14 bytes at least, as ::ffff:8.8.8.8, unless private ones count) or has four
    digits and begins with 2 or 3, of private ones with f.
decimal: a number that has four or more digits after a point, unless it follows another number in
    a list; or a degree sign and a number of minutes behind it.
token: letters, digits, hyphens and underscores without a gap, at least 16 of them with a digit
    and a letter or with two capital letters; and "-----BEGIN ".
login: what has an at-sign behind ://, and no white space.
address: what has an at-sign, or %40, and no white space (but for a quoted string in front), with
    something in front of the at-sign and behind it a dot between a character and two letters.
"""
_NUMBER, _LONG, _CARD, _SSN, _DOTTED, _CODE, _IBAN, _MAC, _COLONS = range(9)
_DECIMAL, _TOKEN, _LOGIN, _ADDRESS = range(9, len(KINDS))

_LETTER = UPPER | LOWER
_ALNUM = DIGIT | _LETTER
_MIN_NUMBER_DIGITS, _MIN_RUN_DIGITS, _MIN_CODE_DIGITS, _MIN_TOKEN = 7, 9, 4, 16
_MIN_IBAN = 15
_MAX_CAPITALS = 6  # letters in a word without digits that is part of a code
_MAX_QUOTED = 70
_PRIVATE_KEY = b"-----BEGIN "  # to its space: more than the token that it may end
_SPACE, _QUOTE, _PERCENT, _AT_SIGN, _COLON, _DOT, _PLUS, _BRACKET, _SLASH, _HYPHEN = b' "%@:.+(/-'

Flags = NDArray[np.bool_]


def windows(data: bytes, private: bool = True) -> tuple[dict[str, list[tuple[int, int]]], bool]:
    """Returns the windows of each kind, and whether there are digits of other scripts.

    Windows of a kind are in order.

    Args:
        data: The text.
        private: Whether IP addresses of private networks count.
    """
    found, other_digits = _scan(np.frombuffer(data, np.uint8), private, _classes(), _decimals())
    by_kind: dict[str, list[tuple[int, int]]] = {kind: [] for kind in KINDS}
    for kind, first, last in zip(*found.T.tolist(), strict=True):  # by columns: far less garbage
        by_kind[KINDS[kind]].append((first, last))
    start = data.find(_PRIVATE_KEY)
    while start >= 0:
        by_kind["token"].append((start, start + len(_PRIVATE_KEY)))
        start = data.find(_PRIVATE_KEY, start + 1)
    by_kind["token"].sort()
    by_kind["mac"].sort()  # tokens come first, then what has colons
    return by_kind, bool(other_digits)


@cache
def _classes() -> Bytes:
    table = np.zeros(256, np.uint8)
    table[48:58] = DIGIT | IN_TOKEN | TRIGGER
    table[65:91] = UPPER | IN_TOKEN
    table[97:123] = LOWER | IN_TOKEN
    table[list(b"0123456789ABCDEFabcdef:.")] |= IN_HEX
    table[list(b"-_")] = IN_TOKEN
    table[list(b" ().-/+")] |= SEPARATOR
    table[list(b":.@%")] |= TRIGGER
    leads = {chr(code).encode()[0] for code in np.flatnonzero(_decimals())}
    table[list(leads)] |= TRIGGER
    return table


@cache
def _decimals() -> Flags:
    """Returns which characters beyond ASCII are decimal digits; Unicode has none further up."""
    return np.array([code > 0x7F and chr(code).isdecimal() for code in range(0x20000)])


@numba.njit(cache=True)
def _in_number(
    data: Bytes, i: int, last: int, classes: Bytes, found: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], int]:
    """Adds the windows within a number."""
    first, is_long, run_end, dotted_end = i, False, i, i
    while i < last:
        found = _room(found, count)
        if i >= run_end:
            run_end, digits, may_be_card, may_be_ssn = read_run(data, i, last, classes)
            is_long |= digits >= _MIN_RUN_DIGITS
            if may_be_card:
                found[count] = _CARD, i, run_end
                count += 1
            if may_be_ssn:
                found[count] = _SSN, i, run_end
                count += 1
        if i >= dotted_end:
            dotted_end, is_address = read_dotted(data, i, last, classes)
            before = data[i - 1] if i else _SPACE
            if is_address and before != _DOT and not classes[before] & _ALNUM:
                found[count] = _DOTTED, i, dotted_end
                count += 1
        i = dotted_end
        while i < last and not classes[data[i]] & DIGIT:
            i += 1
    if is_long:
        found = _room(found, count)
        found[count] = _LONG, first, last
        count += 1
    return found, count


@numba.njit(cache=True)
def _code_word_start(data: Bytes, end: int, stop: int, classes: Bytes) -> int:
    """Returns where the word that ends at `end` begins if it may be part of a code; or `end`."""
    i, plain = end, True
    while i > stop and classes[data[i - 1]] & _ALNUM:
        i -= 1
        plain &= classes[data[i]] & UPPER != 0
    return i if plain and end - i <= _MAX_CAPITALS else end


@numba.njit(cache=True)
def _code(data: Bytes, i: int, stop: int, classes: Bytes) -> tuple[int, int, int, bool, bool]:
    """Returns start, end, digits of the code around the digit at i; if it has letters, capitals."""
    start = i
    while start > stop and classes[data[start - 1]] & _ALNUM:
        start -= 1
    for _ in range(3):  # capital letters in front
        gap = 0
        if start > stop and separator(data, start - 1, classes) == 1:
            gap = 1
        elif start > stop + 1 and separator(data, start - 2, classes) == 2:
            gap = 2
        if not gap:
            break
        before = _code_word_start(data, start - gap, stop, classes)
        if before == start - gap:
            break
        start = before
    digits, letters, capitals = 0, False, False
    i = end = start
    while True:
        word, some_digits, some_lower = i, 0, 0
        while i < len(data) and classes[data[i]] & _ALNUM:
            some_digits += classes[data[i]] & DIGIT
            some_lower += (classes[data[i]] & LOWER) != 0
            i += 1
        if i == word or (not some_digits and (some_lower or i - word > _MAX_CAPITALS)):
            break
        digits += some_digits
        letters |= some_digits < i - word
        capitals |= some_digits + some_lower < i - word
        end = i
        gap = separator(data, i, classes) if i < len(data) else 0
        if not gap:
            break
        i += gap
    return start, end, digits, letters, capitals


@numba.njit(cache=True)
def _may_hold_iban(data: Bytes, start: int, end: int, classes: Bytes) -> bool:
    """Returns whether a word begins with two letters and two digits, well before the end."""
    for i in range(start, end - _MIN_IBAN + 1):
        if (
            classes[data[i]] & _LETTER
            and classes[data[i + 1]] & _LETTER
            and classes[data[i + 2]] & classes[data[i + 3]] & DIGIT
            and (i == start or not classes[data[i - 1]] & _ALNUM)
        ):
            return True
    return False


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
def _around_at(data: Bytes, i: int, stop: int, classes: Bytes) -> tuple[int, int, bool, bool]:
    """Returns start and end of what has no white space around the at-sign at i, and what it is.

    That is whether it may be a login and an address. A quoted string in front is part of it, also
    where it begins in the window before.
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
    while end < len(data) and data[end] > _SPACE:
        end += 1
    has_local, has_domain, behind_slashes, is_login = start < i, False, False, False
    for j in range(start, end):
        byte = data[j]
        if byte in (_AT_SIGN, _PERCENT):
            has_local |= j > i
            is_login |= behind_slashes and byte == _AT_SIGN
        elif byte == _COLON:
            behind_slashes |= j + 2 < end and data[j + 1] == data[j + 2] == _SLASH
        elif byte == _DOT and i + 1 < j < end - 2:
            has_domain |= (
                _may_be(data[j - 1], _ALNUM, classes)
                and _may_be(data[j + 1], _LETTER, classes)
                and _may_be(data[j + 2], _LETTER, classes)
            )
    return start, end, is_login, has_local and has_domain


@numba.njit(cache=True)
def _may_be(byte: int, wanted: int, classes: Bytes) -> bool:
    """Returns whether a byte is of some class or part of a character beyond ASCII."""
    return bool(byte > 0x7F or classes[byte] & wanted)


@numba.njit(cache=True)
def _token(data: Bytes, i: int, stop: int, classes: Bytes) -> tuple[int, int, bool, bool]:
    """Returns start and end of the token around i, whether it may be a secret and a MAC."""
    start = end = i
    while start > stop and classes[data[start - 1]] & IN_TOKEN:
        start -= 1
    while end < len(data) and classes[data[end]] & IN_TOKEN:
        end += 1
    if end - start < _MIN_TOKEN:
        return start, end, False, False
    upper = lower = digits = hyphens = 0
    for j in range(start, end):
        digits += (classes[data[j]] & DIGIT) != 0
        upper += (classes[data[j]] & UPPER) != 0
        lower += (classes[data[j]] & LOWER) != 0
        hyphens += data[j] == _HYPHEN
    is_secret = upper > 1 or (digits > 0 and upper + lower > 0)
    return start, end, is_secret, digits > 0 and hyphens >= 5


@numba.njit(cache=True)
def _scan(
    data: Bytes, private: bool, classes: Bytes, decimals: Flags
) -> tuple[NDArray[np.int64], bool]:
    size = len(data)
    found = np.empty((64, 3), np.int64)
    count = 0
    other_digits = False
    number_end = code_end = hex_end = at_end = token_end = 0
    for i in range(0, size, _MIN_TOKEN):  # every token has a byte at one of these
        if i >= token_end and classes[data[i]] & IN_TOKEN:
            start, token_end, is_secret, is_mac = _token(data, i, token_end, classes)
            found = _room(found, count)
            if is_secret:
                found[count] = _TOKEN, start, token_end
                count += 1
            if is_mac:
                found[count] = _MAC, start, token_end
                count += 1
    for i in range(size):
        of = classes[data[i]]
        if not of & TRIGGER:
            continue
        found = _room(found, count)
        byte = data[i]
        if of & DIGIT:
            if i >= number_end:
                number_end, digits, dots, precise = read_number(data, i, classes)
                if digits >= _MIN_NUMBER_DIGITS or (dots >= 3 and digits >= 4):
                    first = i - (i > 0 and (data[i - 1] == _PLUS or data[i - 1] == _BRACKET))
                    first -= first > 0 and data[first] == _PLUS and data[first - 1] == _BRACKET
                    found[count] = _NUMBER, first, number_end
                    count += 1
                    found, count = _in_number(data, i, number_end, classes, found, count)
                    found = _room(found, count)
                if precise:
                    found[count] = _DECIMAL, i, number_end
                    count += 1
            if i >= code_end:
                start, end, digits, letters, capitals = _code(data, i, code_end, classes)
                code_end = max(end, i + 1)
                if digits >= _MIN_CODE_DIGITS and (capitals or (letters and digits >= 17)):
                    found[count] = _CODE, start, end
                    count += 1
                if digits >= _MIN_CODE_DIGITS and _may_hold_iban(data, start, end, classes):
                    found[count] = _IBAN, start, end
                    count += 1
        elif byte in (_COLON, _DOT):
            if i >= hex_end:
                start, end, is_mac, is_address = read_hex(data, i, hex_end, private, classes)
                hex_end = max(end, i + 1)
                if is_mac:
                    found[count] = _MAC, start, end
                    count += 1
                if is_address:
                    found[count] = _COLONS, start, end
                    count += 1
        elif byte in (_AT_SIGN, _PERCENT):
            if i >= at_end and (
                byte == _AT_SIGN
                or (i + 2 < size and data[i + 1] == 52 and data[i + 2] == 48)  # %40
            ):
                start, at_end, is_login, is_address = _around_at(data, i, at_end, classes)
                if is_login:
                    found[count] = _LOGIN, start, at_end
                    count += 1
                if is_address:
                    found[count] = _ADDRESS, start, at_end
                    count += 1
        elif not other_digits:
            other_digits = _other_digit(data, i, decimals)
    return found[:count], other_digits


@numba.njit(cache=True)
def _room(found: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Returns an array with room for more windows."""
    if count + 8 <= len(found):
        return found
    longer = np.empty((2 * len(found), 3), np.int64)
    longer[:count] = found[:count]
    return longer
