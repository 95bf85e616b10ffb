from itertools import product
from pathlib import Path

import numpy as np
import pytest
from datasketch import MinHash, MinHashLSH
from hypothesis import given, settings
from hypothesis import strategies as st
from real_texts import needs_data, real_texts

from dedup.minhash import (
    EMPTY,
    band_hashes,
    bands_for,
    collision_probability,
    permutations,
    reference_band_hashes,
    reference_signature,
    signature,
    text_signature,
)
from dedup.shingles import UNITS, shingle_hashes

HASHES = st.lists(st.integers(0, 2**64 - 1), max_size=50)


def datasketch_signature(hashes, count, seed):
    sketch = MinHash(
        num_perm=count,
        seed=seed,
        hashfunc=lambda value: int(value) & 0xFFFFFFFF,
        scheme="affine32",
    )
    if len(hashes):
        sketch.update_batch(hashes)
    return sketch.hashvalues


@settings(deadline=None)  # compiling a kernel takes seconds
@given(HASHES, st.integers(1, 130), st.integers(0, 2**32 - 1))
def test_signature_equals_datasketch_and_the_definition(hashes, count, seed):
    parameters = permutations(count, seed)
    found = signature(np.array(hashes, dtype=np.uint64), parameters)
    assert found.dtype == np.uint32
    assert found.tolist() == datasketch_signature(hashes, count, seed).tolist()
    assert found.tolist() == reference_signature(hashes, parameters.tolist())


def test_signature_equals_datasketch_on_large_sets():
    random = np.random.default_rng(3)
    parameters = permutations(100, 1)
    for size in (1, 4095, 4096, 4097, 50_000):
        hashes = random.integers(0, 2**64, size, dtype=np.uint64)
        expected = datasketch_signature(hashes, 100, 1)
        assert np.array_equal(signature(hashes, parameters), expected)


@pytest.mark.parametrize("count", [1, 20 * 5, 14 * 8, 26 * 11, 256 * 64])
@pytest.mark.parametrize("seed", [0, 1, 42, 2**32 - 1])
def test_signatures_of_text_equal_datasketch(count, seed):
    parameters = permutations(count, seed)
    text = Path(np.__file__).read_text(encoding="utf-8")  # a real text that is always there
    texts = ("", "?!", "one", "one shingle of five words", "中文字", text[: 10**8 // count])
    for text, unit in product(texts, UNITS):
        hashes = shingle_hashes(text, 5, unit)
        expected = datasketch_signature(hashes, count, seed)
        assert expected.dtype == np.uint32
        assert np.array_equal(signature(hashes, parameters), expected)
        found = text_signature(text, 5, unit, parameters)
        assert (found is None) == (hashes.size == 0)
        assert found is None or np.array_equal(found, expected)


@needs_data
def test_signatures_of_real_texts_equal_datasketch():
    parameters = permutations(100, 1)
    for text, unit in product(real_texts()[::40], UNITS):
        expected = datasketch_signature(shingle_hashes(text, 5, unit), 100, 1)
        found = text_signature(text, 5, unit, parameters)
        assert np.array_equal(signature([], parameters) if found is None else found, expected)


def test_signatures_serve_in_datasketch():
    texts = ["the quick brown fox jumps over the lazy dog " * 3, "quite another text " * 9]
    index = MinHashLSH(num_perm=100, params=(20, 5))
    sketches = []
    for number, text in enumerate(texts):
        places = text_signature(text, 5, "words", permutations(100, 1))
        sketches.append(MinHash(hashvalues=places, seed=1, scheme="affine32"))
        index.insert(number, sketches[-1])
    assert [index.query(sketch) for sketch in sketches] == [[0], [1]]
    assert sketches[0].jaccard(sketches[0]) == 1.0
    assert sketches[0].jaccard(sketches[1]) == 0.0


@settings(deadline=None)  # compiling a kernel takes seconds
@given(st.text(st.sampled_from("ab c.中\ud800"), max_size=40), st.integers(1, 6))
def test_a_text_has_the_signature_of_its_shingles(text, n):
    parameters = permutations(10, 3)
    for unit in UNITS:
        hashes = shingle_hashes(text, n, unit)
        found = text_signature(text, n, unit, parameters)
        if hashes.size == 0:
            assert found is None
        else:
            assert np.array_equal(found, signature(hashes, parameters))


def test_signature_of_nothing():
    assert signature([], permutations(4, 1)).tolist() == [EMPTY] * 4
    assert MinHash(num_perm=4).hashvalues.tolist() == [EMPTY] * 4


def test_order_and_repetition_change_nothing():
    parameters = permutations(32, 1)
    expected = signature([1, 2, 3], parameters)
    assert np.array_equal(signature([3, 1, 2, 2, 1], parameters), expected)


@pytest.mark.parametrize("size", [1, 4095, 4096, 4097, 8192, 8193])
def test_the_last_hash_counts(size):
    parameters = permutations(64, 1)
    hashes = np.full(size, 7, dtype=np.uint64)
    hashes[-1] = 9
    expected = signature([7, 9] if size > 1 else [9], parameters)
    assert np.array_equal(signature(hashes, parameters), expected)


def test_equal_places_estimate_the_jaccard_similarity():
    random = np.random.default_rng(5)
    parameters = permutations(1024, 9)
    shared = random.integers(0, 2**64, 3000, dtype=np.uint64)
    for own in (0, 500, 3000):
        a, b = (random.integers(0, 2**64, own, dtype=np.uint64) for _ in range(2))
        one = signature(np.concatenate([shared, a]), parameters)
        other = signature(np.concatenate([shared, b]), parameters)
        true = 3000 / (3000 + 2 * own)
        # Four standard deviations of 1,024 draws: at most 0.063.
        assert abs(np.mean(one == other) - true) < 0.063


@settings(deadline=None)  # compiling a kernel takes seconds
@given(st.integers(1, 5), st.integers(1, 6), st.integers(0, 3), st.data())
def test_band_hashes_equal_the_definition(bands, rows, unused, data):
    count = bands * rows + unused
    place = st.integers(0, 2**32 - 1)
    row = st.lists(place, min_size=count, max_size=count)
    signatures = data.draw(st.lists(row, max_size=4))
    array = np.array(signatures, dtype=np.uint32).reshape(-1, count)
    found = band_hashes(array, bands, rows)
    assert found.shape == (len(signatures), bands)
    assert found.dtype == np.uint64
    assert found.tolist() == [reference_band_hashes(row, bands, rows) for row in signatures]


def test_bands_of_equal_places_have_different_hashes():
    hashes = band_hashes(np.zeros((1, 100), dtype=np.uint32), 20, 5)
    assert np.unique(hashes).size == 20


def test_a_band_depends_on_its_places_only():
    one = np.arange(100, dtype=np.uint32)[None]
    other = one.copy()
    other[0, 7] += 1
    changed = band_hashes(one, 20, 5) != band_hashes(other, 20, 5)
    assert np.flatnonzero(changed[0]).tolist() == [1]


def test_band_hashes_do_not_change():
    # Written down so that no edit changes what stored band hashes mean.
    assert band_hashes([[1, 2, 3, 4]], 2, 2).tolist() == [
        [15342903839826872046, 13709678172817325032]
    ]


@pytest.mark.parametrize(
    ("shape", "bands", "rows", "message"),
    [
        ((2, 99), 20, 5, "need 100 places, but the signatures have 99"),
        ((100,), 20, 5, "shape"),
        ((2, 100), 0, 5, "at least 1"),
        ((2, 100), 20, 0, "at least 1"),
    ],
)
def test_bad_bands_are_refused(shape, bands, rows, message):
    with pytest.raises(ValueError, match=message):
        band_hashes(np.zeros(shape, dtype=np.uint32), bands, rows)


def test_collision_probability():
    assert collision_probability([0.0, 1.0], 20, 5).tolist() == [0.0, 1.0]
    assert collision_probability(0.8, 20, 5) == pytest.approx(0.99964, abs=1e-5)
    assert collision_probability(0.8, 14, 8) == pytest.approx(0.924, abs=1e-3)
    curve = collision_probability(np.linspace(0, 1, 101), 20, 5)
    assert np.all(np.diff(curve) >= 0)


@pytest.mark.parametrize(
    ("target", "places", "expected"),
    [
        (0.8, 100, (20, 5)),
        (0.5, 100, (50, 2)),
        (0.9, 100, (14, 7)),
        (1.0, 100, (1, 100)),
        (0.8, 256, (36, 7)),
        (1.0, 1, (1, 1)),
    ],
)
def test_bands_for(target, places, expected):
    assert bands_for(target, places=places) == expected


@given(st.floats(0.01, 1), st.floats(0.01, 0.9999), st.integers(1, 300))
def test_bands_for_has_the_most_rows_that_reach_the_recall(target, recall, places):
    choices = [(places // rows, rows) for rows in range(1, places + 1)]
    good = [each for each in choices if collision_probability(target, *each) >= recall]
    if good:
        assert bands_for(target, recall, places) == good[-1]
        assert np.all(collision_probability(np.linspace(target, 1, 20), *good[-1]) >= recall - 1e-9)
    else:
        with pytest.raises(ValueError, match="more places"):
            bands_for(target, recall, places)


def test_bands_that_cannot_be_say_what_is_possible():
    with pytest.raises(ValueError, match=r"100 places.*Jaccard 0\.05.*1 row reach 0\.9941"):
        bands_for(0.05)


@pytest.mark.parametrize(
    ("target", "recall", "places"),
    [(0, 0.9, 100), (1.1, 0.9, 100), (0.8, 0, 100), (0.8, 1, 100), (0.8, 0.9, 0), (np.nan, 0.9, 9)],
)
def test_bands_for_refuses_what_has_no_answer(target, recall, places):
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        bands_for(target, recall, places)
