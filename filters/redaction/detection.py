"""All types at once: one scan for windows, the detectors on those, overlaps resolved."""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain

from filters.redaction import (
    card,
    coordinates,
    credential,
    email,
    iban,
    ip,
    mac,
    national_id,
    phone,
    ssn,
)
from filters.redaction.options import Options
from filters.redaction.spans import Span, without_overlaps

Windows = dict[str, list[tuple[int, int]]]
_Hits = Callable[[bytes, int, int, Options], Iterator[tuple[int, int]]]

_DETECTORS: dict[str, tuple[_Hits, tuple[str, ...]]] = {
    "credential": (credential.hits, ("token", "login")),
    "email": (email.hits, ("address",)),
    "iban": (iban.hits, ("iban",)),
    "card": (card.hits, ("card",)),
    "ssn": (ssn.hits, ("ssn",)),
    "national_id": (national_id.hits, ("long", "code")),
    "mac": (mac.hits, ("mac",)),
    "ip": (ip.hits, ("dotted", "colons")),
    "coordinates": (coordinates.hits, ("decimal",)),
    "phone": (phone.hits, ("number",)),
}
"""The function of each type, and the kinds of windows it looks at."""

_WIDE_AT = "\uff20"
_AS_WRITTEN = frozenset({"credential", "email"})
"""Types that may have underscores and escapes in them; for others these are gaps, nothing else."""


def find(text: str, options: Options = Options(), compiled: bool = True) -> list[Span]:  # noqa: B008
    """Finds personal data in a text.

    Args:
        text: The text.
        options: What is looked for.
        compiled: Whether to look only where the compiled scan has seen something. False gives
            the same hits slowly.

    Returns:
        Spans in the order of the text, none of them overlapping: hits are claimed type by type
        in the order of `TYPES`, then the names, and within a type from left to right.

    Raises:
        FilterUnavailable: Names are looked for and their model is missing.
    """
    data = text.encode("utf-8", "surrogatepass")
    windows, other_digits = _windows(data, options.private_addresses)
    if other_digits or _WIDE_AT in text:
        text = text.translate(_ascii())
        data = text.encode("utf-8", "surrogatepass")
        windows, _ = _windows(data, options.private_addresses)
    plain = _without_escapes(data)
    ways = [(data, windows if compiled else None)]
    if plain != data:
        plain_windows, _ = _windows(plain, options.private_addresses)
        ways.append((plain, plain_windows if compiled else None))
    claims = [
        _hits(ways if name in _AS_WRITTEN else ways[-1:], name, options)
        for name in _DETECTORS
        if name in options.types
    ]
    if len(data) != len(text):
        claims = _in_code_points(data, claims)
    if options.names:
        from filters.redaction.names import finder

        claims.append(finder(options.names, options.names_model)(text))
    return without_overlaps(claims)


def _windows(data: bytes, private: bool) -> tuple[Windows, bool]:
    from filters.compiled.windows import windows  # numba takes time to import

    return windows(data, private)


def _without_escapes(data: bytes) -> bytes:
    from filters.compiled.escapes import without_escapes

    return without_escapes(data)


@cache
def _ascii() -> dict[int, int]:
    """Returns a table of the decimal digits of all scripts, and the full-width at-sign."""
    import sys

    codes = range(0x80, sys.maxunicode + 1)
    digits = {code: ord(str(int(chr(code)))) for code in codes if chr(code).isdecimal()}
    return {**digits, ord(_WIDE_AT): ord("@")}


def _hits(ways: list[tuple[bytes, Windows | None]], name: str, options: Options) -> list[Span]:
    hits, kinds = _DETECTORS[name]
    found: set[tuple[int, int]] = set()
    for data, windows in ways:
        if windows is None or (name == "email" and options.spelled_out_emails):
            places = [(0, len(data))]
        else:
            places = _in_order([windows[kind] for kind in kinds if windows[kind]])
        end = -1
        for first, last in places:
            if last > end:  # or it lies in one that has been looked at
                found.update(hits(data, first, last, options))
                end = last
    return [Span(start, end, name) for start, end in sorted(found)] if found else []


def _in_order(places: list[list[tuple[int, int]]]) -> list[tuple[int, int]]:
    if len(places) > 1:
        return sorted(chain.from_iterable(places))
    return places[0] if places else []


def _in_code_points(data: bytes, claims: list[list[Span]]) -> list[list[Span]]:
    """Turns offsets in bytes into offsets in code points, in one pass over the text."""
    byte = point = 0
    points = {}
    for offset in sorted({offset for hits in claims for hit in hits for offset in hit[:2]}):
        point += len(data[byte:offset].decode("utf-8", "surrogatepass"))
        byte = offset
        points[offset] = point
    return [[Span(points[hit.start], points[hit.end], hit.type) for hit in hits] for hits in claims]
