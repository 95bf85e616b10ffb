"""Replaces personal data."""

from bisect import bisect_right
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
    hit to light; so redacting twice changes nothing more. A text can be made such that each
    replacement brings just one more to light, so after some rounds hits take in their
    surroundings, more in each round.

    Args:
        text: The text.
        options: What is looked for.
        replacement: What is put in its place.
    """
    spans = find(text, options)
    redacted, rounds, reached = text, 0, (0, 0)
    while (progress := _progress(spans)) > reached:
        reached, rounds = progress, rounds + 1
        redacted, places = _replaced(text, spans, replacement)
        more = _as_given(find(redacted, options), spans, places)
        spans = _merged(spans, _widened(more, rounds, len(text)))
    return Redaction(redacted, spans)


def _progress(spans: list[Span]) -> tuple[int, int]:
    """Returns what grows from round to round: characters in spans, then fewer spans."""
    return sum(span.end - span.start for span in spans), -len(spans)


def _widened(spans: list[Span], rounds: int, size: int) -> list[Span]:
    if rounds < _EXACT_ROUNDS:
        return spans
    margin = _WIDENING ** (rounds - _EXACT_ROUNDS + 1)
    return [
        Span(max(0, span.start - margin), min(size, span.end + margin), span.type) for span in spans
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
