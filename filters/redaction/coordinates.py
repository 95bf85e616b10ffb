"""Geographic coordinates precise enough to name a street.

Decimal degrees count from four decimals on (11 m; three are 110 m), minutes from two (18 m), and
whole seconds (31 m). Two numbers alone may be anything, so something must say that they are
coordinates: degree signs, points of the compass, words, or the punctuation of a map's URL. Or they
are written as maps give them, latitude, comma, longitude, with five to eight decimals (1 m to 1 mm;
one may have lost its last zero), and are no part of a list, a table or a call.
"""

from collections.abc import Iterator

from filters.redaction.options import Options
from filters.redaction.patterns import compiled

_SIGN = r"[+\-\x{2212}]?"
_DEGREE = r"[\x{B0}\x{BA}]"
_NUMBER = r"[0-9]{1,3}\.[0-9]{4,}"
_FIRST = compiled(rf"[0-9]+(?:\.[0-9]{{4,}}|{_DEGREE})")
_LONGITUDE_OR_LATITUDE = r"(?i:lat|latitude|lng|lon|long|longitude)"
# Between the numbers: a key, XML's tags, Google's !4d, or separators and a point of the compass.
_PAIR = compiled(
    rf"({_NUMBER})( ?{_DEGREE})?( ?[NSEWO]\b)?"
    rf"(?:([\"']?[,;&]?\s{{0,4}}[\"']?(?:data-)?{_LONGITUDE_OR_LATITUDE}(?:[\"']? ?[=:] ?[\"']?| )"
    rf"|</?\w{{3,9}}>\s{{0,4}}<\w{{3,9}}>|!4d)|(?:%2C|[ ,;/|]{{1,3}}|,\n)([NSEWO] ?)?)"
    rf"({_SIGN})({_NUMBER})( ?{_DEGREE})?( ?[NSEWO]\b)?"
)
_PART = (
    rf"[0-9]{{1,3}}{_DEGREE} ?(?:[0-9]{{1,2}} ?['\x{{2032}}\x{{2019}}\x{{B4}}] ?[0-9]{{1,2}}"
    r"(?:[.,][0-9]{1,8})? ?(?:[\"\x{2033}\x{201D}]|['\x{2032}\x{2019}\x{B4}]{2})"
    r"|[0-9]{1,2}[.,][0-9]{2,8} ?['\x{2032}\x{2019}\x{B4}])"
)
_MINUTES_LETTERS_BEHIND = compiled(rf"{_PART} ?[NS][ ,;/]{{0,3}}{_PART} ?[EWO]\b")
_MINUTES_LETTERS_BEFORE = compiled(rf"{_PART}[ ,;/]{{0,3}}[EWO] ?{_PART}")
_LETTER_BEFORE = compiled(r"\b[NS] ?\z")
_ANNOUNCED = compiled(
    r"(?:@|%40|geo:|!3d|[?&](?i:s?ll|q|query|cent(?:er|re)|loc|cp|[sd]addr|destination|origin)=|"
    r"POINT ?Z? ?\( ?|(?i:\b(?:coordinates?|coords?|gps|lat|lon|lng|latitude|longitude|latlng|"
    r"latlon|geo|geolocation|geopoint|geotag|koordinaten|coordonn\x{E9}es|coordenadas|coordinate|"
    r"wgs ?84)\b[^0-9\n]{0,24}))\z"
)
_THIRD_NUMBER = compiled(r"[\])]?,? {0,2}-?[0-9]+\.[0-9]")
_LONGITUDE = rf"{_SIGN}(?:[0-9]{{1,2}}|1[0-8][0-9])"
_BARE_PAIR = compiled(
    rf"[0-9]{{1,2}}\.(?:[0-9]{{5,8}}, ?{_LONGITUDE}\.[0-9]{{4,8}}"
    rf"|[0-9]{{4}}, ?{_LONGITUDE}\.[0-9]{{5,8}})"
)
_BEFORE_BARE = compiled(  # the last of these are what stands before the bracket
    r"(?:[0-9]\s+|\s{30}|[,;|\[{%$~/]\s*|[=+*] |\b[A-Za-z] ?|(?:\w|(?:[(\[,=+*]|[\"'\]]:)\s*)\()\z"
)
_AFTER_BARE = compiled(
    r"[%\]}*/]|[ ,;|]{0,3}[A-Za-z]?[+\-]?[0-9]|\s+[+\-]?[0-9]+\.[0-9]|,\s+(?:[+\-]?[0-9]|\z)|"
    r"[\])],?\s*[\[(,0-9]|\),[ \t]*(?:\n|\z)"
)
_GOES_ON = frozenset(b"%c" % character for character in b"0123456789.")
_LONGEST_PAIR, _LOOK_BACK, _SHORTEST = 100, 40, 3


def _is_place(one: float, other: float) -> bool:
    """Returns whether two numbers, in either order, can be latitude and longitude on land."""
    return min(one, other) <= 90 and 1 <= max(one, other) <= 180


def _decimal_end(data: bytes, start: int, before: bytes) -> int | None:
    """Returns where the pair of decimal numbers that begins at `start` ends, or None."""
    match = _PAIR.match(data, start, min(len(data), start + _LONGEST_PAIR))
    if match is None:
        return None
    one, degree, letter, key, letter_between, _, other, second_degree, second_letter = (
        match.groups()
    )
    end = match.end()
    announced = (
        key
        or (degree and second_degree)
        or (letter and second_letter)
        or ((letter or letter_between) and _LETTER_BEFORE.search(before))
        or (_ANNOUNCED.search(before) and not _THIRD_NUMBER.match(data[end : end + 24]))
        or _is_bare(data, start, end, before)
    )
    if not announced or not _is_place(float(one), float(other)) or data[end : end + 1].isalnum():
        return None
    return int(end)


def _is_bare(data: bytes, start: int, end: int, before: bytes) -> bool:
    """Returns whether two numbers that nothing announces are written as a map's coordinates."""
    return (
        _BARE_PAIR.fullmatch(data, start, end) is not None
        and not _BEFORE_BARE.search(before)
        and not _AFTER_BARE.match(data[end : end + _LOOK_BACK])
    )


def _minutes_end(data: bytes, start: int, before: bytes) -> int | None:
    """Returns where the pair in degrees and minutes that begins at `start` ends, or None."""
    stop = min(len(data), start + _LONGEST_PAIR)
    match = _MINUTES_LETTERS_BEHIND.match(data, start, stop)
    if match is None and _LETTER_BEFORE.search(before):
        match = _MINUTES_LETTERS_BEFORE.match(data, start, stop)
    return None if match is None else int(match.end())


def hits(data: bytes, first: int, last: int, options: Options) -> Iterator[tuple[int, int]]:
    """Yields the hits whose first digit is in data[first:last]."""
    for match in _FIRST.finditer(data, first, min(last + _SHORTEST, len(data))):
        start, end = match.span()
        if data[start - 1 : start] in _GOES_ON:  # `_in_list` says the same, more slowly
            continue
        before = data[max(0, start - _LOOK_BACK) : start]
        if _in_list(before):
            continue
        if data[end - 1 : end].isdigit():
            found = _decimal_end(data, start, before.rstrip(b"+-"))
            sign = len(before) - len(before.rstrip(b"+-"))
            start -= sign
        else:
            found = _minutes_end(data, start, before)
        if found is not None:
            yield start, found


def _in_list(before: bytes) -> bool:
    """Returns whether a number stands directly before, or a word without a gap."""
    last = before.rstrip(b" ,;+-")[-1:]
    return last.isdigit() or (before[-1:].isalnum() and not before.endswith(b"!3d")) or last == b"."
