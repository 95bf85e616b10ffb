"""What the detectors share: patterns on UTF-8 bytes."""

from collections.abc import Iterator

import re2


def compiled(pattern: str) -> "re2._Regexp":
    """Compiles a pattern that takes linear time, for UTF-8 bytes."""
    return re2.compile(pattern.encode())


_STRETCH = compiled(r"[+(]?[0-9][0-9 ().\-/\x{A0}\x{202F}\x{2010}-\x{2013}]{5,}[0-9]")


def stretches(data: bytes, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yields the stretches of digits and what separates them, where numbers with gaps may be."""
    return (match.span() for match in _STRETCH.finditer(data, first, last))
