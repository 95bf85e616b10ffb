"""Unigram and bigram models: what counting alone achieves on the same tokens."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.data import Corpus, TokenStream

# The counts of a bigger corpus would not fit: sorting this many pairs takes about 2 GB.
COUNTED_TOKENS = 1 << 25
_HELD_OUT = 10  # one token in so many, at the end, fits the discount
_DISCOUNTS = np.arange(1, 20) / 20


@dataclass(frozen=True)
class Baselines:
    """Validation bits per byte of models that count.

    Args:
        unigram: Of the unigram model.
        bigram: Of the bigram model.
        discount: The bigram model's discount, fitted on training tokens.
        tokens: Training tokens that were counted: all of them, up to `COUNTED_TOKENS`.
    """

    unigram: float
    bigram: float
    discount: float
    tokens: int


@dataclass(frozen=True)
class NgramModel:
    """Counts of tokens and of pairs.

    The unigram model is

        p(w) = (c(w) + 1/2) / (N + V/2)

    for counts c, N tokens and V ids (Krichevsky & Trofimov, 1981), and the bigram model is
    interpolated Kneser-Ney (Chen & Goodman, 1999, section 2.7):

        p(w | v) = max(c(v, w) - D, 0) / c(v) + D n(v, .) / c(v) p1(w)
        p1(w)    = (n(., w) + 1/2) / (n(., .) + V/2)

    with n(v, .) distinct ids seen after v, n(., w) distinct ids seen before w and n(., .) distinct
    pairs; p(w | v) = p1(w) where v has not been seen.

    Args:
        vocab_size: V.
        unigrams: c(w), [V].
        pairs: v * V + w of every pair that occurs, rising.
        pair_counts: c(v, w), beside `pairs`.
    """

    vocab_size: int
    unigrams: NDArray[np.int64]
    pairs: NDArray[np.int64]
    pair_counts: NDArray[np.int64]

    def unigram(self, tokens: NDArray[np.int64]) -> NDArray[np.float64]:
        """Returns p(w) of each token."""
        total = self.unigrams.sum() + 0.5 * self.vocab_size
        probabilities: NDArray[np.float64] = (self.unigrams[tokens] + 0.5) / total
        return probabilities

    def bigram(
        self, before: NDArray[np.int64], tokens: NDArray[np.int64], discounts: NDArray[np.float64]
    ) -> list[NDArray[np.float64]]:
        """Returns, for each discount D, p(w | v) of each token after the one before it."""
        size = self.vocab_size
        first, second = np.divmod(self.pairs, size)
        seen = np.bincount(first, self.pair_counts, minlength=size)[before]
        kinds = np.bincount(first, minlength=size)[before]
        lower = (np.bincount(second, minlength=size) + 0.5) / (len(self.pairs) + 0.5 * size)
        wanted = before * size + tokens
        place = np.minimum(np.searchsorted(self.pairs, wanted), len(self.pairs) - 1)
        count = np.where(self.pairs[place] == wanted, self.pair_counts[place], 0)
        p1, base = lower[tokens], np.maximum(seen, 1)
        return [
            np.where(seen > 0, np.maximum(count - d, 0) / base + d * kinds / base * p1, p1)
            for d in discounts
        ]


def count(before: NDArray[np.int64], tokens: NDArray[np.int64], vocab_size: int) -> NgramModel:
    """Counts tokens and the pairs they make with the token before them, both [n], n > 0."""
    pairs, pair_counts = np.unique(before * vocab_size + tokens, return_counts=True)
    return NgramModel(vocab_size, np.bincount(tokens, minlength=vocab_size), pairs, pair_counts)


def baselines(corpus: Corpus) -> Baselines:
    """Counts the training tokens and returns the bits per byte of the validation documents.

    The discount D is the one of 0.05, 0.10, ..., 0.95 that is best on the last tenth of the
    training tokens for counts of the rest; the model then counts all of them. As in the decoder's
    validation, every token is predicted, the ends of documents included, and the first follows
    an end of document.
    """
    size = corpus.vocab_size
    before, tokens = _pairs(corpus.train, COUNTED_TOKENS)
    held_out = max(1, len(tokens) // _HELD_OUT)
    discount = float(_DISCOUNTS[len(_DISCOUNTS) // 2])
    if len(tokens) > held_out:
        fitted = count(before[:-held_out], tokens[:-held_out], size)
        tried = fitted.bigram(before[-held_out:], tokens[-held_out:], _DISCOUNTS)
        discount = float(_DISCOUNTS[np.argmax([np.log(p).sum() for p in tried])])
    model = count(before, tokens, size)
    context, targets = _pairs(corpus.validation, len(corpus.validation))
    (bigram,) = model.bigram(context, targets, np.array([discount]))
    return Baselines(
        unigram=_bits(model.unigram(targets)) / corpus.validation.n_bytes,
        bigram=_bits(bigram) / corpus.validation.n_bytes,
        discount=discount,
        tokens=len(tokens),
    )


def _pairs(stream: TokenStream, most: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    tokens = stream.read(0, min(most, len(stream)))
    return np.concatenate(([stream.metadata.end_of_document_id], tokens[:-1])), tokens


def _bits(probabilities: NDArray[np.float64]) -> float:
    return float(-np.log2(probabilities).sum())
