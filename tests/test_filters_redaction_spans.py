import itertools

from conftest import linear_time
from hypothesis import given
from hypothesis import strategies as st

from filters.redaction.spans import Span, without_overlaps


def test_the_earlier_claim_wins_and_then_the_left_one() -> None:
    first = [Span(5, 9, "a")]
    second = [Span(0, 3, "b"), Span(2, 5, "b"), Span(3, 5, "b"), Span(8, 12, "b"), Span(9, 10, "b")]
    third = [Span(0, 20, "c"), Span(10, 11, "c"), Span(10, 12, "c")]
    assert without_overlaps([first, second, third]) == [
        Span(0, 3, "b"),
        Span(3, 5, "b"),
        Span(5, 9, "a"),
        Span(9, 10, "b"),
        Span(10, 11, "c"),
    ]
    assert without_overlaps([[], []]) == []


spans = st.tuples(st.integers(0, 30), st.integers(1, 6)).map(lambda pair: (pair[0], sum(pair)))


@given(st.lists(st.lists(spans, max_size=8), max_size=4))
def test_hits_stay_unless_they_overlap_one_that_came_before(
    hits: list[list[tuple[int, int]]],
) -> None:
    claims = [sorted(Span(*hit, name) for hit in some) for name, some in zip("abcd", hits)]  # noqa: B905
    expected: list[Span] = []
    for hit in itertools.chain.from_iterable(claims):
        if all(hit.end <= other.start or other.end <= hit.start for other in expected):
            expected.append(hit)
    assert without_overlaps(claims) == sorted(expected)


def test_many_hits_take_linear_time() -> None:
    claims = [
        [Span(start, start + 3, name) for start in range(offset, 400_000, 4)]
        for offset, name in enumerate("abcdefghij")
    ]
    with linear_time():
        assert without_overlaps(claims)[:100_000] == claims[0]
