"""Payment card numbers."""

from collections.abc import Iterator

from filters.redaction.check_digits import ean, luhn
from filters.redaction.options import Options
from filters.redaction.patterns import GAP, GAP_BYTES, compiled

_GAP = rf"(?:\.|{GAP})"
_DIGIT_BYTES, _GAP_BYTES = b"0123456789", b"." + GAP_BYTES
_DIGITS = compiled("[0-9]{12,}")
_RUN = compiled(f"[0-9]{{4}}(?:{_GAP}[0-9]+){{2,}}")
_GROUPS = compiled(  # as cards print them
    f"[1-689][0-9]{{3}}(?:(?:{_GAP}[0-9]{{4}}){{3}}(?:{_GAP}[0-9]{{3}})?"
    f"|(?:{_GAP}[0-9]{{4}}){{2}}{_GAP}[0-9]{{1,3}}|(?:{_GAP}[0-9]{{4}}){{2}}|{_GAP}[0-9]{{6}}{_GAP}[0-9]{{4,5}})"
)
_ISSUERS = compiled(
    "|".join(
        (
            r"4[0-9]{12}(?:[0-9]{3}){0,2}",  # Visa
            r"(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}",
            r"3[47][0-9]{13}",  # American Express; above: Mastercard
            r"3(?:0[0-59]|[689][0-9])[0-9]{11}(?:[0-9]{2,5})?",  # Diners Club
            r"(?:6011|64[4-9][0-9]|65[0-9]{2})[0-9]{12,15}",  # Discover
            # JCB: 3528 to 3589; most programs, and those that make samples, take all of 35
            r"35[0-9]{14}|35(?:2[89]|[3-8][0-9])[0-9]{13,15}|(?:1800|2131)[0-9]{11}",
            r"(?:62|81)[0-9]{14,17}",  # UnionPay
            r"220[0-4][0-9]{12,15}",  # Mir
            r"(?:5018|5020|5038|5[6-8][0-9]{2}|6304|6390|6759|676[1-3])[0-9]{8,15}",  # Maestro
            r"(?:60|82)[0-9]{14}|508[0-9]{13}",  # RuPay
            r"(?:5019|9792)[0-9]{12}",  # Dankort, Troy
        )
    )
)
_BEFORE_CARD = compiled(r"[0-9A-Za-z_.\-]\z")
_AFTER_CARD = compiled(r"[0-9A-Za-z_]|[.\-][0-9]")
_EXPIRY = compiled(r"-(?:0[1-9]|1[0-2])/(?:20)?[0-9]{2}(?:[^0-9]|\z)")
_ANNOUNCED = compiled(
    r"(?i)(?:cards?|karte|carte|tarjeta|credit|debit|maestro|visa|\bcc|\bpan)\b[^0-9]{0,24}\z"
)
_ANNOUNCEMENT_LENGTH = 40
_SHORTEST, _LONGEST = 12, 19
_LONGEST_RUN = 100
"""Longer runs of groups with single gaps are tables."""


def _is_card(digits: bytes) -> bool:
    return luhn(digits) and _ISSUERS.fullmatch(digits) is not None


def _may_be_other(digits: bytes) -> bool:
    """Returns whether a number is as likely no card's: a product's, or of Maestro's wide ranges."""
    if len(digits) == 13 and ean(digits):
        return True
    return len(digits) != 16 and digits.startswith((b"56", b"57", b"58"))


def _is_announced(data: bytes, start: int) -> bool:
    before = data[max(0, start - _ANNOUNCEMENT_LENGTH) : start]
    return _ANNOUNCED.search(before) is not None


def _stands_alone(data: bytes, start: int, end: int) -> bool:
    after = data[end : end + 9]
    return not _BEFORE_CARD.search(data[max(0, start - 1) : start]) and bool(
        not _AFTER_CARD.match(after) or _EXPIRY.match(after)
    )


def _in_one_piece(data: bytes, first: int, last: int) -> Iterator[tuple[int, int]]:
    for match in _DIGITS.finditer(data, first, last):
        start, end = match.span()
        if end - start > _LONGEST or not _is_card(data[start:end]):
            continue
        if _may_be_other(data[start:end]) and not _is_announced(data, start):
            continue
        if _stands_alone(data, start, end):
            yield start, end


def _groups_end(data: bytes, start: int, end: int) -> int | None:
    """Returns where the card number in groups that begins at `start` ends, or None.

    The last groups may belong to something else, so they are left off in turn. Three groups of four
    digits must be announced.
    """
    while end - start >= _SHORTEST + 2:
        candidate = data[start:end]
        gaps = candidate.translate(None, _DIGIT_BYTES)
        gap = gaps[: {0xC2: 2, 0xE2: 3}.get(gaps[0], 1)]
        if gap * (len(gaps) // len(gap)) == gaps:
            digits = candidate.replace(gap, b"")
            if (
                _is_card(digits)
                and _stands_alone(data, start, end)
                and (len(digits) > _SHORTEST or _is_announced(data, start))
            ):
                return end
        end = start + len(candidate.rstrip(_DIGIT_BYTES).rstrip(_GAP_BYTES))
    return None


def _in_groups(data: bytes, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yields the cards in groups; they make up half of a run of groups, or it is a table."""
    for run in _RUN.finditer(data, first, last):
        begin, stop = run.span()
        if stop - begin > _LONGEST_RUN:
            continue
        found, position = [], begin
        while stop - position >= _SHORTEST + 2 and (match := _GROUPS.search(data, position, stop)):
            start, end = match.start(), _groups_end(data, *match.span())
            if end is not None:
                found.append((start, end))
            position = end or start + 5
        if sum(end - start for start, end in found) * 2 >= stop - begin:
            yield from found


def hits(data: bytes, first: int, last: int, options: Options) -> Iterator[tuple[int, int]]:
    """Yields the hits that begin in data[first:last]."""
    if last - first >= _SHORTEST:
        yield from _in_one_piece(data, first, last)
        yield from _in_groups(data, first, last)
