import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.survivors import GuaranteeError, check_guarantees, greedy_survivors

THRESHOLD = 0.8


@st.composite
def comparisons(draw):
    """Unique ranks, and pairs with similarities of which many are equal."""
    count = draw(st.integers(2, 12))
    ranks = draw(st.permutations(range(count)))
    pair = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    pairs = draw(st.lists(pair.filter(lambda p: p[0] != p[1]), max_size=40))
    similarity = st.sampled_from([0.0, 0.5, 0.79, 0.8, 0.9, 1.0])
    jaccards = draw(st.lists(similarity, min_size=len(pairs), max_size=len(pairs)))
    return ranks, np.array(pairs, dtype=np.int64).reshape(-1, 2), np.array(jaccards)


def reference(ranks, pairs, jaccards, threshold):
    """The definition, document by document."""
    kept_by = {}
    for document in sorted(range(len(ranks)), key=lambda d: -ranks[d]):
        droppers = []
        for (a, b), similarity in zip(pairs, jaccards, strict=True):
            other = b if a == document else a
            if document in (a, b) and similarity >= threshold and kept_by.get(other) == other:
                droppers.append((similarity, ranks[other], other))
        kept_by[document] = max(droppers)[2] if droppers else document
    return [int(kept_by[document]) for document in range(len(ranks))]


@settings(deadline=None)  # compiling a kernel takes seconds
@given(comparisons())
def test_equals_the_definition_and_keeps_its_guarantees(compared):
    ranks, pairs, jaccards = compared
    kept_by = greedy_survivors(ranks, pairs, jaccards, THRESHOLD)
    assert kept_by.tolist() == reference(ranks, pairs, jaccards, THRESHOLD)
    check_guarantees(ranks, pairs, jaccards, THRESHOLD, kept_by)


@settings(deadline=None)
@given(comparisons(), st.randoms(use_true_random=False))
def test_order_of_documents_and_pairs_changes_nothing(compared, random):
    ranks, pairs, jaccards = compared
    kept_by = greedy_survivors(ranks, pairs, jaccards, THRESHOLD)

    new_place = list(range(len(ranks)))
    random.shuffle(new_place)
    shuffled = list(range(len(pairs)))
    random.shuffle(shuffled)
    new_ranks = np.empty(len(ranks), dtype=np.uint64)
    new_ranks[new_place] = ranks
    new_pairs = np.array(new_place)[pairs[shuffled]][:, ::-1]
    moved = greedy_survivors(new_ranks, new_pairs, jaccards[shuffled], THRESHOLD)
    assert [moved[new_place[d]] for d in range(len(ranks))] == [new_place[k] for k in kept_by]


@settings(deadline=None)
@given(comparisons(), st.data())
def test_a_wrong_choice_is_found(compared, data):
    ranks, pairs, jaccards = compared
    right = greedy_survivors(ranks, pairs, jaccards, THRESHOLD)
    # Another leader is right as well if it is kept, similar and preferred; all else is wrong.
    document = data.draw(st.integers(0, len(ranks) - 1))
    other = data.draw(st.integers(0, len(ranks) - 1))
    wrong = right.copy()
    wrong[document] = other
    evidence = [
        {int(a), int(b)} == {document, other} and similarity >= THRESHOLD
        for (a, b), similarity in zip(pairs, jaccards, strict=True)
    ]
    if other == right[document] or (
        right[document] != document
        and right[other] == other != document
        and ranks[other] > ranks[document]
        and any(evidence)
    ):
        check_guarantees(ranks, pairs, jaccards, THRESHOLD, wrong)
    else:
        with pytest.raises(GuaranteeError):
            check_guarantees(ranks, pairs, jaccards, THRESHOLD, wrong)


def test_a_chain_does_not_merge():
    count = 1000
    ranks = np.arange(count, 0, -1)
    pairs = np.stack([np.arange(count - 1), np.arange(1, count)], axis=1)
    kept_by = greedy_survivors(ranks, pairs, np.full(count - 1, 0.85), THRESHOLD)
    assert np.flatnonzero(kept_by == np.arange(count)).tolist() == list(range(0, count, 2))
    # Whatever the priorities, at least a third of a chain stays: nobody drops more than two.
    ranks = np.random.default_rng(1).permutation(count)
    kept_by = greedy_survivors(ranks, pairs, np.full(count - 1, 0.85), THRESHOLD)
    assert np.count_nonzero(kept_by == np.arange(count)) >= count // 3
    check_guarantees(ranks, pairs, np.full(count - 1, 0.85), THRESHOLD, kept_by)


def test_the_most_similar_kept_document_is_named():
    ranks = [30, 20, 10, 5]
    pairs = [(0, 2), (1, 2), (0, 3), (1, 3)]
    assert greedy_survivors(ranks, pairs, [0.8, 0.9, 0.8, 0.8], 0.8).tolist() == [0, 1, 1, 0]


def test_a_similarity_under_the_threshold_drops_nothing():
    assert greedy_survivors([2, 1], [(0, 1)], [0.7999], 0.8).tolist() == [0, 1]
    assert greedy_survivors([2, 1], [(0, 1)], [0.8], 0.8).tolist() == [0, 0]


def test_without_documents_or_pairs():
    none = np.empty((0, 2), dtype=np.int64)
    assert greedy_survivors([], none, [], 0.8).tolist() == []
    assert greedy_survivors([5, 2**64 - 1], none, [], 0.8).tolist() == [0, 1]
    check_guarantees([], none, [], 0.8, [])


def test_a_star_of_many_documents():
    count = 200_000
    pairs = np.stack([np.zeros(count - 1, dtype=np.int64), np.arange(1, count)], axis=1)
    ranks = np.arange(count, 0, -1)
    kept_by = greedy_survivors(ranks, pairs, np.ones(count - 1), 0.8)
    assert not kept_by.any()
    check_guarantees(ranks, pairs, np.ones(count - 1), 0.8, kept_by)


@pytest.mark.parametrize(
    ("kept_by", "message"),
    [
        ([0, 1, 2], r"documents 0 and 1 are similar at 0.8 or above, and both are kept"),
        ([0, 0, 1], r"document 2 was dropped for 1, which is not kept"),
        ([0, 0, 0], r"document 2 was dropped for 0, but no comparison"),
        ([1, 1, 2], r"document 0 was dropped for 1, but no comparison"),
        ([0, 0, 3], "outside 0 to 2"),
    ],
)
def test_messages_name_the_documents(kept_by, message):
    pairs = [(0, 1), (1, 2), (0, 2)]
    with pytest.raises(GuaranteeError, match=message):
        check_guarantees([3, 2, 1], pairs, [0.9, 0.9, 0.5], 0.8, kept_by)


@pytest.mark.parametrize(
    ("ranks", "pairs", "jaccards", "message"),
    [
        ([1, 1], [(0, 1)], [0.9], "same rank"),
        ([2, 1], [(0, 2)], [0.9], "outside 0 to 1"),
        ([2, 1], [(0, 0)], [0.9], "with itself"),
        ([2, 1], [(0, 1)], [float("nan")], "not a number"),
        ([2, 1], [(0, 1)], [1.1], "not a number"),
        ([2, 1], [(0, 1)], [], "1 pairs, but 0 similarities"),
    ],
)
def test_bad_arguments_are_refused(ranks, pairs, jaccards, message):
    with pytest.raises(ValueError, match=message):
        greedy_survivors(ranks, pairs, jaccards, 0.8)
