"""A choice in rounds is that of one process, however the documents are packed."""

import random
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_dedup_survivors import THRESHOLD, chain, edges_of, graphs
from test_dedup_survivors import choose as greedy

from dedup.rounds import (
    OPEN_EDGE,
    Holding,
    UndecidedError,
    check_pack,
    pack_of,
    play_round,
    send_decisions,
    send_edges,
    tell_of_dropped,
    undecided,
    with_ranks,
)
from dedup.survivors import DECISION, EDGE, GuaranteeError


def grouped(sent, seed=0):
    """Delivers what was sent, each pack's parcels in an order by chance."""
    boxes = defaultdict(list)
    for pack, parcel in sent:
        boxes[pack].append(parcel)
    for parcels in boxes.values():
        random.Random(seed).shuffle(parcels)
    return boxes


def choose(edges, rank, packs, rounds, most=10**9, files=1, seed=0):
    """Returns the decisions, and the edges left after each round."""
    order = np.random.default_rng(seed).permutation(len(edges))
    shares = np.array_split(edges[order], files)
    sent = [parcel for share in shares for parcel in send_edges(share, packs)]
    decided, left = [], []
    for number in range(rounds):
        told = []
        for pack, parcels in grouped(sent, seed + number).items():
            held = Holding.of(parcels)
            if number == 0:
                held = with_ranks(held, lambda keys: local_ranks(keys, rank))
            told += play_round(pack, held)
        decided += [records for _, (kind, records) in told if kind == "decisions"]
        sent = [(pack, parcel) for pack, parcel in told if parcel[0] != "decisions"]
        left.append(sum(len(r) // OPEN_EDGE.itemsize for _, (kind, r) in sent if kind == "edges"))
    last = greedy(undecided((parcel for _, parcel in sent), most), rank)
    decisions = np.concatenate([np.frombuffer(b"".join(decided), DECISION), last])
    return decisions[np.argsort(decisions["dropped"])], left


def local_ranks(keys, rank):
    """Returns ranks that only tell the order of these documents."""
    assert keys.tolist() == sorted(set(keys.tolist()))
    return np.argsort(np.argsort(np.array([rank[int(key)] for key in keys], np.uint64)))


def check(edges, decisions, packs, threshold=THRESHOLD):
    opened, decided = list(send_edges(edges, packs)), list(send_decisions(decisions, packs))
    news = [
        parcel
        for parcels in grouped(opened + decided).values()
        for parcel in tell_of_dropped(Holding.of(parcels))
    ]
    for parcels in grouped(opened + decided + news).values():
        check_pack(Holding.of(parcels), threshold)


@given(graphs(), st.integers(1, 5), st.integers(0, 6), st.integers(1, 3), st.integers(0, 99))
def test_packs_rounds_files_and_order_change_nothing(graph, packs, rounds, files, seed):
    edges, rank = graph
    expected = greedy(edges, rank)
    decisions, left = choose(edges, rank, packs, rounds, files=files, seed=seed)
    assert decisions.tolist() == expected.tolist()
    assert left == sorted(left, reverse=True)
    check(edges, decisions, packs)


@given(graphs(), st.integers(1, 5))
def test_enough_rounds_leave_nothing(graph, packs):
    edges, rank = graph
    decisions, _ = choose(edges, rank, packs, len(rank) + 1, most=0)
    assert decisions.tolist() == greedy(edges, rank).tolist()


@given(graphs(), st.integers(1, 5), st.data())
def test_a_wrong_decision_is_found_by_the_pack_that_sees_it(graph, packs, data):
    edges, rank = graph
    right = greedy(edges, rank)
    if not len(right):
        return
    place = data.draw(st.integers(0, len(right) - 1))
    with pytest.raises(GuaranteeError):
        check(edges, np.delete(right, place), packs)
    wrong = right.copy()
    wrong["kept"][place] = wrong["dropped"][place]
    with pytest.raises(GuaranteeError):
        check(edges, wrong, packs)
    with pytest.raises(GuaranteeError, match="no comparison"):
        check(edges, right, packs, threshold=1.1)


def random_graph(documents, count, seed=1):
    rng = np.random.default_rng(seed)
    pairs = rng.integers(0, documents, (count, 2))
    pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)
    jaccards = rng.integers(80, 90, len(pairs)) / 100
    ranks = rng.permutation(documents)
    return edges_of([(*p, j) for p, j in zip(pairs, jaccards, strict=True)], ranks), ranks


def test_few_rounds_decide_a_large_graph():
    edges, ranks = random_graph(2_000, 20_000)
    decisions, left = choose(edges, ranks, packs=7, rounds=12, most=0, files=3)
    assert decisions.tolist() == greedy(edges, ranks).tolist()
    assert left[0] == len(edges)  # the first round only finds those who have nobody above them
    assert left[2] < len(edges) / 2
    check(edges, decisions, packs=7)


def test_a_chain_in_the_order_of_priority_is_left_to_one_process():
    ranks = range(10_000, 0, -1)
    edges = chain(ranks)
    decisions, left = choose(edges, ranks, packs=8, rounds=3)
    assert left[-1] > 9_990
    assert decisions["dropped"].tolist() == list(range(1, 10_000, 2))
    check(edges, decisions, packs=8)


def test_too_much_left_is_refused():
    ranks = range(1000, 0, -1)
    _, left = choose(chain(ranks), ranks, packs=3, rounds=2)
    choose(chain(ranks), ranks, packs=3, rounds=2, most=left[-1])
    message = f"{left[-1]} pairs are undecided, at most {left[-1] - 1} fit one process"
    with pytest.raises(UndecidedError, match=message):
        choose(chain(ranks), ranks, packs=3, rounds=2, most=left[-1] - 1)


def test_stars_and_cliques_need_two_rounds():
    ranks = [n * 7 % 300 for n in range(300)]
    star = [(ranks.index(299), n, 0.9) for n in range(300) if ranks[n] < 299]
    clique = [(a, b, 0.8) for a in range(40) for b in range(a)]
    for rows in (star, clique):
        edges = edges_of(rows, ranks)
        decisions, left = choose(edges, ranks, packs=5, rounds=2)
        assert decisions.tolist() == greedy(edges, ranks).tolist()
        assert left == [len(edges), 0]


def test_a_dropped_document_waits_for_better_evidence():
    """2 is dropped for 0 at once; the more similar 1, which nobody drops at last, is named."""
    ranks = {9: 9, 8: 8, 1: 7, 0: 6, 2: 5}
    edges = edges_of([(9, 8, 0.8), (8, 1, 0.8), (0, 2, 0.8), (1, 2, 0.9)], ranks)
    for rounds in range(6):
        decisions, _ = choose(edges, ranks, packs=3, rounds=rounds)
        assert decisions.tolist() == [(2, 1, 0.9), (8, 9, 0.8)]


def test_packs_get_even_shares():
    counts = np.bincount(pack_of(np.arange(64_000, dtype=np.uint64), 64), minlength=64)
    assert counts.min() > 800
    assert counts.max() < 1200
    many_parts = np.arange(64_000, dtype=np.uint64) << np.uint64(32)
    assert np.bincount(pack_of(many_parts, 64), minlength=64).min() > 800


def test_nothing_is_sent_about_nothing():
    assert list(send_edges(np.empty(0, EDGE), 4)) == []
    assert list(play_round(0, Holding.of([]))) == []
    assert not undecided([], 0).size
