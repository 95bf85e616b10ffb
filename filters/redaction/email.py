"""E-mail addresses."""

from collections.abc import Iterator

from filters.redaction.options import Options
from filters.redaction.patterns import compiled

# Letters of the scripts that put spaces around an address; in others it would swallow its
# neighbours. Of the marks that RFC 5322 allows, those that stand in front of addresses in URLs
# and code (= / ? { and the like) are left out.
_LETTER = r"\p{Latin}\p{Greek}\p{Cyrillic}"
_ATOM, _LABEL = rf"[0-9{_LETTER}_%+&'~-]+", rf"[0-9{_LETTER}](?:[0-9{_LETTER}-]*[0-9{_LETTER}])?"
_EMAIL = compiled(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+(?:xn--[0-9A-Za-z-]+|[{_LETTER}]{{2,}})")
_STAND_IN = compiled(r"person[0-9]+@example\.com")  # what redaction itself may have written
_LONGEST_LOCAL_PART = 64  # RFC 5321, 4.5.3.1.1


def hits(data: bytes, first: int, last: int, options: Options) -> Iterator[tuple[int, int]]:
    """Yields the hits that begin in data[first:last]."""
    for match in _EMAIL.finditer(data, first, last):
        start, end = match.span()
        local = data[start : data.index(b"@", start)]
        if len(local) > _LONGEST_LOCAL_PART:
            start += len(local) - _LONGEST_LOCAL_PART
            while data[start] & 0xC0 == 0x80:  # inside a character
                start += 1
        while data[start] == ord("'"):  # allowed in an address, but in front it is a quotation mark
            start += 1
        if data[start] != ord("@") and not _STAND_IN.fullmatch(data[start:end]):
            yield start, end
