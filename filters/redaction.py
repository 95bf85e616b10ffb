"""Finds and replaces e-mail addresses, IP addresses, card numbers and phone numbers.

Patterns (google-re2, linear time) propose candidates on the UTF-8 bytes; the standard library,
check digits and the phonenumbers library decide. Names and street addresses are beyond patterns.
"""

import ipaddress
import string
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import re2

DEFAULT_REGIONS = ("US", "GB", "DE", "FR", "IT", "ES", "NL", "AU")
"""Where a phone number written without a country code may be from.

The countries of the six Western languages most frequent on the web, in two of which English is
written; US stands for all of +1, so Canada too. Each region more costs precision and time, and a
number with its country code is found for any country.
"""


class Span(NamedTuple):
    """A hit: text[start:end] is of the type named. Offsets count code points."""

    start: int
    end: int
    type: str


def _compile(pattern: str) -> "re2._Regexp":
    return re2.compile(pattern.encode())


# --- e-mail addresses ------------------------------------------------------------------------

# Letters of the scripts that put spaces around an address; in others it would swallow its
# neighbours. Of the marks that RFC 5322 allows, those that stand in front of addresses in URLs
# and code (= / ? { and the like) are left out.
_LETTER = r"\p{Latin}\p{Greek}\p{Cyrillic}"
_ATOM, _LABEL = rf"[0-9{_LETTER}_%+&'~-]+", rf"[0-9{_LETTER}](?:[0-9{_LETTER}-]*[0-9{_LETTER}])?"
_EMAIL = _compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+(?:xn--[0-9A-Za-z-]+|[{_LETTER}]{{2,}})")
_LONGEST_LOCAL_PART = 64  # RFC 5321, 4.5.3.1.1


def _emails(data: bytes, regions: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    if b"@" not in data:
        return
    for match in _EMAIL.finditer(data):
        start, end = match.span()
        local = data[start : data.index(b"@", start)]
        if len(local) > _LONGEST_LOCAL_PART:
            start += len(local) - _LONGEST_LOCAL_PART
            while data[start] & 0xC0 == 0x80:  # inside a character
                start += 1
        while data[start] == ord("'"):  # allowed in an address, but in front it is a quotation mark
            start += 1
        if data[start] != ord("@"):
            yield start, end


# --- numbers -----------------------------------------------------------------------------------

# A stretch of digits and what separates them, from which IPv4, card and phone take theirs.
_GAP = r"[ \x{A0}\x{202F}.\-/\x{2010}-\x{2013}]"
_STRETCH = _compile(r"[+(]?[0-9][0-9 ().\-/\x{A0}\x{202F}\x{2010}-\x{2013}]{5,}[0-9]")


def _stretches(data: bytes) -> list[tuple[int, int]]:
    return [match.span() for match in _STRETCH.finditer(data)]


# --- IP addresses ------------------------------------------------------------------------------

_DOTTED = _compile(r"[0-9]+(?:\.[0-9]+){3,}")
# What may not stand in front: a longer word or number, a package name, a version, a section.
_BEFORE_DOTTED = _compile(
    r"(?:[0-9A-Za-z_.]|[A-Za-z_]-|[<>=!~]= ?|"
    r"(?i:\b(?:version|versions|ver|v|release|rel|build|firmware|driver|revision|rev|section|sec|"
    r"chapter|clause|article|table|figure)\.?[ :=#-]{0,2}))\z"
)
_AFTER_DOTTED = _compile(r"[0-9A-Za-z_]|-[A-Za-z]")
_COLONS = _compile(r"[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:]*")
_LONGEST_IPV4, _LONGEST_IPV6 = 15, 39
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # all that has been given out so far


def _is_ipv4(candidate: bytes) -> bool:
    try:
        return ipaddress.IPv4Address(candidate.decode()).is_global
    except ValueError:
        return False


def _is_ipv6(candidate: bytes) -> bool:
    try:
        address = ipaddress.IPv6Address(candidate.decode())
    except ValueError:
        return False
    return address.is_global and address in _GLOBAL_UNICAST


def _ip_addresses(data: bytes, regions: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    for first, last in _stretches(data):
        if data.count(b".", first, last) < 3:
            continue
        for match in _DOTTED.finditer(data, first, last):
            start, end = match.span()
            if (
                end - start <= _LONGEST_IPV4
                and not _BEFORE_DOTTED.search(data[max(0, start - 12) : start])
                and not _AFTER_DOTTED.match(data[end : end + 2])
                and _is_ipv4(data[start:end])
            ):
                yield start, end
    if b"::" not in data and data.count(b":") < 7:
        return
    for match in _COLONS.finditer(data):
        start, end = match.span()
        if data.endswith(b":", start, end) and not data.endswith(b"::", start, end):
            end -= 1  # punctuation
        if (
            end - start <= _LONGEST_IPV6
            and not data[max(0, start - 1) : start].isalnum()
            and not data[end : end + 1].isalnum()
            and _is_ipv6(data[start:end])
        ):
            yield start, end


# --- card numbers ------------------------------------------------------------------------------

_CARD = _compile(r"[2-68][0-9]{12,}|[2-68][0-9]{3}(?:[ -][0-9]{3,6}){2,4}")
_ISSUERS = _compile(
    "|".join(
        (
            r"4[0-9]{12}(?:[0-9]{3}){0,2}",  # Visa
            r"(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}",
            r"3[47][0-9]{13}",  # American Express; above: Mastercard
            r"3(?:0[0-59]|[689][0-9])[0-9]{11}(?:[0-9]{2,5})?",  # Diners Club
            r"(?:6011|64[4-9][0-9]|65[0-9]{2})[0-9]{12,15}",  # Discover
            r"35(?:2[89]|[3-8][0-9])[0-9]{12,15}",  # JCB
            r"(?:62|81)[0-9]{14,17}",  # UnionPay
            r"220[0-4][0-9]{12,15}",  # Mir
            r"(?:5018|5020|5038|5893|6304|6759|676[1-3])[0-9]{9,15}",  # Maestro
            r"(?:60|82|508[0-9])[0-9]{12,14}",  # RuPay
        )
    )
)
_BEFORE_CARD = frozenset(string.ascii_letters.encode() + b"0123456789_.-")
_AFTER_CARD = _compile(r"[0-9A-Za-z_]|[.-][0-9]")
_SHORTEST_CARD, _LONGEST_CARD = 13, 19
_DOUBLED = bytes.maketrans(bytes(range(48, 58)), bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
_PLAIN = bytes.maketrans(bytes(range(48, 58)), bytes(range(10)))


def _luhn(digits: bytes) -> bool:
    """Returns whether the last digit is the check digit of ISO/IEC 7812-1, annex B."""
    odd, even = digits[-1::-2].translate(_PLAIN), digits[-2::-2].translate(_DOUBLED)
    return (sum(odd) + sum(even)) % 10 == 0


def _is_card(candidate: bytes) -> bool:
    if b" " in candidate and b"-" in candidate:
        return False
    digits = candidate.replace(b" ", b"").replace(b"-", b"")
    return len(digits) <= _LONGEST_CARD and _luhn(digits) and _ISSUERS.fullmatch(digits) is not None


def _card_end(data: bytes, start: int, end: int) -> int | None:
    """Returns where the card number that begins at `start` ends, or None if there is none.

    The last groups of digits may belong to something else, so they are left off in turn.
    """
    while end - start >= _SHORTEST_CARD:
        if _is_card(data[start:end]) and not _AFTER_CARD.match(data[end : end + 2]):
            return end
        end = max(data.rfind(b" ", start, end), data.rfind(b"-", start, end))
    return None


def _card_numbers(data: bytes, regions: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    for first, last in _stretches(data):
        position = first
        while last - position >= _SHORTEST_CARD:
            match = _CARD.search(data, position, last)
            if match is None:
                break
            start, end = match.span()
            found = None
            if start == 0 or data[start - 1] not in _BEFORE_CARD:
                found = _card_end(data, start, end)
            if found is not None:
                yield start, found
                position = found
            elif data[start + 4 : start + 5].isdigit():
                position = end
            else:
                position = start + 5  # behind the first group


# --- phone numbers -----------------------------------------------------------------------------

_PHONE = _compile(
    rf"(?:\+ ?|\()?[0-9](?:(?:{_GAP}| ?\(| ?\(0\) ?|\) ?|\){_GAP}| [-/\x{{2013}}] )?[0-9]){{6,14}}"
)
_GROUP = _compile("[0-9]+")
_DECIMAL = _compile(r"[0-9]+\.[0-9]+")
_BEFORE_PHONE = _compile(r"(?:[0-9A-Za-z_.=/@#$%&+-]|[0-9]:|\x{A3}|\x{20AC})\z")
_AFTER_PHONE = _compile(r"[0-9A-Za-z_@%]|[.\-/)][0-9]")
_DATE = _compile(r"\(?[0-9]{1,4}[./-][0-9]{1,2}[./-][0-9]{1,4}\b")
_NORTH_AMERICAN = _compile(r"1?[2-9][0-9]{2}[2-9][0-9]{6}")
_ANNOUNCED = _compile(
    r"(?i)\b(?:phones?|telephones?|tel|telefone?|telefono|tel\x{E9}fono|t\x{E9}l\x{E9}phone|"
    r"t\x{E9}l|telefoon|mobile|mobil|m\x{F3}vil|portable|cell|cellphone|cellulare|handy|fax|"
    r"hotline|whatsapp|sms|call|dial)\b[^0-9]{0,24}\z"
)
_ANNOUNCEMENT_LENGTH = 40
_LONGEST_STRETCH = 80
"""Longer runs of digits and separators are tables; a list of phone numbers has words, commas or
line feeds in between."""


@lru_cache(maxsize=4096)
def _is_phone(candidate: str, groups: tuple[int, ...], announced: bool, region: str | None) -> bool:
    """Returns whether phonenumbers knows the number as one in use.

    Args:
        candidate: The number as written.
        groups: How many digits its groups have.
        announced: Whether a word such as "phone" stands before it. Without, a number must be
            written as one: with the prefix that the region dials before it, and in groups.
        region: Where the number may be from; None if it begins with its country code.
    """
    import phonenumbers  # half a second

    if region is not None and not announced:
        digits = "".join(filter(str.isdigit, candidate))
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
        if metadata is None or len(groups) < 2:
            return False
        if metadata.country_code == 1:
            if groups not in ((3, 3, 4), (1, 3, 3, 4)):
                return False
            if not _NORTH_AMERICAN.fullmatch(digits.encode()):
                return False
        elif not metadata.national_prefix or not digits.startswith(metadata.national_prefix):
            return False
    try:
        number = phonenumbers.parse(candidate, region)
    except phonenumbers.NumberParseException:
        return False
    return bool(phonenumbers.is_valid_number(number))


def _phone_end(data: bytes, start: int, end: int, regions: tuple[str, ...]) -> int | None:
    """Returns where the phone number that begins at `start` ends, or None if there is none.

    The last groups may belong to something else, so shorter candidates are tried after longer.
    """
    window = data[max(0, start - _ANNOUNCEMENT_LENGTH) : start].replace(b"<|phone|>", b"")
    announced = _ANNOUNCED.search(window) is not None
    groups = [match.span() for match in _GROUP.finditer(data, start, end)]
    international = data.startswith(b"+", start)
    if not international and groups[0][1] - groups[0][0] == 1 and data[groups[0][0]] == ord("0"):
        return None  # a decimal, or an ISBN
    while groups:
        end = groups[-1][1]
        sizes = tuple(last - first for first, last in groups)
        if sum(sizes) < 7:
            return None
        if not _AFTER_PHONE.match(data[end : end + 4]):
            if not announced and _DECIMAL.fullmatch(data[start:end]):
                return None
            candidate = data[start:end].decode()
            for region in (None,) if international else regions:
                if _is_phone(candidate, sizes, announced, region):
                    return end
        groups.pop()
    return None


def _phone_numbers(data: bytes, regions: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    for first, last in _stretches(data):
        if last - first > _LONGEST_STRETCH:
            continue
        position = first
        while last - position >= 7:
            match = _PHONE.search(data, position, last)
            if match is None:
                break
            start, end = match.span()
            if data.startswith(b"(", start) and b")" not in data[start:end]:
                start += 1
            found = None
            if not _BEFORE_PHONE.search(data[max(0, start - 3) : start]) and not _DATE.match(
                data[start:end]
            ):
                found = _phone_end(data, start, end, regions)
            if found is None:
                position = next(iter(_GROUP.finditer(data, start, end))).end()
            else:
                yield start, found
                position = found


# --- all of them -------------------------------------------------------------------------------

_Detector = Callable[[bytes, tuple[str, ...]], Iterator[tuple[int, int]]]
_DETECTORS: dict[str, _Detector] = {
    "email": _emails,
    "ip": _ip_addresses,
    "card": _card_numbers,
    "phone": _phone_numbers,
}
TYPES = tuple(_DETECTORS)
"""The types in the order in which they claim text: where hits overlap, the earlier type wins."""


def find(
    text: str, types: Sequence[str] = TYPES, regions: Sequence[str] = DEFAULT_REGIONS
) -> list[Span]:
    """Finds personal data in a text.

    Args:
        text: The text.
        types: What to look for, some of `TYPES`.
        regions: Where a phone number without country code may be from (ISO 3166 codes).

    Returns:
        Spans in the order of the text, none of them overlapping: hits are claimed type by type
        in the order of `TYPES`, and within a type from left to right.

    Raises:
        ValueError: A type is not one of `TYPES`.
    """
    unknown = set(types).difference(TYPES)
    if unknown:
        raise ValueError(f"no detector for {sorted(unknown)}; there are: {', '.join(TYPES)}")
    data = text.encode("utf-8", "surrogatepass")
    hits: list[tuple[int, int, str]] = []
    for name, detect in _DETECTORS.items():
        if name not in types:
            continue
        found = list(detect(data, tuple(regions)))
        if found:
            hits.extend((start, end, name) for start, end in found)
            masked = bytearray(data)  # what is claimed is out of sight of the types that follow
            for start, end in found:
                masked[start:end] = b"|" * (end - start)
            data = bytes(masked)
    hits.sort()
    if len(data) == len(text):
        return [Span(*hit) for hit in hits]
    return _in_code_points(text, hits)


def _in_code_points(text: str, hits: list[tuple[int, int, str]]) -> list[Span]:
    """Turns sorted byte offsets into offsets in code points, in one pass."""
    data = text.encode("utf-8", "surrogatepass")
    spans = []
    byte = point = 0
    for start, end, name in hits:
        first = point + len(data[byte:start].decode("utf-8", "surrogatepass"))
        last = first + len(data[start:end].decode("utf-8", "surrogatepass"))
        spans.append(Span(first, last, name))
        byte, point = end, last
    return spans


def redact(
    text: str, types: Sequence[str] = TYPES, regions: Sequence[str] = DEFAULT_REGIONS
) -> tuple[str, dict[str, int]]:
    """Replaces personal data by typed tags such as <|email|>.

    Repeats until nothing is found, since a replaced neighbour can bring a hit to light; so
    redacting twice changes nothing more.

    Args:
        text: The text.
        types: What to look for, some of `TYPES`.
        regions: Where a phone number without country code may be from (ISO 3166 codes).

    Returns:
        The redacted text, and the number of replacements of each type that was found.

    Raises:
        ValueError: A type is not one of `TYPES`.
    """
    counts: Counter[str] = Counter()
    while spans := find(text, types, regions):
        counts.update(span.type for span in spans)
        parts: list[str] = []
        position = 0
        for start, end, name in spans:
            parts += (text[position:start], f"<|{name}|>")
            position = end
        text = "".join((*parts, text[position:]))
    return text, dict(counts)
