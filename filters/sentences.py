"""Sentences of a line: their number, by spaCy's rule or by one that needs no package; their places.

Either rule writes a chunk of text down as letters: w where there are words, e where there are
marks that end a sentence. A sentence starts at every w that follows an e. Chunks are remembered
with their letters, so that a line costs a look-up for each of its chunks.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache

from filters.memo import Memo
from filters.punctuation import TERMINAL_PUNCTUATION
from filters.spacy_words import split_chunk


def sentence_count(line: str, splitter: str) -> int:
    """Counts the sentences of a line, or of a text; one without words has one.

    "spacy" is the rule of spaCy's sentencizer (https://spacy.io/api/sentencizer), by which
    datatrove counts: a word that is nothing but a mark such as . ! ? 。 ends a sentence, and the
    next word that is not all punctuation starts another. White space other than a single space
    counts as a word. Equal to `len(datatrove.utils.text.split_into_sentences(line))`, 0.10.1,
    wherever `filters.spacy_words` gives the words of the line.

    "unicode" needs no package: a sentence ends where a chunk between white space ends with marks
    of `filters.punctuation.TERMINAL_PUNCTUATION`, among and behind which there may be quotes and
    closing brackets; the full-width 。！？｡ end one also inside of a chunk, for scripts without
    spaces. So "Mr." ends a sentence and "3.14" does not.

    Linear time.

    Args:
        line: Text with white space of any kind.
        splitter: "spacy" or "unicode".

    Returns:
        The number of sentences, at least 1.

    Raises:
        filters.spacy_words.SpacyMissing: The splitter is "spacy" and spaCy is not installed.
    """
    # A single space at the end is part of the last word; between any others there is a chunk.
    chunks = line.removesuffix(" ").split(" ")
    return 1 + "".join(map(_LETTERS[splitter].__getitem__, chunks)).count("ew")


def sentence_starts(line: str) -> list[int]:
    """Returns where the sentences of a line start, by the rule "unicode" of `sentence_count`.

    The first one starts at the first character that is no white space; a blank line has none.
    Linear time.
    """
    starts: list[int] = []
    ended = False
    for chunk in re.finditer(r"\S+", line):
        starts = starts or [chunk.start()]
        for letter, place in _letters_of_part(chunk.group()):
            if letter == "w" and ended:
                starts.append(chunk.start() + place)
            ended = letter == "e"
    return starts


def _spacy_letters(chunk: str) -> str:
    if not chunk:
        return "w"  # between two spaces
    return _squeezed(
        letter
        for part in re.split(r"(\s+)", chunk)
        for letter in ("w" if part.isspace() else map(_spacy_letter, split_chunk(part)))
    )


def _spacy_letter(word: str) -> str:
    if word in _spacy_marks():
        return "e"
    punctuation = all(unicodedata.category(character)[0] == "P" for character in word)
    return "" if punctuation else "w"


@cache
def _spacy_marks() -> frozenset[str]:
    from spacy.pipeline import Sentencizer  # loaded already by `split_chunk`

    return frozenset(Sentencizer.default_punct_chars)


_WIDE = "。！？｡"
_NARROW = "".join(sorted(TERMINAL_PUNCTUATION - set(_WIDE)))
# All quotes, since the mark that opens in one language closes in another.
_CLOSING = "\"'" + "".join(
    chr(code) for code in range(0x10000) if unicodedata.category(chr(code)) in {"Pe", "Pf", "Pi"}
)
_RUN = f"[{re.escape(_NARROW + _WIDE + _CLOSING)}]"
_END = re.compile(
    # Tried at the start of a run of such marks only, and never going back: linear time.
    f"(?<!{_RUN})"
    f"(?:[{re.escape(_NARROW + _CLOSING)}]*+[{_WIDE}]{_RUN}*+"
    rf"|[{re.escape(_CLOSING)}]*+[{re.escape(_NARROW)}]{_RUN}*+\Z)"
)


def _unicode_letters(chunk: str) -> str:
    return _squeezed(letter for part in chunk.split() for letter, _ in _letters_of_part(part))


def _letters_of_part(part: str) -> Iterator[tuple[str, int]]:
    """Yields the letters of a text without white space, and where each starts."""
    start = 0
    for end in _END.finditer(part):
        if end.start() > start:
            yield "w", start
        yield "e", end.start()
        start = end.end()
    if len(part) > start:
        yield "w", start


def _squeezed(letters: Iterator[str]) -> str:
    """Joins letters without repeating one."""
    squeezed = [""]
    for letter in letters:
        if letter and letter != squeezed[-1]:
            squeezed.append(letter)
    return "".join(squeezed)


_RULES: dict[str, Callable[[str], str]] = {"spacy": _spacy_letters, "unicode": _unicode_letters}
_LETTERS = {splitter: Memo(rule) for splitter, rule in _RULES.items()}
