import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.duplicates.packs import by_part, keys_of, packed, parts_of, rows_of, split, unpacked

PARTS = st.integers(0, 2**31 - 1)
ROWS = st.integers(0, 2**32 - 1)
HASHES = st.lists(st.integers(0, 2**64 - 1), max_size=60)


@given(part=PARTS, rows=st.lists(ROWS, max_size=20))
def test_a_key_holds_part_and_row(part, rows):
    keys = keys_of(part, np.array(rows, np.uint32))
    assert keys.tolist() == [part * 2**32 + row for row in rows]
    assert parts_of(keys).tolist() == [part] * len(rows)
    assert rows_of(keys).tolist() == rows


def test_rows_may_be_of_any_type_of_integers():
    for kind in (np.int64, np.uint32, np.uint64, np.uint16):
        assert keys_of(3, np.array([7], kind)).tolist() == [3 << 32 | 7]


@given(HASHES)
def test_numbers_are_packed_and_unpacked(numbers):
    array = np.array(numbers, np.uint64)
    assert unpacked(packed(array)).tolist() == numbers
    assert unpacked(b"").tolist() == []
    assert len(packed(np.arange(10_000, dtype=np.uint64))) < 40_000


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), max_size=40))
def test_by_part_names_every_place_once_and_keeps_the_order(documents):
    keys = np.array([part << 32 | row for part, row in documents], np.uint64)
    found = {part: places.tolist() for part, places in by_part(keys)}
    expected: dict[int, list[int]] = {}
    for place, (part, _) in enumerate(documents):
        expected.setdefault(part, []).append(place)
    assert found == expected
    assert [part for part, _ in by_part(keys)] == sorted(expected)


@given(hashes=HASHES, packs=st.integers(1, 40))
def test_split_names_every_place_once_by_the_hash_alone(hashes, packs):
    found = {pack: places.tolist() for pack, places in split(np.array(hashes, np.uint64), packs)}
    assert sorted(place for places in found.values() for place in places) == list(
        range(len(hashes))
    )
    assert all(places == sorted(places) and places for places in found.values())
    for pack, places in found.items():
        assert {(hashes[place] >> 32) % packs for place in places} == {pack}


def test_split_divides_evenly_what_others_divided_by_either_end():
    rng = np.random.default_rng(1)
    hashes = rng.integers(0, 2**64, 40_000, np.uint64)
    ends = (np.uint64(2**16 - 1), np.uint64(0xFFFF << 48))
    for fixed in ends:
        sizes = [len(places) for _, places in split(hashes & ~fixed, 16)]
        assert len(sizes) == 16
        assert max(sizes) < 1.2 * min(sizes)
