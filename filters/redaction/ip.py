"""IP addresses, version 4 and 6."""

import ipaddress
from collections.abc import Iterator
from functools import lru_cache

import re2

from filters.redaction.options import Options
from filters.redaction.patterns import compiled

_DOTTED = compiled(r"[0-9]+(?:\.[0-9]+){3,}")
# What may not stand in front: a longer word or number, a package name, a product and its version,
# a version, a section, an object identifier.
_BEFORE_DOTTED = compiled(
    r"(?:[0-9A-Za-z_.]|[A-Za-z_]-|[<>=!~]= ?|[~^]|[A-Z][a-z]+/|"
    r"(?i:\b(?:versions?|versi[o\x{F3}]n|versione|ver|v|release|rel|build|firmware|driver|kernel|revision|"
    r"rev|section|sec|chapter|clause|article|table|figure|oid)\.?[ :=#-]{0,2}))\z"
)
_AFTER_DOTTED = compiled(r"[0-9A-Za-z_]|-[A-Za-z]|\.[0-9]")
# What tells a small address such as 1.2.3.4 from the number of a version or section.
_ANNOUNCED = compiled(
    r"(?:(?:://|@|\[)|(?i:\b(?:ip|ips|ipv4|address(?:es)?|addr|hosts?|servers?|dns|resolvers?|"
    r"nameservers?|gateway|router|proxy|client|peer|ping|inet|subnet|network)\b)[^0-9\n]{0,16})\z"
)
_NO_WORDS = b"0123456789 \n.,;-/()"
_PORT_OR_PREFIX = compiled(r"(?::[0-9]{2,5}|/[0-9]{1,2})(?:[^0-9A-Za-z]|\z)")
_COLONS = compiled(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_IN_DOTTED, _IN_COLONS = b"0123456789.", b"0123456789ABCDEFabcdef:."
_LONGEST_IPV4, _LONGEST_IPV6 = 15, 45
_LOOK_BACK = 32
_FEWEST_WRITTEN_OUT = 24
"""Digits of eight groups that are an address wherever it lies: more than pairs, as fingerprints and
hardware addresses have, could be."""
_SMALL, _LAST_SMALL = 30, 100
_RESOLVERS = frozenset({b"8.8.8.8", b"8.8.4.4", b"9.9.9.9"})
"""Small addresses that texts name without a word that announces them."""
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # all that has been given out so far
_PRIVATE = tuple(  # RFC 1918, 6598, 3927, 1122; 4193, 4291
    map(
        ipaddress.ip_network,
        (
            *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"),
            *("169.254.0.0/16", "127.0.0.0/8", "fc00::/7", "fe80::/10", "::1/128"),
        ),
    )
)


@lru_cache(maxsize=4096)
def _is_found(candidate: bytes, private: bool) -> bool:
    """Returns whether an address is of an interface: global, or private where asked for."""
    try:
        address = ipaddress.ip_address(candidate.decode())
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif address.is_global and not address.is_multicast:
            return address in _GLOBAL_UNICAST or _is_written_out(candidate)
    if isinstance(address, ipaddress.IPv4Address) and address.is_global:
        return not address.is_multicast
    return private and any(address in network for network in _PRIVATE)


def _is_written_out(candidate: bytes) -> bool:
    """Returns whether an address has eight groups, with so many digits that it is nothing else."""
    return candidate.count(b":") == 7 and len(candidate) - 7 >= _FEWEST_WRITTEN_OUT


@lru_cache(maxsize=4096)
def _is_small(candidate: bytes) -> bool:
    parts = [int(part) for part in candidate.split(b".")]
    if parts[0] == 10 or candidate in _RESOLVERS:  # 10 is asked for
        return False
    return max(parts) < _SMALL or (max(parts[:3]) < 10 and parts[3] < _LAST_SMALL)


def _may_be_version(data: bytes, start: int, end: int) -> bool:
    """Returns whether four numbers are as small as those of versions and sections."""
    if not _is_small(data[start:end]):
        return False
    if data[end : end + 1] in (b":", b"/") and _PORT_OR_PREFIX.match(data[end : end + 7]):
        return False
    before = data[max(0, start - _LOOK_BACK) : start]
    return not (before.translate(None, _NO_WORDS) and _ANNOUNCED.search(before))


def _spans(
    pattern: "re2._Regexp", is_one: bool, data: bytes, first: int, last: int
) -> Iterator[tuple[int, int]]:
    """Returns the matches of a pattern; at once if all of the window is one candidate."""
    if is_one:
        return iter(((first, last),))
    return (match.span() for match in pattern.finditer(data, first, last))


def _dotted(data: bytes, first: int, last: int, private: bool) -> Iterator[tuple[int, int]]:
    is_one = data.count(b".", first, last) == 3 and not data[first:last].strip(_IN_DOTTED)
    for start, end in _spans(_DOTTED, is_one, data, first, last):
        if (
            end - start <= _LONGEST_IPV4
            and _is_found(data[start:end], private)
            and not _may_be_version(data, start, end)
            and not _BEFORE_DOTTED.search(data[max(0, start - 12) : start])
            and not _AFTER_DOTTED.match(data[end : end + 2])
        ):
            yield start, end


def _with_colons(data: bytes, first: int, last: int, private: bool) -> Iterator[tuple[int, int]]:
    is_one = not data[first:last].strip(_IN_COLONS)
    for start, end in _spans(_COLONS, is_one, data, first, last):
        if end - start > _LONGEST_IPV6 + 2:
            continue
        candidate = data[start:end]
        end -= len(candidate) - len(candidate.rstrip(b"."))
        if data.endswith(b":", start, end) and not data.endswith(b"::", start, end):
            end -= 1  # punctuation
        if data.startswith(b":", start) and not data.startswith(b"::", start):
            start += 1  # behind a word such as IP
        elif data[max(0, start - 1) : start].isalnum():
            continue
        if not data[end : end + 1].isalnum() and _is_found(data[start:end], private):
            yield start, end


def hits(data: bytes, first: int, last: int, options: Options) -> Iterator[tuple[int, int]]:
    """Yields the hits that begin in data[first:last]."""
    if data.count(b".", first, last) >= 3:
        yield from _dotted(data, first, last, options.private_addresses)
    if data.count(b":", first, last) >= 7 or data.find(b"::", first, last) >= 0:
        yield from _with_colons(data, first, last, options.private_addresses)
