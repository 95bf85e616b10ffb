"""How often a document stands in the shards, and that repeats stand apart."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.repeats import spread, times_in_shards
from pipeline.verdicts import LEDGER_SCHEMA, PARTITIONS, VERDICTS

FINEWEB_2 = {2: 2, 3: 3, 5: 5, 100: 8, 1000: 1}
REPEATS = st.none() | st.dictionaries(st.integers(2, 12), st.integers(1, 100), max_size=4)
ROWS = st.lists(
    st.tuples(
        st.sampled_from(VERDICTS),
        st.sampled_from([*PARTITIONS, None]),
        st.none() | st.integers(1, 14),
    ),
    max_size=30,
)


def ledger(rows: list[tuple[str | None, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [[], [], []]
    return pa.table(
        {
            "verdict": pa.array(columns[0], pa.string()).dictionary_encode(),
            "partition": pa.array(columns[1], pa.string()).dictionary_encode(),
            "cluster_size": pa.array(columns[2], pa.uint32()),
        }
    )


def by_definition(verdict, partition, size, repeat) -> int:
    if verdict != "kept":
        return 0
    if partition != "train" or size is None:
        return 1
    times = 1
    for smallest in sorted(repeat or {}):
        if size >= smallest:
            times = repeat[smallest]
    return times


@given(ROWS, REPEATS)
def test_the_times_are_those_of_the_largest_size_that_is_reached(rows, repeat):
    found = times_in_shards(ledger(rows), repeat)
    assert found.tolist() == [by_definition(*row, repeat) for row in rows]


@pytest.mark.parametrize(
    ("size", "times"),
    [(1, 1), (2, 2), (3, 3), (4, 3), (5, 5), (99, 5), (100, 8), (999, 8), (1000, 1), (9**9, 1)],
)
def test_the_weights_of_fineweb_2(size, times):
    assert times_in_shards(ledger([("kept", "train", size)]), FINEWEB_2).tolist() == [times]


def test_a_ledger_without_documents_repeats_none():
    assert times_in_shards(LEDGER_SCHEMA.empty_table(), FINEWEB_2).tolist() == []
    assert spread(np.array([], np.int64)).tolist() == []


@given(st.sets(st.integers(0, 10**9), max_size=50))
def test_documents_that_are_not_repeated_stay_where_they_are(rows):
    assert spread(np.array(sorted(rows), np.int64)).tolist() == list(range(len(rows)))


@given(st.lists(st.one_of(st.integers(1, 3), st.integers(1, 100)), min_size=1, max_size=120))
def test_repeats_stand_apart(times):
    documents = np.repeat(np.arange(len(times)) * 3 + 5, times)
    order = spread(documents)
    assert sorted(order.tolist()) == list(range(len(documents)))
    placed = documents[order]
    for document, repeats in zip(np.unique(documents), times, strict=True):
        places = np.flatnonzero(placed == document)
        for one, other in pairwise(places):
            between = len(set(placed[one + 1 : other].tolist()))
            assert between >= len(times) // repeats - 1
            assert between >= 1 or len(times) <= repeats
