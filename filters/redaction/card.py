"""Payment card numbers."""

import string
from collections.abc import Iterator

from filters.redaction.options import Options
from filters.redaction.patterns import compiled, stretches

_CARD = compiled(r"[2-68][0-9]{12,}|[2-68][0-9]{3}(?:[ -][0-9]{3,6}){2,4}")
_ISSUERS = compiled(
    "|".join(
        (
            r"4[0-9]{12}(?:[0-9]{3}){0,2}",  # Visa
            r"(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}",
            r"3[47][0-9]{13}",  # American Express; above: Mastercard
            r"3(?:0[0-59]|[689][0-9])[0-9]{11}(?:[0-9]{2,5})?",  # Diners Club
            r"(?:6011|64[4-9][0-9]|65[0-9]{2})[0-9]{12,15}",  # Discover
            r"35(?:2[89]|[3-8][0-9])[0-9]{12,15}",  # JCB
            r"(?:62|81)[0-9]{14,17}",  # UnionPay
            r"220[0-4][0-9]{12,15}",  # Mir
            r"(?:5018|5020|5038|5893|6304|6759|676[1-3])[0-9]{9,15}",  # Maestro
            r"(?:60|82|508[0-9])[0-9]{12,14}",  # RuPay
        )
    )
)
_BEFORE_CARD = frozenset(string.ascii_letters.encode() + b"0123456789_.-")
_AFTER_CARD = compiled(r"[0-9A-Za-z_]|[.-][0-9]")
_SHORTEST_CARD, _LONGEST_CARD = 13, 19
_DOUBLED = bytes.maketrans(bytes(range(48, 58)), bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
_PLAIN = bytes.maketrans(bytes(range(48, 58)), bytes(range(10)))


def _luhn(digits: bytes) -> bool:
    """Returns whether the last digit is the check digit of ISO/IEC 7812-1, annex B."""
    odd, even = digits[-1::-2].translate(_PLAIN), digits[-2::-2].translate(_DOUBLED)
    return (sum(odd) + sum(even)) % 10 == 0


def _is_card(candidate: bytes) -> bool:
    if b" " in candidate and b"-" in candidate:
        return False
    digits = candidate.replace(b" ", b"").replace(b"-", b"")
    return len(digits) <= _LONGEST_CARD and _luhn(digits) and _ISSUERS.fullmatch(digits) is not None


def _card_end(data: bytes, start: int, end: int) -> int | None:
    """Returns where the card number that begins at `start` ends, or None if there is none.

    The last groups of digits may belong to something else, so they are left off in turn.
    """
    while end - start >= _SHORTEST_CARD:
        if _is_card(data[start:end]) and not _AFTER_CARD.match(data[end : end + 2]):
            return end
        end = max(data.rfind(b" ", start, end), data.rfind(b"-", start, end))
    return None


def hits(data: bytes, first: int, last: int, options: Options) -> Iterator[tuple[int, int]]:
    """Yields the hits that begin in data[first:last]."""
    for begin, stop in stretches(data, first, last):
        position = begin
        while stop - position >= _SHORTEST_CARD:
            match = _CARD.search(data, position, stop)
            if match is None:
                break
            start, end = match.span()
            found = None
            if start == 0 or data[start - 1] not in _BEFORE_CARD:
                found = _card_end(data, start, end)
            if found is not None:
                yield start, found
                position = found
            elif data[start + 4 : start + 5].isdigit():
                position = end
            else:
                position = start + 5  # behind the first group
