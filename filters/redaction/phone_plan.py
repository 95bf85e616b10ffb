"""Which phone numbers are in use, by the numbering plans that phonenumbers carries.

The library itself takes 50 to 200 microseconds to parse and validate a number. Here the patterns
of its metadata are compiled with google-re2, a country at a time when it is first asked for, so
that a number takes a few microseconds. The answers are the same: `is_valid_number` of `parse`,
the rules of libphonenumber (https://github.com/google/libphonenumber) for international and
national prefixes included. A release of phonenumbers with other metadata changes them alike.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import re2

if TYPE_CHECKING:
    from phonenumbers import PhoneMetadata
    from phonenumbers.phonemetadata import PhoneNumberDesc

_TYPES = (
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "personal_number",
    "voip",
    "pager",
    "uan",
    "voicemail",
)
_SHORTEST, _LONGEST = 2, 17
"""Digits of a national number that libphonenumber parses."""

_NOTHING = r"[^\x00-\x{10FFFF}]"
_BACKREFERENCE = re2.compile(rb"\\([0-9])")

_Strip = Callable[[bytes], bytes | None]
_Matching = Callable[[bytes], list[int] | None]


class _Plan(NamedTuple):
    """How numbers are dialled in a region."""

    country_code: bytes
    without_exit_code: _Strip
    without_prefix: _Strip
    is_general: _Matching
    lengths: frozenset[int]
    local_lengths: frozenset[int]


class _Region(NamedTuple):
    """Identifiers in the set of patterns of a country, and whether leading digits decide."""

    leading: int | None
    general: int
    types: int


def is_in_use(digits: bytes, region: str | None) -> bool:
    """Returns whether phonenumbers would call a number valid.

    Args:
        digits: The digits of the number as written.
        region: Where it is dialled, an ISO 3166 code; None if the number had a plus sign.
    """
    if region is None:
        return _is_international(digits)
    plan = _plan(region)
    if plan is None:
        return False
    rest = plan.without_exit_code(digits)
    if rest is not None and not rest.startswith(b"0"):
        return _is_international(rest)
    code = plan.country_code
    if digits.startswith(code):
        rest = _national(digits[len(code) :], plan)
        if _is_too_long(digits, plan) or (plan.is_general(rest) and not plan.is_general(digits)):
            return _is_in_country(code, rest)
    return _is_assigned(code, _significant(digits, plan))


def is_in_use_in(digits: bytes, regions: tuple[str, ...]) -> bool:
    """Returns whether a number without a plus sign is in use, dialled in one of some regions."""
    likely = _dialled(regions)(digits) or ()
    return any(is_in_use(digits, regions[index]) for index in likely)


def is_possible(digits: bytes) -> bool:
    """Returns whether a number written with a plus sign has as many digits as its country's may."""
    code = country_code_of(digits)
    if not code or len(digits) - len(code) < _SHORTEST:
        return False
    plan = _plan_of_country(code)
    return len(_significant(digits[len(code) :], plan)) in plan.lengths


@cache
def writes_area_code_in_brackets(region: str) -> bool:
    """Returns whether national numbers are written like (11) 2345-6789, without a prefix."""
    metadata = _metadata(region)
    return metadata is not None and any(
        number_format.national_prefix_formatting_rule == r"(\1)"
        for number_format in metadata.number_format
    )


@cache
def national_prefix(region: str) -> bytes:
    """Returns what national numbers begin with as they are written, such as b"0"; b"" if nothing.

    Italian numbers keep their zero after the country code, but are written with one as well.
    """
    metadata = _metadata(region)
    if metadata is None:
        return b""
    if metadata.national_prefix:
        return bytes(metadata.national_prefix, "ascii")
    example = metadata.fixed_line.example_number if metadata.fixed_line else None
    return b"0" if example and example.startswith("0") else b""


@cache
def country_code(region: str) -> bytes:
    """Returns the country code of a region, such as b"49"; b"" if the region is unknown."""
    plan = _plan(region)
    return plan.country_code if plan else b""


def country_code_of(digits: bytes) -> bytes:
    """Returns the country code that an international number begins with; b"" if none."""
    codes = _country_codes()
    for size in (1, 2, 3):
        if digits[:size] in codes:
            return digits[:size]
    return b""


def _is_international(digits: bytes) -> bool:
    """Returns whether a number is in use that was dialled with a plus sign or an exit code."""
    code = country_code_of(digits)
    return bool(code) and len(digits) > _SHORTEST and _is_in_country(code, digits[len(code) :])


def _is_in_country(code: bytes, rest: bytes) -> bool:
    plan = _plan_of_country(code)
    return len(rest) >= _SHORTEST and _is_assigned(code, _significant(rest, plan))


def _significant(digits: bytes, plan: _Plan) -> bytes:
    """Returns a number without its national prefix, unless it would be too short then."""
    stripped = _national(digits, plan)
    size = len(stripped)
    if size in plan.local_lengths:
        return digits
    return stripped if size in plan.lengths or size > max(plan.lengths) else digits


def _national(digits: bytes, plan: _Plan) -> bytes:
    """Returns a number without its national prefix if it has one."""
    stripped = plan.without_prefix(digits)
    if stripped is None or (not plan.is_general(stripped) and plan.is_general(digits)):
        return digits
    return stripped


def _is_too_long(digits: bytes, plan: _Plan) -> bool:
    return len(digits) not in plan.local_lengths and len(digits) > max(plan.lengths)


def _is_assigned(code: bytes, number: bytes) -> bool:
    """Returns whether a national significant number is in use in one of a country's regions.

    The first region that claims a number decides: by its leading digits, or by its patterns.
    """
    if not _SHORTEST <= len(number) <= _LONGEST:
        return False
    matching, regions = _assigned(code, len(number))
    found = matching(number)
    if not found:
        return False
    for leading, general, types in regions:
        if leading is None or leading in found:
            if general in found and types in found:
                return True
            if leading is not None:
                return False
    return False


@cache
def _assigned(code: bytes, length: int) -> tuple[_Matching, tuple[_Region, ...]]:
    """Returns the patterns of a country's numbers of a length, as one set, and its regions."""
    patterns = re2.Set.FullMatchSet()
    regions = []
    country = _metadata_of_country(code)
    for metadata in country:
        leading = None
        if len(country) > 1 and metadata.leading_digits is not None:
            leading = patterns.Add(f"(?:{metadata.leading_digits})[0-9]*".encode())
        general = _of_length([metadata.general_desc], length)
        types = _of_length([getattr(metadata, name) for name in _TYPES], length)
        regions.append(_Region(leading, patterns.Add(general), patterns.Add(types)))
    patterns.Compile()
    return patterns.Match, tuple(regions)


def _of_length(descriptions: "list[PhoneNumberDesc | None]", length: int) -> bytes:
    """Returns a pattern for what is described and may have that many digits."""
    patterns = [
        description.national_number_pattern
        for description in descriptions
        if description is not None
        and description.national_number_pattern
        and (not description.possible_length or length in description.possible_length)
    ]
    return "|".join(patterns or [_NOTHING]).encode()


@cache
def _dialled(regions: tuple[str, ...]) -> _Matching:
    """Returns a set of patterns, one for each region, for what may be in use if dialled there.

    They match a little more than is in use, so that one look tells the regions worth a closer one.
    """
    patterns = re2.Set.FullMatchSet()
    for region in regions:
        metadata = _metadata(region)
        patterns.Add(_NOTHING.encode() if metadata is None else _dialled_pattern(metadata).encode())
    patterns.Compile()
    matching: _Matching = patterns.Match
    return matching


def _dialled_pattern(metadata: "PhoneMetadata") -> str:
    code = str(metadata.country_code)
    country = _metadata_of_country(code.encode())
    types = "|".join(
        description.national_number_pattern
        for region in country
        for name in _TYPES
        if (description := getattr(region, name)) and description.national_number_pattern
    )
    prefixes = "|".join(
        of.national_prefix_for_parsing
        for of in (metadata, country[0])
        if of.national_prefix_for_parsing
    )
    prefix = f"(?:{prefixes or _NOTHING})"
    exit_code = metadata.international_prefix or _NOTHING
    changed = f"|(?:{code})?{prefix}[0-9]*"  # by a rule
    has_rule = any(of.national_prefix_transform_rule for of in (metadata, country[0]))
    return (
        f"(?:{exit_code})[0-9]*|(?:{code}{prefix}?)?{prefix}?(?:{types})"
        f"{changed if has_rule else ''}"
    )


@cache
def _plan(region: str) -> _Plan | None:
    metadata = _metadata(region)
    return None if metadata is None else _plan_of(metadata)


@cache
def _plan_of_country(code: bytes) -> _Plan:
    return _plan_of(_metadata_of_country(code)[0])


def _plan_of(metadata: "PhoneMetadata") -> _Plan:
    general = metadata.general_desc
    assert general is not None
    assert general.national_number_pattern is not None
    is_general = re2.Set.FullMatchSet()
    is_general.Add(general.national_number_pattern.encode())
    is_general.Compile()
    return _Plan(
        str(metadata.country_code).encode(),
        _stripping(metadata.international_prefix),
        _stripping(metadata.national_prefix_for_parsing, metadata.national_prefix_transform_rule),
        is_general.Match,
        frozenset(general.possible_length),
        frozenset(general.possible_length_local_only),
    )


def _stripping(prefix: str | None, rule: str | None = None) -> _Strip:
    """Returns a function that takes a prefix off, or transforms it by a rule of backreferences.

    It returns None for numbers without the prefix.
    """
    if not prefix:
        return lambda digits: None
    if prefix.isdigit():
        literal = prefix.encode()
        return lambda digits: digits[len(literal) :] if digits.startswith(literal) else None
    pattern = re2.compile(prefix.encode())
    template = _BACKREFERENCE.split(rule.encode()) if rule else []

    def strip(digits: bytes) -> bytes | None:
        match = pattern.match(digits)
        if match is None:
            return None
        if not template or match.group(pattern.groups) is None:
            return digits[match.end() :]
        parts = [
            (match.group(int(part)) or b"") if index % 2 else part
            for index, part in enumerate(template)
        ]
        return b"".join([*parts, digits[match.end() :]])

    return strip


def _metadata(region: str) -> "PhoneMetadata | None":
    from phonenumbers import PhoneMetadata  # takes time to import

    return PhoneMetadata.metadata_for_region(region, None)


@cache
def _country_codes() -> dict[bytes, tuple[str, ...]]:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    return {str(code).encode(): names for code, names in COUNTRY_CODE_TO_REGION_CODE.items()}


def _metadata_of_country(code: bytes) -> "list[PhoneMetadata]":
    """Returns the metadata of the regions that share a country code, the main one first."""
    from phonenumbers import PhoneMetadata

    regions = [
        PhoneMetadata.metadata_for_region_or_calling_code(int(code), name)
        for name in _country_codes()[code]
    ]
    return [metadata for metadata in regions if metadata is not None]
