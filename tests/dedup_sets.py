"""Sets of documents with near-duplicates to all degrees: made up, or planted in real prose."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.sources.plan import plan
from pipeline.sources.read import read
from pipeline.sources.records import Record, SourceOptions

# Jaccard similarities at which the made-up set plants copies: 0.5, 0.525, ... 1.
STEPS = tuple(step / 40 for step in range(20, 41))
_LENGTHS = (8, 13, 25, 60, 120, 250, 600, 1500)
_SYLLABLES = [one + other for one in "bdfghklmnprstvz" for other in "aeiou"]
_SIZE = 5  # words in a shingle

Words = list[str]


def made_up(originals: int, copies: int = 4, seed: int = 1) -> list[str]:
    """Returns documents of made-up words, each original with copies at known Jaccard similarities.

    An original has 8 to 1,500 words and so n = 4 to 1,496 word 5-grams. A copy shares as many of
    them as its step demands, rounded: each of `_EDITS` in turn reaches the similarity in another
    way. Some are edits of earlier copies, so that there are chains. Then come documents of fewer
    words than a shingle, and texts that differ in white space, case or punctuation alone.
    """
    rng = random.Random(seed)
    vocabulary = ["".join(rng.choices(_SYLLABLES, k=rng.randint(1, 4))) for _ in range(20_000)]
    texts: list[str] = []
    for number in range(originals):
        family = [rng.choices(vocabulary, k=_LENGTHS[number % len(_LENGTHS)])]
        for copy in range(copies):
            edit = _EDITS[rng.randrange(len(_EDITS))]
            base = family[rng.randrange(len(family))] if copy % 2 else family[0]
            family.append(edit(base, rng.choice(STEPS), vocabulary, rng))
        texts += map(" ".join, family)
    for number in range(0, originals, 10):
        short = rng.choices(vocabulary, k=number // 10 % _SIZE)
        long = rng.choices(vocabulary, k=40)
        for words in (short, long):
            texts += [" ".join(words), "  ".join(words) + "\n", ", ".join(words).title() + "."]
        texts.append(" ".join([*short, "quagmire"]))
    rng.shuffle(texts)
    return texts


def _new(count: int, vocabulary: Words, rng: random.Random) -> Words:
    return rng.choices(vocabulary, k=count)


def _other_end(words: Words, jaccard: float, vocabulary: Words, rng: random.Random) -> Words:
    """n - k shingles stay, k go and k come: J = (n - k) / (n + k)."""
    n = len(words) - _SIZE + 1
    k = round(n * (1 - jaccard) / (1 + jaccard))
    return words[: len(words) - k] + _new(k, vocabulary, rng)


def _window(words: Words, jaccard: float, vocabulary: Words, rng: random.Random) -> Words:
    """The same numbers by what comes behind, as in two windows over one text."""
    n = len(words) - _SIZE + 1
    k = round(n * (1 - jaccard) / (1 + jaccard))
    return words[k:] + _new(k, vocabulary, rng)


def _cut(words: Words, jaccard: float, _: Words, rng: random.Random) -> Words:
    """n - k shingles of n: J = (n - k) / n."""
    n = len(words) - _SIZE + 1
    k = round(n * (1 - jaccard))
    begin = rng.randint(0, k)
    return words[begin : len(words) - (k - begin)]


def _grown(words: Words, jaccard: float, vocabulary: Words, rng: random.Random) -> Words:
    """n shingles of n + k: J = n / (n + k)."""
    n = len(words) - _SIZE + 1
    return words + _new(round(n * (1 / jaccard - 1)), vocabulary, rng)


def _scattered(words: Words, jaccard: float, vocabulary: Words, rng: random.Random) -> Words:
    """Single words replaced, far from each other, each of which costs 5 shingles and brings 5."""
    n = len(words) - _SIZE + 1
    count = round(n * (1 - jaccard) / (1 + jaccard) / _SIZE)
    changed = list(words)
    for place in rng.sample(range(len(words) // _SIZE), min(count, len(words) // _SIZE)):
        changed[place * _SIZE + _SIZE // 2] = _new(1, vocabulary, rng)[0]
    return changed


_EDITS: tuple[Callable[[Words, float, Words, random.Random], Words], ...] = (
    _other_end,
    _window,
    _cut,
    _grown,
    _scattered,
)


def family(count: int, seed: int = 1) -> list[str]:
    """Returns one text in many versions, so that one bucket holds more than all pairs can be made.

    Every version replaces up to 15 of 600 words: two of them are 0.6 to 1 alike.
    """
    rng = random.Random(seed)
    vocabulary = ["".join(rng.choices(_SYLLABLES, k=3)) for _ in range(5_000)]
    base = rng.choices(vocabulary, k=600)
    texts = []
    for _ in range(count):
        words = list(base)
        for place in rng.sample(range(len(words)), rng.randint(0, 15)):
            words[place] = rng.choice(vocabulary)
        texts.append(" ".join(words))
    return texts


def pages(chapters: Sequence[str], seed: int = 1, words: int = 300) -> list[str]:
    """Returns pages of real prose, many of them with near-duplicates.

    Each chapter gives its pages in turn. A quarter of them come once more as a worse scan
    (`worse_scan` with 0.2 to 5 % of the words wrong), an eighth twice, and an eighth are followed
    by windows over the same text that start some words later.
    """
    rng = random.Random(seed)
    found = []
    for chapter in chapters:
        text = chapter.split()
        for begin in range(0, max(1, len(text) - words // 4), words):
            page = text[begin : begin + words]
            found.append(" ".join(page))
            kind = rng.random()
            scans = 0 if kind > 0.375 else 2 if kind > 0.25 else 1
            shares = rng.choices([0.002, 0.01, 0.02, 0.03, 0.05], k=scans)
            found += (worse_scan(page, share, rng) for share in shares)
            if kind > 0.875:
                shifts = (begin + step * rng.randint(5, words // 6) for step in (1, 2, 3))
                found += (" ".join(text[shift : shift + words]) for shift in shifts)
    return found


def worse_scan(words: Sequence[str], share: float, rng: random.Random) -> str:
    """Returns the words with some spoiled as by a scanner: letters mistaken, words split."""
    return " ".join(_spoiled(word, rng) if rng.random() < share else word for word in words)


def _spoiled(word: str, rng: random.Random) -> str:
    place = rng.randrange(len(word))
    letter = rng.choice(["c", "rn", "1", "|", "f", " ", ""])
    return word[:place] + letter + word[place + 1 :]


def later_crawls(texts: Sequence[str], versions: int = 2, seed: int = 1) -> list[str]:
    """Returns versions of web pages as a later crawl finds them: some lines gone, new or twice.

    A version changes 1 to 25 % of the lines; new ones are those of other pages.
    """
    rng = random.Random(seed)
    pool = [line for text in texts for line in text.splitlines() if line.strip()]
    found = []
    for text in texts:
        for _ in range(versions):
            share = rng.choice([0.01, 0.03, 0.06, 0.1, 0.15, 0.25])
            lines: list[str] = []
            for line in text.splitlines():
                changes = ([], [rng.choice(pool)], [line, line])
                lines += rng.choice(changes) if rng.random() < share else [line]
            found.append("\n".join(lines))
    return found


def read_texts(source: Path, html: str = "resiliparse") -> list[str]:
    """Returns the texts of a file as the pipeline reads them; of a web page, what is extracted."""
    options = SourceOptions(html=html)
    splits = plan(options, [str(source)])
    records = (record for split in splits for record in read(split, options))
    return [record.text for record in records if isinstance(record, Record)]


def one_site(pairs: int, common: int = 350, own: int = 50, seed: int = 1) -> list[str]:
    """Returns pages of one site: words that all have, then each page's own; each comes in pairs.

    Two pages of a pair are 0.8 to 0.95 alike, others by what they have in common: with 350 common
    words of 400 by 0.78. So most bands of a page are those of all pages.
    """
    rng = random.Random(seed)
    vocabulary = ["".join(rng.choices(_SYLLABLES, k=3)) for _ in range(20_000)]
    frame = rng.choices(vocabulary, k=common)
    texts = []
    for _ in range(pairs):
        page = frame + rng.choices(vocabulary, k=own)
        texts += [page, _other_end(page, rng.uniform(0.8, 0.95), vocabulary, rng)]
    rng.shuffle(texts)
    return list(map(" ".join, texts))
