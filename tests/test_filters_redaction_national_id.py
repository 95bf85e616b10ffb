import pytest
from conftest import linear_time
from hypothesis import given
from redaction_cases import check, check_windows, texts

from filters.redaction import Options, find
from filters.redaction.national_id import NUMBERS

IDS = Options(types=("national_id",))

# Made up, with right check digits: name, a word that announces it, numbers as written.
VALID = {
    "GB NINO": ("", "AB123456C", "AB 12 34 56 C"),
    "ES DNI": ("", "12345678Z", "12.345.678-Z", "12345678-Z"),
    "ES NIE": ("", "X1234567L", "X-1234567-L"),
    "IT codice fiscale": ("", "RSSMRA85T10A562S", "RSS MRA 85T10 A562S"),
    "FR NIR": ("", "184127645108946", "1 84 12 76 451 089 46"),
    "BE NRN": ("national register", "85073003328", "850730 033 28", "85.07.30-033.28"),
    "FI HETU": ("", "131052-308T", "131052A308T"),
    "CH AHV": ("", "756.9217.0769.85", "7569217076985"),
    "BR CPF": ("CPF", "52998224725", "529.982.247-25"),
    "MX CURP": ("", "BOXW310820HNERXN09"),
    "CN resident id": ("", "11010519491231002X", "11010519491231002x"),
    "SG NRIC": ("", "S1234567D", "T1234567J", "F1234567N", "G1234567X", "M1234567K"),
    "GB NHS": ("NHS number", "943 476 5919", "9434765919"),
    "DE Steuer-IdNr": ("Steuer-ID", "86095742719", "86 095 742 719"),
    "NL BSN": ("BSN", "111222333", "1112.22.333"),
    "PL PESEL": ("PESEL", "44051401359"),
    "SE personnummer": ("personnummer", "811228-9874", "19811228-9874", "8112289874"),
    "DK CPR": ("CPR-nr.", "010190-1234", "0101901234"),
    "NO fødselsnummer": ("fødselsnummer", "01010750160", "010107 50160"),
    "AT SVNR": ("SVNR", "1237 010180", "1237010180"),
    "PT NIF": ("NIF", "123456789", "123 456 789"),
    "CA SIN": ("SIN", "130 692 544", "130-692-544"),
    "AU TFN": ("TFN", "123 456 782", "123456782"),
    "AU Medicare": ("Medicare", "2123 45670 1", "2123456701"),
    "IN Aadhaar": ("Aadhaar", "2341 2341 2346", "234123412346"),
    "IN PAN": ("PAN", "ABCPE1234F"),
    "KR RRN": ("주민등록번호", "850730-1234569"),
    "ZA ID": ("ID number", "8001015009087", "800101 5009 087"),
    "TR kimlik": ("T.C. kimlik no", "10000000146"),
    "IL teudat zehut": ("teudat zehut", "123456782", "12345678-2"),
    "GR AMKA": ("ΑΜΚΑ", "01018012342"),
    "TH TNIN": ("Thai ID", "1234567890121", "1-2345-67890-12-1"),
    "US ITIN": ("ITIN", "912-70-1234", "912701234"),
}

WITHOUT_LAST_CHECK_DIGIT = {"DK CPR", "IN PAN", "GB NINO", "US ITIN", "AU Medicare", "KR RRN"}


def test_every_number_has_examples() -> None:
    assert {number.name for number in NUMBERS} == set(VALID)


@pytest.mark.parametrize(
    ("word", "number"), [(word, number) for word, *numbers in VALID.values() for number in numbers]
)
def test_valid_numbers_are_found(word: str, number: str) -> None:
    check(f"{word}: «{number}».", IDS)


@pytest.mark.parametrize("name", sorted(set(VALID) - WITHOUT_LAST_CHECK_DIGIT))
def test_few_other_check_digits_are_found(name: str) -> None:
    word, number, *_ = VALID[name]
    place = -1 if number[-1].isdigit() else -2
    others = [number[:place] + digit + number[place:][1:] for digit in "0123456789"]
    assert sum(bool(find(f"{word}: {other}.", IDS)) for other in others) <= 2


CASES = [
    # announced numbers alone
    "943 476 5919 86095742719 111222333 44051401359 8112289874 010190-1234 01010750160",
    "123456789 130 692 544 123456782 2123 45670 1 2341 2341 2346 ABCPE1234F 8001015009087",
    "10000000146 912701234 01018012342 1234567890121 52998224725 85073003328",
    # too far away, or part of a word
    "NHS " + "x" * 56 + " 943 476 5919",
    "xNHS 943 476 5919",
    "cos\xec sin 130 692 544, pan ABCPE1234F",
    # wrong check digits
    "AB123456E BG123456C 12345678A X1234567M RSSMRA85T10A562T 1 84 12 76 451 089 47",
    "85.07.30-033.29 131052-308U 756.9217.0769.84 529.982.247-26 111.111.111-11",
    "BOXW310820HNERXN08 110105194912310021 S1234567E NHS 943 476 5918",
    "«912-70-1234» 912-66-1234 «811228-9874» 811228-9875 «850730-1234569» 850730-1234568",
    "ID «10000000146», Polish ID: «44051401359», tax ID «86095742719»; RRN «850730-1234568»",
    # no date
    "329952-308T 11010519493231002X",
    # parts of something longer
    "1,«AB123456C»,5,«529.982.247-25»,123\nNHS,«9434765919»,7",
    "«529.982.247‑25» «AB\u00a012\u00a034\u00a056\u00a0C»",
    "NHS «943\u202f476\u202f5919» «912–70–1234»",
    "12 345 NHS «943 476 5919», ID 8001 «8001015009087»",
    "xAB123456C AB123456CD 112345678Z 12345678ZZ A-12345678Z 12345678Z-1 1.12345678Z",
    "<|national_id|>«12345678Z»<|national_id|>«529.982.247-25»<|ip|>",
]


@pytest.mark.parametrize("marked", CASES)
def test_golden_hits(marked: str) -> None:
    check(marked, IDS)


PIECES = ("12345678Z", "AB 12 34 56 C", "529.982.247-25", "NHS ", "943 476 5919", "SIN", "ID ")


@given(texts(PIECES, "0123456789 -.XZ\xa0x\n|<"))
def test_windows_hold_all_hits(text: str) -> None:
    check_windows(text, IDS)


@pytest.mark.parametrize(
    "piece",
    ["12345678", "AB123456 ", "NHS 943 476 5918 ", "ID ", "010190-", "1 84 12 76 451 08 "],
)
def test_hostile_text_takes_linear_time(piece: str) -> None:
    with linear_time():
        find(piece * (1_000_000 // len(piece)), IDS)
