import base64
import json
import random
import re
import string

import pytest
from conftest import linear_time
from hypothesis import example, given
from hypothesis import strategies as st

from filters.redaction import Options, find, redact

CREDENTIALS = Options(types=("credential",))
WORD, HEX = string.ascii_letters + string.digits, "0123456789abcdef"
CAPITALS = string.ascii_uppercase + string.digits
_random = random.Random(4)


def made_up(length: int, alphabet: str = WORD) -> str:
    """Returns random characters: no secret stands in this file, and nothing that looks like one."""
    return "".join(_random.choices(alphabet, k=length))


def part(value: object) -> str:
    """Returns a part of a JSON web token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


HEADER = part({"alg": "HS256", "typ": "JWT"})
TOKENS = {
    "amazon": "AKI" + "A" + made_up(16, CAPITALS),
    "amazon temporary": "ASI" + "A" + made_up(16, CAPITALS),
    "google": "AI" + "za" + made_up(35),
    "google client": "GOC" + "SPX-" + made_up(28),
    "google access": "ya" + "29." + made_up(80),
    "google service": "ya" + "29.c." + made_up(80),
    "digitalocean": "do" + "p_v1_" + made_up(64, HEX),
    "databricks": "da" + "pi" + made_up(32, HEX) + "-2",
    "vault": "hv" + "s." + made_up(90, WORD + "-_"),
    "terraform": made_up(14) + ".atlas" + "v1." + made_up(67),
    "github": "gh" + "p_" + made_up(36),
    "github server": "gh" + "s_" + made_up(36),
    "github fine": "github" + "_pat_" + made_up(22) + "_" + made_up(59),
    "gitlab": "gl" + "pat-" + made_up(20),
    "gitlab routable": "gl" + "pat-" + made_up(27) + ".01." + made_up(9, HEX),
    "atlassian": "ATA" + "TT3" + made_up(186) + "=" + made_up(8, "0123456789ABCDEF"),
    "npm": "np" + "m_" + made_up(36),
    "pypi": "py" + "pi-AgEIcHlwaS5vcmc" + made_up(100),
    "docker": "dckr" + "_pat_" + made_up(27),
    "hugging face": "h" + "f_" + made_up(34),
    "openai": "s" + "k-" + made_up(20) + "T3BlbkFJ" + made_up(20),
    "openai project": "s" + "k-proj-" + made_up(100),
    "anthropic": "s" + "k-ant-api03-" + made_up(93) + "AA",
    "slack": "xo" + "xb-123456789012-1234567890123-" + made_up(24),
    "sendgrid": "S" + "G." + made_up(22) + "." + made_up(43),
    "twilio": "S" + "K" + made_up(32, HEX),
    "telegram": "123456789" + ":A" + made_up(34),
    "discord": f"{part(198622483471925248)}.{made_up(6)}.{made_up(27)}",
    "grafana": "gl" + "c_" + part({"o": "123456", "n": made_up(20)}),
    "grafana account": "gl" + "sa_" + made_up(32) + "_" + made_up(8, HEX),
    "fly": "fm" + "2_" + made_up(120),
    "figma": "fi" + "gd_" + made_up(40),
    "planetscale": "pscale" + "_tkn_" + made_up(43),
    "sentry": "sntr" + "ys_" + made_up(90) + "_" + made_up(43),
    "sentry user": "sntr" + "yu_" + made_up(64, HEX),
    "notion": "sec" + "ret_" + made_up(43),
    "airtable": "pa" + "t" + made_up(14) + "." + made_up(64, HEX),
    "netlify": "nf" + "p_" + made_up(36),
    "contentful": "CF" + "PAT-" + made_up(43),
    "heroku": "HR" + "KU-" + made_up(60),
    "replicate": "r" + "8_" + made_up(37),
    "brevo": "xkey" + "sib-" + made_up(64, HEX) + "-" + made_up(16),
    "readme": "rd" + "me_" + made_up(70, HEX),
    "clojars": "CLO" + "JARS_" + made_up(60, HEX),
    "adafruit": "ai" + "o_" + made_up(28),
    "prefect": "pn" + "u_" + made_up(36),
    "buildkite": "bk" + "ua_" + made_up(40, HEX),
    "doppler": "dp" + ".pt." + made_up(43),
    "dynatrace": "dt" + "0c01." + made_up(24, CAPITALS) + "." + made_up(64, CAPITALS),
    "shippo": "shippo" + "_live_" + made_up(40, HEX),
    "duffel": "duffel" + "_test_" + made_up(43),
    "flutterwave": "FLW" + "SECK-" + made_up(32, HEX) + "-X",
    "easypost": "EZ" + "AK" + made_up(54),
    "stripe": "s" + "k_live_" + made_up(24),
    "stripe restricted": "r" + "k_test_" + made_up(24),
    "shopify": "shp" + "at_" + made_up(32, HEX),
    "age": "AGE-SECRET" + "-KEY-1" + made_up(58, CAPITALS),
    "jwt": f"{HEADER}.{part({'sub': '1'})}.{made_up(43)}",
    "unsigned jwt": f"{part({'alg': 'none'})}.{part({'sub': '1'})}.",
    "jwe": f"{part({'alg': 'dir', 'enc': 'A128GCM'})}..{made_up(16)}.{made_up(90)}.{made_up(22)}",
}
SECRET = made_up(12) + "/" + made_up(18) + "+" + made_up(8)
WEBHOOK = "T" + made_up(8, CAPITALS) + "/B" + made_up(8, CAPITALS) + "/" + made_up(24)
MATERIAL = f"{made_up(64)}\n{made_up(64)}\n{made_up(9)}=="
BEGIN, END = "-----BEGIN " + "RSA PRIVATE KEY-----", "-----END " + "RSA PRIVATE KEY-----"
KEY = f"{BEGIN}\n{MATERIAL}\n{END}"
BLOCK = KEY.replace("RSA PRIVATE KEY", "PGP PRIVATE KEY BLOCK")

# What is to be found in a text is marked by guillemets.
CASES = [
    # secrets known by their names
    f"aws_secret_access_key = «{SECRET}»",
    f'"SecretAccessKey": "«{SECRET}»", <SecretAccessKey>«{SECRET}»</SecretAccessKey>',
    f"AWS_SECRET_KEY='«{SECRET}»'; path/{SECRET} hash: {SECRET}",
    f"AccountName=a;AccountKey=«{SECRET[:30]}/{made_up(55)}==»;EndpointSuffix=b",
    f"?sv=2020-08-04&sig=«ab%2B{made_up(10)}%2F{made_up(29)}%3D»&se=1",
    f"https://hooks.slack.com/services/«{WEBHOOK}», /services/{WEBHOOK}",
    f"https://discord.com/api/webhooks/«123456789012345678/{made_up(68)}»",
    # private keys
    f"«{KEY}»\nand «{BLOCK}»",
    "key: «" + KEY.replace("\n", "\n    ") + "»\n",
    '{"private_key": "«' + KEY.replace("\n", "\\n") + '»\\n"}',
    f"«{BEGIN}\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n{MATERIAL}»\nThe end",
    f"«{BEGIN}\n{MATERIAL}»\n{BEGIN}",
    f"{BEGIN}\n...\n{END}, {BEGIN}, {END} and {BEGIN} or other words",
    KEY.replace("RSA PRIVATE", "PUBLIC"),
    KEY.replace("RSA PRIVATE KEY", "CERTIFICATE"),
    # passwords in URLs
    "postgres://bob:«hunter2»@db.example.com:5432/x?y=z, redis://:«s3cr:e@t»@localhost/0",
    "https://bob@example.com:«pa%40ss»@example.org ftp://a.b:«x1»@[::1]/ <git+ssh://u:«p!»@h>",
    "ssh://git@example.com:22/x http://example.com:80/a@b http://example.com:80 a@b ://a:b@ c",
    "u:password@h x://u:password@h x://u:db_pass@h s3://id:my_access_key@h",
    "x://u:${PW}@h x://$U:$PW@h x://u:%s@h",
    "x://{u}:{p}@h x://u:***@h x://u:xxx@h x://u:<pw>@h x://u:%(pw)s@h x://u:[pw]@h x://u:@h",
    f"x://u:{'y' * 257}@h x://u:«{'y' * 256}»@h",
    "x://u:person12@example.com x://u:«person1»@example.community x://u:«person»@example.com",
    "x://u:«person1@example.com»@h x://u:«aperson1»@example.com",
    # neither secret nor complete
    f"pk_live_{made_up(24)} AKIA{made_up(15, CAPITALS)}- AKIA{made_up(17, CAPITALS)}",
    f"AKIA{'X' * 16} ghp_{'x' * 36} ghp_{'0' * 36}",
    "sk-proj-your-key-goes-here-1-2-3 sk-fading-circle-1 hf_hub_download_1_2_3_4",
    f"{HEADER}... {HEADER}.{part({'sub': '1'})} {part({'typ': 'JWT'})}.{part({})}.{made_up(43)}",
    f"{HEADER[:-2]}.{made_up(20)}.{made_up(43)}",
    f"eyJhIjpb{'W1tb' * 3000}.{made_up(20)}.{made_up(43)}",
    f"eyJ{made_up(30)} x{TOKENS['github']} task-{TOKENS['openai']} {TOKENS['amazon'].lower()}",
    f"{made_up(40)} {made_up(64, HEX)} 123e4567-e89b-12d3-a456-426614174000",
]


def hits(text: str) -> list[str]:
    spans = find(text, CREDENTIALS)
    assert find(text, CREDENTIALS, compiled=False) == spans
    return [text[span.start : span.end] for span in spans]


@pytest.mark.parametrize("name", TOKENS)
@pytest.mark.parametrize(
    "around", ["{}", "é{}!", 'KEY="{}"', "?token={}&x=1", "https://u:{}@h/", "({})\n", "a {} "]
)
def test_tokens_are_found(name: str, around: str) -> None:
    assert hits(around.format(TOKENS[name])) == [TOKENS[name]]


@pytest.mark.parametrize("marked", CASES)
def test_golden_hits(marked: str) -> None:
    text = marked.replace("«", "").replace("»", "")
    assert hits(text) == re.findall("(?s)«(.*?)»", marked)
    redacted = redact(text, CREDENTIALS).text
    assert redacted == re.sub("(?s)«.*?»", "<|credential|>", marked)
    assert find(redacted, CREDENTIALS) == []


def test_a_password_is_no_email_address() -> None:
    text = "https://bob:hunter2@example.com/ https://bob:password@example.com/"
    assert [span.type for span in find(text)] == ["credential"]


PIECES = (
    "-----|-----BEGIN|aws_secret_access_key=|AccountKey=|sig=|hooks.slack.com/services/|"
    "/api/webhooks/|AKIA|SG.|ya29.|1234567:|eyJ|ghp_|a|1|A|xxxx|éa|. |.|:|=|/|+|-|_|%|%40|://|@"
    "| |\n|'|\"|x://u:|pw@h|<|credential|>|\ud800"
)
pieces = [*TOKENS.values(), BEGIN, END, MATERIAL, WEBHOOK, SECRET, *PIECES.split("|")]
texts = st.lists(
    st.sampled_from(pieces) | st.integers(1, 30).map(made_up) | st.text(max_size=2), max_size=12
).map("".join)


@example("-----BEGIN-abcdefghijklmnop1")
@given(texts)
def test_windows_miss_nothing_and_redaction_is_complete(text: str) -> None:
    assert find(text, CREDENTIALS) == find(text, CREDENTIALS, compiled=False)
    assert find(redact(text, CREDENTIALS).text, CREDENTIALS) == []


HOSTILE = {
    "markers": "-----BEGIN",
    "first lines": f"{BEGIN}\n",
    "first lines and words": f"{BEGIN}\nabcdefghijklmnopq1\n",
    "eyJ": "eyJ",
    "headers": f"{HEADER}.",
    "AKIA": "AKIA",
    "many AKIA": "AKIAAAAAAAAAAAAAAA1.",
    "users": "://a:",
    "passwords": "://a:b@",
    "signatures": "sig=",
    "secret keys": "secret_key=AB0123456789ABCD/",
    "webhooks": "hooks.slack.com/services/T00000000/B00000000/",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_takes_linear_time(name: str) -> None:
    text = HOSTILE[name] * (1_000_000 // len(HOSTILE[name]))
    find("warm up: AKIA", CREDENTIALS)
    with linear_time():
        find(text, CREDENTIALS)
