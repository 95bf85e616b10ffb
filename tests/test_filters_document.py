import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import words
from filters.document import Document


def test_views() -> None:
    document = Document("b a b\n\nc", url="https://example.com/")
    assert document.url == "https://example.com/"
    assert document.words == ["b", "a", "b", "c"]
    assert document.word_ids.tolist() == [0, 1, 0, 2]
    assert document.vocabulary == ["b", "a", "c"]
    assert document.word_counts.tolist() == [2, 1, 1]
    assert document.word_lengths.tolist() == [1, 1, 1]
    assert document.lines == ["b a b", "", "c"]


def test_an_empty_document() -> None:
    document = Document("")
    assert document.words == []
    assert document.word_ids.shape == (0,)
    assert document.word_counts.shape == document.word_lengths.shape == (0,)
    assert document.lines == [""]


def test_text_is_split_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setitem(words.SPLITTERS, "counting", lambda text: calls.append(text) or ["x"])
    document = Document("some text", words="counting")
    assert document.words == ["x"]
    assert document.vocabulary == ["x"]
    assert document.word_counts.tolist() == [1]
    assert calls == ["some text"]


def test_an_unknown_splitter_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'nltk'.*unicode"):
        Document("text", words="nltk")


@given(st.lists(st.sampled_from(["a", "b", "cc", "d"])))
def test_numbers_stand_for_words(parts: list[str]) -> None:
    document = Document(" ".join(parts))
    assert [document.vocabulary[number] for number in document.word_ids] == parts
    assert document.word_ids.dtype == np.int32
    assert document.word_counts.tolist() == [parts.count(word) for word in document.vocabulary]
