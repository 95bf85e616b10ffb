"""Replaces personal data."""

from bisect import bisect_left, bisect_right
from collections import Counter
from typing import NamedTuple

from filters.redaction.detection import find
from filters.redaction.options import Options
from filters.redaction.spans import Span
from filters.redaction.strategies import Replacement, tags

_EXACT_ROUNDS = 8
_WIDENING = 8  # so that a text of a million characters is done within 15 rounds


class Redaction(NamedTuple):
    """A redacted text.

    Attributes:
        text: The text without personal data.
        spans: What was replaced, in the order of the text, as offsets into the text as it was.
    """

    text: str
    spans: list[Span]

    @property
    def counts(self) -> dict[str, int]:
        """How many hits of each type there were."""
        return dict(Counter(span.type for span in self.spans))


def redact(
    text: str,
    options: Options = Options(),  # noqa: B008
    replacement: Replacement = tags,
) -> Redaction:
    """Replaces personal data.

    Looks again at what it wrote until nothing is found, since a replaced neighbour can bring a
    hit to light; so redacting twice changes nothing more. It looks behind tags first, whatever is
    put in the place later: they are the least like data. A text can be made such that each
    replacement brings just one more to light, so after some rounds hits take in the words around
    them, more in each round.

    Args:
        text: The text.
        options: What is looked for.
        replacement: What is put in its place.
    """
    redaction = Redaction(text, find(text, options))
    if redaction.spans:
        redaction = _settled(text, options, tags, redaction.spans)
        if replacement is not tags:
            redaction = _settled(text, options, replacement, redaction.spans)
    return redaction


def _settled(text: str, options: Options, replacement: Replacement, spans: list[Span]) -> Redaction:
    """Replaces spans, and what is found then, until nothing is found or all is replaced."""
    words = None
    rounds, margin = 0, 1
    while True:
        redacted, places = _replaced(text, spans, replacement)
        more = _as_given(find(redacted, options), spans, places)
        if not more or spans[0].end - spans[0].start == len(text):
            return Redaction(redacted, spans)
        rounds += 1
        before, spans = spans, _merged(spans, more)
        if rounds >= _EXACT_ROUNDS or spans == before:
            words = words or _words(text)
            margin *= _WIDENING
            spans = _merged(spans, _widened(more, margin, words))


def _words(text: str) -> tuple[list[int], list[int]]:
    """Returns where words begin and where they end, and the text's own beginning and end.

    Words with digits beside each other count as one: they may be groups of a number.
    """
    starts = [0]
    ends: list[int] = []
    position, had_digit = 0, False
    for word in text.split():
        start = text.index(word, position)
        position = start + len(word)
        has_digit = any(map(str.isdigit, word))
        if has_digit and had_digit:
            ends.pop()
        else:
            starts.append(start)
        ends.append(position)
        had_digit = has_digit
    return starts, [*ends, len(text)]


def _widened(spans: list[Span], margin: int, words: tuple[list[int], list[int]]) -> list[Span]:
    """Returns spans with a margin on both sides, and the whole of the words in which it ends."""
    starts, ends = words
    size = ends[-1]
    return [
        Span(
            starts[bisect_right(starts, max(0, span.start - margin)) - 1],
            ends[bisect_left(ends, min(size, span.end + margin))],
            span.type,
        )
        for span in spans
    ]


def _replaced(
    text: str, spans: list[Span], replacement: Replacement
) -> tuple[str, list[tuple[int, int]]]:
    """Returns the text with spans replaced, and where in it each replacement stands."""
    replace = replacement()
    parts: list[str] = []
    places: list[tuple[int, int]] = []
    position = length = 0
    for start, end, name in spans:
        before, instead = text[position:start], replace(name, text[start:end])
        length += len(before)
        places.append((length, length + len(instead)))
        length += len(instead)
        parts += (before, instead)
        position = end
    return "".join((*parts, text[position:])), places


def _as_given(found: list[Span], spans: list[Span], places: list[tuple[int, int]]) -> list[Span]:
    """Turns hits in a redacted text into hits in the text as it was given."""
    starts = [start for start, _ in places]

    def offset(point: int, is_end: bool) -> int:
        index = bisect_right(starts, point - is_end) - 1
        if index < 0:
            return point
        if point - is_end < places[index][1]:  # inside a replacement: all of what it replaced
            return spans[index].end if is_end else spans[index].start
        return point - places[index][1] + spans[index].end

    return [Span(offset(hit.start, False), offset(hit.end, True), hit.type) for hit in found]


def _merged(spans: list[Span], more: list[Span]) -> list[Span]:
    """Returns all spans; those that overlap become one, of the first one's type."""
    merged: list[Span] = []
    for start, end, name in sorted(more + spans, key=lambda span: span.start):  # a stable sort
        if merged and start < merged[-1].end:
            last = merged[-1]
            merged[-1] = Span(last.start, max(last.end, end), last.type)
        else:
            merged.append(Span(start, end, name))
    return merged
