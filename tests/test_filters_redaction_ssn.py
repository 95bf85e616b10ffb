import pytest
from conftest import linear_time
from hypothesis import given
from redaction_cases import check, check_windows, texts

from filters.redaction import Options, find

SSNS = Options(types=("ssn",))

CASES = [
    "My SSN is «536-22-8726».",
    "(SSN) «536-22-8726»; SSN#«536-22-8726», SSN=«536-22-8726»|",
    "«536–22–8726» «536\u201022\u20108726» <|ssn|>«536-22-8726»<|ssn|>",
    # announced
    "SSN «536228726», SSN: «536 22 8726»",
    "social security number «536228726»; Soc. Sec. No.: «536.22.8726»",
    "social: «536 22 8726», my social is «536228726»; social 536228726, social media: 7 536228726",
    "536 22 8726, 536228726, 536.22.8726, assn: 536228726",
    "Social Security\n" + "x" * 60 + " 536228726",
    # never assigned, or printed as a sample
    "000-12-3456 666-12-3456 900-12-3456 123-00-4567 123-45-0000 078-05-1120 219-09-9999",
    # parts of other numbers
    "1536-22-8726 536-22-87261 536-22-8726-1 1-536-22-8726 x536-22-8726 536-22-8726x",
    "+1 536-22-8726 (495) 536-22-8726 $536-22-8726 1.536-22-8726 536-22-8726.5",
    "ann:«536-22-8726»:7\n7,«536-22-8726»,1990-11-07\n8,Ann,«219-23-4567»,75000",
    "ISBN 0-306-40615-2, 12345-6789, 2024-05-1234, 2024-05-12",
    "536-22 8726 536 22-8726",
]


@pytest.mark.parametrize("marked", CASES)
def test_golden_hits(marked: str) -> None:
    check(marked, SSNS)


PIECES = ("536-22-8726", "536 22 8726", "536228726", "SSN ", "social security", "12")


@given(texts(PIECES, "0123456789 -.\xa0–x\n|<+("))
def test_windows_hold_all_hits(text: str) -> None:
    check_windows(text, SSNS)


@pytest.mark.parametrize("piece", ["536-22-", "536228726 ", "SSN 5362 ", "536 22 872 "])
def test_hostile_text_takes_linear_time(piece: str) -> None:
    with linear_time():
        find(piece * (1_000_000 // len(piece)), SSNS)
