import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from conftest import linear_time
from hypothesis import example, given, settings
from hypothesis import strategies as st
from real_texts import needs_data, real_texts

from dedup import shingles
from dedup.shingles import (
    normalise,
    normalised_codes,
    reference_mix,
    reference_shingle_hashes,
    shingle_hashes,
    shingle_sequence,
    words,
)

# Text with lone surrogates, and text dense in the characters that the rules speak of.
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
TRICKY = (
    "aB9_ -'\n\t\x1c\x85\xa0İßΣςǅⅧé\u0301\u0345ก\u0e34"
    "中々〇カﾊ\u3099ー한\u200d\ufe0f😀\ud800\udfff\u2028"
)
TRICKY_TEXT = st.text(st.sampled_from(TRICKY), max_size=40)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("", ""),
        (" ... !?", ""),
        ("The  quick,brown\nFOX's 3.5 snake_case", "the quick brown fox s 3 5 snake case"),
        ("ΟΔΟΣ İstanbul STRASSE ẞ", "οδοσ istanbul strasse ß"),
        ("cafe\u0301 नमस्ते", "cafe\u0301 नमस्ते"),
        ("GPT模型v2。中文", "gpt 模 型 v2 中 文"),
        ("カ\u3099キ ありがとう", "カ\u3099 キ あ り が と う"),
        ("ก็ดี12", "ก็ ดี 12"),
        (
            "ｶﾊ ကခ កខ ㄱㄴ 㐀㐁 豈更 𠀀𠀁 々々 ㇰㇱ",
            "ｶ ﾊ က ခ ក ខ ㄱㄴ 㐀 㐁 豈 更 𠀀 𠀁 々 々 ㇰ ㇱ",
        ),
        ("한국어 텍스트", "한국어 텍스트"),
        ("a\ud800b \ud83d\ude00c", "a b c"),
    ],
)
def test_normalise(text, normal):
    assert normalise(text) == normal


@settings(deadline=None)  # compiling a kernel takes seconds
@given(st.one_of(ANY_TEXT, TRICKY_TEXT))
def test_normalise_twice_changes_nothing(text):
    assert normalise(normalise(text)) == normalise(text)


@settings(deadline=None)  # compiling a kernel takes seconds
@given(st.one_of(ANY_TEXT, TRICKY_TEXT))
@example("中文ก็ดี12")
def test_the_normalising_kernel_equals_the_definition(text):
    assert normalised_codes(text).tolist() == [ord(character) for character in normalise(text)]


@needs_data
def test_the_normalising_kernel_equals_the_definition_on_real_texts():
    for text in real_texts()[::10]:
        assert str(normalised_codes(text).data, "utf-32-le") == normalise(text)


@settings(deadline=None)  # compiling a kernel takes seconds
@given(st.one_of(ANY_TEXT, TRICKY_TEXT), st.integers(1, 7), st.sampled_from(shingles.UNITS))
@example("one two three", 5, "words")
@example("a a a a a a a a", 2, "words")
@example("", 5, "words")
@example("", 5, "characters")
@example("中文字中文字", 3, "words")
@example("中文字中文字", 3, "characters")
@example("ab", 5, "characters")
def test_kernel_equals_the_definition(text, n, unit):
    found = shingle_hashes(text, n, unit)
    assert found.dtype == np.uint64
    assert found.tolist() == reference_shingle_hashes(text, n, unit)


@settings(deadline=None)  # compiling a kernel takes seconds
@given(TRICKY_TEXT, st.integers(1, 4), st.sampled_from(shingles.UNITS))
def test_the_sequence_has_a_hash_for_each_shingle(text, n, unit):
    units = words(text) if unit == "words" else normalise(text)
    found = shingle_sequence(text, n, unit)
    assert found.size == (max(len(units) - n, 0) + 1 if units else 0)
    assert np.unique(found).tolist() == reference_shingle_hashes(text, n, unit)


def test_the_sequence_is_in_the_order_of_the_text():
    found = shingle_sequence("to be or not to be", 2).tolist()
    pairs = ("to be", "be or", "or not", "not to", "to be")
    assert found == [reference_shingle_hashes(pair, 2)[0] for pair in pairs]


def test_hashes_do_not_change():
    # Written down so that no edit changes what stored signatures mean.
    assert reference_mix(1) == 0xB456BCFC34C2CB2C
    found = shingle_hashes("The quick brown fox jumps over", 5).tolist()
    assert found == [7058866846973086292, 16557124905821604976]
    assert shingle_hashes("A, b!c", 4, "characters").tolist() == [
        2208266376682673162,
        9449067416747423344,
    ]


def test_characters_are_those_of_the_normalised_text():
    found = shingle_hashes("The  quick,brown", 5, "characters")
    assert found.tolist() == shingle_hashes("«the quick»\nBROWN…", 5, "characters").tolist()
    assert found.size == len("the quick brown") - 4
    assert found.tolist() != shingle_hashes("thequickbrown", 5, "characters").tolist()


def test_one_letter_words_hash_like_their_letters():
    assert shingle_hashes("a", 1, "characters").tolist() == shingle_hashes("a", 1).tolist()


def test_table_follows_python_for_every_character():
    table = shingles._character_table()
    assert table.size == sys.maxunicode + 1
    kinds = (table >> 21).tolist()
    lower = (table & 0x1FFFFF).tolist()
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if character.isalnum():
            is_unspaced = any(a <= code <= b for a, b in shingles.UNSPACED_BLOCKS)
            expected = shingles.UNSPACED if is_unspaced else shingles.LETTER
        elif unicodedata.category(character)[0] == "M":
            expected = shingles.MARK
        else:
            assert table[code] == 0, hex(code)
            continue
        assert kinds[code] == expected == shingles.character_kind(character), hex(code)
        assert lower[code] == ord(character.lower()[0]), hex(code)


def test_lower_case_keeps_the_kind_of_a_character():
    for code in range(0x20000):
        if chr(code).lower() != chr(code):
            lower = chr(code).lower()[0]
            assert shingles.character_kind(lower) == shingles.character_kind(chr(code)), hex(code)
            assert lower.lower()[0] == lower, hex(code)


def test_short_texts_have_one_shingle():
    assert shingle_hashes("to be", 5).size == 1
    assert shingle_hashes("to be", 5).tolist() == shingle_hashes("To, be!", 2).tolist()
    assert shingle_hashes("to be", 5).tolist() != shingle_hashes("be to", 5).tolist()
    assert shingle_hashes("?!", 5).size == 0
    assert shingle_hashes("to be", 9, "characters").size == 1
    assert shingle_hashes("to be", 9, "characters").tolist() == (
        shingle_hashes("To, be!", 5, "characters").tolist()
    )
    assert shingle_hashes("?!", 5, "characters").size == 0


def test_n_below_one_is_refused():
    with pytest.raises(ValueError, match="at least 1 of its units, not 0"):
        shingle_hashes("a", 0)


def test_an_unknown_unit_is_refused():
    with pytest.raises(ValueError, match="words or characters, not 'bytes'"):
        shingle_hashes("a", 5, "bytes")


@pytest.mark.parametrize("unit", shingles.UNITS)
def test_a_very_large_n_costs_nothing(unit):
    found = shingle_hashes("a b c", 2**62, unit)
    assert (
        found.tolist() == shingle_hashes("a b c", 5 if unit == "characters" else 3, unit).tolist()
    )


@settings(deadline=None)  # compiling a kernel takes seconds
@given(st.lists(st.sampled_from("abcd"), max_size=30), st.integers(1, 4), st.sampled_from(" ,.\n"))
def test_shingles_are_those_of_the_words_whatever_separates_them(sequence, n, separator):
    found = shingle_hashes(separator.join(sequence), n)
    size = min(n, len(sequence))
    distinct = {tuple(sequence[i : i + size]) for i in range(len(sequence) - size + 1)}
    assert found.size == (len(distinct) if sequence else 0)
    assert np.all(found[1:] > found[:-1])


def test_every_bit_of_a_hash_depends_on_every_word():
    """Avalanche: changing one character flips each bit of the hash about half of the time."""
    random = np.random.default_rng(7)
    trials = 2000
    for place in range(5):
        flipped = np.zeros(64)
        for _ in range(trials):
            sentence = ["".join(chr(97 + c) for c in random.integers(0, 26, 5)) for _ in range(5)]
            before = shingle_hashes(" ".join(sentence), 5)[0]
            word = sentence[place]
            sentence[place] = word[:-1] + ("z" if word[-1] != "z" else "y")
            after = shingle_hashes(" ".join(sentence), 5)[0]
            flipped += [(int(before ^ after) >> bit) & 1 for bit in range(64)]
        # Five standard deviations of a fair coin over 2,000 throws: 0.056.
        assert np.all(np.abs(flipped / trials - 0.5) < 0.056)


def test_no_collisions_among_short_words():
    alphabet = "abcdefghijklmnopqrstuvwxyz0123456789éж"
    text = " ".join(a + b + c for a in alphabet for b in alphabet for c in alphabet)
    count = len(alphabet) ** 3
    assert shingle_hashes(text, 1).size == count
    # The lower 32 bits, which signatures use: as many collisions as chance gives, not more.
    lower = np.unique(shingle_hashes(text, 1).astype(np.uint32)).size
    assert count - lower <= 6  # expected: count**2 / 2**33 = 0.35


@pytest.mark.parametrize("unit", shingles.UNITS)
@pytest.mark.parametrize(
    "piece", ["a", "a ", " ", "中", "\u0301", "a中", "\ud800", "aé ", "b c d e f "]
)
def test_time_is_linear_on_hostile_text(piece, unit):
    with linear_time():
        shingle_hashes(piece * (2_000_000 // len(piece)), 5, unit)


def test_words_and_normalise_agree():
    assert words("A b,c") == normalise("A b,c").split(" ") == ["a", "b", "c"]


def test_importing_the_package_loads_no_numerics():
    code = "import sys, dedup; print([m for m in ('numpy', 'numba') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
