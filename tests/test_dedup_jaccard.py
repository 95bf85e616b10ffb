import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.jaccard import jaccard, jaccard_pairs, reference_jaccard

# Few different values, so that sets overlap, at both ends of the range of uint64.
VALUES = st.one_of(st.integers(0, 20), st.integers(2**64 - 20, 2**64 - 1))
SETS = st.lists(st.sets(VALUES, max_size=25), min_size=1, max_size=8)


def stored(sets):
    """Returns sets one after another, and where each starts."""
    values = np.array([value for one in sets for value in sorted(one)], dtype=np.uint64)
    return values, np.cumsum([0, *(len(one) for one in sets)])


@settings(deadline=None)  # compiling a kernel takes seconds
@given(SETS)
def test_kernels_equal_python_sets(sets):
    values, offsets = stored(sets)
    pairs = [(a, b) for a in range(len(sets)) for b in range(len(sets))]
    expected = [reference_jaccard(sets[a], sets[b]) for a, b in pairs]
    found = jaccard_pairs(values, offsets, pairs)
    assert found.dtype == np.float64
    assert found.tolist() == expected
    arrays = [values[offsets[i] : offsets[i + 1]] for i in range(len(sets))]
    assert [jaccard(arrays[a], arrays[b]) for a, b in pairs] == expected


def test_empty_sets_are_not_similar():
    assert jaccard([], []) == 0.0
    assert jaccard([], [1]) == 0.0
    assert jaccard([1], [1]) == 1.0


def test_a_similarity_compares_exactly_with_a_decimal_threshold():
    assert jaccard(range(10), range(1, 9)) == 0.8
    assert jaccard(range(10), range(7)) == 0.7
    assert float(np.float32(0.7)) < 0.7  # why the similarity is no float32


def test_no_pairs():
    found = jaccard_pairs([], [0], np.empty((0, 2), dtype=np.int64))
    assert found.shape == (0,)


@pytest.mark.parametrize(
    ("offsets", "pairs", "message"),
    [
        ([0, 2], [(0, 1)], "outside 0 to 0"),
        ([0, 2], [(-1, 0)], "outside 0 to 0"),
        ([0, 3], [(0, 0)], "offsets"),
        ([1, 2], [(0, 0)], "offsets"),
        ([0, 2, 1, 2], [(0, 0)], "offsets"),
        ([], [], "offsets"),
    ],
)
def test_bad_arguments_are_refused(offsets, pairs, message):
    with pytest.raises(ValueError, match=message):
        jaccard_pairs([1, 2], offsets, pairs)
