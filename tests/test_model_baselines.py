import math
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from test_model_data import END, VOCAB, documents, flat, write_output

from model.baselines import baselines, count
from model.data import open_corpus


def naive_bigram(train: list[int], discount: float) -> dict[int, dict[int, float]]:
    """p(w | v) for every v and w, from dictionaries."""
    counts: dict[int, Counter[int]] = defaultdict(Counter)
    for v, w in zip([END, *train], train, strict=False):
        counts[v][w] += 1
    kinds = sum(len(c) for c in counts.values())
    p1 = {
        w: (sum(w in c for c in counts.values()) + 0.5) / (kinds + VOCAB / 2) for w in range(VOCAB)
    }
    model: dict[int, dict[int, float]] = {}
    for v in range(VOCAB):
        seen = sum(counts[v].values())
        model[v] = {
            w: p1[w]
            if seen == 0
            else max(counts[v][w] - discount, 0) / seen + discount * len(counts[v]) / seen * p1[w]
            for w in range(VOCAB)
        }
    return model


def bits(tokens: list[int], model: dict[int, dict[int, float]]) -> float:
    return -sum(math.log2(model[v][w]) for v, w in zip([END, *tokens], tokens, strict=False))


# With 2 documents, some ids and most contexts of the validation documents have not been seen.
@pytest.mark.parametrize("train_documents", [2, 60])
def test_baselines_are_those_of_a_naive_count(tmp_path: Path, train_documents: int) -> None:
    train, validation = documents(train_documents), documents(6, 9)
    corpus = open_corpus(write_output(tmp_path / "out", [train], validation))
    found = baselines(corpus)
    tokens, targets = flat([train]), flat([validation])
    n_bytes = sum(map(len, validation))

    unigrams = Counter(tokens)
    expected = -sum(math.log2((unigrams[w] + 0.5) / (len(tokens) + VOCAB / 2)) for w in targets)
    assert math.isclose(found.unigram, expected / n_bytes, rel_tol=1e-12)
    assert math.isclose(
        found.bigram, bits(targets, naive_bigram(tokens, found.discount)) / n_bytes, rel_tol=1e-12
    )
    assert found.tokens == len(tokens)

    held_out = len(tokens) // 10
    head, tail = tokens[:-held_out], tokens[-held_out:]

    def held_out_bits(discount: float) -> float:
        model = naive_bigram(head, discount)
        return -sum(math.log2(model[v][w]) for v, w in zip([head[-1], *tail], tail, strict=False))

    assert found.discount == min((k / 20 for k in range(1, 20)), key=held_out_bits)


def test_probabilities_add_up_to_one() -> None:
    tokens = np.array(flat([documents(5)]))
    model = count(np.concatenate(([END], tokens[:-1])), tokens, VOCAB)
    everything = np.arange(VOCAB)
    assert math.isclose(model.unigram(everything).sum(), 1)
    for before in range(VOCAB):
        for p in model.bigram(np.full(VOCAB, before), everything, np.array([0.1, 0.9])):
            assert math.isclose(p.sum(), 1)
            assert p.min() > 0


def test_the_bigram_model_knows_more_where_tokens_depend_on_the_last(tmp_path: Path) -> None:
    found = baselines(open_corpus(write_output(tmp_path / "o", [documents(200)], documents(9, 1))))
    assert found.bigram < 0.5 * found.unigram


def test_a_single_token_is_enough(tmp_path: Path) -> None:
    found = baselines(open_corpus(write_output(tmp_path / "o", [[[5]]], [[5]])))
    assert 0 < found.bigram < math.inf
