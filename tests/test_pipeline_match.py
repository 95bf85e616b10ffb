import random

import datasketch
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import changed, prose, run_stages

from dedup.shingles import normalise, shingle_hashes
from pipeline import match, storage
from pipeline.match import BAND_PACKS, EXACT_PACKS, PAIR_PACKS, distinct_pairs, documents_in

DEDUP = ["dedup={}"]


def pairs_of(job) -> dict[tuple[str, str], float]:
    """Returns the exact Jaccard of every pair in pairs/, the smaller id first."""
    found: dict[tuple[str, str], float] = {}
    for file in storage.list_files(job.output.path("pairs")):
        for row in pq.read_table(file.url).to_pylist():
            pair = (min(row["a"], row["b"]), max(row["a"], row["b"]))
            assert pair not in found
            found[pair] = row["jaccard"]
    return found


def shingles(text: str, size: int = 5) -> set[str]:
    words = normalise(text).split()
    if len(words) < size:
        return {" ".join(words)} if words else set()
    return {" ".join(words[k : k + size]) for k in range(len(words) - size + 1)}


def brute_force(rows, size: int = 5) -> dict[tuple[str, str], float]:
    """Returns the Jaccard of all pairs of documents, from sets of strings."""
    sets = sorted((row["id"], shingles(row["text"], size)) for row in rows)
    return {
        (a, b): len(one & other) / len(one | other)
        for k, (a, one) in enumerate(sets)
        for b, other in sets[k + 1 :]
        if one or other
    }


def family(seed: int, count: int = 40) -> list[dict]:
    """Returns documents of which many are near-duplicates of others, to all degrees."""
    rng = random.Random(seed)
    texts = [prose(seed * 100 + n, words=rng.choice([12, 60, 120])) for n in range(count // 4)]
    while len(texts) < count:
        text = rng.choice(texts)
        words = len(text.split(" "))
        texts.append(changed(text, *rng.sample(range(words), rng.choice([1, 1, 2, 5]))))
    rng.shuffle(texts)
    return [{"id": f"d{number:03}", "text": text} for number, text in enumerate(texts)]


@pytest.mark.parametrize("seed", range(4))
def test_every_similar_pair_is_found_and_every_jaccard_is_exact(job_of, seed):
    rows = family(seed)
    job = job_of(rows, "raw", ["dedup.exact=false"])
    run_stages(job, until="match")
    found, truth = pairs_of(job), brute_force(rows)
    assert found == {pair: truth[pair] for pair in found}
    similar = {pair for pair, value in truth.items() if value >= 0.8}
    assert len(similar) > 5
    assert similar <= found.keys()
    assert len(found) < len(truth) / 2


def test_candidates_are_those_of_datasketch(job_of):
    """The same bands of the same signatures, by an implementation that is not ours."""
    rows = family(7)
    job = job_of(rows, "raw", ["dedup.exact=false"])
    run_stages(job, until="match")
    index = datasketch.MinHashLSH(num_perm=100, params=(20, 5))
    signatures = {}
    for row in rows:
        sketch = datasketch.MinHash(
            num_perm=100, seed=1, scheme="affine32", hashfunc=lambda value: value % 2**32
        )
        for value in shingle_hashes(row["text"], 5).tolist():
            sketch.update(value)
        signatures[row["id"]] = sketch
        index.insert(row["id"], sketch)
    expected = {
        (min(name, other), max(name, other))
        for name, sketch in signatures.items()
        for other in index.query(sketch)
        if other != name
    }
    assert len(expected) > 10
    assert pairs_of(job).keys() == expected


@pytest.mark.parametrize("size", [1, 3])
def test_the_size_of_a_shingle_is_the_recipes(job_of, size):
    rows = family(3, count=20)
    job = job_of(rows, "raw", ["dedup.exact=false", f"dedup.minhash.shingle={size}"])
    run_stages(job, until="match")
    truth = brute_force(rows, size)
    found = pairs_of(job)
    assert found
    assert found == {pair: truth[pair] for pair in found}


def test_pairs_under_the_threshold_are_evidence_too(job_of):
    text = prose(1)
    rows = [{"id": "a", "text": text}, {"id": "b", "text": changed(text, 20, 60, 100)}]
    job = job_of(rows, "raw", ["dedup.minhash.threshold=0.99"])
    run_stages(job)
    (jaccard,) = pairs_of(job).values()
    assert 0.6 < jaccard < 0.99


def test_of_equal_texts_one_is_compared(job_of):
    text = prose(1)
    rows = [{"id": f"copy-{n}", "text": text} for n in range(30)]
    rows += [{"id": "near", "text": changed(text, 50)}]
    exact = job_of(rows, "raw", DEDUP, out="exact")
    run_stages(exact, until="match")
    assert len(pairs_of(exact)) == 1
    near_only = job_of(rows, "raw", ["dedup.exact=false"], out="near")
    run_stages(near_only, until="match")
    assert len(pairs_of(near_only)) == 31 * 30 // 2


def test_wordless_documents_are_never_near_duplicates(job_of):
    rows = [{"id": f"d{n}", "text": text} for n, text in enumerate(["", " ", "...", "!?", "…", ""])]
    job = job_of(rows, "raw", DEDUP)
    run_stages(job)
    assert pairs_of(job) == {}


def test_unreadable_and_filtered_documents_are_not_matched(finished):
    for pair in pairs_of(finished):
        assert not {"short", "short-copy", "german", "empty"} & set(pair)


# --- packs -------------------------------------------------------------------------------------


def test_packs_are_keyed_by_the_hash(job_of):
    job = job_of(family(1), "raw", DEDUP)
    run_stages(job, until="mill")
    packs = list(match.hash_packs(job, 0))
    keys = [key for key, _ in packs]
    assert len(set(keys)) == len(keys)
    assert all(0 <= key < BAND_PACKS + EXACT_PACKS for key in keys)
    bands = np.frombuffer(b"".join(data for key, data in packs if key < BAND_PACKS), match._BAND)
    exact = np.frombuffer(b"".join(data for key, data in packs if key >= BAND_PACKS), match._EXACT)
    assert len(bands) == 40 * 20
    assert sorted(exact["document"].tolist()) == list(range(40))
    where: dict[int, int] = {}
    for key, data in packs:
        if key < BAND_PACKS:
            for value in np.frombuffer(data, match._BAND)["hash"].tolist():
                assert where.setdefault(value, key) == key
    assert len(set(where.values())) > BAND_PACKS // 2


def test_hashes_are_not_text(job_of):
    secret = "unmistakable phrase of a document"
    job = job_of([{"id": secret, "text": f"{secret} {prose(1)}"}], "raw", DEDUP)
    run_stages(job, until="mill")
    data = b"".join(data for _, data in match.hash_packs(job, 0))
    assert len(data) == 20 * 32 + 32
    assert b"unmistakable" not in data


@pytest.mark.parametrize(
    ("setting", "bands", "exact"),
    [
        ("dedup.minhash=null", 0, 6),
        ("dedup.exact=false", 6 * 20, 0),
        ("dedup.minhash.bands=3", 18, 6),
    ],
)
def test_what_the_recipe_turns_off_is_not_shuffled(job_of, setting, bands, exact):
    rows = [{"text": prose(n)} for n in range(6)]
    job = job_of(rows, "raw", [setting])
    run_stages(job, until="mill")
    sizes = [0, 0]
    for key, data in match.hash_packs(job, 0):
        sizes[key >= BAND_PACKS] += len(data) // 32
    assert sizes == [bands, exact]


def test_a_finished_match_is_not_done_again(finished):
    assert all(list(match.hash_packs(finished, part)) == [] for part in range(finished.n_parts))


def test_distinct_pairs_are_ascending_and_each_once():
    rng = random.Random(0)
    pairs = [(rng.randrange(5) << 32 | rng.randrange(4), rng.randrange(2**40)) for _ in range(50)]
    pairs += pairs[:20]
    rng.shuffle(pairs)
    chunks = [np.array(pairs[k : k + 7], "<u8").tobytes() for k in range(0, len(pairs), 7)]
    assert distinct_pairs(chunks).tolist() == [list(pair) for pair in sorted(set(pairs))]
    assert distinct_pairs([]).shape == (0, 2)


def test_documents_in_pairs_by_part():
    pairs = np.array([[3 << 32 | 7, 1 << 32 | 2], [3 << 32 | 7, 3 << 32 | 1], [0, 5]], np.uint64)
    found = {part: np.frombuffer(rows, "<u4").tolist() for part, rows in documents_in(pairs)}
    assert found == {0: [0, 5], 1: [2], 3: [1, 7]}
    assert list(documents_in(pairs[:0])) == []


def test_comparing_in_pieces_changes_nothing(job_of, monkeypatch):
    rows = family(2)
    whole = job_of(rows, "raw", DEDUP, out="whole")
    run_stages(whole, until="match")
    monkeypatch.setattr(match, "PAIRS_AT_ONCE", 3)
    pieces = job_of(rows, "raw", DEDUP, out="pieces")
    run_stages(pieces, until="match")
    assert pairs_of(pieces) == pairs_of(whole)
    assert len(pairs_of(whole)) > 10


def test_large_groups_are_counted(job_of):
    text = prose(1)
    rows = [{"id": f"d{n}", "text": f"{text} ending{n}"} for n in range(90)]
    job = job_of(rows, "raw", DEDUP)
    run_stages(job, until="match")
    markers = [
        job.output.committed("candidates", pack, job.fingerprint("match"))
        for pack in range(BAND_PACKS)
    ]
    assert sum(marker["large_groups"] for marker in markers if marker) >= 10
    assert sum(marker["uncompared"] for marker in markers if marker) > 0
    assert len(pairs_of(job)) < 90 * 89 // 2


def test_pairs_left_by_other_settings_are_removed(job_of):
    rows = family(5)
    first = job_of(rows, "raw", DEDUP)
    run_stages(first)
    assert len(storage.list_files(first.output.path("pairs"))) > 1
    for setting in ("dedup.minhash=null", "dedup.minhash.rows=64"):
        again = job_of(rows, "raw", [setting])
        run_stages(again)
        fresh = job_of(rows, "raw", [setting], out=setting)
        run_stages(fresh)
        assert pairs_of(again) == pairs_of(fresh)
        assert len(pairs_of(fresh)) < 3


def test_sketches_are_written_only_for_documents_in_pairs(job_of):
    text = prose(1)
    rows = [{"id": f"d{n}", "text": prose(n + 10)} for n in range(5)]
    rows += [{"id": "one", "text": text}, {"id": "two", "text": changed(text, 40)}]
    job = job_of(rows, "raw", DEDUP)
    run_stages(job, until="match")
    table = pa.ipc.open_file(job.output.part("work/sketches", 0, ".arrow")).read_all()
    assert table["id"].to_pylist() == ["one", "two"]
    assert table["row"].to_pylist() == [5, 6]
    assert table["shingles"][0].values.to_pylist() == shingle_hashes(text, 5).tolist()


def test_the_keys_of_pairs_are_shares():
    keys = np.array([[n << 32 | n, 1] for n in range(100)], np.uint64)
    packs = list(match._keyed_pairs(keys, 0))
    assert all(0 <= pack < PAIR_PACKS for pack, _ in packs)
    assert sum(len(data) for _, data in packs) == keys.nbytes
    assert [pack for pack, _ in match._keyed_pairs(keys, PAIR_PACKS)] == [
        PAIR_PACKS + pack for pack, _ in packs
    ]
