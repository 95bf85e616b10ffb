"""Numbers with separators in the bytes of a text: where they end, and what they may be.

Compiled parts of `filters.compiled.windows`. Numba keeps its machine code until windows.py itself
changes: after a change here, touch that file.
"""

import numba
import numpy as np
from numpy.typing import NDArray

DIGIT, UPPER, LOWER, IN_TOKEN, SEPARATOR, IN_HEX, TRIGGER = 1, 2, 4, 8, 16, 32, 64
"""Classes of bytes, as bits."""

_MIN_CARD, _MAX_CARD, _MIN_MAC, _MAX_COLONS, _MIN_MAPPED = 12, 19, 14, 47, 14
_MAX_LIST_GAP = 4
_SPACE, _DOT, _COLON, _NINE = b" .:9"

Bytes = NDArray[np.uint8]


@numba.njit(cache=True)
def separator(data: Bytes, i: int, classes: Bytes) -> int:
    """Returns how many bytes the separator at i has; 0 if there is none."""
    if classes[data[i]] & SEPARATOR:
        return 1
    if data[i] == 0xC2 and i + 1 < len(data) and data[i + 1] == 0xA0:
        return 2
    if data[i] == 0xE2 and i + 2 < len(data) and data[i + 1] == 0x80:
        last = data[i + 2]
        if 0x90 <= last <= 0x93 or last == 0xAF:
            return 3
    return 0


@numba.njit(cache=True)
def read_number(data: Bytes, i: int, classes: Bytes) -> tuple[int, int, int, bool]:
    """Returns where the number at i ends, its digits, its dots, and whether it is precise."""
    start, digits, end, decimals, precise = i, 0, i, -1, False
    dots = dots_so_far = 0
    while i < len(data):
        if classes[data[i]] & DIGIT:
            digits += 1
            dots = dots_so_far
            i += 1
            end = i
            if decimals >= 0:
                decimals += 1
                precise |= decimals >= 4
            continue
        length = separator(data, i, classes)
        if not length:
            break
        dots_so_far += data[i] == _DOT
        decimals = 0 if data[i] == _DOT and i == end and decimals < 0 else -1  # no date
        i += length
    if precise and dots == 1 and digits + dots == end - start:
        precise = not _in_list(data, start, classes)
    return end, digits, dots, precise or _minutes_follow(data, end, classes)


@numba.njit(cache=True)
def read_run(data: Bytes, i: int, last: int, classes: Bytes) -> tuple[int, int, bool, bool]:
    """Returns where the run at i ends, its digits, whether it may hold a card and an SSN."""
    start, digits, size, before, may_be_ssn = i, 0, 0, 0, False
    while True:
        before, previous, group = size, before, i
        while i < last and classes[data[i]] & DIGIT:
            i += 1
        size = i - group
        digits += size
        may_be_ssn |= size == 9 and data[group] != _NINE
        may_be_ssn |= size == 4 and before == 2 and previous == 3
        gap = separator(data, i, classes) if i < last else 0
        if not gap or not classes[data[i + gap]] & DIGIT:
            break
        i += gap
    may_be_card = digits >= _MIN_CARD and _may_hold_card(data, start, i, classes)
    return i, digits, may_be_card, may_be_ssn


@numba.njit(cache=True)
def _may_hold_card(data: Bytes, first: int, last: int, classes: Bytes) -> bool:
    """Returns whether 12 to 19 digits in whole groups have the check digit of card numbers."""
    for start in range(first, last - _MIN_CARD + 1):
        if not classes[data[start]] & DIGIT or data[start] in (48, 55):
            continue
        if start > first and classes[data[start - 1]] & DIGIT:
            continue
        digits = one = other = 0  # sums with every second digit doubled, beginning here or next
        for i in range(start, last):
            if classes[data[i]] & DIGIT:
                digits += 1
                digit = data[i] - 48
                doubled = 2 * digit - 9 * (digit > 4)
                one, other = other + digit, one + doubled
                ends = i + 1 == last or not classes[data[i + 1]] & DIGIT
                if digits > _MAX_CARD:
                    break
                if ends and digits >= _MIN_CARD and one % 10 == 0:
                    return True
            elif digits < 4:
                break
    return False


@numba.njit(cache=True)
def read_dotted(data: Bytes, i: int, last: int, classes: Bytes) -> tuple[int, bool]:
    """Returns where the digits with single dots at i end, and whether they are four bytes."""
    parts, are_bytes = 0, True
    while True:
        start, value = i, 0
        while i < last and classes[data[i]] & DIGIT:
            value = min(value * 10 + data[i] - 48, 256)
            i += 1
        parts += 1
        are_bytes &= value < 256 and (data[start] != 48 or i == start + 1)
        if i + 1 >= last or data[i] != _DOT or not classes[data[i + 1]] & DIGIT:
            return i, are_bytes and parts == 4
        i += 1


@numba.njit(cache=True)
def _in_list(data: Bytes, start: int, classes: Bytes) -> bool:
    """Returns whether another number stands before the one at `start`: only " ,;+-" between."""
    i = start
    while i > max(0, start - _MAX_LIST_GAP) and data[i - 1] in (32, 43, 44, 45, 59):
        i -= 1
    return i < start and i > 0 and classes[data[i - 1]] & DIGIT != 0


@numba.njit(cache=True)
def _minutes_follow(data: Bytes, end: int, classes: Bytes) -> bool:
    """Returns whether a degree sign stands at `end`, and behind it a number of minutes."""
    if end + 4 >= len(data) or data[end] != 0xC2 or data[end + 1] not in (0xB0, 0xBA):
        return False
    i = end + 2 + (data[end + 2] == _SPACE)
    start = i
    while i < len(data) and i < start + 2 and classes[data[i]] & DIGIT:
        i += 1
    while i < len(data) and data[i] == _SPACE and i < start + 3:
        i += 1
    return (
        i > start
        and i + 1 < len(data)
        and (data[i] in (39, 44, 46, 0xE2) or (data[i] == 0xC2 and data[i + 1] == 0xB4))
    )  # ' , . ′ ’ ´


@numba.njit(cache=True)
def read_hex(
    data: Bytes, i: int, stop: int, private: bool, classes: Bytes
) -> tuple[int, int, bool, bool]:
    """Returns start and end of what surrounds i, whether it may be a MAC and an IP address."""
    start = i
    while start > stop and classes[data[start - 1]] & IN_HEX:
        start -= 1
    end, colons, dots, letters, has_pair, group, longest = start, 0, 0, 0, False, 0, 0
    while end < len(data) and classes[data[end]] & IN_HEX:
        group += 1
        letters += (classes[data[end]] & (UPPER | LOWER)) != 0
        if data[end] == _COLON:
            colons += 1
            has_pair |= end > start and data[end - 1] == _COLON
            group = 0
        elif data[end] == _DOT:
            dots += 1
            group = 0
        longest = max(longest, group)
        end += 1
    is_mac = end - start >= _MIN_MAC and (colons >= 5 or (dots >= 2 and letters > 0))
    is_ip = end - start <= _MAX_COLONS and longest <= 4 and colons >= 2
    return (
        start,
        end,
        is_mac,
        is_ip and (colons >= 7 or (has_pair and _in_use(data, start, end, private))),
    )


@numba.njit(cache=True)
def _in_use(data: Bytes, start: int, end: int, private: bool) -> bool:
    """Returns whether an address with two colons in a row begins as one that is in use may."""
    if data[start] == _COLON and data[start + 1] != _COLON:
        start += 1
    size = 0
    while start + size < end and data[start + size] != _COLON:
        size += 1
    if size == 4 and data[start] != 48:
        return data[start] in (50, 51) or (private and data[start] in (70, 102))  # 2, 3; F, f
    is_zero = size == 0 or np.all(data[start : start + size] == 48)
    return bool(is_zero and (private or end - start >= _MIN_MAPPED))
