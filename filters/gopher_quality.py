"""Document quality rules of Gopher, as FineWeb and datatrove apply them."""

from dataclasses import dataclass
from math import nan

from filters.document import Document
from filters.punctuation import SYMBOLS
from filters.rules import Rule

SOURCE = (
    "Rae et al., 2021, Scaling Language Models: Methods, Analysis & Insights from Training "
    "Gopher, section A.1.1, https://arxiv.org/abs/2112.11446"
)

RULES = (
    Rule(
        "word_count",
        minimum=50,
        maximum=100_000,
        unit="words",
        description="words with at least one character that is no punctuation mark",
    ),
    Rule(
        "mean_word_length",
        minimum=3,
        maximum=10,
        unit="characters",
        description="mean length of the words that word_count counts",
    ),
    Rule(
        "hash_to_word_ratio",
        maximum=0.1,
        unit="per word",
        description="number of # over number of words",
    ),
    Rule(
        "ellipsis_to_word_ratio",
        maximum=0.1,
        unit="per word",
        description="number of ... and … over number of words",
    ),
    Rule(
        "bullet_line_fraction",
        maximum=0.9,
        unit="of lines",
        description="lines that begin with • or -, white space aside",
    ),
    Rule(
        "ellipsis_line_fraction",
        maximum=0.3,
        unit="of lines",
        description="lines that end in ... or …, white space aside",
    ),
    Rule(
        "alphabetic_word_fraction",
        minimum=0.8,
        unit="of words",
        description="words with at least one letter",
    ),
    Rule(
        "stop_word_count",
        minimum=2,
        unit="words",
        description="how many different stop words appear, case-sensitive",
    ),
)


@dataclass(frozen=True)
class Parameters:
    """Settings other than thresholds.

    Attributes:
        stop_words: The words `stop_word_count` looks for.
    """

    stop_words: tuple[str, ...] = ("the", "be", "to", "of", "and", "that", "have", "with")


_SYMBOLS = "".join(sorted(SYMBOLS))


def signals(document: Document, parameters: Parameters) -> dict[str, float]:
    """Computes every signal of the table.

    An empty document has no words, so it fails `word_count` (and `stop_word_count`); its means
    and ratios are undefined (NaN) and pass.
    """
    text, vocabulary, counts = document.text, document.vocabulary, document.word_counts
    words = len(document.words)
    characters = int(counts @ document.word_lengths)
    symbols = symbol_characters = without_letter = 0
    for word, times, only_letters in zip(
        vocabulary, counts.tolist(), map(str.isalpha, vocabulary), strict=True
    ):
        if only_letters:
            continue
        inner = word.strip(_SYMBOLS)
        if not inner:  # every character is a mark, and no mark is a letter
            symbols += times
            symbol_characters += times * len(word)
            without_letter += times
        elif not (inner.isalpha() or any(map(str.isalpha, inner))):
            without_letter += times
    word_count = words - symbols

    lines = text.splitlines()
    bullets = sum(line.lstrip().startswith(("•", "-")) for line in lines)
    ellipses = sum(line.rstrip().endswith(("...", "…")) for line in lines)
    lines_or_nan, words_or_nan = len(lines) or nan, words or nan
    return {
        "word_count": word_count,
        "mean_word_length": (characters - symbol_characters) / (word_count or nan),
        "hash_to_word_ratio": text.count("#") / words_or_nan,
        "ellipsis_to_word_ratio": (text.count("...") + text.count("…")) / words_or_nan,
        "bullet_line_fraction": bullets / lines_or_nan,
        "ellipsis_line_fraction": ellipses / lines_or_nan,
        "alphabetic_word_fraction": (words - without_letter) / words_or_nan,
        "stop_word_count": len(set(parameters.stop_words).intersection(vocabulary)),
    }
