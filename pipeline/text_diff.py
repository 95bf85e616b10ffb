"""What differs between two texts, word by word, in bounded time and length.

Texts are hostile, and a shortest difference takes quadratic time, so this one need not be the
shortest. It is always a true one: what is kept and removed makes the old text, what is kept and
added the new. Words in a row that occur once in each text are anchors (the patience diff of Bram
Cohen, https://bramcohen.livejournal.com/73318.html); between them the same is done again, and
small gaps are left to `difflib`. Work is counted, and when it is used up, the gaps that are left
count as replaced.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice, pairwise
from typing import Literal

from dedup.shingles import UNSPACED_BLOCKS

MOST_WORDS = 200_000  # of each text; about a megabyte of English
MOST_HUNKS = 20
MOST_CHANGES = 20  # in a hunk
CONTEXT = 10  # words that are the same, before and after a change
MOST_SHOWN = 80  # words of one piece
LONGEST = 1_000  # characters of one piece
ANCHORS = (8, 3, 1)  # words in a row that must be the same and occur once
MEANINGFUL = 3  # words in a row between long replaced passages
SMALL = 4_096  # words of the old text times words of the new one, for difflib
WORK = 10_000_000  # words looked at in all

_UNSPACED = "".join(f"{chr(first)}-{chr(last)}" for first, last in UNSPACED_BLOCKS)
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+|[^\w\s]")

Block = tuple[int, int, int]
Change = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some words in a row.

    Attributes:
        kind: Whether both texts have them, only the old one, or only the new one.
        text: As it is in the text (of the new one, if both have it), with the white space after.
        left_out: How many words more there are.
    """

    kind: Literal["same", "removed", "added"]
    text: str
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Hunk:
    """Changes that are near each other, with some words around them.

    Attributes:
        old: Number of the first word of the hunk in the old text, from 1.
        new: The same in the new text.
        pieces: In the order of the texts.
    """

    old: int
    new: int
    pieces: list[Piece]


@dataclass(frozen=True, slots=True)
class Diff:
    """What differs between two texts.

    Attributes:
        hunks: The first ones.
        more_hunks: How many are left out.
        removed: Words that only the old text has, in all.
        added: Words that only the new text has, in all.
        cut: Whether a text has more than MOST_WORDS words, of which only these were compared.
        coarse: Whether the work was used up, so that more is called replaced than was.
    """

    hunks: list[Hunk]
    more_hunks: int
    removed: int
    added: int
    cut: bool
    coarse: bool


class _Words:
    """A text and where its words start and end. A character of Chinese or Thai is a word."""

    def __init__(self, text: str) -> None:
        self.text = text
        found = _WORD.finditer(text)
        self.spans = [word.span() for word in islice(found, MOST_WORDS)]
        following = next(found, None)
        self.cut = following is not None
        self.end = following.start() if following else len(text)

    def __len__(self) -> int:
        return len(self.spans)

    def numbers(self, known: dict[str, int]) -> list[int]:
        """Returns a number for each word, equal for equal words."""
        return [known.setdefault(self.text[i:j], len(known)) for i, j in self.spans]

    def piece(self, kind: Literal["same", "removed", "added"], first: int, last: int) -> Piece:
        """Returns the words from `first` up to `last`, or the first of them."""
        if first == last:
            return Piece(kind, "")
        shown = min(last, first + MOST_SHOWN)
        end = self.spans[shown][0] if shown < len(self.spans) else self.end
        text = self.text[self.spans[first][0] : end]
        return Piece(kind, text if len(text) <= LONGEST else f"{text[:LONGEST]}…", last - shown)


def compare(old: str, new: str) -> Diff:
    """Returns what differs between two texts."""
    before, after = _Words(old), _Words(new)
    known: dict[str, int] = {}
    blocks, coarse = _blocks(before.numbers(known), after.numbers(known))
    changes = list(_changes(_readable(blocks, len(before), len(after)), len(before), len(after)))
    groups = _groups(changes)
    return Diff(
        hunks=[_hunk(group, before, after) for group in groups[:MOST_HUNKS]],
        more_hunks=max(0, len(groups) - MOST_HUNKS),
        removed=sum(end - start for start, end, _, _ in changes),
        added=sum(end - start for _, _, start, end in changes),
        cut=before.cut or after.cut,
        coarse=coarse,
    )


def _blocks(a: list[int], b: list[int]) -> tuple[list[Block], bool]:
    """Returns runs of equal words: where they start in each text, and how many they are.

    Also returns whether the work was used up.
    """
    found: list[Block] = []
    gaps = [(0, len(a), 0, len(b))]
    work, coarse = WORK, False
    while gaps:
        i, i_end, j, j_end = gaps.pop()
        size = _common(a[i:i_end], b[j:j_end])
        if size:
            found.append((i, j, size))
            i, j = i + size, j + size
        size = _common(a[i:i_end][::-1], b[j:j_end][::-1])
        if size:
            i_end, j_end = i_end - size, j_end - size
            found.append((i_end, j_end, size))
        area = (i_end - i) * (j_end - j)
        if not area:
            continue
        small = area <= SMALL
        shorter = min(i_end - i, j_end - j)
        work -= area * shorter if small else len(ANCHORS) * (i_end - i + j_end - j)
        if work < 0:
            coarse = True
            continue
        if small:
            matcher = SequenceMatcher(None, a[i:i_end], b[j:j_end], autojunk=False)
            same = matcher.get_matching_blocks()
            found.extend((i + block.a, j + block.b, block.size) for block in same if block.size)
            continue
        gaps.extend(_between(_anchors(a[i:i_end], b[j:j_end]), i, i_end, j, j_end, found))
    return sorted(found), coarse


def _common(a: list[int], b: list[int]) -> int:
    """Returns how many words at the beginning are the same."""
    return next(
        (n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )


def _between(
    anchors: list[tuple[int, int]], i: int, i_end: int, j: int, j_end: int, found: list[Block]
) -> Iterator[tuple[int, int, int, int]]:
    """Yields the gaps before, between and after anchors, and adds these to the blocks found."""
    start, other = i, j
    for x, y in anchors:
        found.append((i + x, j + y, 1))
        if i + x > start or j + y > other:
            yield start, i + x, other, j + y
        start, other = i + x + 1, j + y + 1
    if anchors:
        yield start, i_end, other, j_end


def _anchors(a: list[int], b: list[int]) -> list[tuple[int, int]]:
    """Returns where the most words stand that begin a phrase unique in each, in order in both."""
    for length in ANCHORS:
        places = _once(b, length)
        pairs = [(x, places[phrase]) for phrase, x in _once(a, length).items() if phrase in places]
        if pairs:
            return _longest_increasing(sorted(pairs))
    return []


def _once(words: list[int], length: int) -> dict[tuple[int, ...], int]:
    """Returns the phrases of some words that occur once, and where."""
    places: dict[tuple[int, ...], int] = {}
    for place, phrase in enumerate(zip(*(words[n:] for n in range(length)), strict=False)):
        places[phrase] = -1 if phrase in places else place
    return {phrase: place for phrase, place in places.items() if place >= 0}


def _longest_increasing(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Returns the most pairs whose second numbers increase; the first ones do already."""
    tails: list[int] = []  # the smallest last number of an increasing run of each length
    last: list[int] = []  # which pair that is
    before = []
    for number, (_, y) in enumerate(pairs):
        length = bisect_left(tails, y)
        before.append(last[length - 1] if length else -1)
        tails[length : length + 1] = [y]
        last[length : length + 1] = [number]
    chosen = []
    number = last[-1]
    while number >= 0:
        chosen.append(pairs[number])
        number = before[number]
    return chosen[::-1]


def _readable(blocks: list[Block], olds: int, news: int) -> Iterator[Block]:
    """Yields the blocks without the few words that long replaced passages happen to share."""
    i = j = 0
    for (x, y, size), (next_x, next_y, _) in pairwise([*blocks, (olds, news, 0)]):
        before = max(x - i, y - j)
        after = max(next_x - x, next_y - y) - size
        if size >= MEANINGFUL or min(before, after) < 2 * MEANINGFUL:
            yield x, y, size
            i, j = x + size, y + size


def _changes(blocks: Iterable[Block], olds: int, news: int) -> Iterator[Change]:
    """Yields what lies between blocks: from where to where in the old and in the new text."""
    i = j = 0
    for x, y, size in [*blocks, (olds, news, 0)]:
        if x > i or y > j:
            yield i, x, j, y
        i, j = x + size, y + size


def _groups(changes: Sequence[Change]) -> list[list[Change]]:
    """Puts changes together that are nearer than the words shown around them."""
    groups: list[list[Change]] = []
    for change in changes:
        last = groups[-1] if groups else []
        if 0 < len(last) < MOST_CHANGES and change[2] - last[-1][3] <= 2 * CONTEXT:
            last.append(change)
        else:
            groups.append([change])
    return groups


def _hunk(changes: list[Change], old: _Words, new: _Words) -> Hunk:
    lead = min(CONTEXT, changes[0][2])
    first = changes[0][2] - lead
    pieces, at = [], first
    for i, i_end, j, j_end in changes:
        pieces.append(new.piece("same", at, j))
        pieces.append(old.piece("removed", i, i_end))
        pieces.append(new.piece("added", j, j_end))
        at = j_end
    pieces.append(new.piece("same", at, min(at + CONTEXT, len(new))))
    return Hunk(changes[0][0] - lead + 1, first + 1, [piece for piece in pieces if piece.text])
