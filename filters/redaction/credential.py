"""Credentials: access keys, private keys, JSON web tokens, passwords in URLs.

The formats are those that the issuers publish. Lengths are lower bounds where an issuer has made
its tokens longer before. Public keys, certificates and identifiers of accounts are no credentials.
"""

import base64
import json
from collections.abc import Iterator
from functools import lru_cache

from filters.redaction.options import Options
from filters.redaction.patterns import compiled

_WORD = "[0-9A-Za-z]"
_ANY = "[0-9A-Za-z_-]"
_HEX = "[0-9a-f]"
_PART = rf"\.{_ANY}"

_FORMATS = {
    # clouds
    **{f"A{kind}": "[0-9A-Z]{16}" for kind in ("KIA", "SIA", "BIA", "CCA")},  # Amazon
    "LTAI": rf"{_WORD}{{12,24}}",  # Alibaba
    "AKID": rf"{_WORD}{{32}}",  # Tencent
    "AIza": rf"{_ANY}{{30,}}",  # Google
    "GOCSPX-": rf"{_ANY}{{20,}}",
    "ya29.": rf"(?:c\.)?{_ANY}{{20,}}",
    **{f"do{kind}_v1_": rf"{_HEX}{{40,}}" for kind in "opr"},  # DigitalOcean
    "dapi": rf"{_HEX}{{32}}(?:-[0-9])?",  # Databricks
    **{f"hv{kind}.": rf"{_ANY}{{24,}}" for kind in "bsr"},  # HashiCorp
    "pul-": rf"{_HEX}{{40}}",  # Pulumi
    "sbp_": rf"{_HEX}{{40}}",  # Supabase
    # forges and package registries
    **{f"gh{kind}_": rf"{_WORD}{{30,}}" for kind in "pousr"},
    "github_pat_": "[0-9A-Za-z_]{36,}",
    **{
        f"gl{kind}-": rf"{_ANY}{{20,}}(?:\.[0-9a-z]{{2}}\.[0-9a-z]{{7,}})?"
        for kind in ("pat", "dt", "rt", "cbt", "ptt", "ft", "imt", "agent", "oas", "soat")
    },
    "ATATT3": rf"{_ANY}{{60,}}(?:=[0-9A-F]{{8}})?",  # Atlassian
    "ATCTT3": rf"{_ANY}{{60,}}(?:=[0-9A-F]{{8}})?",
    "ATBB": rf"{_WORD}{{32}}",
    "npm_": rf"{_WORD}{{30,}}",
    "pypi-AgE": rf"{_ANY}{{40,}}",
    "rubygems_": rf"{_HEX}{{48}}",
    "oy2": "[0-9a-z]{43}",  # NuGet
    **{f"dckr_{kind}_": rf"{_ANY}{{24,}}" for kind in ("pat", "oat")},
    # models
    "hf_": rf"{_WORD}{{30,}}",
    "api_org_": rf"{_WORD}{{30,}}",
    "sk-": rf"(?:(?:ant|proj|svcacct|admin|None|or-v1)-{_ANY}{{20,}}|{_WORD}{{32,}})",
    "gsk_": rf"{_WORD}{{40,}}",
    "xai-": rf"{_WORD}{{60,}}",
    "pplx-": rf"{_WORD}{{40,}}",
    # messages and mail
    **{f"xox{kind}-": r"[0-9A-Za-z-]{12,}" for kind in "abeoprs"},  # Slack
    "xapp-": r"[0-9A-Za-z-]{20,}",
    "SG.": rf"{_ANY}{{16,32}}{_PART}{{32,64}}",  # SendGrid
    **{f"SK{digit}": rf"{_HEX}{{31}}" for digit in "0123456789abcdef"},  # Twilio
    **{  # Discord: base 64 of a number, a time, a signature
        first + second + third: rf"{_ANY}{{20,26}}{_PART}{{6,7}}{_PART}{{27,45}}"
        for first in "MNO"
        for second in "DTjz"
        for third in "AEIMQUYcgk"
    },
    "key-": rf"{_HEX}{{32}}",  # Mailgun
    # payments and shops
    **{
        f"{kind}k_{mode}_": rf"{_WORD}{{16,}}" for kind in "rs" for mode in ("live", "test", "prod")
    },  # Stripe
    "whsec_": rf"{_WORD}{{24,}}",
    **{f"shp{kind}_": "[0-9A-Fa-f]{32}" for kind in ("at", "ca", "pa", "ss")},  # Shopify
    "sq0atp-": rf"{_ANY}{{22,}}",  # Square
    "sq0csp-": rf"{_ANY}{{22,}}",
    **{f"shippo_{mode}_": rf"{_HEX}{{40}}" for mode in ("live", "test")},
    **{f"duffel_{mode}_": rf"{_ANY}{{40,}}" for mode in ("live", "test")},
    "FLWSECK-": rf"{_HEX}{{32}}-X",  # Flutterwave
    **{f"EZ{kind}K": rf"{_WORD}{{54}}" for kind in "AT"},  # EasyPost
    # others
    "fm2_": r"[0-9A-Za-z+/]{100,}={0,2}",  # Fly.io
    "glc_": r"[0-9A-Za-z+/]{32,}={0,2}",  # Grafana
    "glsa_": rf"{_WORD}{{32}}_[0-9A-Fa-f]{{8}}",
    "figd_": rf"{_ANY}{{38,}}",  # Figma
    **{f"pscale_{kind}_": rf"{_ANY}{{32,}}" for kind in ("tkn", "oauth", "pw")},  # PlanetScale
    "sntrys_": r"[0-9A-Za-z+/=_-]{60,}",  # Sentry
    "sntryu_": rf"{_HEX}{{64}}",
    "secret_": rf"{_WORD}{{43}}",  # Notion
    "pat": rf"{_WORD}{{14}}\.{_HEX}{{64}}",  # Airtable
    "nfp_": rf"{_WORD}{{36,}}",  # Netlify
    "CFPAT-": rf"{_ANY}{{43}}",  # Contentful
    "HRKU-": rf"{_ANY}{{30,}}",  # Heroku
    "r8_": rf"{_WORD}{{37}}",  # Replicate
    "xkeysib-": rf"{_HEX}{{64}}-{_WORD}{{16}}",  # Brevo
    "rdme_": "[0-9a-z]{70}",  # ReadMe
    "CLOJARS_": "[0-9a-z]{60}",
    "aio_": rf"{_WORD}{{28}}",  # Adafruit
    "pnu_": rf"{_WORD}{{36}}",  # Prefect
    "bkua_": rf"{_HEX}{{40}}",  # Buildkite
    **{f"dp.{kind}.": rf"{_WORD}{{40,}}" for kind in ("pt", "st", "ct", "sa", "scim")},  # Doppler
    "dt0c01.": r"[0-9A-Z]{24}\.[0-9A-Z]{64}",  # Dynatrace
    "AGE-SECRET-KEY-1": "[0-9A-Z]{50,}",
    "PMAK-": rf"{_HEX}{{24}}-{_HEX}{{34}}",  # Postman
    "NRAK-": "[0-9A-Z]{27}",  # New Relic
    "lin_api_": rf"{_WORD}{{32,}}",  # Linear
    "ntn_": rf"{_WORD}{{40,}}",  # Notion
    # JSON web tokens: RFC 7515, 3.1, and RFC 7516, 3.1
    "eyJ": rf"{_ANY}{{13,}}(?:{_PART}+\.{_ANY}*(?:{_PART}+{_PART}+)?|\.{_PART}+{_PART}+{_PART}+)",
}
"""What tokens begin with, and what follows."""

_BEGINNINGS = frozenset(prefix[:3].encode() for prefix in _FORMATS)
_TELEGRAM = rf"[0-9]{{6,10}}:A{_ANY}{{32,36}}"
_TERRAFORM = rf"{_WORD}{{14}}\.atlasv1\.{_ANY}{{60,}}"
_TOKEN = compiled(
    "|".join(
        (
            *(prefix.replace(".", r"\.") + rest for prefix, rest in _FORMATS.items()),
            _TELEGRAM,
            _TERRAFORM,
        )
    )
)
_BEGINNING = compiled(
    rf"(?:\b(?:SG\.|ya29\.(?:c\.)?|hv[bsr]\.|dp\.[a-z]{{2,4}}\.|dt0c01\.|{_WORD}{{14}}\.atlasv1\.)|"
    r"[0-9]{6,10}:)\z"
)
_SHORT_BEGINNINGS = (
    *(b"SG.", b"ya29.", b"ya29.c.", b"hvb.", b"hvs.", b"hvr.", b".atlasv1."),
    *(b"dp.pt.", b"dp.st.", b"dp.ct.", b"dp.sa.", b"dp.scim.", b"dt0c01."),
)
_TELEGRAM_BEGINNINGS = tuple(f"{digit}:".encode() for digit in range(10))
_BEFORE_NAMED = frozenset((b"=", b":", b"/", b"+", b"%", b",", b">"))
_NAMED = (
    (
        b"secret",  # Amazon
        compiled(
            r"(?i:secret[_ -]?(?:access)?[_ -]?key)[\"'\]]{0,2}[ \t]{0,4}(?:=>|:=|[:=,>])[ \t]{0,4}"
            r"[\"']?([0-9A-Za-z+/]{0,24})\z"
        ),
        compiled("[0-9A-Za-z+/]{40}"),
    ),
    (
        b"key=",  # Azure
        compiled("(?:AccountKey|SharedAccessKey)=([0-9A-Za-z+/]{0,72})\\z"),
        compiled("[0-9A-Za-z+/]{43,86}={0,2}"),
    ),
    (
        b"sig=",
        compiled("\\bsig=((?:[0-9A-Za-z+/]|%2[BFbf]){0,40}%?)\\z"),
        compiled("(?:[0-9A-Za-z+/]|%2[BFbf]){43}(?:%3[Dd]|=)"),
    ),
    (
        b"hooks",  # Slack
        compiled(r"hooks\.slack\.com/services/(T[0-9A-Z]{6,14}/B[0-9A-Z]{6,14}/)\z"),
        compiled(rf"T[0-9A-Z]+/B[0-9A-Z]+/{_WORD}{{20,}}"),
    ),
    (
        b"hooks",  # Discord
        compiled(r"/api/webhooks/([0-9]{17,20}/)\z"),
        compiled(rf"[0-9]+/{_ANY}{{60,}}"),
    ),
)
"""Secrets without a prefix of their own, by name: a literal in lower case that is always there,
the name and how the secret begins, the secret."""

_LONGEST_INTRODUCTION = 96
_RUN = compiled(rf"{_ANY}{{16,}}")
_LIKE_A_TOKEN = compiled("[0-9].*[A-Za-z]|[A-Za-z].*[0-9]|[A-Z][^A-Z]*[A-Z]")
_IN_RUN = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-"
_SHORTEST_RUN, _FEWEST_CHARACTERS = 16, 8

_BEGIN = b"-----BEGIN"
_BEGIN_KEY = compiled(r"-----BEGIN (?:[0-9A-Z]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_END_KEY = compiled(r"-----END (?:[0-9A-Z]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_BREAK = r"(?:[\r\n\t ]|\\[rnt]){1,16}"
_BREAKS = frozenset((b"\r", b"\n", b"\t", b" ", b"\\"))
_KEY_LINES = compiled(
    rf"(?:{_BREAK}[A-Z][A-Za-z-]+: [^\r\n\\]{{1,80}})*"
    rf"(?:{_BREAK}[0-9A-Za-z+/]{{16,}}={{0,2}})+(?:{_BREAK}[0-9A-Za-z+/]{{0,15}}={{1,2}})?"
)
_LEAST_MATERIAL = 16
_KEY_MATERIAL = compiled(f"[0-9A-Za-z+/]{{{_LEAST_MATERIAL}}}")
_LONGEST_FIRST_LINE, _LONGEST_KEY = 80, 1 << 15

_IN_USER = r"[^\x00-\x20\x7F\"'`<>/?#"
_URL_PASSWORD = compiled(rf"://{_IN_USER}:]*:{_IN_USER}]+@{_IN_USER}@:.,;)]")
_PLACEHOLDER = compiled(
    r"(?i)\$?\{.*\}|\$\(?[a-z_]+\)?|%[sd]|%\([a-z_]+\)s|%[a-z_]+%|\[.*\]|[*x.\x{2022}\x{2026}]+|"
    r"(?:[a-z]+[_-]|my|your)*(?:password|passwd|passwort|passphrase|pass|pwd|pw|secret|token|key)"
)
_STAND_IN = compiled(r"(person[0-9]+)@example\.com\b")
_LONGEST_PASSWORD = 256


def hits(data: bytes, first: int, last: int, options: Options) -> Iterator[tuple[int, int]]:
    """Yields the hits that begin in data[first:last], and tokens with their long part there.

    A token has a run of 16 letters, digits, hyphens and underscores, with a digit and a letter or
    with two capital letters, by which it is found. A private key is all from BEGIN to END. Of a
    URL, the password alone is the hit: without it, the rest is no secret, and still tells
    something.
    """
    if data[first:last].strip(_IN_RUN):
        yield from _all(data, first, last)
    elif last - first >= _SHORTEST_RUN:  # the compiled scan's windows, for speed
        yield from _tokens(data, first, last)


def _all(data: bytes, first: int, last: int) -> Iterator[tuple[int, int]]:
    if last - first >= _SHORTEST_RUN:
        for match in _RUN.finditer(data, first, last):
            yield from _tokens(data, *match.span())
    yield from _private_keys(data, first, last)
    if data.find(b"://", first, last) >= 0:
        for match in _URL_PASSWORD.finditer(data, first, last):
            start = data.index(b":", match.start() + 3) + 1
            end = data.rindex(b"@", start, match.end())
            if end - start <= _LONGEST_PASSWORD and _is_password(data, start, end):
                yield start, end


def _is_password(data: bytes, start: int, end: int) -> bool:
    """Returns whether it is no placeholder, nor part of the stand-in of an e-mail address."""
    if _PLACEHOLDER.fullmatch(data[start:end]):
        return False
    stand_in = _STAND_IN.match(data, start)
    return stand_in is None or stand_in.end(1) != end


def _tokens(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yields the token whose first long part is the run data[start:end], if there is one."""
    found = _token(data, start) if data[start : start + 3] in _BEGINNINGS else None
    before = data[max(0, start - 9) : start]
    if found is None and (
        before.endswith(_SHORT_BEGINNINGS)
        or (data.startswith(b"A", start) and before.endswith(_TELEGRAM_BEGINNINGS))
    ):
        found = _token_begun(data, start)
    if found is None and before.rstrip(b" \t\"'")[-1:] in _BEFORE_NAMED:
        found = _named(data, start)
    if found is not None and _LIKE_A_TOKEN.search(data, start, end):
        yield found


def _token(data: bytes, start: int) -> tuple[int, int] | None:
    """Returns the token that begins at `start`."""
    match = _TOKEN.match(data, start)
    if match is None:
        return None
    end: int = match.end()
    is_other = data.startswith(b"eyJ", start) and not _is_web_token(match.group().split(b".")[0])
    return None if is_other or not _is_secret(data, start, end) else (start, end)


def _token_begun(data: bytes, start: int) -> tuple[int, int] | None:
    """Returns the token that has its beginning before `start`."""
    beginning = _BEGINNING.search(data[max(0, start - _LONGEST_INTRODUCTION) : start])
    return None if beginning is None else _token(data, start - len(beginning.group()))


def _named(data: bytes, start: int) -> tuple[int, int] | None:
    """Returns the secret with a name in front of which a part begins at `start`."""
    before = data[max(0, start - _LONGEST_INTRODUCTION) : start]
    lower = before.lower()
    for literal, introduction, secret in _NAMED:
        if literal in lower and (match := introduction.search(before)):
            begin = start - len(match.group(1))
            value = secret.match(data, begin)
            if value is not None and _is_secret(data, begin, value.end()):
                return begin, value.end()
    return None


def _is_secret(data: bytes, start: int, end: int) -> bool:
    """Returns whether a token ends at `end` and is no placeholder such as `ghp_xxxxxxxx`."""
    token = data[start:end]
    if data[end : end + 1].isalnum() or len(set(token)) < _FEWEST_CHARACTERS:
        return False
    lower = token.lower()
    return b"xxxx" not in lower and b"your" not in lower


@lru_cache(maxsize=64)
def _is_web_token(header: bytes) -> bool:
    """Returns whether the header of a token is JSON that names an algorithm: RFC 7515, 4.1.1."""
    try:
        return "alg" in json.loads(base64.urlsafe_b64decode(header + b"=="))
    except (ValueError, RecursionError):
        return False


def _private_keys(data: bytes, first: int, last: int) -> Iterator[tuple[int, int]]:
    begin = data.find(_BEGIN, first, last)
    while begin >= 0:
        end = _private_key_end(data, begin)
        if end:
            yield begin, end
        begin = data.find(_BEGIN, begin + 1, last)


def _private_key_end(data: bytes, begin: int) -> int:
    """Returns where the private key that begins at `begin` ends, or 0 if there is none.

    If its last line is missing, it ends with the lines of base 64.
    """
    if data.find(b"PRIVATE KEY", begin, begin + _LONGEST_FIRST_LINE) < 0:
        return 0  # what most of them are, sooner than by pattern
    header = _BEGIN_KEY.match(data, begin)
    if header is None:
        return 0
    start = header.end()
    stop = data.find(b"-----", start, start + _LONGEST_KEY)
    if 0 <= stop - start < _LEAST_MATERIAL:
        return 0
    if stop < 0 or not data.startswith(b"-----END ", stop):
        footer = None
    else:
        footer = _END_KEY.match(data, stop)
    if footer is not None:
        end = footer.end()
    elif data[start : start + 1] in _BREAKS and (lines := _KEY_LINES.match(data, start)):
        stop = end = lines.end()
    else:
        return 0
    body = data[start:stop]
    is_key = _KEY_MATERIAL.search(body) and len(set(body)) >= _FEWEST_CHARACTERS
    return end if is_key else 0
