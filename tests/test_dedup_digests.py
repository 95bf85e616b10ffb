import hashlib
from itertools import product

import pytest
from conftest import linear_time
from hypothesis import example, given, settings
from hypothesis import strategies as st
from real_texts import needs_data, real_texts
from test_dedup_shingles import ANY_TEXT, TRICKY_TEXT

from dedup.digests import NORMALISATIONS, exact_digest, reference_exact_digest
from dedup.shingles import UNITS, normalise, shingle_hashes

normalisation = st.sampled_from(NORMALISATIONS)
SMALL = st.text(st.sampled_from("aAb .\n\u2003\u0301中*\ud800"), max_size=8)
ALIKE = (
    str,
    str.upper,
    str.strip,
    lambda text: text.replace(" ", "\n "),
    lambda text: text.replace("*", "."),
    lambda text: text.replace("中", " 中"),
    lambda text: f"{text}!",
    lambda text: f"{text}b",
)


def blake2b(data):
    return hashlib.blake2b(data, digest_size=16).digest()


@settings(deadline=None)  # compiling a kernel takes seconds
@given(st.one_of(ANY_TEXT, TRICKY_TEXT), normalisation)
@example("***", "words")
@example("中文ก็ดี12", "words")
def test_digest_equals_its_definition(text, name):
    assert exact_digest(text, name) == reference_exact_digest(text, name)


@pytest.mark.parametrize("name", NORMALISATIONS)
def test_digest_of_every_character(name):
    for start in range(0, 0x110000, 0x400):
        text = "".join(chr(code) + "x" for code in range(start, start + 0x400))
        assert exact_digest(text, name) == reference_exact_digest(text, name), hex(start)


@needs_data
def test_digest_equals_its_definition_on_real_texts():
    for text in real_texts()[::10]:
        assert exact_digest(text, "words") == reference_exact_digest(text, "words")


def test_bytes():
    assert exact_digest("a b", "bytes") == blake2b(b"a b")
    texts = ("a b", "a  b", "A b", "a b ", "\ud800", "", "\ud83d\ude00", "\U0001f600", "\ufffd")
    assert len({exact_digest(text, "bytes") for text in texts}) == len(texts)


def test_spaces():
    assert exact_digest(" a\u2003 b\r\n") == exact_digest("a b") == exact_digest("a b", "spaces")
    assert exact_digest("a b") == blake2b(b"a b")
    assert exact_digest("") == exact_digest(" \n") == blake2b(b"")
    assert len({exact_digest(text) for text in ("a b", "ab", "A b", "a b.", "\ud800", "")}) == 6


def test_words():
    expected = blake2b("the quick brown fox s é".encode())
    for text in ("The quick, brown FOX's é", "¡the «Quick»\n\nbrown…fox_s É!"):
        assert exact_digest(text, "words") == expected
    assert (
        exact_digest("中文", "words")
        == exact_digest("中 文。", "words")
        == blake2b("中 文".encode())
    )
    texts = ("the quick", "thequick", "quick the", "the quick quick", "")
    assert len({exact_digest(text, "words") for text in texts}) == len(texts)


def test_texts_without_words_are_not_one_group():
    texts = ("***", "---", "* * *", "\ud800", "😀", "")
    assert len({exact_digest(text, "words") for text in texts}) == len(texts)
    assert exact_digest(" *\n *", "words") == exact_digest("* *", "words")


@settings(deadline=None, max_examples=300)  # compiling a kernel takes seconds
@given(SMALL, st.sampled_from(ALIKE), normalisation)
def test_texts_with_one_digest_have_the_same_shingles(text, change, name):
    other = change(text)
    if exact_digest(text, name) == exact_digest(other, name):
        assert normalise(text) == normalise(other)
        for unit, n in product(UNITS, (1, 2, 5)):
            found = shingle_hashes(text, n, unit)
            assert found.tolist() == shingle_hashes(other, n, unit).tolist()


@given(SMALL)
def test_a_coarser_normalisation_keeps_texts_together(text):
    spread = text.replace(" ", " \n")
    assert exact_digest(spread, "spaces") == exact_digest(text, "spaces")
    assert exact_digest(spread, "words") == exact_digest(text, "words")


def test_an_unknown_normalisation_is_refused():
    with pytest.raises(ValueError, match="bytes, spaces, words: letters"):
        exact_digest("a", "letters")


@pytest.mark.parametrize("name", NORMALISATIONS)
@pytest.mark.parametrize("piece", ["a", " ", "a ", "中", "\u0301", "*", "\ud800", "\u2003a"])
def test_time_is_linear_on_hostile_text(piece, name):
    with linear_time():
        exact_digest(piece * (2_000_000 // len(piece)), name)
