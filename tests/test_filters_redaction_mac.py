import pytest
from conftest import linear_time
from hypothesis import given
from redaction_cases import check, check_windows, texts

from filters.redaction import Options, find

MACS = Options(types=("mac",))

CASES = [
    "at «00:1a:2B:3c:4d:5e», «00-1A-2B-3C-4D-5E», «001a.2b3c.4d5e».",
    "MAC:«00:1A:2B:3C:4D:5E»: up, HWaddr=«00:1A:2B:3C:4D:5E»",
    "<|mac|>«00:1a:2b:3c:4d:5e»<|mac|>«00-1a-2b-3c-4d-5e»<|ip|>",
    # digits only
    "mac «00:11:22:33:44:55», Ethernet: «00-11-22-33-44-55»",
    "10:20:30:40:50:60 05-12-23-34-38-45 mac 1234.5678.9012",
    # nobody's
    "00:00:00:00:00:00 ff-ff-ff-ff-ff-ff 00-00-5E-00-53-01 aa-bb-cc-dd-ee-ff",
    # not so written
    "00:1a-2b:3c-4d:5e 00:1a:2b:3c:4d 00:1a:2b:3c:4d:5 001a2b3c4d5e",
    # parts of something longer
    "00:1a:2b:3c:4d:5e:6f:70 x00:1a:2b:3c:4d:5e 00:1a:2b:3c:4d:5eg 00:1a:2b:3c:4d:5e::1",
    "MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48",
    "16-27-ac-a5-76-28-2d-36-63-1b-56-4d-eb-df-a6-48-00-11-22-33",
    "fe80::00:1a:2b:3c:4d:5e 2001:db8:00:1a:2b:3c:4d:5e 001a.2b3c.4d5e.6f70",
]


@pytest.mark.parametrize("marked", CASES)
def test_golden_hits(marked: str) -> None:
    check(marked, MACS)


PIECES = ("00:1a:2b:3c:4d:5e", "00-1a-2b-3c-4d-5e", "001a.2b3c.4d5e", "00:11:22:33:44:55", "mac ")


@given(texts(PIECES, "012abF:-. xg\n|<"))
def test_windows_hold_all_hits(text: str) -> None:
    check_windows(text, MACS)


@pytest.mark.parametrize("piece", ["00:", "00-", "00:1a:2b:3c:4d:5z ", "001a."])
def test_hostile_text_takes_linear_time(piece: str) -> None:
    with linear_time():
        find(piece * (1_000_000 // len(piece)), MACS)
