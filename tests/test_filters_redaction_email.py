import re

import pytest
from conftest import linear_time
from hypothesis import example, given
from hypothesis import strategies as st

from filters.redaction import Options, find, redact
from filters.redaction.replacement import Replacement
from filters.redaction.strategies import stand_ins, tags

PLAIN = Options(types=("email",))
SPELLED_OUT = Options(types=("email",), spelled_out_emails=True)

# What is to be found in a text is marked by guillemets.
CASES = [
    "Write to «john.doe+news@mail.example.co.uk».",
    "<«a@b.de»>, '«c_d@e-f.org»'! ''@b.com",
    "?mailto=«a@b.com»&x=1 //«user@host.org»/path «a@b.com»@c.com",
    "no@host, @name, a@1.2, a@-b.com, @@@, .@b.com, a@.com, a@«b.zzz@c.com»",
    f"{'x' * 20}«{'y' * 64}@b.com»",
    f"xx«{'é' * 32}@b.com»",
    "mailto:«o'brien@example.ie»?subject=x «a&b@example.com», &«c@example.com» -«d@example.com»",
    # quoted local parts
    '«"john smith"@example.com», <«"a.b;c"@example.com»>, "John" <«j@example.com»>',
    'a@b«"john smith"@c.com» "say "«"x"@example.com» ""@example.com "x" @example.com',
    f'"{"x" * 63}"@example.com',
    '"two\nlines"@example.com',
    # other scripts
    "«müller@bücher.example» и «иван@почта.рф», «ΝΙΚΟΣ@παράδειγμα.ΕΛ»",
    "«mu\u0308ller@example.com»",
    "«x@xn--bcher-kva.xn--p1ai» x@example.xn--zzzzzzzz x@example.xn--\u00fc",
    "«用户@例子.公司», 邮箱：«用户1@例子.中国»。«用户@example.com»",
    "«محمد@مثال.تونس» «अजय@डाटा.भारत» «홍길동@예시.한국»",
    "邮箱«abc@example.com»。邮箱«12345@example.com»谢谢。请联系«john@例子.公司»谢谢",
    "«hong@example.com»으로 «홍길동@예시.한국»으로",
    # in URLs
    "«ann.@example.org», «ann..lee@example.org», so...«ann@example.org», «ann＠example.org»",
    "https://u:«ann%40example.org»/ https://u:ann%40b.de@example.org".replace("b.de@", "b.de:@"),
    "mailto:«john%40example.com» ?to=«a%40b.com»%2C«c%2Bnews%40d.com»&x=%3C«e%40f.com»%3E",
    "%20«g@h.de» %E4%B8%AD «%C3%A9@b.com»",
    "https://bob:hunter2@example.com/ redis://:p!w@example.com ftp://«bob@example.com»/x",
    "ssh://git@example.com/owner/name git@example.com:owner/name.git «git@example.com»",
    # top-level domains
    "john@example.nosuchdomain, «x@example.com».Please, «x@example.com».html",
    "«x@example.com»-based «x@example.com»_2 foo@bar.py foo@bar.zip «foo@bar.com.py»",
    "«x@example.COM», «x@example.test» x@com foo@example.com1 user@2x.png icon@2x.ai «x@3x3.org»",
    "lib@1.0.9-3.el lib@1.2.dev lib@v1.2.dev vue@2.6.14/x.js g.g:name@1.2.jar «x@163.com»",
    "import a@b.c.d @app.route x@y.T «a@b.info».d",
    # lengths
    f"«x@{'y' * 63}.com» x@{'y' * 64}.com x@{'y.' * 130}com «x@{'y.' * 125}com»",
    # stand-ins
    "person1@example.com <person23@example.com> 'person4@example.com' %3Cperson5@example.com",
    "邮箱person1@example.com «xperson1@example.com» «person@example.com» «person1@example.org»",
    "«person1x@example.com» «person1@example.com.au»",
]
CASES_SPELLED_OUT = [
    "«john [at] example [dot] com», «john.doe (at) example.com», «john(at)example(dot)co(dot)uk»!",
    "«j AT example DOT com» «j dot d at mail dot example dot org» «j@example[dot]com»",
    "«name[ät]firma.de» «jose (arroba) ejemplo (punto) es» «a {at} b {dot} net» <«a@b.de»>",
    "«müller <at> bücher <punkt> de» «j\xa0[at]\xa0example.com»",
    "look at this, meet me at example.com, a [at] b, a (at) b.nosuchdomain, a\n[at] b.com",
    "at dot com, x at 5 dot 3, [at] example.com",
]


@pytest.mark.parametrize(
    ("marked", "options"),
    [(marked, PLAIN) for marked in CASES] + [(marked, SPELLED_OUT) for marked in CASES_SPELLED_OUT],
)
def test_golden_hits(marked: str, options: Options) -> None:
    text = marked.replace("«", "").replace("»", "")
    spans = find(text, options)
    assert [text[span.start : span.end] for span in spans] == re.findall("«(.*?)»", marked)
    assert find(text, options, compiled=False) == spans
    redacted = redact(text, options).text
    assert find(redacted, options) == []


def test_spelled_out_addresses_are_an_option() -> None:
    assert find("john [at] example [dot] com, j at d dot com", PLAIN) == []


PIECES = (
    'a|b.|.com|@|%40|@b.com|"|" "|"a b"@c.de|:|://|://u:|person1@example.com|git@|1|2x.|%3C|%2C|\''
    "|公|公司|例.公司|é|\u0308|рф|.рф|-|_|+|&| |\n|\xa0|[at]| at | dot |com|<|>|/|<|email|>|\ud800"
)
texts = st.lists(st.sampled_from([*PIECES.split("|"), "|"]) | st.text(max_size=2), max_size=20).map(
    "".join
)


@example('a@b"a b"@c.de')
@example('x "a%40b c"@c.de')
@example("@a@b.com")
@given(texts)
def test_windows_miss_nothing(text: str) -> None:
    assert find(text, PLAIN) == find(text, PLAIN, compiled=False)


@example('"a b"@c.de"a b"@c.de', PLAIN, stand_ins)
@given(texts, st.sampled_from([PLAIN, SPELLED_OUT]), st.sampled_from([tags, stand_ins]))
def test_redaction_is_complete(text: str, options: Options, replacement: Replacement) -> None:
    redacted = redact(text, options, replacement).text
    assert find(redacted, options) == []


HOSTILE = (
    '"@',
    '"a @',
    "%40",
    "a%40b.",
    "://a:b@",
    "a@b.zz",
    "a at b ",
    "a [at] ",
    "a dot ",
    "公@",
)


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("options", [PLAIN, SPELLED_OUT])
def test_hostile_text_takes_linear_time(piece: str, options: Options) -> None:
    text = piece * (1_000_000 // len(piece.encode()))
    find("warm up: a@b.de", options)
    with linear_time():
        find(text, options)
