"""Phone numbers: candidates by their form, decided by the numbering plans of phonenumbers."""

from collections.abc import Iterator
from functools import cache

from filters.redaction.options import Options
from filters.redaction.patterns import compiled
from filters.redaction.phone_form import LONGEST, Ending, Form, forms, shape, stretches
from filters.redaction.phone_plan import (
    country_code,
    country_code_of,
    is_in_use,
    is_in_use_in,
    is_possible,
    national_prefix,
    writes_area_code_in_brackets,
)
from filters.redaction.phone_words import is_announced, is_labelled

_NOT_DIGITS = bytes(set(range(256)).difference(b"0123456789"))
_WORD = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
_NEVER_BEFORE = frozenset(_WORD + b"@$%&+-")
_NOT_BEFORE = _NEVER_BEFORE.union(b".=/#")
_CURRENCIES = ("£".encode(), "€".encode(), "¥".encode())
_NOT_BEHIND = frozenset(
    [b"%c" % character for character in _WORD + b"@%"]
    + [b"%c%d" % (mark, digit) for mark in b".-)" for digit in range(10)]
)
_EXTENSION = compiled(
    r"(?i)(?:[ \x{A0}]?[,;]?[ \x{A0}]?(?:x|extn?|extension|durchwahl|dw|nebenstelle|poste|anexo|"
    r"ramal|interno|int|toestel)[.:=]?[ \x{A0}]?-?#?|[ \x{A0}]?#)[0-9]{1,6}"
)
_BEFORE_EXTENSION = b" ,;\xc2\xa0"
_BEGINS_EXTENSION = frozenset(b"%c" % character for character in b"xednpartiXEDNPARTI#")
_LONGEST_EXTENSION = 28
_DECIMALS = compiled(",[0-9]")
_ANOTHER = compiled(r"(?:/| [/\-\x{2010}-\x{2013}] )0")
_LAST_DIGITS = compiled(
    r"((?: ?/ ?-?[0-9]{1,4}){1,3})(?:[ .\-/,][^0-9]|[^0-9A-Za-z_ .\-/,]|[ .\-/,]?\z)"
)
_LONGEST_LAST_DIGITS = 32
_EXIT_CODES = (b"00", b"011")
_STAND_IN = compiled(r"\+1-202-555-01[0-9]{2}")
_STAND_IN_LENGTH = 15
_ZERO, _ONE, _SLASH = b"01/"


@cache
def _regions_with_prefix(regions: tuple[str, ...]) -> dict[int, tuple[str, ...]]:
    """Returns by its first digit the regions that write a national prefix before their numbers."""
    by_digit: dict[int, tuple[str, ...]] = {}
    for region in regions:
        prefix = national_prefix(region)
        if prefix and country_code(region) != b"1" and not writes_area_code_in_brackets(region):
            by_digit[prefix[0]] = (*by_digit.get(prefix[0], ()), region)
    return by_digit


@cache
def _regions_with_brackets(regions: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(filter(writes_area_code_in_brackets, regions))


@cache
def _north_american_region(regions: tuple[str, ...]) -> str | None:
    """Returns one of the regions that share the country code 1; they share their numbers, too."""
    return next((region for region in regions if country_code(region) == b"1"), None)


def _is_phone(
    digits: bytes, form: Form, ending: Ending, announced: bool, regions: tuple[str, ...]
) -> bool:
    """Returns whether what is written like a phone number is one.

    Args:
        digits: Its digits.
        form: Where it begins.
        ending: How it is written. Without an announcement a number must be written as one: with
            the prefix that its region dials before it, and in groups.
        announced: Whether a word such as "phone" stands before it.
        regions: Where it may be from.
    """
    american = _north_american_region(regions)
    if ending.is_north_american and american:
        if ending.is_unmistakable and _may_be_north_american(digits, ending):
            return True
        if not form.has_plus and _may_be_north_american(digits, ending):
            return is_in_use(digits, american)
    if form.has_plus:
        return is_in_use(digits, None) or _may_be_in_use(digits, ending)
    if digits.startswith(b"0"):
        if ending.sizes[0] == 1 and not ending.has_brackets:
            return False  # a decimal, or an ISBN
        if _is_with_exit_code(digits, ending, announced):
            return True
    if announced:
        return ending.is_unmistakable or is_in_use_in(digits, regions)
    if ending.has_brackets and form.is_first and digits[0] != _ZERO:
        return is_in_use_in(digits, _regions_with_brackets(regions))
    if not ending.is_national or (len(ending.sizes) == 1 and _is_isbn(digits)):
        return False
    return is_in_use_in(digits, _regions_with_prefix(regions).get(digits[0], ()))


def _is_isbn(digits: bytes) -> bool:
    """Returns whether the last digit is the check digit of an ISBN-10 (ISO 2108:1992)."""
    if len(digits) != 10:
        return False
    return sum((10 - place) * (digit - _ZERO) for place, digit in enumerate(digits)) % 11 == 0


def _may_be_north_american(digits: bytes, ending: Ending) -> bool:
    """Returns whether area code and exchange begin with a digit that those may begin with."""
    if len(digits) == 11 and digits[0] != _ONE:
        return False
    return digits[-10] > _ONE and (digits[-7] > _ONE or ending.has_brackets)


def _may_be_in_use(digits: bytes, ending: Ending) -> bool:
    """Returns whether a number has a country code, and as many digits as that country's have."""
    code = country_code_of(digits)
    return (
        len(code) <= ending.sizes[0]
        and is_possible(digits)
        and (
            code != b"%c" % _ONE or ending.is_unmistakable or _may_be_north_american(digits, ending)
        )
    )


def _is_with_exit_code(digits: bytes, ending: Ending, announced: bool) -> bool:
    """Returns whether a number in use begins like 0049, 00 49 or 011-49 instead of +49."""
    for exit_code in _EXIT_CODES:
        if digits.startswith(exit_code):
            number = digits[len(exit_code) :]
            sizes = (len(exit_code), len(country_code_of(number)))
            grouped = ending.sizes[0] == sum(sizes) or ending.sizes[:2] == sizes
            if (announced or grouped) and (
                is_in_use(number, None) or (len(ending.sizes) > 3 and is_possible(number))
            ):
                return True
    return False


def _begins_another(number: bytes) -> bool:
    """Returns whether a second number begins behind a slash or a dash: 030 901820 / 030 901821."""
    match = _ANOTHER.search(number)
    return match is not None and len(number[: match.start()].translate(None, _NOT_DIGITS)) > 6


def _is_apart(data: bytes, start: int, announced: bool) -> bool:
    """Returns whether a number may begin here, and not a part of something else."""
    if start == 0:
        return True
    if data[start - 1] in (_NEVER_BEFORE if announced else _NOT_BEFORE):
        return False
    before = data[max(0, start - 3) : start]
    if before.endswith(_CURRENCIES):
        return False
    return before[-1:] != b":" or not before[-2:-1].isdigit()


def _end(data: bytes, end: int, may_be_decimal: bool) -> int | None:
    """Returns where a number ends with its extension; None if it is part of something else."""
    if data[end : end + 4].lstrip(_BEFORE_EXTENSION)[:1] in _BEGINS_EXTENSION:
        extension = _EXTENSION.match(data[end : end + _LONGEST_EXTENSION])
        if extension is not None:
            behind = end + len(extension.group())
            if not _goes_on(data, behind):
                return behind
    if data[end : end + 3].lstrip(b" ")[:1] == b"/":
        others = _LAST_DIGITS.match(data[end : end + _LONGEST_LAST_DIGITS])
        if others is not None:
            return end + len(others.group(1))
    if _goes_on(data, end) or (may_be_decimal and _DECIMALS.match(data, end, end + 2)):
        return None
    return end


def _goes_on(data: bytes, end: int) -> bool:
    behind = data[end : end + 2]
    return behind[:1] in _NOT_BEHIND or behind in _NOT_BEHIND


def _number(
    data: bytes, base: int, form: Form, position: int, options: Options
) -> tuple[int, int] | None:
    """Returns the phone number that begins in a place, or None.

    The last groups may belong to something else, so the longest is tried first, then shorter ones.

    Args:
        data: The text.
        base: Where what has the form begins.
        form: Where numbers may begin and end in it.
        position: Where the number before it ends.
        options: Where they may be from.
    """
    first = base + form.start
    after = first - 1 + _STAND_IN_LENGTH
    if form.has_plus and _STAND_IN.match(data, first - 1) and not data[after : after + 1].isdigit():
        return None
    announced = form.is_first and is_announced(data, first)
    may_be_any = announced or form.has_plus or data.startswith(_EXIT_CODES, first)
    may_begin = may_be_any or form.may_have_no_prefix
    if not may_begin and data[first] not in _regions_with_prefix(options.regions):
        return None
    for ending in form.endings:
        if not (may_be_any or ending.is_written):
            continue
        start, end = base + ending.start, base + ending.end
        is_beside = 0 < start - 1 == position and data[position] == _SLASH
        if _begins_another(data[start:end]):
            continue
        if _is_apart(data, start, announced or form.has_plus or is_beside):
            digits = data[first:end].translate(None, _NOT_DIGITS)
            if _is_phone(digits, form, ending, announced, options.regions) or (
                announced and ending.is_labelled and is_labelled(data, start)
            ):
                behind = _end(data, end, not form.has_plus and ending.is_in_thousands)
                if behind is not None:
                    return start, behind
    return None


def hits(data: bytes, first: int, last: int, options: Options) -> Iterator[tuple[int, int]]:
    """Yields the hits that begin in data[first:last]."""
    places = [(first, last)] if last - first <= LONGEST else stretches(data, first, last)
    position = first
    for base, stop in places:
        adjacent = False
        for form in forms(shape(data[base:stop])):
            if base + form.start >= position and (adjacent or not form.is_amid):
                number = _number(data, base, form, position, options)
                adjacent = number is not None
                if number is not None:
                    yield number
                    position = number[1]
