"""Candidate pairs, and the whole way from texts to survivors against all pairs of the corpus."""

import json
from itertools import combinations, islice
from pathlib import Path

import numpy as np
import pytest
import zstandard
from conftest import linear_time
from hypothesis import given
from hypothesis import strategies as st

from dedup.candidates import (
    candidates,
    group_equal,
    leader_pairs,
    repeated,
    replacement_pairs,
    unique_pairs,
)
from dedup.digests import exact_digest
from dedup.jaccard import jaccard_pairs, reference_jaccard
from dedup.minhash import band_hashes, collision_probability, permutations, signature
from dedup.shingles import shingle_hashes
from dedup.survivors import EDGE, check_guarantees, documents_of, greedy_survivors

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

# Keys at both ends of the range of uint64.
KEYS = st.one_of(st.integers(0, 12), st.integers(2**64 - 6, 2**64 - 1))
ENTRIES = st.lists(st.tuples(st.integers(0, 4), KEYS), max_size=60)
HASHES = st.sampled_from([np.uint32, np.uint64])


def rank_of(key):
    """A document's rank is a function of its key."""
    return key * 0x9E3779B97F4A7C15 % 2**64


def columns(entries, kind=np.uint64, offset=0):
    hashes = np.array([h + offset for h, _ in entries], dtype=kind)
    return hashes, np.array([key for _, key in entries], dtype=np.uint64)


def reference_candidates(entries, bound):
    """The definition, bucket by bucket: the distinct pairs of small ones, and the large ones."""
    pairs, large = [], []
    for wanted in {h for h, _ in entries}:
        bucket = sorted({key for h, key in entries if h == wanted})
        if len(bucket) > bound:
            large.append(bucket)
        else:
            pairs.extend(combinations(bucket, 2))
    return sorted(pairs), sorted(large)


def listed(found):
    return sorted(map(tuple, found.pairs.tolist())), sorted(b.tolist() for b in found.buckets)


@given(ENTRIES, st.integers(1, 8), HASHES)
def test_candidates_equal_the_definition(entries, bound, kind):
    highest = int(np.iinfo(kind).max) - 4
    for offset in (0, highest):
        found = candidates(*columns(entries, kind, offset), all_pairs_up_to=bound)
        assert found.pairs.dtype == np.uint64
        assert found.pairs.shape[1] == 2
        assert listed(found) == reference_candidates(entries, bound)


@given(ENTRIES, st.randoms(use_true_random=False), HASHES)
def test_order_and_repeated_entries_change_nothing(entries, random, kind):
    expected = listed(candidates(*columns(entries, kind), all_pairs_up_to=4))
    again = entries + random.sample(entries, len(entries) // 2)
    random.shuffle(again)
    assert listed(candidates(*columns(again, kind), all_pairs_up_to=4)) == expected


@pytest.mark.parametrize("kind", [np.uint32, np.uint64])
def test_candidates_of_a_mostly_unshared_pack(kind):
    random = np.random.default_rng(2)
    hashes = random.permutation(np.repeat(np.arange(60_000, dtype=kind), 2)[:100_000])
    documents = np.arange(100_000, dtype=np.uint64)
    found = candidates(hashes, documents)
    by_hash = {}
    for document, value in enumerate(hashes.tolist()):
        by_hash.setdefault(value, []).append(document)
    expected = sorted((min(g), max(g)) for g in by_hash.values() if len(g) == 2)
    assert listed(found) == (expected, [])
    assert len(expected) == 50_000


def test_a_bucket_of_200_000_documents_is_no_pair():
    count = 200_000
    documents = np.random.default_rng(3).permutation(count).astype(np.uint64)
    hashes = np.full(count, 17, dtype=np.uint32)
    candidates(hashes[:10], documents[:10])  # compiles
    with linear_time():
        found = candidates(hashes, documents)
    assert len(found.pairs) == 0
    (bucket,) = found.buckets
    assert np.array_equal(bucket, np.arange(count))


def test_the_bound_counts_distinct_documents():
    for count, large in ((64, 0), (65, 1)):
        documents = np.repeat(np.arange(count, dtype=np.uint64), 3)
        found = candidates(np.ones(len(documents), np.uint32), documents)
        assert (len(found.pairs), len(found.buckets)) == (0 if large else 64 * 63 // 2, large)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"documents": [1]}, "2 hashes, but 1 documents"),
        ({"documents": [-1, 2]}, "do not fit uint64"),
        ({"all_pairs_up_to": 0}, "at least 1"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        candidates(**{"hashes": [1, 1], "documents": [1, 2], **arguments})


# --- leaders of large buckets -------------------------------------------------------------------

# Documents are points; those less than `reach` apart are similar.
BUCKETS = st.lists(st.integers(0, 40), max_size=40)


def reference_leaders(points, reach, leaders):
    """The definition: who is like no leader chooses the next one, the first of them."""
    pairs, waiting = [], list(range(len(points)))
    for _ in range(leaders):
        if len(waiting) > 1:
            leader, *others = waiting
            pairs += [(leader, other) for other in others]
            waiting = [o for o in others if abs(points[o] - points[leader]) >= reach]
    return pairs, len(list(combinations(waiting, 2)))


def chosen(points, similar, leaders, rest_up_to=1):
    """Returns the pairs, and how many are left out."""
    blocks, choosing = [], leader_pairs(np.arange(points), similar, leaders, rest_up_to)
    while True:
        try:
            blocks.append(next(choosing))
        except StopIteration as stop:
            return np.concatenate([np.empty((0, 2), np.int64), *blocks]), stop.value


def similar_of(points, reach, asked=None):
    array = np.array(points)

    def similar(leader, others):
        if asked is not None:
            asked.extend((leader, other) for other in others.tolist())
        return np.abs(array[others] - array[leader]) < reach

    return similar


@given(BUCKETS, st.integers(0, 9), st.integers(1, 8))
def test_leaders_equal_the_definition(points, reach, leaders):
    asked = []
    pairs, uncompared = chosen(len(points), similar_of(points, reach, asked), leaders)
    assert pairs.shape == (len(pairs), 2)
    found = list(map(tuple, pairs.tolist()))
    assert (found, uncompared) == reference_leaders(points, reach, leaders)
    assert found == asked  # what is compared is told, and nothing twice
    assert len(set(found)) == len(found)


@given(BUCKETS, st.integers(1, 9), st.integers(1, 8))
def test_no_pair_is_lost_without_being_counted(points, reach, leaders):
    """A pair not compared is one of two documents like a leader, or it is among those counted."""
    similar = similar_of(points, reach)
    pairs, uncompared = chosen(len(points), similar, leaders)
    compared = {tuple(pair) for pair in pairs.tolist()}
    led = {o for leader, o in compared if bool(similar(leader, np.array([o]))[0])}
    heads = {leader for leader, _ in compared}
    left = [n for n in range(len(points)) if n not in led and n not in heads]
    assert uncompared == len(list(combinations(left, 2)))


def test_the_pairs_of_one_leader_at_a_time_are_held():
    blocks = leader_pairs(np.arange(1000), lambda _, others: np.zeros(len(others), bool), 64)
    assert max(map(len, blocks)) == 999


@given(BUCKETS, st.integers(0, 9), st.integers(1, 8), st.integers(1, 20))
def test_of_a_small_rest_all_pairs_are_compared(points, reach, leaders, rest):
    similar = similar_of(points, reach)
    alone, left_out = chosen(len(points), similar, leaders)
    pairs, uncompared = chosen(len(points), similar, leaders, rest)
    assert len({tuple(pair) for pair in pairs.tolist()}) == len(pairs)
    assert pairs[: len(alone)].tolist() == alone.tolist()
    if left_out > rest * (rest - 1) // 2:
        assert (len(pairs), uncompared) == (len(alone), left_out)
    else:
        assert (len(pairs), uncompared) == (len(alone) + left_out, 0)


def reference_replacements(points, dropped, reach, at_most):
    """The definition: each dropped one meets kept ones before it until it is like one of them."""
    pairs, done = [], set()
    for leader in (n for n, gone in enumerate(dropped) if not gone):
        for other in range(leader + 1, len(points)):
            if dropped[other] and other not in done and len(pairs) < at_most:
                pairs.append((leader, other))
                if abs(points[leader] - points[other]) < reach:
                    done.add(other)
    return pairs


@given(
    st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=40),
    st.integers(0, 9),
    st.sampled_from([1, 7, 10_000]),
)
def test_replacements_equal_the_definition(documents, reach, at_most):
    points, gone = [point for point, _ in documents], [gone for _, gone in documents]
    kept, dropped = (np.flatnonzero(np.array(gone, bool) == side) for side in (False, True))
    blocks = replacement_pairs(kept, dropped, similar_of(points, reach), at_most)
    found = [tuple(pair) for block in blocks for pair in block.tolist()]
    assert found == reference_replacements(points, gone, reach, at_most)


def test_a_bucket_of_near_copies_costs_one_comparison_each():
    count = 200_000
    with linear_time():
        pairs, uncompared = chosen(count, lambda _, others: np.ones(len(others), bool), 16)
    assert (len(pairs), uncompared) == (count - 1, 0)


def test_a_bucket_of_unrelated_documents_costs_as_many_as_there_are_leaders():
    count = 50_000
    with linear_time():
        pairs, uncompared = chosen(count, lambda _, others: np.zeros(len(others), bool), 16)
    assert len(pairs) == 16 * (count - 16) + 16 * 15 // 2
    assert uncompared == (count - 16) * (count - 17) // 2


# --- pairs and equal digests --------------------------------------------------------------------


@given(st.lists(st.tuples(KEYS, KEYS), max_size=40))
def test_unique_pairs(pairs):
    found = unique_pairs(np.array(pairs, dtype=np.uint64).reshape(-1, 2))
    assert found.dtype == np.uint64
    assert [tuple(pair) for pair in found.tolist()] == sorted(set(pairs))


# Digests that share their first or last half, and some with zeros at the end.
DIGESTS = st.tuples(st.sampled_from([b"a" * 8, b"b" * 8]), st.sampled_from([b"c" * 8, bytes(8)]))


@given(st.dictionaries(KEYS, DIGESTS, max_size=20), st.sampled_from(["S16", "V16", "bytes"]))
def test_group_equal(documents, form):
    digests = [b"".join(halves) for halves in documents.values()]
    if form == "bytes":
        array = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, 16)
    else:
        array = np.array(digests, dtype=form)
    keys = np.array(list(documents), dtype=np.uint64)
    ranks = np.array([rank_of(key) for key in documents], dtype=np.uint64)
    member, leader = group_equal(array, keys, ranks)

    expected = []
    for key, digest in documents.items():
        best = max((k for k, d in documents.items() if d == digest), key=rank_of)
        if best != key:
            expected.append((key, best))
    found = zip(member.tolist(), leader.tolist(), strict=True)
    assert list(found) == sorted(expected)


@given(st.lists(DIGESTS, max_size=20), st.sampled_from(["S16", "V16", "bytes"]))
def test_repeated_digests(halves, form):
    """Looks at first halves only: all that occur twice are among them, and few others."""
    digests = [b"".join(both) for both in halves]
    if form == "bytes":
        array = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, 16)
    else:
        array = np.array(digests, dtype=form)
    firsts = [first for first, _ in halves]
    assert repeated(array).tolist() == [firsts.count(first) > 1 for first in firsts]


def test_group_equal_refuses_other_digests():
    with pytest.raises(ValueError, match="16 bytes"):
        group_equal(np.zeros((2, 8), dtype=np.uint8), [1, 2], [1, 2])
    with pytest.raises(ValueError, match="must be as many"):
        group_equal(np.zeros((2, 16), dtype=np.uint8), [1, 2, 3], [1, 2])


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
    found = candidates(bands.ravel(), documents)
    pairs = unique_pairs(found.pairs)
    proposed = {tuple(pair) for pair in pairs.tolist()}
    assert found.buckets == []

    # Recall at 0.8 and above: 20 bands of 5 rows miss one pair in 2,800 even at exactly 0.8.
    assert len(similar & proposed) / len(similar) >= 0.999
    # And over the whole range it is what the theory says, within four standard deviations.
    chances = collision_probability(list(oracle.values()), 20, 5)
    hits = sum(pair in proposed for pair in oracle)
    assert abs(hits - chances.sum()) <= 4 * np.sqrt(np.sum(chances * (1 - chances))) + 1

    offsets = np.cumsum([0, *(len(values) for values in shingles)])
    exact = jaccard_pairs(np.concatenate(shingles), offsets, pairs)
    for (a, b), similarity in zip(pairs.tolist(), exact.tolist(), strict=True):
        assert oracle.get((a, b), similarity) == similarity
    edges = np.empty(int((exact >= 0.8).sum()), EDGE)
    ends = pairs[exact >= 0.8]
    first = ranks[ends[:, 0]] > ranks[ends[:, 1]]
    edges["high"] = np.where(first, ends[:, 0], ends[:, 1])
    edges["low"] = np.where(first, ends[:, 1], ends[:, 0])
    edges["jaccard"] = exact[exact >= 0.8]
    decisions = greedy_survivors(edges, documents_of(edges), ranks[documents_of(edges)])
    check_guarantees(edges, 0.8, decisions, decisions["dropped"])
    dropped = set(decisions["dropped"].tolist())
    assert all(a in dropped or b in dropped for a, b in similar)
    # Precision: who was dropped is similar to who dropped it, says the oracle.
    assert len(dropped) > 100
    for low, high, similarity in decisions.tolist():
        assert oracle[tuple(sorted((low, high)))] == similarity >= 0.8


def test_exact_copies_are_found_first():
    texts = ["one  two", "three", "one two ", "one two"]
    digests = np.array([exact_digest(text) for text in texts], dtype="S16")
    member, leader = group_equal(digests, [10, 11, 12, 13], [1, 2, 9, 4])
    assert member.tolist() == [10, 13]
    assert leader.tolist() == [12, 12]
