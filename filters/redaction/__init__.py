"""Finds and replaces personal data that patterns can find.

Each type has a module with a function

    hits(data: bytes, first: int, last: int, options: Options) -> Iterator[tuple[int, int]]

that yields the hits that begin in data[first:last], from left to right, as offsets into the
UTF-8 bytes. `hits(data, 0, len(data), options)` is what the type means. What runs is faster: one
scan over the bytes (`filters.compiled.windows`) finds the windows in which a type may be, and
`hits` looks at those alone. Patterns are google-re2's, which takes linear time. Names and street
addresses are beyond patterns.
"""

from filters.redaction.detection import find
from filters.redaction.options import DEFAULT_REGIONS, NAMES, TYPES, Options
from filters.redaction.replacement import Redaction, redact
from filters.redaction.spans import Span

__all__ = ["DEFAULT_REGIONS", "NAMES", "TYPES", "Options", "Redaction", "Span", "find", "redact"]
