"""Phone numbers: candidates by their form, decided by the numbering plans of phonenumbers."""

from collections.abc import Iterator
from functools import cache

import re2

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

_NOT_DIGITS = bytes(set(range(256)).difference(b"0123456789"))
_WORD = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
_NEVER_BEFORE = frozenset(_WORD + b"@$%&+-")
_NOT_BEFORE = _NEVER_BEFORE.union(b".=/#")
_CURRENCIES = ("£".encode(), "€".encode(), "¥".encode())
_NOT_BEHIND = frozenset(
    [b"%c" % character for character in _WORD + b"@%"]
    + [b"%c%d" % (mark, digit) for mark in b".,-/)" for digit in range(10)]
)
_EXTENSION = compiled(
    r"(?i)(?:[ \x{A0}]?[,;]?[ \x{A0}]?(?:x|extn?|extension|durchwahl|dw|nebenstelle|poste|anexo|"
    r"ramal|interno|int|toestel)[.:=]?[ \x{A0}]?-?#?|[ \x{A0}]?#)[0-9]{1,6}"
)
_BEFORE_EXTENSION = b" ,;\xc2\xa0"
_BEGINS_EXTENSION = frozenset(b"%c" % character for character in b"xednpartiXEDNPARTI#")
_LONGEST_EXTENSION = 28
_EXIT_CODES = (b"00", b"011")
_STAND_IN = compiled(r"\+1-202-555-01[0-9]{2}")
_STAND_IN_LENGTH = 15
_ZERO, _ONE = b"01"
_NUMBERS = (  # words that a few others may stand behind: "Tel. (Büro):", "call us at"
    r"fono?|phones?|telephones?|telephon|tel|telefone?|telefono|tel\x{E9}fono|tlf|telefoon|"
    r"t\x{E9}l|t\x{E9}l\x{E9}phone|mob|mobile?|mobiel|m\x{F3}vil|portable|cell|cellphone|cellulare|"
    r"cel|celular|handy|gsm|fax|telefax|hotline|whatsapp|sms|(?:telefon|telefoon|ruf|handy|fax|"
    r"mobil)nummer|call|dial|ring|ll[a\x{E1}]m[ae](?:me|nos)?|llamar|chiam[ai]re|"
    r"chiama(?:mi|teci)?|appelez|ligue|rufen|bellen|(?:text|contact|reach|bel) "
    r"(?:me|us|him|her|them)|(?:my|your|his|her|our|their|contact|callback|free|emergency) "
    r"(?:new |direct )?number"
)
_JUST_BEFORE = (  # words that the number has to follow: "p: ", "il mio numero è"
    r"(?:[tpmf]:|ph[:.]) ?|(?:number|n[u\x{FA}]mero|num\x{E9}ro|nummer)"
    r"(?: (?:is|now|at|on|es|el|\x{E8}|\x{E9}|o|est|le|ist|lautet|unter)){0,2}:? |"
    r"(?:contact|kontakt|contacto|contatto|contato)s?:? "
)
_ANNOUNCEMENT_LENGTH = 41
_ANNOUNCED = re2.Set.SearchSet()
_ANNOUNCED.Add(
    rf"(?i)[^\pL\pN_](?:(?:{_NUMBERS})(?:[^\pL\pN][^0-9]{{0,23}})?|{_JUST_BEFORE})\z".encode()
)
_ANNOUNCED.Compile()


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


def _is_announced(data: bytes, start: int) -> bool:
    """Returns whether a word such as "phone" stands before a number, and nothing redacted does."""
    first = start - _ANNOUNCEMENT_LENGTH
    words = data[first:start] if first >= 0 else b" " + data[:start]
    tag = words.rfind(b"|>")
    return _ANNOUNCED.Match(words[tag + 2 :] if tag >= 0 else words) is not None


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
        return is_in_use(digits, None) or (
            (announced or ending.is_unmistakable) and is_possible(digits)
        )
    if digits.startswith(b"0"):
        if ending.sizes[0] == 1 and not ending.has_brackets:
            return False  # a decimal, or an ISBN
        if _is_with_exit_code(digits, ending, announced):
            return True
    if announced:
        return is_in_use_in(digits, regions)
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


def _is_with_exit_code(digits: bytes, ending: Ending, announced: bool) -> bool:
    """Returns whether a number in use begins like 0049, 00 49 or 011-49 instead of +49."""
    for exit_code in _EXIT_CODES:
        if digits.startswith(exit_code):
            number = digits[len(exit_code) :]
            sizes = (len(exit_code), len(country_code_of(number)))
            grouped = ending.sizes[0] == sum(sizes) or ending.sizes[:2] == sizes
            if (announced or grouped) and is_in_use(number, None):
                return True
    return False


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


def _end(data: bytes, end: int) -> int | None:
    """Returns where a number ends with its extension; None if it is part of something else."""
    if data[end : end + 4].lstrip(_BEFORE_EXTENSION)[:1] in _BEGINS_EXTENSION:
        extension = _EXTENSION.match(data[end : end + _LONGEST_EXTENSION])
        if extension is not None:
            behind = end + len(extension.group())
            if not _goes_on(data, behind):
                return behind
    return None if _goes_on(data, end) else end


def _goes_on(data: bytes, end: int) -> bool:
    behind = data[end : end + 2]
    return behind[:1] in _NOT_BEHIND or behind in _NOT_BEHIND


def _number(data: bytes, base: int, form: Form, options: Options) -> tuple[int, int] | None:
    """Returns the phone number that begins in a place, or None.

    The last groups may belong to something else, so the longest is tried first, then shorter ones.

    Args:
        data: The text.
        base: Where what has the form begins.
        form: Where numbers may begin and end in it.
        options: Where they may be from.
    """
    first = base + form.start
    after = first - 1 + _STAND_IN_LENGTH
    if form.has_plus and _STAND_IN.match(data, first - 1) and not data[after : after + 1].isdigit():
        return None
    announced = form.is_first and _is_announced(data, first)
    may_be_any = announced or form.has_plus or data.startswith(_EXIT_CODES, first)
    may_begin = may_be_any or form.may_have_no_prefix
    if not may_begin and data[first] not in _regions_with_prefix(options.regions):
        return None
    for ending in form.endings:
        if not (may_be_any or ending.is_written):
            continue
        start, end = base + ending.start, base + ending.end
        if _is_apart(data, start, announced or form.has_plus):
            digits = data[first:end].translate(None, _NOT_DIGITS)
            if _is_phone(digits, form, ending, announced, options.regions):
                behind = _end(data, end)
                if behind is not None:
                    return start, behind
    return None


def hits(data: bytes, first: int, last: int, options: Options) -> Iterator[tuple[int, int]]:
    """Yields the hits that begin in data[first:last]."""
    places = [(first, last)] if last - first <= LONGEST else stretches(data, first, last)
    for base, stop in places:
        position, adjacent = base, False
        for form in forms(shape(data[base:stop])):
            if base + form.start >= position and (adjacent or not form.is_amid):
                number = _number(data, base, form, options)
                adjacent = number is not None
                if number is not None:
                    yield number
                    position = number[1]
