"""Brute force for deduplication: the exact Jaccard of all pairs of documents, and what it judges.

Nothing here shares a kernel with what it judges. Words are those of `dedup.shingles.words`, the
readable definition; shingles are numbered, not hashed, so no two of them can collide; and every
pair of documents that shares a shingle is counted, so none can be missed. A few seconds and some
hundred MB for 9,000 documents of the web.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dedup.shingles import SEPARATOR, UNSPACED, character_kind, words

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Pairs of a shingle's documents, and cells of documents times documents, counted at once.
_SHARED_AT_ONCE = 20_000_000
_CELLS_AT_ONCE = 20_000_000


@dataclass(frozen=True)
class AllPairs:
    """Every pair of documents whose Jaccard similarity is at or above a bound.

    Attributes:
        documents: how many documents there are.
        at_least: the bound.
        a: int64[k], the lower number of each pair; pairs ascend by a, then by b.
        b: int64[k], the higher number.
        jaccard: float64[k], the doubles nearest to the true fractions.
    """

    documents: int
    at_least: float
    a: Ints
    b: Ints
    jaccard: Floats

    @cached_property
    def _codes(self) -> Ints:
        return self.a * self.documents + self.b

    def between(self, one: Sequence[int] | Ints, other: Sequence[int] | Ints) -> Floats:
        """Returns the Jaccard of pairs of document numbers; 0.0 for all below the bound."""
        first, second = np.asarray(one, dtype=np.int64), np.asarray(other, dtype=np.int64)
        codes = np.minimum(first, second) * self.documents + np.maximum(first, second)
        if not len(self._codes):
            return np.zeros(len(codes))
        places = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
        return np.where(self._codes[places] == codes, self.jaccard[places], 0.0)

    def missed(self, kept: Bools, threshold: float) -> Ints:
        """Returns the numbers of the pairs at or above a threshold of which both are kept."""
        return np.flatnonzero((self.jaccard >= threshold) & kept[self.a] & kept[self.b])

    def recall(self, kept: Bools, threshold: float) -> float:
        """Returns the share of pairs at or above a threshold of which at most one is kept."""
        return 1.0 - len(self.missed(kept, threshold)) / np.sum(self.jaccard >= threshold)

    def best_kept(self, kept: Bools) -> Floats:
        """Returns, for each document, the highest Jaccard to another one that is kept."""
        best = np.zeros(self.documents)
        for one, other in ((self.a, self.b), (self.b, self.a)):
            np.maximum.at(best, one[kept[other]], self.jaccard[kept[other]])
        return best


class _Spelling(dict[int, str]):
    """What becomes of each code point, filled in as texts ask for it."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        kind = character_kind(character)
        self[code] = " " if kind == SEPARATOR else character.lower()[0]
        return self[code]


def split_words(texts: Sequence[str]) -> list[list[str]]:
    """Returns `dedup.shingles.words` of each text, in C where the script puts spaces."""
    spelling = _Spelling()
    unspaced = {
        character
        for character in set().union(*map(set, texts))
        if character_kind(character) == UNSPACED
    }
    return [
        text.translate(spelling).split() if unspaced.isdisjoint(text) else words(text)
        for text in texts
    ]


def _shingles(texts: Sequence[str], size: int) -> tuple[Ints, Ints]:
    """Returns the distinct shingles of all texts: the text's number and the shingle's number."""
    vocabulary: dict[str, int] = {}
    # 0 stands for no word, behind each text: a text of fewer words than a shingle is one shingle.
    padding = [0] * (size - 1)
    padded, counts = [], []
    for found in split_words(texts):
        numbers = [vocabulary.setdefault(word, len(vocabulary) + 1) for word in found]
        counts.append(max(1, len(found) - size + 1) if found else 0)
        padded.append(np.array(numbers + padding, dtype=np.int64))
    if not sum(counts):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    sequence = np.concatenate(padded)
    begins = np.cumsum([0, *map(len, padded)])[:-1]
    text = np.repeat(np.arange(len(texts)), counts)
    within = np.arange(len(text)) - np.repeat(np.cumsum([0, *counts])[:-1], counts)
    first = np.repeat(begins, counts) + within
    shingle = sequence[first]
    for place in range(1, size):  # one number for each distinct pair of a beginning and a word
        code = shingle * (len(vocabulary) + 1) + sequence[first + place]
        shingle = np.unique(code, return_inverse=True)[1]
    entries = np.unique(shingle * len(texts) + text)
    return entries % len(texts), entries // len(texts)


def all_pairs(texts: Sequence[str], at_least: float = 0.3, size: int = 5) -> AllPairs:
    """Compares every text with every other one by the Jaccard of their sets of word n-grams.

    Args:
        texts: The documents.
        at_least: Pairs below this similarity, which is above 0, are not returned.
        size: Words in a shingle.
    """
    count = len(texts)
    text, shingle = _shingles(texts, size)
    sizes = np.bincount(text, minlength=count)
    # Entries are ordered by shingle: `members[starts[s]:starts[s + 1]]` are the texts with s.
    members = text
    starts = np.searchsorted(shingle, np.arange(shingle[-1] + 2 if len(shingle) else 1))
    frequency = np.diff(starts)
    shared = frequency[shingle] > 1
    by_text = np.lexsort((shingle[shared], text[shared]))
    text, shingle = text[shared][by_text], shingle[shared][by_text]
    bounds = np.searchsorted(text, np.arange(count + 1))
    work = np.concatenate([[0], np.cumsum(frequency[shingle])])[bounds]  # before each text

    found: list[tuple[Ints, Ints, Floats]] = []
    begin = 0
    while begin < count:
        end = int(np.searchsorted(work, work[begin] + _SHARED_AT_ONCE, side="right")) - 1
        end = max(begin + 1, min(end, begin + _CELLS_AT_ONCE // count, count))
        own = slice(bounds[begin], bounds[end])
        lengths = frequency[shingle[own]]
        ends = np.cumsum(lengths)
        place = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lengths, lengths)
        other = members[np.repeat(starts[shingle[own]], lengths) + place]
        one = np.repeat(text[own], lengths)
        cells = np.bincount((one - begin) * count + other, minlength=(end - begin) * count)
        pairs = np.flatnonzero(cells)
        a, b = pairs // count + begin, pairs % count
        common = cells[pairs]
        jaccard = common / (sizes[a] + sizes[b] - common)
        wanted = (a < b) & (jaccard >= at_least)
        found.append((a[wanted], b[wanted], jaccard[wanted]))
        begin = end
    if not found:
        empty = np.empty(0, np.int64)
        return AllPairs(count, at_least, empty, empty, np.empty(0))
    return AllPairs(
        count, at_least, *(np.concatenate(column) for column in zip(*found, strict=True))
    )
