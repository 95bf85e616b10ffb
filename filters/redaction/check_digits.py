"""Check digits of numbers, on ASCII bytes without separators."""

import string
from collections.abc import Sequence

_VALUES = bytes.maketrans(bytes(range(48, 58)), bytes(range(10)))
_DOUBLED = bytes.maketrans(bytes(range(48, 58)), bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
_BASE_36 = {ord(each): str(int(each, 36)) for each in string.digits + string.ascii_letters}
_VERHOEFF_PRODUCT = (  # of the dihedral group of order ten
    *("0123456789", "1234067895", "2340178956", "3401289567", "4012395678"),
    *("5987604321", "6598710432", "7659821043", "8765932104", "9876543210"),
)
_VERHOEFF_STEP = "1576283094"


def luhn(digits: bytes) -> bool:
    """Returns whether the last digit is the check digit of ISO/IEC 7812-1, annex B."""
    odd, even = digits[-1::-2].translate(_VALUES), digits[-2::-2].translate(_DOUBLED)
    return (sum(odd) + sum(even)) % 10 == 0


def mod_97_10(characters: bytes) -> bool:
    """Returns whether the remainder of ISO/IEC 7064's MOD 97-10 is 1; letters count 10 to 35."""
    return int("".join([_BASE_36[byte] for byte in characters])) % 97 == 1


def mod_11_10(digits: bytes) -> bool:
    """Returns whether the last digit is the check digit of ISO/IEC 7064's hybrid MOD 11,10."""
    product = 10
    for digit in digits[:-1].translate(_VALUES):
        product = ((product + digit) % 10 or 10) * 2 % 11
    return (product + digits[-1] - 48) % 10 == 1


def mod_11_2(characters: bytes) -> bool:
    """Returns whether the last digit, or X for 10, is the one of ISO/IEC 7064's MOD 11-2."""
    remainder = 0
    for digit in characters[:-1].translate(_VALUES):
        remainder = (remainder + digit) * 2 % 11
    last = 10 if characters[-1:] in b"Xx" else characters[-1] - 48
    return (remainder + last) % 11 == 1


def verhoeff(digits: bytes) -> bool:
    """Returns whether the last digit is the check digit of Verhoeff (1969)."""
    check = 0
    for place, digit in enumerate(reversed(digits.translate(_VALUES))):
        for _ in range(place % 8):
            digit = int(_VERHOEFF_STEP[digit])
        check = int(_VERHOEFF_PRODUCT[check][digit])
    return check == 0


def ean(digits: bytes) -> bool:
    """Returns whether the last digit is the check digit of GS1 (EAN-13, GTIN)."""
    odd, even = digits[-1::-2].translate(_VALUES), digits[-2::-2].translate(_VALUES)
    return (sum(odd) + 3 * sum(even)) % 10 == 0


def weighted(digits: bytes, weights: Sequence[int]) -> int:
    """Returns the sum of the first digits, each multiplied by its weight."""
    values = digits[: len(weights)].translate(_VALUES)
    return sum(value * weight for value, weight in zip(values, weights, strict=True))
