import pytest
from conftest import linear_time
from hypothesis import given
from redaction_cases import check, check_windows, texts

from filters.redaction import Options, find

IBANS = Options(types=("iban",))

CASES = [
    "IBAN:«DE89370400440532013000», «GB82WEST12345698765432»",
    "«DE89 3704 0044 0532 0130 00» (BIC …)",
    "«gb82west12345698765432»; «FR14-2004-1010-0505-0001-3M02-606».",
    "«MT84 MALT 0110 0001 2345 MTLC AST0 01S» («NO93 8601 1117 947»)",
    "«DE89\xa03704\xa00044\xa00532\xa00130\xa000» «DE89–3704–0044–0532–0130–00»",
    "<|iban|>«DE89370400440532013000»<|iban|>«DE89 3704 0044 0532 0130 00»<|ip|>",
    "DE89 3704 0044 0532 0130 01 «DE89 3704 0044 0532 0130 00» EUR",
    "DE88370400440532013000 DE8937040044053201300 DE893704004405320130000",
    "xDE89370400440532013000 DE89370400440532013000x DE89 3704-0044 0532 0130 00",
    "DE89 37040044 0532 0130 00 DE8 9370 4004 4053 2013 000 de89 3704 0044 0532 0130 00x",
    "XX00 0000 0000 0000 0000 00 XX0000000000000000000000 ZZ89370400440532013000",
    "GB82123412345698765432",
]


@pytest.mark.parametrize("marked", CASES)
def test_golden_hits(marked: str) -> None:
    check(marked, IBANS)


PIECES = (
    "DE89370400440532013000",
    "DE89 3704 0044 0532 0130 00",
    "NO93 8601 1117 947",
    "DE89",
    "MT84 ",
)


@given(texts(PIECES, "0123456789 -AEDNOW\xa0x\n|<"))
def test_windows_hold_all_hits(text: str) -> None:
    check_windows(text, IBANS)


@pytest.mark.parametrize("piece", ["DE89 ", "AB12 ", "de12", "LC55 HEMM ", "DE89 3704 0044 "])
def test_hostile_text_takes_linear_time(piece: str) -> None:
    with linear_time():
        find(piece * (1_000_000 // len(piece)), IBANS)


def test_letters_that_only_patterns_take_for_ascii_are_no_country() -> None:
    assert find("\u017fE4550000000058398257466", compiled=False) == []
