"""How phone numbers are written: where in digits and separators one may begin and end.

What decides here is the shape alone, the text with every digit alike, so that a shape is looked
at once however many numbers have it.
"""

from collections.abc import Iterator
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import NamedTuple

from filters.redaction.patterns import compiled

LONGEST, _MOST_IN_STRETCH = 80, 16
"""Bytes, and groups of digits. Longer runs of digits and separators are tables, or lists of numbers
that are all written alike."""

_SHAPE = bytearray(b"#" * 256)
_SHAPE[48:58] = b"0" * 10
for _characters, _classes in (
    (b" .-/()+", b" .-/()+"),
    (b"\xc2\xa0", b"na"),  # a no-break space; the hyphens and the narrow space have three bytes
    (b"\xe2\x80\x90\x91\x92\x93\xaf", b"pqhhhhs"),
):
    for _character, _class in zip(_characters, _classes, strict=True):
        _SHAPE[_character] = _class
_SHAPES = bytes(_SHAPE)

_STRETCH = compiled(r"(?:\(?\+|\()?0(?:[ .\-/()0]|na|pq[hs]){5,}0")
_DIGITS_ALONE = bytes.maketrans(b" .-/()+napqhs", b" " * 13)

_SEPARATORS = b" .-/()+napqhs"
_SHORTEST_PERIOD, _LONGEST_PERIOD = 8, 40
_SINGLE = (b" ", b".", b"-", b"/", b"na", b"pqh", b"pqs")
_SINGLE_BUT_SLASH = tuple(gap for gap in _SINGLE if gap != b"/")
_SPACED = tuple(
    b"%s%s%s" % (space, dash, space)
    for space in (b" ", b"na")
    for dash in (b"-", b"/", b".", b"pqh")
)
_GAPS = frozenset(
    [*_SINGLE, *_SPACED, b"(", b")"]
    + [gap + b"(" for gap in _SINGLE]
    + [b")" + gap for gap in (*_SINGLE, *_SPACED)]
    + [b" - (", b")("]
)
_NOT_BRACKETS = b"0 .-/+#napqhs"
_JOINING = (b".", b"-", b"/")  # what a number does not follow
_DATE_GAPS = (b".", b"/", b"-")
_FEWEST_DIGITS, _MOST_DIGITS, _MOST_GROUPS = 7, 18, 8
_FEWEST_NATIONAL, _MOST_NATIONAL = 8, 13
_MOST_INTERNATIONAL = 15  # E.164
_FIRM_GAPS = frozenset((b"-", b".", b"pqh"))
_LONGEST_TABLE_GROUP = 4
_UNGROUPED = ((10,), (11,))
_POST_CODE_OR_SERIAL = ((5, 4), (4, 4))  # ZIP+4, ISSN
_NORTH_AMERICAN = ((3, 3, 4), (3, 7))


class Ending(NamedTuple):
    """A number that may be, as offsets into the shape.

    Attributes:
        start: Its first character: a digit, a plus sign or a bracket.
        end: Behind its last digit.
        sizes: How many digits its groups have.
        has_brackets: Whether it begins with a bracket.
        is_national: Whether it is grouped as numbers with a national prefix may be, or not at all.
        is_north_american: Whether it is grouped as numbers in North America are.
        is_unmistakable: Whether it has brackets, or such groups with hyphens or dots between: no
            row of figures looks like that.
    """

    start: int
    end: int
    sizes: tuple[int, ...]
    has_brackets: bool
    is_national: bool
    is_north_american: bool
    is_unmistakable: bool

    @property
    def is_written(self) -> bool:
        """Whether it may be a phone number that nothing announces."""
        return self.is_national or self.is_north_american or self.has_brackets

    @property
    def is_labelled(self) -> bool:
        """Whether it is a number of some country behind "Phone:", however it is grouped."""
        return (
            min(self.sizes) > 1
            and not self.is_in_thousands
            and sum(self.sizes) <= _MOST_INTERNATIONAL
        )

    @property
    def is_in_thousands(self) -> bool:
        """Whether it is grouped as a large number may be: 12 345 678."""
        return len(self.sizes) > 1 and self.sizes[0] <= 3 and set(self.sizes[1:]) == {3}


class _Groups(NamedTuple):
    """The groups of digits of a stretch.

    Attributes:
        text: The shape that the stretch is in.
        spans: Where in it the groups are.
        sizes: How many digits they have.
        gaps: What stands between each and the next.
    """

    text: bytes
    spans: list[tuple[int, int]]
    sizes: list[int]
    gaps: list[bytes]


class Form:
    """The numbers that may begin with a group of digits.

    Attributes:
        start: The first digit.
        has_plus: Whether a plus sign stands before it.
        is_first: Whether no other digits stand before it in the stretch.
        is_amid: Whether it can begin only where another number has just ended: the separators
            before it and behind it are the same, as amid a number or in a table, or there is a
            slash before it.
        may_have_no_prefix: Whether it begins as numbers without a national prefix may: with three
            groups as in North America, or with a bracket.
    """

    def __init__(self, groups: _Groups, index: int) -> None:
        """Describes the numbers that may begin with the group of that index."""
        text, spans, sizes, gaps = groups
        self.start = spans[index][0]
        self.is_first = not index
        before = text[self.start - 1 : self.start]
        self.has_plus = before == b"+"
        # a number may follow a post code, or 18001 for text relay
        self.is_amid = (
            0 < index < len(gaps)
            and gaps[index - 1] == gaps[index]
            and gaps[index] in _GAPS
            and (index > 1 or sizes[0] <= _LONGEST_TABLE_GROUP)
        ) or (index > 0 and gaps[index - 1] == b"/")
        area = index + (sizes[index] == 1)
        self.may_have_no_prefix = before in (b"(", b"+") or tuple(sizes[area : area + 3]) == (
            3,
            3,
            4,
        )
        self._groups, self._index = groups, index

    @cached_property
    def endings(self) -> tuple[Ending, ...]:
        """What the number may be, the longest first."""
        index = self._index
        text, spans, sizes, gaps = self._groups
        return tuple(_endings(text, spans[index:], sizes[index:], gaps[index:], self.has_plus))


def shape(text: bytes) -> bytes:
    """Returns a text with every digit alike, and all that is in no number, too."""
    return text.translate(_SHAPES)


def stretches(data: bytes, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yields the stretches of digits and separators in which phone numbers may be."""
    for match in _STRETCH.finditer(shape(data[first:last])):
        start, end = match.span()
        if end - start <= LONGEST:
            yield first + start, first + end
        else:
            for unit_start, unit_end in _repeated(match.group()):
                yield first + start + unit_start, first + start + unit_end


def _repeated(stretch: bytes) -> Iterator[tuple[int, int]]:
    """Yields the parts of a long stretch that are all alike, as in a list of phone numbers."""
    for period in range(1, _LONGEST_PERIOD + 1):
        if stretch.startswith(stretch[period:]):
            break
    else:
        return
    if period >= _SHORTEST_PERIOD:
        size = len(stretch[:period].rstrip(_SEPARATORS))
        for start in range(0, len(stretch), period):
            yield start, min(start + size, len(stretch))


@lru_cache(maxsize=8192)
def forms(text: bytes) -> tuple[Form, ...]:
    """Returns where in a shape numbers may begin, left to right."""
    found: list[Form] = []
    for match in _STRETCH.finditer(text):
        start, end = match.span()
        digits = text.count(b"0", start, end)
        if end - start <= LONGEST and digits >= _FEWEST_DIGITS:
            found += _forms(text, start, end, digits)
    return tuple(found)


def _forms(text: bytes, start: int, end: int, digits: int) -> Iterator[Form]:
    stretch = text[start:end].lstrip(b"(+")
    sizes = [len(group) for group in stretch.translate(_DIGITS_ALONE).split()]
    if len(sizes) > _MOST_IN_STRETCH:
        return
    gaps = [gap for gap in stretch.split(b"0") if gap]
    spans = []
    position = end - len(stretch)
    for size, gap in zip(sizes, [*gaps, b""], strict=True):
        spans.append((position, position + size))
        position += size + len(gap)
    groups = _Groups(text, spans, sizes, gaps)
    for index, size in enumerate(sizes):
        if digits < _FEWEST_DIGITS:
            break
        digits -= size
        gap = gaps[index - 1] if index else b" "
        if not gap.endswith(_JOINING) or (gap == b"/" and sum(sizes[:index]) >= _FEWEST_DIGITS):
            yield Form(groups, index)


def _endings(
    text: bytes,
    groups: list[tuple[int, int]],
    sizes: list[int],
    gaps: list[bytes],
    has_plus: bool,
) -> Iterator[Ending]:
    """Yields what may be a number that begins with the first group, the longest first."""
    if (not has_plus or sizes[0] == 4) and _is_date(sizes, gaps):
        return
    totals = list(accumulate(sizes[:_MOST_GROUPS]))
    count = 1
    while count < len(totals) and gaps[count - 1] in _GAPS:
        count += 1
    start = groups[0][0] - has_plus
    is_bracketed = text[start - 1 : start] == b"("
    for last in range(count, 0, -1):
        if totals[last - 1] < _FEWEST_DIGITS:
            break
        end = groups[last - 1][1]
        brackets = text[start:end].translate(None, _NOT_BRACKETS)
        closes = is_bracketed and brackets in (b")", b")()")
        if totals[last - 1] > _MOST_DIGITS or not (closes or brackets in (b"", b"()", b"()()")):
            continue
        if last == 2 and gaps[0] == b"." and sizes[0] > 3:
            continue  # a decimal
        if brackets and last > 3 and text.rfind(b")", start, end) > groups[3][0]:
            continue
        of = tuple(sizes[:last])
        between = gaps[: last - 1]
        is_north_american = _is_north_american(of, between)
        yield Ending(
            start - closes,
            end,
            of,
            closes,
            of in _UNGROUPED
            if last == 1
            else _FEWEST_NATIONAL <= totals[last - 1] <= _MOST_NATIONAL
            and _is_national(of, between),
            is_north_american,
            bool(brackets) or (is_north_american and _FIRM_GAPS.issuperset(between)),
        )


def _is_date(sizes: list[int], gaps: list[bytes]) -> bool:
    """Returns whether groups begin like 31.12.1999 or 1999-12-31, not like 01.42.68.53.00."""
    if len(gaps) < 2 or gaps[0] != gaps[1] or gaps[0] not in _DATE_GAPS:
        return False
    day_or_year, month, year_or_day = sizes[:3]
    if day_or_year > 4 or month > 2 or year_or_day > 4:
        return False
    return gaps[2:3] != gaps[:1] or 4 in (day_or_year, year_or_day)


def _is_national(sizes: tuple[int, ...], gaps: list[bytes]) -> bool:
    """Returns whether groups are regular: 030/901820, 01.42.68.53.00, 07 11/97 81-0."""
    if gaps == [b"-"] and sizes in _POST_CODE_OR_SERIAL:
        return False
    if sum(sizes) == _FEWEST_NATIONAL and gaps[0] != b"/" and b")" not in gaps[0]:
        return False  # such as 0100 0000
    if len(sizes) > 2 and gaps[-1] == b"-" and sizes[-1] <= 4:
        sizes, gaps = sizes[:-1], gaps[:-1]  # an extension
    if min(sizes[1:]) < 2 or len(sizes) > 6:
        return False
    if gaps[0].endswith(b"(") and len(sizes) > 2:
        sizes, gaps = sizes[1:], gaps[1:]  # 8 (495) 123-45-67
    further = gaps[1:]
    if further and further[0] == b"/" and sizes[0] + sizes[1] <= 5:
        further = further[1:]  # 07 11/97 81
    if not further:
        return gaps[0] != b"." or len(gaps) > 1
    if any(gap != further[0] for gap in further):
        return False
    if further[0] == b".":
        in_thousands = gaps[0] == b"." and sizes[0] <= 3 and set(sizes[1:]) == {3}
        return (b"." in gaps[0] or len(further) > 1) and not in_thousands
    if gaps[0] == b".":
        return False
    return further[0] in _SINGLE_BUT_SLASH or further[0] == gaps[0] == b" - "


def _is_north_american(sizes: tuple[int, ...], gaps: list[bytes]) -> bool:
    """Returns whether groups are those of 1 (212) 736-5000, or of (212) 7365000."""
    if sizes[:1] == (1,):
        sizes, gaps = sizes[1:], gaps[1:]
    if sizes not in _NORTH_AMERICAN:
        return False
    if len(gaps) == 1:
        return b")" in gaps[0]
    if gaps[1] not in _SINGLE:
        return b")" in gaps[0] and gaps[1] == b" - "
    return gaps[1] != b"/" and (gaps[1] != b"." or gaps[0] != b" ")
