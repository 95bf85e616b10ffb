"""MAC addresses (IEEE EUI-48)."""

from collections.abc import Iterator

from filters.redaction.options import Options
from filters.redaction.patterns import compiled

_WAYS = (  # separator, how often, longest run of pairs or of fours
    (b":", 5, compiled("[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5,}")),
    (b"-", 5, compiled("[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5,}")),
    (b".", 2, compiled(r"[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2,}")),
)
_BEFORE_MAC = compiled(r"(?:[0-9A-Za-z_]|::|(?:^|[^0-9A-Za-z])[0-9A-Fa-f]{1,4}[:.\-])\z")
_AFTER_MAC = compiled(r"[0-9A-Za-z_]|::|[:.\-][0-9A-Fa-f]{1,4}(?:[^0-9A-Za-z]|\z)")
_ANNOUNCED = compiled(
    r"(?i)(?:\b(?:mac|ether(?:net)?|hwaddr|lladdr|bssid|physical|hardware|wlan|wi-?fi|bluetooth)\b)"
    r"[^0-9\n]{0,24}\z"
)
_ANNOUNCEMENT_LENGTH = 40
_SHORTEST = 14
_DOCUMENTATION = b"00005e0053"


def _is_mac(digits: bytes) -> bool:
    """Returns whether an interface can have the address.

    Those of zeros or ones only mean none and all; those that begin with 00-00-5E-00-53 are for
    documentation (RFC 9542, 2.1.2).
    """
    return not (
        digits in (b"0" * 12, b"f" * 12) or digits.startswith(_DOCUMENTATION) or digits.isalpha()
    )


def hits(data: bytes, first: int, last: int, options: Options) -> Iterator[tuple[int, int]]:
    """Yields the hits that begin in data[first:last].

    An address of decimal digits only may be a time or numbers of a lottery; it is found in pairs
    behind a word that announces it.
    """
    if last - first < _SHORTEST:
        return
    for separator, count, pattern in _WAYS:
        if data.count(separator, first, last) < count:
            continue
        for match in pattern.finditer(data, first, last):
            start, end = match.span()
            if data[max(0, start - 1) : start].isalnum():  # the end of a word such as MAC:
                start = data.index(separator, start) + 1
            digits = data[start:end].replace(separator, b"").lower()
            if (
                len(digits) == 12
                and _is_mac(digits)
                and not _BEFORE_MAC.search(data[max(0, start - 6) : start])
                and not _AFTER_MAC.match(data[end : end + 6])
                and (
                    not digits.isdigit()
                    or (
                        separator != b"."
                        and _ANNOUNCED.search(data[max(0, start - _ANNOUNCEMENT_LENGTH) : start])
                    )
                )
            ):
                yield start, end
