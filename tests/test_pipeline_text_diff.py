"""Word-level differences: true ones, readable ones, and bounded on hostile text."""

import random
from itertools import pairwise

import pytest
from conftest import changed, linear_time, prose
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline import text_diff
from pipeline.text_diff import (
    CONTEXT,
    LONGEST,
    MOST_CHANGES,
    MOST_HUNKS,
    MOST_SHOWN,
    Diff,
    _blocks,
    _readable,
    compare,
)

FEW = st.lists(st.sampled_from(["a", "b", "c", "d", "e,", ".", "汉"]), max_size=60).map(" ".join)


def side(diff: Diff, hunk: int, kind: str) -> str:
    return "".join(p.text for p in diff.hunks[hunk].pieces if p.kind in ("same", kind))


def test_changed_words_with_their_neighbours() -> None:
    old = prose(1, 400)
    diff = compare(old, changed(old, 50, 51, 200))
    assert len(diff.hunks) == 2
    assert [(p.kind, p.text) for p in diff.hunks[0].pieces if p.kind != "same"] == [
        ("removed", " ".join(old.split()[50:52]) + " "),
        ("added", "xylophone xylophone "),
    ]
    assert (diff.removed, diff.added, diff.more_hunks, diff.cut, diff.coarse) == (
        (3, 3, 0, False, False)
    )
    same = [p.text for p in diff.hunks[0].pieces if p.kind == "same"]
    assert 2 * CONTEXT - 4 <= sum(len(text.split()) for text in same) <= 2 * CONTEXT


@given(FEW, FEW)
@example("", "a")
@example("a b", "")
@example("  a", "a  b ")
def test_the_hunks_are_parts_of_both_texts(old: str, new: str) -> None:
    diff = compare(old, new)
    for number in range(len(diff.hunks)):
        removed, added = side(diff, number, "removed"), side(diff, number, "added")
        assert added in new
        # What is the same is shown as in the new text, where other white space may follow.
        assert removed.replace(" ", "") in old.replace(" ", "")
    assert (not diff.hunks) == (old.replace(" ", "") == new.replace(" ", ""))


@given(*[st.lists(st.integers(0, 9), max_size=300)] * 2)
def test_blocks_are_the_same_in_both_and_in_order(a: list[int], b: list[int]) -> None:
    blocks, coarse = _blocks(a, b)
    assert not coarse
    for i, j, size in [*blocks, *_readable(blocks, len(a), len(b))]:
        assert a[i : i + size] == b[j : j + size]
        assert size > 0
    for (i, j, size), (later, other, _) in pairwise(blocks):
        assert i + size <= later
        assert j + size <= other


@given(st.lists(st.integers(0, 3), min_size=1, max_size=200), st.data())
def test_nothing_differs_in_a_text_and_itself(words: list[int], data: st.DataObject) -> None:
    assert sum(size for _, _, size in _blocks(words, words)[0]) == len(words)


def test_a_moved_passage_is_removed_and_added() -> None:
    one, two, three = prose(1, 60), prose(2, 60), prose(3, 60)
    diff = compare(f"{one} {two} {three}", f"{two} {three} {one}")
    assert diff.removed == diff.added
    assert diff.removed < 90


def test_words_that_long_passages_happen_to_share_are_not_picked_out() -> None:
    old = " ".join(f"old{n} the" if n % 9 == 8 else f"old{n}" for n in range(60))
    diff = compare(old, old.replace("old", "new"))
    assert [piece.kind for piece in diff.hunks[0].pieces] == ["removed", "added"]


@pytest.mark.parametrize("text", ["汉字很好看", "ภาษาไทยดี"])
def test_scripts_without_spaces_are_compared_by_character(text: str) -> None:
    diff = compare(text * 20, text * 10 + "好" + text * 10)
    assert (diff.removed, diff.added) == (0, 1)


def test_white_space_alone_is_no_difference() -> None:
    assert compare("one two\n\nthree", " one  two three ").hunks == []


def test_what_is_shown_is_bounded_and_says_so() -> None:
    old = [f"w{n}" for n in range(40 * 100)]
    new = [f"v{n}" if n % 100 == 50 else word for n, word in enumerate(old)]
    diff = compare(" ".join(old), " ".join(new))
    assert (len(diff.hunks), diff.more_hunks) == (MOST_HUNKS, 40 - MOST_HUNKS)
    (piece,) = (p for p in compare("a", "a " + "b " * 500).hunks[0].pieces if p.kind == "added")
    assert (len(piece.text.split()), piece.left_out) == (MOST_SHOWN, 500 - MOST_SHOWN)
    (piece,) = compare("", "x" * 10_000).hunks[0].pieces
    assert len(piece.text) == LONGEST + 1
    every = [word if n % 2 else f"v{n}" for n, word in enumerate(old)]
    assert all(
        len(h.pieces) <= 3 * MOST_CHANGES + 1 for h in compare(" ".join(old), " ".join(every)).hunks
    )


def test_the_end_of_a_very_long_text_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_diff, "MOST_WORDS", 10)
    diff = compare("a b c d e f g h i j k l", "a b c d e f g h i j X Y")
    assert (diff.hunks, diff.cut) == ([], True)
    diff = compare("a b c d e f g h i z k l", "a b c d e f g h i j")
    assert side(diff, 0, "removed") == "a b c d e f g h i z "
    assert not compare("a b c d e f g h i j", "a b c d e f g h i j").cut


def test_coarse_when_the_work_is_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_diff, "WORK", 1)
    diff = compare("a b c d e f", "a c b d e f")
    assert diff.coarse
    assert side(diff, 0, "removed") == "a b c d e f"


def hostile() -> list[tuple[str, str]]:
    choice = random.Random(1)
    numbers = [str(n) for n in range(150_000)]
    mixed = choice.sample(numbers, len(numbers))
    return [
        ("a " * 300_000, "a " * 299_999 + "b"),
        ("a b " * 200_000, "b a a " * 150_000),
        (
            " ".join(choice.choices("abcdefgh", k=150_000)),
            " ".join(choice.choices("abcdefgh", k=150_000)),
        ),
        (" ".join(numbers), " ".join(mixed)),
        (" ".join(numbers), " ".join(numbers[::-1])),
        ("." * 500_000, "," * 500_000),
        ("x" * 1_000_000, "x" * 999_999),
        ("汉" * 500_000, "字" * 500_000),
    ]


@pytest.mark.parametrize("number", range(8))
def test_hostile_text_is_compared_in_bounded_time(number: int) -> None:
    with linear_time():
        diff = compare(*hostile()[number])
    assert len(diff.hunks) <= MOST_HUNKS
