import pytest
from conftest import linear_time
from hypothesis import given
from redaction_cases import check, check_windows, texts

from filters.redaction import Options, find

GLOBAL = Options(types=("ip",))
PRIVATE = Options(types=("ip",), private_addresses=True)

CASES = [
    "at «8.8.8.8».",
    "http://«1.1.1.1»:80/ and «9.9.9.9»/32, [«2a00:1450:4001::200e»]:80",
    "«2a00:1450:4001:0830:0000:0000:0000:200e»: up",
    "«8.8.8.8»-«8.8.4.4» <|ip|>«8.8.8.8»<|ip|>«2a00:1450::1»<|ip|>",
    "127.0.0.1 10.0.0.1 192.168.1.1 169.254.0.1 0.0.0.0 255.255.255.255 192.0.2.1 224.0.0.251",
    "8.8.8 8.8.8.8.8 8.8.8.256 8.8.8.88888 08.8.8.8 1.8.8.8.8 ff02::1",
    "v8.8.8.8, version 8.8.8.8, Release: 8.8.8.8, section 8.8.8.8, lib-8.8.8.8.tar",
    "8.8.8.8-beta 8.8.8.8b x8.8.8.8 x_8.8.8.8 «8.8.8.8»_",
    "lib>=8.8.8.8 lib == 8.8.8.8 Chrome/87.0.42.88",
    "«6e40:12ab:33cd:9e0f:7b61:2c1d:e4f5:1a2b» «f6e:12ab:33cd:9e0f:7b61:2c1d:e4f5:12b».",
    "6e40::1, 12:34:56:78:9a:bc:de:f0 123:345:567:789:9ab:abc:bcd:cd",
    "fd40:12ab:33cd:9e0f:7b61:2c1d:e4f5:1a2b ff02:12ab:33cd:9e0f:7b61:2c1d:e4f5:1a2b",
    "::1 fe80::1 2001:db8::1 :: std::cout dead::beef a::b 12:30:45 00:1a:2b:3c:4d:5e",
    "g2a00:1450:4001::200e 2a00:1450:4001::200ex 2a00:1450:4001:0:0:0:0:0:200e",
    "«::ffff:8.8.8.8» ::ffff:10.0.0.1 IP:«2a00:1450:4001::200e» addr:«2a00:1450:4001::200e».",
    # versions, sections, object identifiers
    "1.2.3.4 3.2.1.4, 1.3.6.1 2.5.29.15 1.3.6.1.4.1.311, see 10.1.1.3",
    "8.6.4.4. Capture Patterns 8.6.4.10 24.19.8.7 8.2.4.44, «8.6.14.44» «8.2.4.144» «28.6.4.44»",
    "ping «1.2.3.4» address «1.0.0.1»: server 2.5.29.15".replace("2.5.29.15", "«2.5.29.15»"),
    "1,«93.184.216.34»,5;«93.184.216.34»,«93.184.216.35»",
    "«81.2.69.142»/24 («81.2.69.142») ip=«81.2.69.142»&",
]
CASES_PRIVATE = [
    "«127.0.0.1» «10.0.0.1» «192.168.1.1» «169.254.0.1» «100.64.0.1» «8.8.8.8»",
    "«::1» «fe80::1» «fd12:3456:789a:1::1» «::ffff:10.0.0.1»",
    "0.0.0.0 255.255.255.0 192.0.2.1 198.51.100.7 203.0.113.9 224.0.0.1 2001:db8::1 ::",
    "std::cout a::b e::e 10.0.0.256 v10.0.0.1",
]


@pytest.mark.parametrize(
    ("marked", "options"),
    [(marked, GLOBAL) for marked in CASES] + [(marked, PRIVATE) for marked in CASES_PRIVATE],
)
def test_golden_hits(marked: str, options: Options) -> None:
    check(marked, options)


PIECES = (
    "8.8.8.8",
    "1.2.3.4",
    "2a00:1450::1",
    "::ffff:8.8.8.8",
    "10.0.0.1",
    "address ",
    "::",
    "/24",
)


@given(texts(PIECES, "0123456789af:. gv-\n|<"))
def test_windows_hold_all_hits(text: str) -> None:
    check_windows(text, PRIVATE)


@pytest.mark.parametrize("piece", ["1.1.1.1.", "1.1.1.1 ", "1:", "::1 ", "2001:db8::"])
def test_hostile_text_takes_linear_time(piece: str) -> None:
    with linear_time():
        find(piece * (1_000_000 // len(piece)), GLOBAL)


@pytest.mark.parametrize(
    "text", ["8.8.8.8", "8.8.8.8.", "2a00:1450::1", "2a00:1450::1.", ":2a00::1"]
)
def test_a_text_may_be_one_address_with_punctuation(text: str) -> None:
    address = text.strip(".") if text[0] != ":" else text[1:]
    assert [text[start:end] for start, end, _ in find(text, GLOBAL, compiled=False)] == [address]
