import random
import re
import subprocess
import sys

import pytest
from conftest import linear_time
from hypothesis import example, given
from hypothesis import strategies as st

from filters.redaction import Options, find, redact
from filters.redaction.phone import hits

PHONE = Options(types=("phone",))

# What is to be found in a text is marked by guillemets.
CASES = [
    # international
    "«+49 30 901820» or «+442079460958»",
    "«+49 (0)30 901820», «+49(0)30-901820», «+49-30/901820», («+49») 30".replace("(«+49»)", "+49"),
    "«+49 - (40) - 300 30 - 1141», «(+56 2) 2707 7777», «(+49) 30 901820»",
    "«0049 30 901820», «00 49 30 901820», «001-212-736-5000», «011 49 30 901820»",
    "tel:«+49-30-901820», tel:«+493090182000»;x, wa.me/«+442079460958» ?phone=«+442079460958»",
    "«+49.30901820», «+33.1.42.68.53.00», «+41.31.322.55.11»",
    "«+1 (535) 203-4993», «+1-535-203-4993», «+39 (0)1632 960663», Tel. «+45 02253435»",
    "«+1 535 203 4993», «+45 02253435», +10 000 000 000, +999 123 456 789, +0123456789",
    "+1 135 203 4993, +45 022534, +3.14159265, +10000000000, +2009-10-12 10:30, +1234567890",
    "«001-535-203-4993x12», 001 135 2034993, 00 12 34 56 78 90",
    "+35236450.6, x+493090182000, 1+493090182000, ++493090182000, -+493090182000",
    # North America
    "«(212) 736-5000», «212-736-5000», «1-212.736.5000»; «+12127365000»",
    "«212 736 5000», «212.736.5000», «(212)736-5000», «1 (212) 736 5000», «(212) 7365000»",
    "«(212) 736 - 5000», «212/736-5000», «535-203-4993», «(535) 103-4993»",
    "535 203 4993, 123-456-7890, 535-103-4993, 212 736.5000, 2-212-736-5000, 2127365000, 7365000",
    "212-736-5000xyz $212-736-5000 x212-736-5000 212-736-5000-1 212-736-50001 /212-736-5000",
    # with a national prefix
    "«020 7946 0958» and «01 42 68 53 00» and «0171/1234567», «(030) 901820»",
    "«01.42.68.53.00», «01-42-68-53-00», «06 98 12 34 56», «030 / 90 18 20-0», «07 11/97 81-0»",
    "«0228 - 8491 - 4444», «02151 – 917 3029», «0631-3692150», «(0)20 7946 0958»",
    "«020\u00a07946\u00a00958», «020–7946–0958», «020‑7946‑0958», «0171\u202f1234567»",
    "«0712345678», «02079460958», 0306406152, 07123456789012",
    "«18001 0800 0282 878»".replace("«18001 ", "18001 «") + ", 70563 «0711 123456»",
    # in brackets alone
    "«(11) 98765-4321», «(11) 3456-7890», 45 (12) 3456-3467, vol. 45(12) 3456-3467",
    # announced
    "Tel.: «2127365000» (Fax «030 901820»), (030",
    "phone «612 345 678» T: «2127365000» call me at «9876543210», WhatsApp: «0160 - 24 24 24 0»",
    "Mi número es el «612345678», il mio numero è «347 1234567», Kontakt: «0301234567»",
    "phone «2127365000», 2127365001; telephone «1 2127365000»; saxophone 2127365000",
    "<|phone|> 2127365000, call <|email|> 2127365000, p. 8577-8582",
    "phone=«2127365000» Tel.«030901820» Phone#«212-736-5000»",
    "Phone: «123-456-7890», Fax no. «7286-3149» Tel: «44932009», call me at «459 8677», "
    "\u624b\u673a «13810338759» \u7535\u8bdd\uff1a«010-12345678»",
    "Phone: 1.000.000, mobile: 1 234 567, Phone 7286-3149, call 459 8677, Tel: 1 2 3 4 5 6 7",
    "callback: «2127365000», reached her at «2127365000», phone,amount\n2127365000,7",
    "my licence number is 2127365000, card number 2127365000, the number is «2127365000»",
    # in a table
    "a,«212-736-5000»,21519.60\nb,«+49 30 901820»,1\nc,«(212)736-5000x12»,7,«0171 1234567»,12",
    "«001-535-203-4993»,5",
    "7,«02079460958»,5\n8,«01 42 68 53 00»,123; Tel. 212 736 500,50 Tel. «612 345 6789»,5",
    # extensions
    "«212-736-5000x1234», «(212) 736-5000 ext. 12», «212-736-5000 #12», «212-736-5000, x 7»",
    "«030 901820-12», «030 901820 Durchwahl 12», «+49 30 901820 DW -12», «212-736-5000» x1234567",
    # several
    "1234 «212-736-5000» 1998, «030 123456» / «030 123457», «0171 1234567» «0171 1234568»",
    "«+49 30 901820», 12" + " 0171 1234567" * 7,  # a table
    "01 23 45 67 89 " * 20,
    "Tel: «030 901820» / «030 901821», «020 7946 0958/0959», «020 7946 0958 / 0959 / 60» or",
    "«212-736-5000»/«212-736-5001», «01.42.68.53.00»/«01.42.68.53.01» «+44 20 7946 0958/9».",
    *(mark.join(["«020 7946 0958»", "«030 123457»"]) for mark in ("/", " / ", " - ", " | ", ", ")),
    *(mark.join(["«(212) 736-5000»"] * 20) for mark in (" ", " / ", ", ")),
    *(mark.join(["«020 7946 0958»"] * 20) for mark in (" ", "/", " / ", "\n")),
    "0123 4567 " * 20 + "2020 1234 5678 " * 20,
    # not phone numbers
    "2127365000; 612 345 678; 555-1234; 123-456-7890",
    "1914-1918, 01.02.2003 10:20, 2024-05-01 1000, 1 000 000 000, 0.123 0.456 0.789",
    "(01.02.2003), 10:20:08.123456, 08.123456, 03-10-2004 2:20pm, 05.12.1972 00 UTC",
    "ISBN 0-306-40615-2, 978-0-306-40615-7, arXiv:2101.00123, 1588888888, ISSN 0377-0427",
    "Boston, MA 02110-1301, 0100 0000, 01 2 3 4 5 67, 02.213.783, 0123.456 789, £020 7946 0958",
    "020 7946 0958%, 13 212 736 500,50, astro-ph/0511773, 1400000000, 2147483647, 10:020 7946 0958",
]


def found(text: str, options: Options = PHONE) -> list[str]:
    return [text[span.start : span.end] for span in find(text, options)]


@pytest.mark.parametrize("marked", CASES)
def test_golden_hits(marked: str) -> None:
    text = marked.replace("«", "").replace("»", "")
    assert found(text) == re.findall("«(.*?)»", marked)


def test_the_stand_in_is_no_hit_in_exactly_its_spelling() -> None:
    for number in ("+1-202-555-0100", "+1-202-555-0199"):
        for text in (number, f"call {number}", f"({number})", f"{number} x12", f"{number} 4567"):
            assert found(text) == []
    assert len(found("+1-202-555-0200 +1 202-555-0100 202-555-0100 +1-202-555-01000")) == 3


def test_regions_decide_about_numbers_without_country_code() -> None:
    assert found("020 7946 0958", Options(types=("phone",), regions=("US",))) == []
    assert len(found("020 7946 0958", Options(types=("phone",), regions=("GB",)))) == 1
    assert found("212-736-5000", Options(types=("phone",), regions=("GB",))) == []
    assert len(found("212-736-5000", Options(types=("phone",), regions=("CA",)))) == 1
    assert len(found("8 (495) 123-45-67", Options(types=("phone",), regions=("RU",)))) == 1
    assert found("8 (495) 123-45-67") == []


PIECES = (
    "+49 30 901820|020 7946 0958|(212) 736-5000|2127365000|+1-202-555-0123|0049 30 901820|+49 (0)"
    "|01 42 68 53 00|(11) 98765-4321| ext. 12|x12|tel|call |0|12|345|6789| |.|:|-|/|(|)|+|#|,"
    "|\xa0|\u2013|\u2011|\u202f|é|\ud800|\n"
)
texts = st.lists(
    st.sampled_from([*PIECES.split("|"), "|", "<|phone|>", "<|ip|>"])
    | st.text("0123456789 .-/()+x", max_size=12),
    max_size=20,
).map("".join)


@example("1+020 7946 0958")
@example("(+(49) 30 901820")
@example("\u00c2 30 901820")
@given(texts)
def test_windows_find_what_the_definition_finds(text: str) -> None:
    assert find(text, PHONE) == find(text, PHONE, compiled=False)


@given(texts)
def test_hits_are_in_order_apart_and_begin_in_the_window(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    position = 0
    for start, end in hits(data, 0, len(data), PHONE):
        assert position <= start < end <= len(data)
        position = end


@example("call 2127365000 2127365000")
@given(texts)
def test_nothing_is_left_to_find_in_redacted_text(text: str) -> None:
    redacted = redact(text, PHONE).text
    assert find(redacted, PHONE) == []


def test_phonenumbers_is_imported_only_for_a_candidate() -> None:
    code = (
        "import sys; from filters.redaction import phone, Options; "
        "list(phone.hits(b'no digits', 0, 9, Options())); "
        "print('phonenumbers' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


_random = random.Random(1)
HOSTILE = {
    "digits and separators": "".join(_random.choices("0123456789 .-/()+", k=1_000_000)),
    "short lines": "".join(_random.choices("0000123456789  --\n", k=1_000_000)),
    "pairs": "01 23 45 67 89 01 23 45 67 89 01 23\n" * 28_000,
    "announcements": "tel 0" * 200_000,
    "plus signs": "".join(f"+{_random.randrange(10**7, 10**13)}," for _ in range(70_000)),
    "distinct numbers": "".join(
        f"{_random.randrange(212, 999)}-{_random.randrange(200, 999)}-{i:04}; " for i in range(9999)
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_takes_linear_time(name: str) -> None:
    find("warm up: +49 30 901820", PHONE)
    with linear_time():
        find(HOSTILE[name], PHONE)
