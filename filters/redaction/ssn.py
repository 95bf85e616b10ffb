"""US social security numbers."""

from collections.abc import Iterator

from filters.redaction.options import Options
from filters.redaction.patterns import GAP_BYTES, HYPHEN, compiled

_GAPS, _HYPHENS = b"." + GAP_BYTES, b"-\xe2"
_GAP = r"[ .\x{A0}]"
_SSN = compiled(
    f"[0-9]{{3,}}(?:{HYPHEN}[0-9]{{2}}{HYPHEN}|{_GAP}[0-9]{{2}}{_GAP})[0-9]{{4,}}|[0-9]{{9,}}"
)
_BEFORE_SSN = compiled(r"(?:[0-9A-Za-z_.$/]|[0-9A-Za-z]-|[0-9]:|[0-9]\) ?|\+[0-9]{1,3} )\z")
_AFTER_SSN = compiled(r"[0-9A-Za-z_%@]|[.\-/][0-9A-Za-z]")
_ANNOUNCED = compiled(
    r"(?i)\b(?:(?:ssns?|ss ?#|soc(?:ial)?\.? ?sec(?:urity)?)\b[^0-9\n]{0,24}|"
    r"social(?: (?:number|no\.?|is)|:|#|=){1,2} ?)\z"
)
_ANNOUNCEMENT_LENGTH = 48
_SHORTEST = 9
_VOID = frozenset({b"078051120", b"219099999"})
"""Numbers that were printed as samples and never belonged to anybody, says the Social Security
Administration ("Social Security Cards Issued by Woolworth")."""


def _is_assigned(digits: bytes) -> bool:
    """Returns whether the parts can be those of a number.

    Area 000, 666 and 900 to 999, group 00 and serial 0000 are never assigned (SSA, Program
    Operations Manual System, RM 10201.035).
    """
    return (
        digits[:3] not in (b"000", b"666")
        and not digits.startswith(b"9")
        and digits[3:5] != b"00"
        and digits[5:] != b"0000"
        and digits not in _VOID
    )


def hits(data: bytes, first: int, last: int, options: Options) -> Iterator[tuple[int, int]]:
    """Yields the hits that begin in data[first:last].

    With hyphens a number is found anywhere; with other gaps or none only behind a word that
    announces it.
    """
    if last - first < _SHORTEST:
        return
    for match in _SSN.finditer(data, first, last):
        start, end = match.span()
        number = data[start:end]
        digits = number.translate(None, _GAPS)
        if (
            len(digits) == _SHORTEST
            and _is_assigned(digits)
            and not _BEFORE_SSN.search(data[max(0, start - 5) : start])
            and not _AFTER_SSN.match(data[end : end + 4])
            and (
                number[3] in _HYPHENS
                or _ANNOUNCED.search(data[max(0, start - _ANNOUNCEMENT_LENGTH) : start])
            )
        ):
            yield start, end
