import numpy as np
import pytest
from conftest import linear_time
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dedup import distinct
from dedup.distinct import sorted_distinct

LARGEST = 2**64 - 1
# Spread, repeated, and crowded at either end, where the table begins and ends.
HASH = st.one_of(
    st.integers(0, LARGEST), st.integers(0, 5), st.integers(LARGEST - 5, LARGEST), st.just(2**63)
)


@settings(deadline=None)  # compiling a kernel takes seconds
@given(st.lists(HASH, max_size=60))
@example([LARGEST])
@example([LARGEST, LARGEST, LARGEST - 1])
@example([LARGEST] * 5 + [0])
def test_sorted_distinct_equals_numpy(values):
    hashes = np.array(values, dtype=np.uint64)
    found = sorted_distinct(hashes)
    assert found.dtype == np.uint64
    assert found.tolist() == np.unique(hashes).tolist()
    assert hashes.tolist() == values


@pytest.mark.parametrize("size", [1, 2, 1000, 4096, 300_000])
def test_evenly_spread_hashes_need_no_sort(size, monkeypatch):
    random = np.random.default_rng(size)
    hashes = random.integers(0, 2**64, size, dtype=np.uint64)
    hashes = np.concatenate([hashes, random.choice(hashes, size)])
    expected = np.unique(hashes)
    monkeypatch.setattr(np, "unique", None)
    assert np.array_equal(sorted_distinct(hashes), expected)


@pytest.mark.parametrize("start", [0, 2**40, LARGEST - 3000])
@pytest.mark.parametrize("size", [254, 255, 256, 257, 258, 3000])
def test_crowded_hashes_are_sorted(start, size):
    hashes = np.arange(size, dtype=np.uint64) + np.uint64(start)
    for given_hashes in (hashes, hashes[::-1].copy(), np.repeat(hashes, 2)):
        assert np.array_equal(sorted_distinct(given_hashes), hashes)
    assert (distinct._place(hashes).size == 0) == (size > 256)


@pytest.mark.parametrize("crowd", [1, 250, 1000, 1000_000])
def test_time_is_linear_however_hashes_crowd(crowd):
    """Crowds of neighbours, evenly spread, each in descending order."""
    hashes = np.arange(1_000_000, dtype=np.uint64)[::-1]
    spread = hashes // np.uint64(crowd) * np.uint64(2**64 // 1_000_000 * crowd) + hashes
    with linear_time():
        assert sorted_distinct(spread).size == 1_000_000
