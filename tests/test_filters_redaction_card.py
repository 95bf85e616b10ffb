import pytest
from conftest import linear_time
from hypothesis import given
from redaction_cases import check, check_windows, texts

from filters.redaction import Options, find

CARDS = Options(types=("card",))

CASES = [
    "«4111111111111111»",
    "«4111 1111 1111 1111», «5500-0000-0000-0004».",
    "«3782 822463 10005» «6011111111111117»",
    "«30569309025904» «3530111333300000» «3501647266468483» «6200000000000005» «2223003122003222»",
    "1234 «4111 1111 1111 1111» 56",
    "4111111111111112 9780306406157 1588888888000 0000000000000000",
    "4111-1111 1111-1111 x4111111111111111 4111111111111111x 1.4111111111111111",
    "4" * 30,
    "<|card|>«4111111111111111»<|card|>«4111 1111 1111 1111»<|ip|>",
    "«180000000000002» «675900000000» 570000000002; card «570000000002»",
    # gaps
    "«4111\xa01111\xa01111\xa01111» «4111\u20111111\u20111111\u20111111» «4111–1111–1111–1111»",
    "«4111\u202f1111\u202f1111\u202f1111» 4111  1111  1111  1111 4111.1111.1111.1111",
    # groups
    "«6200 0000 0000 0000 000», «3056 930902 5904», «4222 2222 2222 2»",
    "«3782 8224 6310 005»; exp. 12 «4111 1111 1111 1111 »".replace(" »", "» "),
    "«4111 1111 1111 1111» 123 and «4111 1111 1111 1111» 12/27",
    "41111 111 1111 11111 4111 11 1111 111111 4111 1111 1111 11112",
    # 13 digits may be a product's
    "4000000000105 card: «4000000000105»",
    "«4222222222222» 4012345678901",
    # in a run of groups, cards make up half
    "4111 1111 1111 1111 " * 6,
    "2345 6789 4111 1111 1111 1111 8765 4321",
    "«4111 1111 1111 1111» «5500 0000 0000 0004»",
    "«4111111111111111» " * 8,
]


@pytest.mark.parametrize("marked", CASES)
def test_golden_hits(marked: str) -> None:
    check(marked, CARDS)


PIECES = ("4111111111111111", "4111 1111 1111 1111", "4111-1111", "1111", "3782 822463 10005")


@given(texts(PIECES, "0123456789 -.\xa0–x\n|<"))
def test_windows_hold_all_hits(text: str) -> None:
    check_windows(text, CARDS)


@pytest.mark.parametrize("piece", ["4111 ", "4111-", "4111 1111 1111 1112\n", "4111 1111 1111-"])
def test_hostile_text_takes_linear_time(piece: str) -> None:
    with linear_time():
        find(piece * (1_000_000 // len(piece)), CARDS)
