import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.survivors import (
    DECISION,
    EDGE,
    GuaranteeError,
    check_guarantees,
    documents_of,
    find,
    greedy_survivors,
)

THRESHOLD = 0.8


def edges_of(rows, rank):
    """Returns EDGE[] of (document, document, jaccard), given the rank of each document."""
    edges = np.empty(len(rows), EDGE)
    for place, (a, b, jaccard) in enumerate(rows):
        high, low = (a, b) if rank[a] > rank[b] else (b, a)
        edges[place] = (low, high, jaccard)
    return edges


def choose(edges, rank):
    """Calls greedy_survivors with the ranks of the documents of the edges."""
    documents = documents_of(edges)
    return greedy_survivors(edges, documents, [rank[int(key)] for key in documents])


@st.composite
def graphs(draw):
    """Edges between documents with keys of 64 bits, many of equal similarity; and the ranks."""
    count = draw(st.integers(2, 14))
    keys = draw(st.lists(st.integers(0, 2**64 - 1), min_size=count, max_size=count, unique=True))
    ranks = draw(st.lists(st.integers(0, 2**64 - 1), min_size=count, max_size=count, unique=True))
    rank = dict(zip(keys, ranks, strict=True))
    pair = st.tuples(st.sampled_from(keys), st.sampled_from(keys)).filter(lambda p: p[0] != p[1])
    pairs = draw(st.lists(pair.map(sorted).map(tuple), max_size=40))
    jaccard = st.sampled_from([0.8, 0.9, 1.0])
    similarity = {pair: draw(jaccard) for pair in sorted(set(pairs))}
    return edges_of([(*pair, similarity[pair]) for pair in pairs], rank), rank


def definition(edges, rank):
    """Returns (dropped, kept, jaccard) by the definition, document by document."""
    kept_by = {}
    for document in sorted(rank, key=rank.__getitem__, reverse=True):
        evidence = [
            (jaccard, rank[high], high)
            for low, high, jaccard in edges.tolist()
            if low == document and high not in kept_by
        ]
        if evidence:
            jaccard, _, kept = max(evidence)
            kept_by[document] = (kept, jaccard)
    return sorted((document, *fate) for document, fate in kept_by.items())


@given(graphs(), st.randoms(use_true_random=False))
def test_equals_the_definition_in_any_order_and_keeps_its_guarantees(graph, random):
    edges, rank = graph
    decisions = choose(edges, rank)
    assert decisions.tolist() == definition(edges, rank)
    check_guarantees(edges, THRESHOLD, decisions, decisions["dropped"])
    order = list(range(len(edges)))
    random.shuffle(order)
    assert choose(edges[order], rank).tolist() == decisions.tolist()


@given(graphs(), st.data())
def test_a_wrong_choice_is_found(graph, data):
    edges, rank = graph
    right = choose(edges, rank).tolist()
    documents = sorted({*edges["low"].tolist(), *edges["high"].tolist()})
    if not documents:
        return
    one, other = data.draw(st.sampled_from(documents)), data.draw(st.sampled_from(documents))
    jaccard = data.draw(st.sampled_from([0.8, 0.9, 1.0]))
    change = data.draw(st.sampled_from(["keep", "drop"]))
    wrong = [row for row in right if row[0] != one]
    wrong += [(one, other, jaccard)] if change == "drop" else []
    decisions = np.array(wrong, DECISION)
    gone = {row[0] for row in wrong}
    rows = edges.tolist()
    holds = all(row in rows and row[1] not in gone for row in wrong) and not any(
        low not in gone and high not in gone for low, high, _ in rows
    )
    if holds:
        check_guarantees(edges, THRESHOLD, decisions, np.sort(decisions["dropped"]))
    else:
        with pytest.raises(GuaranteeError):
            check_guarantees(edges, THRESHOLD, decisions, np.sort(decisions["dropped"]))


def chain(ranks):
    """Returns edges between each document and the next."""
    rows = [(number, number + 1, 0.85) for number in range(len(ranks) - 1)]
    return edges_of(rows, ranks)


def test_a_chain_does_not_merge():
    count = 1000
    ranks = range(count, 0, -1)
    assert choose(chain(ranks), ranks)["dropped"].tolist() == list(range(1, count, 2))
    # Whatever the priorities, at least a third of a chain stays: nobody drops more than two.
    ranks = np.random.default_rng(1).permutation(count)
    assert len(choose(chain(ranks), ranks)) <= 2 * count // 3


def test_the_most_similar_kept_document_is_named():
    ranks = [30, 20, 10, 5]
    edges = edges_of([(0, 2, 0.8), (1, 2, 0.9), (0, 3, 0.8), (1, 3, 0.8)], ranks)
    assert choose(edges, ranks).tolist() == [(2, 1, 0.9), (3, 0, 0.8)]


def test_without_edges():
    nothing = choose(np.empty(0, EDGE), {})
    assert nothing.dtype == DECISION
    assert not nothing.size
    check_guarantees(np.empty(0, EDGE), THRESHOLD, nothing, nothing["dropped"])


def test_a_star_of_many_documents():
    edges = np.zeros(200_000, EDGE)
    edges["low"], edges["jaccard"] = np.arange(1, 200_001), 1.0
    decisions = choose(edges, range(200_001, 0, -1))
    assert decisions["dropped"].tolist() == edges["low"].tolist()
    assert not decisions["kept"].any()
    check_guarantees(edges, THRESHOLD, decisions, decisions["dropped"])


@pytest.mark.parametrize(
    ("edge", "documents", "ranks", "message"),
    [
        ((1, 1, 0.9), [1], [9], "no higher rank"),
        ((1, 2, 0.9), [1, 2], [9, 8], "no higher rank"),
        ((1, 2, 0.9), [1, 2], [9, 9], "same rank"),
        ((1, 2, 0.9), [1, 3], [8, 9], "not among the documents"),
    ],
)
def test_bad_arguments_are_refused(edge, documents, ranks, message):
    with pytest.raises(ValueError, match=message):
        greedy_survivors(np.array([edge], EDGE), documents, ranks)


@pytest.mark.parametrize(
    ("decisions", "message"),
    [
        ([], r"document 0x2 and document 0x1 are similar at 0.8 or above, and both are kept \(2 s"),
        ([(2, 1, 0.9), (3, 2, 0.9)], r"document 0x3 was dropped for document 0x2, which is not"),
        ([(2, 1, 0.9), (3, 1, 0.5)], r"document 0x3 was dropped for document 0x1, but no compar"),
        ([(2, 1, 0.8)], r"document 0x2 was dropped for document 0x1, but no compar"),
        ([(1, 2, 0.9), (3, 2, 0.9)], r"document 0x1 was dropped for document 0x2, but no compar"),
        ([(2, 1, 0.9), (2, 1, 0.9)], r"document 0x2 was dropped twice, for document 0x1, too"),
    ],
)
def test_messages_name_the_documents(decisions, message):
    edges = np.array([(2, 1, 0.9), (3, 2, 0.9), (3, 1, 0.5)], EDGE)
    given_up = np.array(decisions, DECISION)
    with pytest.raises(GuaranteeError, match=message):
        check_guarantees(edges, THRESHOLD, given_up, np.unique(given_up["dropped"]))


def test_documents_of():
    edges = np.array([(5, 2, 1.0), (2**64 - 1, 5, 1.0), (5, 2, 1.0)], EDGE)
    assert documents_of(edges).tolist() == [2, 5, 2**64 - 1]


def test_find():
    keys = np.array([3, 5, 9], np.uint64)
    place, found = find(keys, np.array([9, 4, 3, 10], np.uint64))
    assert found.tolist() == [True, False, True, False]
    assert place[found].tolist() == [2, 0]
    assert not find(keys[:0], keys)[1].any()
