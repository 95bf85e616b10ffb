import hashlib
import itertools
import math

import numpy as np
import pyarrow as pa
import pytest
from conftest import changed, prose, run_stages
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.duplicates.priority import (
    FILTERED,
    ORDER_SCHEMA,
    PASSED,
    REFERENCE,
    order_table,
    ranks,
    read_order,
    write_order,
)
from pipeline.recipe import Recipe

SOURCES = ["web", "books"]
LOW, HIGH = (
    "gopher_repetition.top_2_gram_character_fraction",
    "gopher_quality.alphabetic_word_fraction",
)


def recipe(prefer="longest", **more) -> Recipe:
    filters = {"gopher_repetition": {}, "gopher_quality": {}}
    dedup = {"prefer": prefer, **more}
    return Recipe.model_validate({"filters": filters, "dedup": dedup})


def batch(rows) -> pa.RecordBatch:
    """Returns rows of documents/ of `id`, and what is given of the other columns."""
    rows = list(rows)
    signals = [
        {
            "gopher_repetition": {"top_2_gram_character_fraction": row.get("signal")},
            "gopher_quality": {"alphabetic_word_fraction": row.get("signal")},
        }
        for row in rows
    ]
    number = pa.float64()
    kind = pa.struct(
        [
            ("gopher_repetition", pa.struct([("top_2_gram_character_fraction", number)])),
            ("gopher_quality", pa.struct([("alphabetic_word_fraction", number)])),
        ]
    )
    columns = {
        "id": pa.array([row["id"] for row in rows], pa.string()),
        "source": pa.array([row.get("source", "web") for row in rows], pa.string()),
        "snapshot": pa.array([row.get("snapshot") for row in rows], pa.string()),
        "url": pa.array([row.get("url") for row in rows], pa.string()),
        "n_bytes": pa.array([row.get("n_bytes", 1) for row in rows], pa.uint32()),
        "signals": pa.array(signals, kind),
    }
    return pa.record_batch(columns)


def ordered(rows, how: Recipe, standing=None) -> list[str]:
    """Returns the ids, the preferred document first."""
    rows = list(rows)
    levels = np.full(len(rows), PASSED) if standing is None else np.array(standing)
    table = order_table(batch(rows), np.ones(len(rows), bool), levels.astype(np.uint8), how)
    assert table.schema == ORDER_SCHEMA
    priority = table["priority"].to_pylist()
    return [rows[place]["id"] for place in sorted(range(len(rows)), key=priority.__getitem__)]


def tie(identifier: str) -> int:
    digest = hashlib.blake2b(identifier.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


IDS = st.lists(st.text(max_size=5), min_size=1, max_size=12, unique=True)
SIZES = st.integers(0, 2**32 - 1)


@given(st.data())
def test_the_longest_comes_first_and_the_hash_of_the_id_decides(data):
    rows = [
        {"id": i, "n_bytes": data.draw(st.sampled_from([0, 255, 256, 2**32 - 1]))}
        for i in data.draw(IDS)
    ]
    expected = sorted(rows, key=lambda row: (-row["n_bytes"], tie(row["id"])))
    assert ordered(rows, recipe()) == [row["id"] for row in expected]


@given(st.lists(SIZES, min_size=1, max_size=12))
def test_the_longest_of_any_lengths(sizes):
    rows = [{"id": str(n), "n_bytes": size} for n, size in enumerate(sizes)]
    expected = sorted(rows, key=lambda row: (-row["n_bytes"], tie(row["id"])))
    assert ordered(rows, recipe()) == [row["id"] for row in expected]


@pytest.mark.parametrize("prefer", ["longest", "first_url", {"best": LOW}, {"sources": SOURCES}])
def test_reference_before_passed_before_filtered_whatever_is_preferred(prefer):
    worst = {"n_bytes": 1, "signal": math.nan, "source": "other"}
    best = {"n_bytes": 9, "url": "a", "signal": 0.0, "source": "web"}
    rows = [{"id": "f", **best}, {"id": "p", **worst}, {"id": "r", **worst}]
    standing = [FILTERED, PASSED, REFERENCE]
    assert ordered(rows, recipe(prefer), standing) == ["r", "p", "f"]


def test_a_document_that_is_matched_against_needs_no_signal():
    """Another recipe may have made it, which measured other signals."""
    rows = batch([{"id": "a"}, {"id": "b"}]).drop_columns(["signals"])
    standing = np.full(2, REFERENCE, np.uint8)
    table = order_table(rows, np.ones(2, bool), standing, recipe({"best": LOW}), preferred=False)
    assert [len(p) for p in table["priority"].to_pylist()] == [9, 9]


NUMBERS = st.one_of(st.none(), st.floats(), st.sampled_from([0.0, -0.0, 1.0, -1.0]))


@pytest.mark.parametrize("signal", [LOW, HIGH])
@given(values=st.lists(NUMBERS, min_size=1, max_size=12))
@example([math.nan, -math.nan, None, math.inf, -math.inf, 0.0, -0.0, 5e-324, -5e-324])
def test_the_best_signal_comes_first_and_none_last(signal, values):
    sign = 1 if signal == LOW else -1
    rows = [{"id": str(n), "signal": value} for n, value in enumerate(values)]

    def place(row):
        value = row["signal"]
        missing = value is None or math.isnan(value)
        return missing, 0 if missing else sign * value, tie(row["id"])

    expected = [row["id"] for row in sorted(rows, key=place)]
    assert ordered(rows, recipe({"best": signal})) == expected


@given(
    st.lists(
        st.tuples(st.sampled_from(["web", "books", "other", ""]), st.integers(0, 3)), max_size=12
    )
)
def test_sources_come_as_they_are_named_then_the_longest(rows):
    rows = [{"id": str(n), "source": s, "n_bytes": size} for n, (s, size) in enumerate(rows)]
    place = {"books": 0, "web": 1}
    expected = sorted(
        rows, key=lambda row: (place.get(row["source"], 2), -row["n_bytes"], tie(row["id"]))
    )
    how = recipe({"sources": ["books", "web"]})
    assert ordered(rows, how) == [row["id"] for row in expected]


URLS = st.one_of(st.none(), st.text(alphabet="ab\0\1\x7fé😀", max_size=4))


@given(st.lists(URLS, max_size=10))
def test_the_first_url_comes_first_and_none_last(urls):
    rows = [{"id": str(n), "url": url} for n, url in enumerate(urls)]

    def place(row):
        url = row["url"]
        known = (url or "").encode().replace(b"\0", b"\1")
        return url is None, known, tie(row["id"])

    assert ordered(rows, recipe("first_url")) == [row["id"] for row in sorted(rows, key=place)]


@given(st.data())
def test_the_order_depends_on_the_documents_alone(data):
    """Not on the batch that a document is in, nor on its place there."""
    rows = [
        {
            "id": i,
            "n_bytes": data.draw(st.integers(0, 2)),
            "url": data.draw(URLS),
            "signal": data.draw(NUMBERS),
            "source": data.draw(st.sampled_from(["web", "books", "other"])),
        }
        for i in data.draw(IDS)
    ]
    prefer = data.draw(
        st.sampled_from(["longest", "first_url", {"best": HIGH}, {"sources": SOURCES}])
    )
    how = recipe(prefer, scope=data.draw(st.sampled_from(["corpus", "source", "snapshot"])))

    def table(some):
        levels = np.full(len(some), PASSED, np.uint8)
        return order_table(batch(some), np.ones(len(some), bool), levels, how)

    mixed = data.draw(st.permutations(range(len(rows))))
    whole, other = table(rows).to_pylist(), table([rows[n] for n in mixed]).to_pylist()
    alone = [table([row]).to_pylist()[0] for row in rows]
    assert whole == alone
    assert [whole[n] for n in mixed] == other
    assert len({row["priority"] for row in whole}) == len(rows)


@pytest.mark.parametrize(("scope", "groups"), [("corpus", 1), ("source", 3), ("snapshot", 3)])
def test_scopes_are_equal_within_a_scope_and_nowhere_else(scope, groups):
    names = [None, "a", "b"] if scope == "snapshot" else ["", "a", "b"]
    rows = [{"id": str(n), scope: name} for n, name in enumerate(names * 2)]
    levels = np.full(6, PASSED, np.uint8)
    table = order_table(batch(rows), np.ones(6, bool), levels, recipe(scope=scope))
    found = table["scope"].to_pylist()
    assert found[:3] == found[3:]
    assert len(set(found)) == groups


@given(
    st.lists(
        st.tuples(st.binary(max_size=3), st.integers(0, 2**64 - 1)),
        max_size=20,
        unique_by=lambda pair: pair[1],
    )
)
def test_ranks_number_from_the_preferred_document_down(documents):
    priority = pa.array([p for p, _ in documents], pa.binary())
    found = ranks(priority, np.array([key for _, key in documents], np.uint64)).tolist()
    expected = sorted(range(len(documents)), key=documents.__getitem__)
    assert [found[place] for place in expected] == list(range(len(documents)))[::-1]


def test_bytes_are_compared_as_bytes():
    priority = pa.array([b"\xff", b"", b"\0", b"a\xff", b"a", b"\x80"])
    expected = [b"", b"\0", b"a", b"a\xff", b"\x80", b"\xff"]
    found = ranks(priority, np.arange(6, dtype=np.uint64))
    by_rank = {int(rank): p for rank, p in zip(found, priority.to_pylist(), strict=True)}
    assert [by_rank[rank] for rank in range(5, -1, -1)] == expected


@pytest.mark.parametrize("over", ["kept", "all"])
def test_the_file_of_a_part(job_of, over):
    rows = [
        {"id": "good", "text": prose(1)},
        {"id": "short", "text": "Too short."},
        b"{broken",
        {"id": "near", "text": changed(prose(1), 5)},
    ]
    job = job_of(rows, "gopher", [f"dedup.over={over}"])
    run_stages(job, until="mill")
    assert write_order(job, 0) == 0
    table = read_order(job, 0)
    assert table.schema == ORDER_SCHEMA
    assert table["matched"].to_pylist() == [True, over == "all", False, True]
    first = [priority[0] for priority in table["priority"].to_pylist()]
    assert first[:2] == [PASSED, FILTERED]
    assert first[3] == PASSED
    assert set(table["scope"].to_pylist()) == {0}


def test_ids_are_the_same_on_every_part(job_of):
    """Documents with one id and one length have one priority; their places decide."""
    text = prose(1)
    job = job_of([{"id": "same", "text": text}, {"id": "same", "text": text}], "raw", ["dedup={}"])
    run_stages(job, until="mill")
    write_order(job, 0)
    one, other = read_order(job, 0)["priority"].to_pylist()
    assert one == other
    assert all(
        a >= b
        for a, b in itertools.pairwise(
            ranks(pa.array([one, other]), np.arange(2, dtype=np.uint64)).tolist()
        )
    )
