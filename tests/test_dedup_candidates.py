"""Candidate pairs, and the whole way from texts to survivors against all pairs of the corpus."""

import json
from itertools import combinations, islice
from pathlib import Path

import numpy as np
import pytest
import zstandard
from conftest import linear_time
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.candidates import candidate_pairs, group_exact, unique_pairs
from dedup.digests import exact_digest
from dedup.jaccard import jaccard_pairs, reference_jaccard
from dedup.minhash import band_hashes, collision_probability, permutations, signature
from dedup.shingles import shingle_hashes
from dedup.survivors import check_guarantees, greedy_survivors

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

# Keys and ranks at both ends of the range of uint64; a document's rank is a function of its key.
KEYS = st.one_of(st.integers(0, 12), st.integers(2**64 - 6, 2**64 - 1))
TRIPLES = st.lists(st.tuples(st.integers(0, 4), KEYS), max_size=60)


def rank_of(key):
    return key * 0x9E3779B97F4A7C15 % 2**64


def columns(triples):
    hashes = np.array([h for h, _ in triples], dtype=np.uint64)
    documents = np.array([key for _, key in triples], dtype=np.uint64)
    ranks = np.array([rank_of(key) for _, key in triples], dtype=np.uint64)
    return hashes, documents, ranks


def reference_pairs(triples, bound, leaders):
    """The definition, group by group."""
    pairs, uncompared, large = set(), 0, 0
    for wanted in {h for h, _ in triples}:
        group = sorted({key for h, key in triples if h == wanted}, key=rank_of, reverse=True)
        count = len(group) if len(group) <= bound else leaders
        large += len(group) > bound
        for a, b in combinations(range(len(group)), 2):
            if a < count:
                pairs.add((group[a], group[b]))
            else:
                uncompared += 1
    ordered = sorted(pairs, key=lambda pair: [-rank_of(key) for key in pair])
    return ordered, uncompared, large


@settings(deadline=None)  # compiling a kernel takes seconds
@given(TRIPLES, st.integers(1, 8), st.integers(1, 10))
def test_candidate_pairs_equal_the_definition(triples, bound, leaders):
    found = candidate_pairs(*columns(triples), all_pairs_up_to=bound, leaders=leaders)
    pairs, uncompared, large = reference_pairs(triples, bound, leaders)
    assert found.pairs.dtype == np.uint64
    assert found.pairs.tolist() == [list(pair) for pair in pairs]
    assert (found.uncompared, found.large_groups) == (uncompared, large)


@settings(deadline=None)
@given(TRIPLES, st.randoms(use_true_random=False))
def test_order_of_the_input_changes_nothing(triples, random):
    expected = candidate_pairs(*columns(triples), all_pairs_up_to=4, leaders=2)
    random.shuffle(triples)
    found = candidate_pairs(*columns(triples), all_pairs_up_to=4, leaders=2)
    assert np.array_equal(found.pairs, expected.pairs)
    assert found.uncompared == expected.uncompared


def test_candidates_of_a_mostly_unshared_pack():
    random = np.random.default_rng(2)
    hashes = random.permutation(np.repeat(np.arange(60_000, dtype=np.uint64), 2)[:100_000])
    documents = np.arange(100_000, dtype=np.uint64)
    found = candidate_pairs(hashes, documents, documents)
    by_hash = {}
    for document, value in enumerate(hashes.tolist()):
        by_hash.setdefault(value, []).append(document)
    expected = sorted([max(g), min(g)] for g in by_hash.values() if len(g) == 2)
    assert sorted(found.pairs.tolist()) == expected
    assert len(expected) == 50_000


def test_a_bucket_of_200_000_documents():
    count = 200_000
    documents = np.arange(count, dtype=np.uint64)
    hashes = np.full(count, 17, dtype=np.uint64)
    candidate_pairs(hashes[:10], documents[:10], documents[:10])  # compiles
    with linear_time():
        found = candidate_pairs(hashes, documents, documents, leaders=16)
    assert len(found.pairs) == 16 * (count - 16) + 16 * 15 // 2
    assert found.pairs.nbytes < 60_000_000
    assert found.uncompared == (count - 16) * (count - 17) // 2
    assert found.large_groups == 1
    # All of them are copies: the first leader drops the others, whatever was not compared.
    kept_by = greedy_survivors(
        documents, found.pairs.astype(np.int64), np.ones(len(found.pairs)), 0.8
    )
    assert np.all(kept_by == count - 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"documents": [1]}, "2 hashes, 1 documents and 2 ranks"),
        ({"leaders": 0}, "at least 1"),
        ({"all_pairs_up_to": 0}, "at least 1"),
        ({"ranks": [-1, 2]}, "do not fit uint64"),
        ({"ranks": [7, 7]}, "same rank"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        candidate_pairs(**{"hashes": [1, 1], "documents": [1, 2], "ranks": [1, 2], **arguments})


@given(st.lists(st.tuples(KEYS, KEYS), max_size=40))
def test_unique_pairs(pairs):
    found = unique_pairs(np.array(pairs, dtype=np.uint64).reshape(-1, 2))
    assert found.dtype == np.uint64
    assert [tuple(pair) for pair in found.tolist()] == sorted(set(pairs))


# Digests that share their first or last half, and some with zeros at the end.
DIGESTS = st.tuples(st.sampled_from([b"a" * 8, b"b" * 8]), st.sampled_from([b"c" * 8, bytes(8)]))


@given(st.dictionaries(KEYS, DIGESTS, max_size=20), st.sampled_from(["S16", "V16", "bytes"]))
def test_group_exact(documents, form):
    digests = [b"".join(halves) for halves in documents.values()]
    if form == "bytes":
        array = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, 16)
    else:
        array = np.array(digests, dtype=form)
    keys = np.array(list(documents), dtype=np.uint64)
    ranks = np.array([rank_of(key) for key in documents], dtype=np.uint64)
    member, leader = group_exact(array, keys, ranks)

    expected = []
    for key, digest in documents.items():
        best = max((k for k, d in documents.items() if d == digest), key=rank_of)
        if best != key:
            expected.append((key, best))
    found = zip(member.tolist(), leader.tolist(), strict=True)
    assert list(found) == sorted(expected)


def test_group_exact_refuses_other_digests():
    with pytest.raises(ValueError, match="16 bytes"):
        group_exact(np.zeros((2, 8), dtype=np.uint8), [1, 2], [1, 2])
    with pytest.raises(ValueError, match="must be as many"):
        group_exact(np.zeros((2, 16), dtype=np.uint8), [1, 2, 3], [1, 2])


def real_passages():
    """Returns passages of 150 words of real novels."""
    path = DATA / "prose" / "novels.jsonl.zst"
    if not path.exists():
        pytest.skip(f"the novels are not at {path}")
    with path.open("rb") as packed, zstandard.open(packed, "rt", encoding="utf-8") as lines:
        chapters = [json.loads(line)["text"].split() for line in islice(lines, 60)]
    return [" ".join(words[i : i + 150]) for words in chapters for i in (0, 150, 300, 450, 600)]


def synthetic_passages():
    random = np.random.default_rng(11)
    return [" ".join(f"w{n}" for n in random.integers(0, 5000, 150)) for _ in range(300)]


def with_edits(passages):
    """Returns the passages and two copies of each, with 0 to 8 words changed at random places."""
    random = np.random.default_rng(13)
    texts = list(passages)
    for passage in passages:
        for _ in range(2):
            words = passage.split()
            for place in random.integers(0, len(words), random.integers(0, 9)):
                words[place] = f"changed{random.integers(10**9)}"
            texts.append(" ".join(words))
    return texts


def all_similar_pairs(sets, minimum):
    """The oracle: every pair of sets that share a shingle, by an index from shingle to sets."""
    holders = {}
    for number, values in enumerate(sets):
        for value in values:
            holders.setdefault(value, []).append(number)
    sharing = {pair for held in holders.values() for pair in combinations(held, 2)}
    exact = {pair: reference_jaccard(sets[pair[0]], sets[pair[1]]) for pair in sharing}
    return {pair: similarity for pair, similarity in exact.items() if similarity >= minimum}


@pytest.mark.parametrize("passages", [synthetic_passages, real_passages])
def test_all_pairs_of_the_corpus_are_found_and_resolved(passages):
    texts = with_edits(passages())
    shingles = [shingle_hashes(text, 5) for text in texts]
    oracle = all_similar_pairs([set(values.tolist()) for values in shingles], 0.5)
    similar = {pair for pair, similarity in oracle.items() if similarity >= 0.8}
    assert len(similar) > 300

    parameters = permutations(100, 1)
    bands = band_hashes(np.stack([signature(h, parameters) for h in shingles]), 20, 5)
    numbers = np.arange(len(texts), dtype=np.uint64)
    ranks = np.random.default_rng(17).permutation(len(texts)).astype(np.uint64)
    documents = np.repeat(numbers, 20)
    found = candidate_pairs(bands.ravel(), documents, np.repeat(ranks, 20))
    candidates = {tuple(sorted(pair)) for pair in found.pairs.tolist()}
    assert found.uncompared == 0

    # Recall at 0.8 and above: 20 bands of 5 rows miss one pair in 2,800 even at exactly 0.8.
    assert len(similar & candidates) / len(similar) >= 0.999
    # And over the whole range it is what the theory says, within four standard deviations.
    chances = collision_probability(list(oracle.values()), 20, 5)
    hits = sum(pair in candidates for pair in oracle)
    assert abs(hits - chances.sum()) <= 4 * np.sqrt(np.sum(chances * (1 - chances))) + 1

    offsets = np.cumsum([0, *(len(values) for values in shingles)])
    exact = jaccard_pairs(np.concatenate(shingles), offsets, found.pairs)
    for pair, similarity in zip(found.pairs.tolist(), exact.tolist(), strict=True):
        assert oracle.get(tuple(sorted(pair)), similarity) == similarity
    kept_by = greedy_survivors(ranks, found.pairs, exact, 0.8)
    check_guarantees(ranks, found.pairs, exact, 0.8, kept_by)
    kept = kept_by == np.arange(len(texts))
    assert not any(kept[a] and kept[b] for a, b in similar)
    # Precision: who was dropped is similar to who dropped it, says the oracle.
    dropped = np.flatnonzero(~kept).tolist()
    assert len(dropped) > 100
    assert all(tuple(sorted((d, int(kept_by[d])))) in similar for d in dropped)


def test_exact_copies_are_found_first():
    texts = ["one  two", "three", "one two ", "one two"]
    digests = np.array([exact_digest(text) for text in texts], dtype="S16")
    member, leader = group_exact(digests, [10, 11, 12, 13], [1, 2, 9, 4])
    assert member.tolist() == [10, 13]
    assert leader.tolist() == [12, 12]
