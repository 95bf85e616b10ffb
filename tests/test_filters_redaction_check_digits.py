import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.redaction import check_digits

DIGITS = "0123456789"
SCHEMES = {  # a number of each whose check digit is right
    "luhn": "79927398713",
    "mod_97_10": "370400440532013000131489",
    "mod_11_10": "86095742719",
    "mod_11_2": "11010519491231002X",
    "verhoeff": "2363",
    "ean": "4006381333931",
}


@pytest.mark.parametrize(("name", "number"), SCHEMES.items())
def test_the_right_check_digit_only(name: str, number: str) -> None:
    is_valid = getattr(check_digits, name)
    assert is_valid(number.encode())
    last = DIGITS + ("X" if name == "mod_11_2" else "")
    assert [digit for digit in last if is_valid((number[:-1] + digit).encode())] == [number[-1]]


@pytest.mark.parametrize("name", sorted(set(SCHEMES) - {"luhn", "ean"}))
@given(st.integers(0, 10**10 - 1), st.integers(0, 9), st.integers(1, 9))
def test_a_wrong_digit_is_noticed(name: str, number: int, place: int, difference: int) -> None:
    is_valid = getattr(check_digits, name)
    digits = f"{number:010}"
    wrong = str((int(digits[place]) + difference) % 10)
    wrong = digits[:place] + wrong + digits[place + 1 :]
    for check in range(100):
        one, other = (f"{each}{check:02}".encode() for each in (digits, wrong))
        assert not (is_valid(one) and is_valid(other))


def test_letters_count_from_ten() -> None:
    assert check_digits.mod_97_10(b"WEST12345698765432GB82")
    assert check_digits.mod_97_10(b"west12345698765432gb82")
    assert not check_digits.mod_97_10(b"WEST12345698765432GB83")


def test_weights_need_digits_for_all() -> None:
    assert check_digits.weighted(b"1234", (3, 2, 1)) == 10
    with pytest.raises(ValueError, match="longer"):
        check_digits.weighted(b"12", (3, 2, 1))


def test_one_in_ten_random_numbers_passes() -> None:
    chosen = random.Random(1)
    numbers = ["".join(chosen.choices(DIGITS, k=12)).encode() for _ in range(3000)]
    for name, share in {"luhn": 10, "mod_11_10": 10, "verhoeff": 10, "ean": 10}.items():
        passed = sum(map(getattr(check_digits, name), numbers))
        assert 0.7 < passed * share / len(numbers) < 1.3
