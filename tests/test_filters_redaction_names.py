"""Names, with a small spaCy model of rules that the tests make; its weights would be a download."""

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import linear_time
from hypothesis import example, given
from hypothesis import strategies as st

from filters.errors import FilterUnavailable
from filters.redaction import NAMES, Options, Span, find, names, redact

CITED = r"«(.*?)»"
RULES: list[dict[str, Any]] = [
    {"label": "PERSON", "pattern": "Ada Lovelace"},
    {"label": "PERSON", "pattern": "Lovelace"},
    {"label": "PERSON", "pattern": "Müller"},
    {"label": "GPE", "pattern": "Paris"},
    {"label": "FAC", "pattern": "Tower Bridge"},
    {"label": "NORP", "pattern": "Dutch"},
    {"label": "ORG", "pattern": "Acme Corp"},
    {"label": "DATE", "pattern": "Monday"},
    # A model finds other names where the words around them are others, and takes anything for one.
    {"label": "PERSON", "pattern": [{"TEXT": ":"}, {}, {}, {}, {}, {}]},
    {"label": "PERSON", "pattern": [{"TEXT": {"REGEX": r"\|>$|^>$"}}, {"IS_TITLE": True}]},
    {"label": "ORG", "pattern": [{"LIKE_EMAIL": True}]},
    {"label": "ORG", "pattern": [{"TEXT": {"REGEX": r"^[0-9].*[0-9A-Fa-f]$"}}]},
]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    pytest.importorskip("presidio_analyzer", reason="Presidio is not here; install the extra names")
    import spacy

    language = spacy.blank("en")
    ruler: Any = language.add_pipe("entity_ruler")
    ruler.add_patterns(RULES)
    folder = tmp_path_factory.mktemp("models") / "rules"
    language.to_disk(folder)
    return str(folder)


@pytest.fixture(scope="session")
def options(model: str) -> Options:
    return Options(names=NAMES, names_model=model)


@pytest.mark.parametrize(
    ("name", "marked"),
    [
        ("person", "It was «Ada Lovelace», not Paris; said «Müller»'s Dutch dog."),
        ("location", "«Paris», é👍 (near «Tower Bridge»)!"),
        ("nrp", "a «Dutch» town"),
        ("organization", "«Acme Corp» it is"),
        ("person", "on Monday, \ud800 «Ada Lovelace»"),
    ],
)
def test_names_of_a_type_are_found(model: str, name: str, marked: str) -> None:
    text = marked.replace("«", "").replace("»", "")
    spans = find(text, Options((), names=(name,), names_model=model))
    assert [text[span.start : span.end] for span in spans] == re.findall(CITED, marked)
    assert {span.type for span in spans} == {name}


def test_patterns_claim_text_before_names(options: Options) -> None:
    text = "Mail lovelace@Paris.com, Lovelace."
    assert find(text, options) == [Span(5, 23, "email"), Span(25, 33, "person")]


def test_without_names_no_model_is_looked_for() -> None:
    assert find("Ada Lovelace", Options(names_model="no_such_model")) == []


def test_every_type_of_names_has_labels() -> None:
    assert tuple(names.LABELS) == NAMES


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'people'.*person, location"):
        Options(names=("people",))


def test_what_redaction_writes_is_no_name(model: str) -> None:
    options = Options((), names=NAMES, names_model=model)
    for replaced in (
        ": <|email|> .)",
        ": <|person|> <|phone:ghijkmnopqrstuvw|>",
        ": <|person|><|location|>",
        ": person1@example.com, 192.0.2.1",
        ": +1-202-555-0101 00-00-5E-00-53-FF",
        ": 000-00-0000, XX00 0000 0000 0000",
        ": 2001:db8::ff 192.0.2.254 0000 0000",
    ):
        assert find(replaced, options) == []


def test_of_a_hit_the_words_beside_a_replacement_are_names(options: Options) -> None:
    text = "To : <|email|>, Jim 2"
    assert find(text, options) == [Span(16, 19, "person")]
    assert redact(text, options).text == "To : <|email|>, <|person|> 2"


def test_a_name_that_comes_to_light_by_redaction_is_replaced_too(options: Options) -> None:
    text = "Müller Jim Bob said Ada Lovelace went."
    redaction = redact(text, options)
    assert redaction.text == "<|person|> <|person|> <|person|> said <|person|> went."
    assert redaction.spans == [
        Span(0, 6, "person"),
        Span(7, 10, "person"),
        Span(11, 14, "person"),
        Span(20, 32, "person"),
    ]
    assert redact(redaction.text, options) == (redaction.text, [])


WORDS = (
    "Ada Lovelace Müller Paris : 2: Tower Bridge Jim <|person|> <|email|> a@b.de 8.8.8.8 said"
    " person1@example.com 192.0.2.1 +1-202-555-0101 Acme Corp ( , . | < > |> <|"
)
words = st.sampled_from(WORDS.split(" ")) | st.text(max_size=3)


@example([":", " ", "<|person|>", "Jim"])
@given(st.lists(words | st.just(" "), max_size=15))
def test_redaction_is_idempotent(options: Options, parts: list[str]) -> None:
    redacted, _ = redact("".join(parts), options)
    assert find(redacted, options) == []
    assert redact(redacted, options) == (redacted, [])


def test_a_long_text_is_read_in_pieces_with_the_offsets_of_the_whole(options: Options) -> None:
    text = f"é Ada Lovelace {'x' * 200}\n" * 5_000  # spaCy alone takes 1,000,000 characters
    spans = find(text, options)
    assert len(spans) == 5_000
    assert {text[span.start : span.end] for span in spans} == {"Ada Lovelace"}


@pytest.mark.parametrize(
    "piece", ["a", "1.", "a@", "a:b:", "(", "<|", "x-", "<|person|>", "'", "é"]
)
def test_hostile_text_takes_linear_time(options: Options, piece: str) -> None:
    text = piece * (20_000 // len(piece))
    find("warms up", options)
    with linear_time():
        find(text, options)


def test_a_model_is_told_from_another_by_its_files(model: str, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(model, folder)
    assert names.digest_of(str(folder)) == names.digest_of(model)
    (folder / "entity_ruler" / "patterns.jsonl").write_text("")
    assert names.digest_of(str(folder)) != names.digest_of(model)


# --- without Presidio -------------------------------------------------------------------------


@given(st.lists(st.sampled_from(["word", " ", "\n", "x" * 99, "x" * 700, " " * 9999, "é\n"])))
def test_pieces_hold_all_words_and_are_short(parts: list[str]) -> None:
    text = "".join(parts)
    end = 0
    for first, last in names.pieces(text):
        assert text[end:first].strip() == ""
        assert 0 < last - first <= names.LONGEST_PIECE
        assert max(map(len, text[first:last].split())) <= names.LONGEST_WORD
        end = last
    assert text[end:].strip() == ""


def test_pieces_end_at_a_line_or_between_words() -> None:
    lines = ("word " * 999 + "\n") * 30
    ends = [last for _, last in names.pieces(lines)]
    assert len(ends) > 5
    assert {lines[end : end + 2] for end in ends[:-1]} == {" \n"}
    assert next(last for _, last in names.pieces("word " * 9000)) == names.LONGEST_PIECE - 1


def test_a_missing_package_is_said_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    names.load.cache_clear()
    with pytest.raises(FilterUnavailable, match=r"pip install 'gristmill\[names\]'"):
        find("Ada", Options(names=("person",), names_model="no_such_model"))


def test_a_missing_model_is_said_with_its_command_and_not_fetched(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import spacy

    monkeypatch.setattr(spacy.cli, "download", lambda name: pytest.fail("downloads"))
    with pytest.raises(FilterUnavailable, match="python -m spacy download no_such_model"):
        find("Ada", Options(names=("person",), names_model="no_such_model"))


def test_a_folder_that_is_no_model_is_said(model: str, tmp_path: Path) -> None:
    with pytest.raises(FilterUnavailable, match="cannot be loaded"):
        find("Ada", Options(names=("person",), names_model=str(tmp_path)))


def test_a_model_without_the_names_is_said(model: str, tmp_path: Path) -> None:
    import spacy

    spacy.blank("de").to_disk(tmp_path / "blank")
    with pytest.raises(FilterUnavailable, match="does not find person, nrp"):
        find("Ada", Options(names=("person", "nrp"), names_model=str(tmp_path / "blank")))
