"""The oracle itself, against two loops over Python sets."""

import random
from fractions import Fraction

import numpy as np
import pytest
from conftest import changed, prose
from dedup_oracle import all_pairs, split_words
from hypothesis import given
from hypothesis import strategies as st
from real_texts import needs_data, real_texts

from dedup.shingles import words

TEXTS = st.lists(st.text("ab .,\u0301é漢字Ⅷİ_1", max_size=24), max_size=12)


def loops(texts: list[str], at_least: float, size: int) -> dict[tuple[int, int], float]:
    sets = []
    for text in texts:
        found = words(text)
        starts = range(max(1, len(found) - size + 1) if found else 0)
        sets.append({tuple(found[start : start + size]) for start in starts})
    similarities = {
        (a, b): float(Fraction(len(sets[a] & sets[b]), len(sets[a] | sets[b]) or 1))
        for b in range(len(sets))
        for a in range(b)
    }
    return {pair: jaccard for pair, jaccard in similarities.items() if jaccard >= at_least}


def as_dict(found) -> dict[tuple[int, int], float]:
    return dict(
        zip(zip(found.a.tolist(), found.b.tolist(), strict=True), found.jaccard, strict=True)
    )


@given(TEXTS, st.sampled_from([0.01, 0.3, 0.8]), st.integers(1, 5))
def test_all_pairs_are_those_of_two_loops(texts, at_least, size):
    found = as_dict(all_pairs(texts, at_least, size))
    assert found == loops(texts, at_least, size)
    assert list(found) == sorted(found)


def test_blocks_change_nothing(monkeypatch):
    base = prose(1)
    texts = [changed(base, *random.Random(n).sample(range(100), n % 9)) for n in range(40)]
    texts += ["", "two words", "Two words!", *(prose(n) for n in range(2, 9))]
    whole = as_dict(all_pairs(texts))
    assert len(whole) > 500
    for shared, cells in ((50, 10**9), (10**9, 100), (1, 1)):
        monkeypatch.setattr("dedup_oracle._SHARED_AT_ONCE", shared)
        monkeypatch.setattr("dedup_oracle._CELLS_AT_ONCE", cells)
        assert as_dict(all_pairs(texts)) == whole


def test_judgements():
    base = prose(1)
    found = all_pairs([base, changed(base, 3), prose(2), base, changed(base, 3, 60)])
    near, far = found.between([0, 0], [1, 4])
    assert 0.8 < far < near < 1
    assert found.between([1, 3, 2], [0, 0, 0]).tolist() == [near, 1.0, 0.0]
    one_each = np.array([True, False, True, False, False])
    assert found.recall(one_each, 0.8) == 1
    assert found.best_kept(one_each).tolist() == [0.0, near, 0.0, 1.0, far]
    two = np.array([True, False, True, True, False])
    assert found.missed(two, 0.8).tolist() == [as_order(found, 0, 3)]
    assert found.recall(two, 0.8) == pytest.approx(5 / 6)


def as_order(found, a: int, b: int) -> int:
    return list(as_dict(found)).index((a, b))


@needs_data
@pytest.mark.slow
def test_the_words_of_real_texts():
    texts = real_texts()
    assert split_words(texts) == [words(text) for text in texts]


def test_nothing_to_compare():
    for texts in ([], [""], ["...", "?!"], ["one document"]):
        assert as_dict(all_pairs(texts)) == {}
