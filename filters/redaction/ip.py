"""IP addresses, version 4 and 6."""

import ipaddress
from collections.abc import Iterator

from filters.redaction.options import Options
from filters.redaction.patterns import compiled, stretches

_DOTTED = compiled(r"[0-9]+(?:\.[0-9]+){3,}")
# What may not stand in front: a longer word or number, a package name, a version, a section.
_BEFORE_DOTTED = compiled(
    r"(?:[0-9A-Za-z_.]|[A-Za-z_]-|[<>=!~]= ?|"
    r"(?i:\b(?:version|versions|ver|v|release|rel|build|firmware|driver|revision|rev|section|sec|"
    r"chapter|clause|article|table|figure)\.?[ :=#-]{0,2}))\z"
)
_AFTER_DOTTED = compiled(r"[0-9A-Za-z_]|-[A-Za-z]")
_COLONS = compiled(r"[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:]*")
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


def hits(data: bytes, first: int, last: int, options: Options) -> Iterator[tuple[int, int]]:
    """Yields the hits that begin in data[first:last]."""
    for begin, stop in stretches(data, first, last):
        if data.count(b".", begin, stop) < 3:
            continue
        for match in _DOTTED.finditer(data, begin, stop):
            start, end = match.span()
            if (
                end - start <= _LONGEST_IPV4
                and not _BEFORE_DOTTED.search(data[max(0, start - 12) : start])
                and not _AFTER_DOTTED.match(data[end : end + 2])
                and _is_ipv4(data[start:end])
            ):
                yield start, end
    for match in _COLONS.finditer(data, first, last):
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
