"""International bank account numbers (ISO 13616)."""

import re
from collections.abc import Iterator
from functools import cache

import re2

from filters.redaction.check_digits import mod_97_10
from filters.redaction.options import Options
from filters.redaction.patterns import GAP, compiled

# Country and national part of each account number, from the IBAN registry of SWIFT, release 101:
# n digits, a capital letters, c either.
_REGISTRY = """
    AD8n12c AE19n AL8n16c AT16n AZ4a20c BA16n BE12n BG4a6n8c BH4a14c BI23n BR23n1a1c BY4c4n16c
    CH5n12c CR18n CY8n16c CZ20n DE18n DJ23n DK14n DO4c20n EE16n EG25n ES20n FI14n FK2a12n FO14n
    FR10n11c2n GB4a14n GE2a16n GI4a15c GL14n GR7n16c GT24c HN4a20n HR17n HU24n IE4a14n IL19n
    IQ4a15n IS22n IT1a10n12c JO4a4n18c KW4a22c KZ3n13c LB4n20c LC4a24c LI5n12c LT16n LU3n13c
    LV4a13c LY21n MC10n11c2n MD20c ME18n MK3n10c2n MN16n MR23n MT4a5n18c MU4a19n3a NI4a20n
    NL4a10n NO11n OM3n16c PK4a16c PL24n PS4a21c PT21n QA4a21c RO4a16c RS18n RU14n15c SA2n18c
    SC4a20n3a SD14n SE20n SI15n SK20n SM1a10n12c SO19n ST21n SV4a20n TL19n TN20n TR6n16c UA6n19c
    VA18n VG4a16n XK16n YE4a4n18c
"""
_ENTRIES = {entry[:2].encode(): entry[2:] for entry in _REGISTRY.split()}
_LENGTHS = {
    country: 4 + sum(map(int, re.findall("[0-9]+", parts))) for country, parts in _ENTRIES.items()
}
_PART = {"n": "[0-9]", "a": "[A-Z]", "c": "[0-9A-Z]"}
_COUNTRY = f"(?:{'|'.join(country.decode() for country in _ENTRIES)})[0-9]{{2}}"
_BEGINNING = compiled(
    f"(?i:{_COUNTRY}[0-9A-Z]{{11}})|{_COUNTRY}(?:{GAP}[0-9A-Z]{{4}}){{2}}{GAP}[0-9A-Z]{{2,4}}"
)
_SHORTEST = min(_LENGTHS.values())


@cache
def _structure(country: bytes, gap: bytes) -> "re2._Regexp":
    """Returns the pattern of a country's numbers with gaps between groups of four."""
    parts = re.findall("([0-9]+)([nac])", _ENTRIES[country])
    kinds = "aann" + "".join(kind * int(n) for n, kind in parts)
    groups = [kinds[i : i + 4] for i in range(0, len(kinds), 4)]
    return compiled(gap.decode().join("".join(_PART[kind] for kind in group) for group in groups))


def _iban_end(data: bytes, start: int) -> int | None:
    """Returns where the account number that begins at `start` ends, or None if there is none."""
    country = data[start : start + 2].upper()
    length = _LENGTHS.get(country)
    if length is None:  # ſE: to patterns, the same letters in another case
        return None
    gap = b""
    if not data[start + 4 : start + 5].isalnum():
        gap = data[start + 4 : start + 4 + {0xC2: 2, 0xE2: 3}.get(data[start + 4], 1)]
    end = start + length + (length - 1) // 4 * len(gap)
    number = data[start:end].upper()
    if data[end : end + 1].isalnum() or not _structure(country, gap).fullmatch(number):
        return None
    compact = number.replace(gap, b"") if gap else number
    return end if mod_97_10(compact[4:] + compact[:4]) else None


def hits(data: bytes, first: int, last: int, options: Options) -> Iterator[tuple[int, int]]:
    """Yields the hits that begin in data[first:last]."""
    if last - first < _SHORTEST:
        return
    for match in _BEGINNING.finditer(data, first, last):
        start = match.start()
        if not data[max(0, start - 1) : start].isalnum():
            end = _iban_end(data, start)
            if end is not None:
                yield start, end
