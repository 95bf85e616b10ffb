"""Phone numbers: candidates by pattern, decided by the phonenumbers library."""

from collections.abc import Iterator
from functools import lru_cache

from filters.redaction.options import Options
from filters.redaction.patterns import GAP, compiled, stretches

_PHONE = compiled(
    rf"(?:\+ ?|\()?[0-9](?:(?:{GAP}| ?\(| ?\(0\) ?|\) ?|\){GAP}| [-/\x{{2013}}] )?[0-9]){{6,14}}"
)
_GROUP = compiled("[0-9]+")
_DECIMAL = compiled(r"[0-9]+\.[0-9]+")
_BEFORE_PHONE = compiled(r"(?:[0-9A-Za-z_.=/@#$%&+-]|[0-9]:|\x{A3}|\x{20AC})\z")
_AFTER_PHONE = compiled(r"[0-9A-Za-z_@%]|[.\-/)][0-9]")
_DATE = compiled(r"\(?[0-9]{1,4}[./-][0-9]{1,2}[./-][0-9]{1,4}\b")
_NORTH_AMERICAN = compiled(r"1?[2-9][0-9]{2}[2-9][0-9]{6}")
_STAND_IN = b"+1-202-555-01"  # what redaction itself may have written begins so
_ANNOUNCED = compiled(
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
            if end - start == len(_STAND_IN) + 2 and data.startswith(_STAND_IN, start):
                return None
            candidate = data[start:end].decode()
            for region in (None,) if international else regions:
                if _is_phone(candidate, sizes, announced, region):
                    return end
        groups.pop()
    return None


def hits(data: bytes, first: int, last: int, options: Options) -> Iterator[tuple[int, int]]:
    """Yields the hits that begin in data[first:last]."""
    for begin, stop in stretches(data, first, last):
        if stop - begin > _LONGEST_STRETCH:
            continue
        position = begin
        while stop - position >= 7:
            match = _PHONE.search(data, position, stop)
            if match is None:
                break
            start, end = match.span()
            if data.startswith(b"(", start) and b")" not in data[start:end]:
                start += 1
            found = None
            if not _BEFORE_PHONE.search(data[max(0, start - 3) : start]) and not _DATE.match(
                data[start:end]
            ):
                found = _phone_end(data, start, end, options.regions)
            if found is None:
                position = next(iter(_GROUP.finditer(data, start, end))).end()
            else:
                yield start, found
                position = found
