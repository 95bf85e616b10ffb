"""Where personal data is in a text."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Span(NamedTuple):
    """A hit: text[start:end] is of the type named. Offsets count code points."""

    start: int
    end: int
    type: str


def without_overlaps(claims: Iterable[Sequence[Span]]) -> list[Span]:
    """Returns the hits that stay where hits overlap, in the order of the text.

    Args:
        claims: The hits of each type, each in the order of the text, the types in the order in
            which they claim text: a hit that overlaps one of an earlier type, or one further
            left of its own, goes.
    """
    kept: list[Span] = []
    for hits in claims:
        if not hits:
            continue
        starts = [span.start for span in kept]
        added, end = [], 0
        for hit in hits:
            place = bisect_right(starts, hit.start)
            if (
                hit.start >= end
                and (place == 0 or kept[place - 1].end <= hit.start)
                and (place == len(kept) or hit.end <= kept[place].start)
            ):
                added.append(hit)
                end = hit.end
        kept = sorted(kept + added)
    return kept
