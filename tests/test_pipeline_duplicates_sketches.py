import numpy as np
import pytest
from conftest import changed, make_test_job, prose, run_stages

from dedup.jaccard import reference_jaccard
from dedup.shingles import shingle_hashes
from pipeline.arrow_files import read_arrow
from pipeline.duplicates import sketches
from pipeline.duplicates.packs import keys_of
from pipeline.duplicates.priority import read_order, write_order
from pipeline.duplicates.sketches import Sketches, write_sketches

FILES = {
    "a.jsonl": [{"id": f"a{n}", "text": changed(prose(1), n)} for n in range(5)],
    "b.jsonl": [{"id": "b0", "text": "two words"}, {"id": "b1", "text": "..."}],
}
TEXTS = {row["id"]: row["text"] for rows in FILES.values() for row in rows}


@pytest.fixture
def job(tmp_path):
    job = make_test_job(tmp_path, FILES, "raw", ["dedup={minhash: {shingle: 3}}"])
    run_stages(job, until="mill")
    for part in range(2):
        write_order(job, part)
    return job


def chunk(*rows: int) -> bytes:
    return np.array(rows, "<u4").tobytes()


def test_only_the_documents_asked_for_are_written_each_once(job):
    assert write_sketches(job, 0, [chunk(4, 1), b"", chunk(1)]) == 0
    table = read_arrow(job.output.part("work/sketches", 0, ".arrow"))
    assert table["row"].to_pylist() == [1, 4]
    assert table["id"].to_pylist() == ["a1", "a4"]
    order = read_order(job, 0).take([1, 4])
    for name in ("priority", "scope"):
        assert table[name].to_pylist() == order[name].to_pylist()
    for place, name in enumerate(("a1", "a4")):
        expected = shingle_hashes(TEXTS[name], 3).tolist()
        assert table["shingles"][place].values.to_pylist() == expected


def test_no_document_is_asked_for(job):
    write_sketches(job, 0, [])
    assert len(read_arrow(job.output.part("work/sketches", 0, ".arrow"))) == 0


@pytest.fixture
def read(job):
    for part, rows in ((0, range(5)), (1, range(2))):
        write_sketches(job, part, [chunk(*rows)])
    return Sketches(job)


def test_values_come_in_the_order_of_the_keys(read):
    keys = np.array([1 << 32, 3, 1 << 32 | 1, 0, 3], np.uint64)
    assert read.take(keys, "id").to_pylist() == ["b0", "a3", "b1", "a0", "a3"]
    assert [len(found) for found in read.take(keys[[2, 0]], "shingles")] == [0, 1]
    assert read.take(keys[:0], "id").to_pylist() == []
    assert len(read.take(keys[:0], "shingles")) == 0


def test_ranks_are_those_of_the_priorities(read):
    keys = np.concatenate([keys_of(1, np.arange(2)), keys_of(0, np.arange(5))])
    priority = read.take(keys, "priority").to_pylist()
    expected = sorted(range(7), key=priority.__getitem__)
    assert np.argsort(read.ranks(keys))[::-1].tolist() == expected


@pytest.mark.parametrize("at_once", [1, 40, 4_000_000])
def test_jaccards_are_exact_in_pieces_of_any_size(read, monkeypatch, at_once):
    monkeypatch.setattr(sketches, "SHINGLES_AT_ONCE", at_once)
    names = list(TEXTS)
    keys = np.concatenate([keys_of(0, np.arange(5)), keys_of(1, np.arange(2))])
    places = [(n, m) for n in range(7) for m in range(7) if n != m]
    kept = read.sets(keys)
    found = kept.jaccards(np.array(places))
    sets = [set(shingle_hashes(TEXTS[name], 3).tolist()) for name in names]
    assert found.tolist() == [reference_jaccard(sets[n], sets[m]) for n, m in places]
    assert len(set(found.tolist())) > 3
    assert kept.jaccards(np.empty((0, 2), np.int64)).shape == (0,)
    some = kept.some(np.array([6, 2]))
    assert some.jaccards(np.array([[0, 1]])) == reference_jaccard(sets[6], sets[2])
