import random
from collections import defaultdict
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.minhash import reference_band_hashes
from pipeline.arrow_files import write_arrow
from pipeline.duplicates.bands import (
    ALL_PAIRS_UP_TO,
    PACKS,
    PAIR_PACKS,
    _entries,
    band_packs,
    candidate_packs,
    distinct_pairs,
    documents_in,
    packs_of_band,
    pair_packs,
)
from pipeline.duplicates.exact import _REPEAT, write_repeats
from pipeline.duplicates.packs import packed, unpacked
from pipeline.duplicates.priority import ORDER_SCHEMA
from pipeline.duplicates.signatures import Marks, signatures_batch, signatures_schema

BANDS, ROWS = 3, 2
DEDUP = [f"dedup={{minhash: {{bands: {BANDS}, rows: {ROWS}}}}}"]


@pytest.fixture
def planted(job_of):
    """Returns a function that plans a run and writes its marks and order, without any text."""

    def plant(parts, scopes=None, matched=None):
        job = job_of([{"id": "a", "text": "a"}], "raw", DEDUP)
        schema = signatures_schema(job.recipe.dedup)
        for part, signatures in enumerate(parts):
            marks = [
                Marks(signature=None if s is None else np.array(s, np.uint32)) for s in signatures
            ]
            batches = [signatures_batch(marks, schema)] if marks else []
            table = pa.Table.from_batches(batches, schema)
            write_arrow(job.output.part("work/signatures", part, ".arrow"), table)
            count = len(signatures)
            order = {
                "matched": matched or [True] * count,
                "priority": [b""] * count,
                "scope": scopes or [0] * count,
            }
            order_table = pa.table(order, schema=ORDER_SCHEMA)
            write_arrow(job.output.part("work/order", part, ".arrow"), order_table)
            write_repeats(job, part, [], "exact")
        return job

    return plant


def decoded(job, parts):
    """Returns, for each pack, the set of its hashes' lower 32 bits and documents."""
    packs = defaultdict(list)
    for part in range(parts):
        for pack, data in band_packs(job, part):
            packs[pack].append(data)
    found = {}
    for pack, chunks in packs.items():
        hashes, documents = _entries(chunks)
        found[pack] = sorted(zip(hashes.tolist(), documents.tolist(), strict=True))
    return found


def expected_packs(documents):
    """The definition: each document's band hashes, the place of each in a pack."""
    packs, size = defaultdict(list), packs_of_band(BANDS)
    for key, (signature, scope) in documents.items():
        for band, value in enumerate(reference_band_hashes(signature, BANDS, ROWS)):
            pack = band * size + ((value ^ scope) >> 32) % size
            packs[pack].append(((value ^ scope) % 2**32, key))
    return {pack: sorted(entries) for pack, entries in packs.items()}


def test_packs_hold_what_went_in(planted):
    rng = random.Random(1)
    places = BANDS * ROWS
    parts = [[[rng.randrange(2**32) for _ in range(places)] for _ in range(20)] for _ in range(3)]
    job = planted(parts)
    keys = {
        part << 32 | row: (signature, 0)
        for part, rows in enumerate(parts)
        for row, signature in enumerate(rows)
    }
    assert decoded(job, 3) == expected_packs(keys)


def test_an_entry_takes_six_bytes(planted):
    job = planted([[[1] * 6] * 1000])
    sizes = [len(data) for _, data in band_packs(job, 0)]
    assert sizes == [12 + 6 * 1000] * BANDS


def test_documents_without_a_signature_or_not_matched_are_left_out(planted):
    rows = [[1] * 6, None, [2] * 6, [3] * 6]
    job = planted([rows], matched=[True, True, False, True])
    assert decoded(job, 1) == expected_packs({0: (rows[0], 0), 3: (rows[3], 0)})


def test_documents_that_another_one_stands_for_are_left_out(planted):
    rows = [[n] * 6 for n in range(4)]
    job = planted([rows])
    write_repeats(job, 0, [np.array([(2, 0), (1, 0)], _REPEAT).tobytes()], "exact")
    assert decoded(job, 1) == expected_packs({0: (rows[0], 0), 3: (rows[3], 0)})


def test_documents_of_other_scopes_have_other_hashes(planted):
    rows, scopes = [[1] * 6] * 3, [0, 2**63 + 5, 2**63 + 5]
    job = planted([rows], scopes=scopes)
    packs = decoded(job, 1)
    assert packs == expected_packs({n: (rows[n], scopes[n]) for n in range(3)})
    pairs = [entry for chunks in packs.values() for entry in chunks]
    assert len({value for value, _ in pairs}) == 2 * BANDS


def test_a_part_without_documents(planted):
    assert list(band_packs(planted([[]]), 0)) == []


def test_rows_beyond_what_two_bytes_tell_apart(job_of):
    """And parts beyond 65,535: the header says where the rows of an entry begin."""
    count, part = 2 * 65_536 + 3, 70_000
    job = job_of([{"id": "a", "text": "a"}], "raw", DEDUP)
    schema = signatures_schema(job.recipe.dedup)
    flat = pa.array(np.zeros(count * 6, np.uint32))
    table = pa.table(
        [pa.nulls(count, pa.binary(16)), pa.FixedSizeListArray.from_arrays(flat, 6)], schema=schema
    )
    order = [
        pa.array([True] * count),
        pa.array([b""] * count),
        pa.array(np.zeros(count, np.uint64)),
    ]
    write_arrow(job.output.part("work/signatures", part, ".arrow"), table)
    write_arrow(job.output.part("work/order", part, ".arrow"), pa.table(order, ORDER_SCHEMA))
    write_repeats(job, part, [], "exact")
    packs = defaultdict(list)
    for pack, data in band_packs(job, part):
        packs[pack].append(data)
    assert len(packs) == BANDS
    for chunks in packs.values():
        assert len(chunks) == 3
        hashes, documents = _entries(chunks[::-1])
        assert len(set(hashes.tolist())) == 1
        assert sorted(documents.tolist()) == list(range(part << 32, (part << 32) + count))


@pytest.mark.parametrize("bands", [1, 2, 3, 20, 100, 256])
def test_the_packs_of_all_bands_are_about_as_many(bands):
    packs = packs_of_band(bands)
    assert packs & packs - 1 == 0
    assert PACKS / 2 <= packs * bands <= max(PACKS, bands)


def entries(*documents):
    """Returns one chunk of a pack, of one part: hash and row of each document."""
    rows = np.array([row for _, row in documents], "<u2")
    hashes = np.array([value for value, _ in documents], "<u4")
    header = np.array([0, 0, len(rows)], "<u4")
    return header.tobytes() + hashes.tobytes() + rows.tobytes()


def test_candidates_of_a_pack(job_of):
    job = job_of([{"id": "a", "text": "a"}], "raw", DEDUP)
    small = [(1, row) for row in range(ALL_PAIRS_UP_TO)]
    large = [(2, row) for row in range(100, 101 + ALL_PAIRS_UP_TO)]
    mixed = small + large + [(3, 500)]
    random.Random(1).shuffle(mixed)
    found = list(candidate_packs(job, 7, [entries(*mixed[:30]), entries(*mixed[30:])]))
    buckets = [np.frombuffer(data, "<u8").tolist() for pack, data in found if pack >= PAIR_PACKS]
    assert buckets == [[row for _, row in large]]
    pairs = {
        tuple(pair)
        for pack, data in found
        if pack < PAIR_PACKS
        for pair in unpacked(data).reshape(-1, 2).tolist()
    }
    assert pairs == set(combinations(range(ALL_PAIRS_UP_TO), 2))


def test_a_pack_of_nothing(job_of):
    job = job_of([{"id": "a", "text": "a"}], "raw", DEDUP)
    assert list(candidate_packs(job, 0, [])) == []


KEYS = st.integers(0, 5).flatmap(lambda part: st.integers(0, 3).map(lambda row: part << 32 | row))
PAIRS = st.lists(st.tuples(KEYS, KEYS).filter(lambda pair: pair[0] != pair[1]), max_size=40)


class Planned:
    """What `pair_packs` asks of a job."""

    n_parts = 4


@given(PAIRS)
def test_pairs_in_packs(pairs):
    """The smaller key first; a pair in one pack only; none of two documents of the reference."""
    array = np.array(pairs, np.uint64).reshape(-1, 2)
    found, where = [], {}
    for pack, data in pair_packs(Planned(), array):
        assert 0 <= pack < PAIR_PACKS
        mine = [tuple(pair) for pair in unpacked(data).reshape(-1, 2).tolist()]
        assert all(where.setdefault(pair, pack) == pack for pair in mine)
        found += mine
    wanted = [(min(pair), max(pair)) for pair in pairs]
    assert sorted(found) == sorted(pair for pair in wanted if pair[0] >> 32 < 4)


@given(PAIRS, st.randoms())
def test_distinct_pairs_are_ascending_and_each_once(pairs, rng):
    rows = [*pairs, *pairs[:5]]
    rng.shuffle(rows)
    chunks = [packed(np.array(rows[k : k + 7], "<u8")) for k in range(0, len(rows), 7)]
    assert distinct_pairs([b"", *chunks]).tolist() == [list(pair) for pair in sorted(set(pairs))]


@settings(max_examples=50)
@given(PAIRS)
def test_documents_in_pairs_by_part(pairs):
    array = np.array(pairs, np.uint64).reshape(-1, 2)
    found = {part: np.frombuffer(rows, "<u4").tolist() for part, rows in documents_in(array)}
    expected = defaultdict(set)
    for key in {key for pair in pairs for key in pair}:
        expected[key >> 32].add(key & 2**32 - 1)
    assert found == {part: sorted(rows) for part, rows in expected.items()}
