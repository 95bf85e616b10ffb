"""Names of persons, places and groups, by Presidio with a spaCy model.

No pattern tells a name from another word, so a model does: it misses some, takes other words for
names, and takes thousands of times as long as all patterns together. Presidio is at
https://github.com/data-privacy-stack/presidio, the models at https://spacy.io/models.

What redaction has put in the place of something is no name, nor is anything with an at-sign or
with digits in each of its words.
"""

import string
from collections.abc import Callable, Iterator
from functools import cache
from hashlib import file_digest, sha256
from pathlib import Path
from threading import Lock
from typing import Any

import re2

from filters.errors import FilterUnavailable
from filters.loaders import loader
from filters.redaction.spans import Span

LABELS = {
    "person": ("PERSON", "PER", "PRS", "PS", "persName"),
    "location": ("GPE", "LOC", "FAC", "LOCATION", "LC", "GPE_LOC", "placeName", "geogName"),
    "nrp": ("NORP", "NRP"),
    "organization": ("ORG", "ORGANIZATION", "OG", "GPE_ORG", "orgName"),
}
"""What spaCy's models for various languages call each type; the names of the types are Presidio's.
`nrp` is a nationality, or a religious or political group."""

LONGEST_PIECE = 20_000
"""Characters that the model sees at once; its memory grows with them, by 4 KB for each."""

LONGEST_WORD = 300
"""Characters without white space that the model sees as one: spaCy takes quadratic time there."""

_NOT_NEEDED = ("tagger", "parser", "lemmatizer", "attribute_ruler", "morphologizer", "senter")
"""Components of spaCy's models that find no names; with them a text takes three times as long."""

_NO_NAME = re2.compile(r"<\|[^<>|\s]{1,100}\|>|\S*@\S*")  # a tag, an address
_IN_NUMBER, _LONGEST_NUMBER = string.hexdigits + ":.-", 40  # addresses of all kinds
_EDGES = string.whitespace + string.punctuation + "«»„“”‘’…–—"
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")

FindNames = Callable[[str], list[Span]]


@loader
@cache
def finder(names: tuple[str, ...], model: str) -> FindNames:
    """Returns the function that finds names in a text, the same ones every time.

    Args:
        names: Some of `LABELS`.
        model: A spaCy model by the name of its package, or its folder.

    Raises:
        FilterUnavailable: Presidio or the model is missing or unusable, or the model does not
            know one of the names. Nothing is downloaded.
    """
    language = load(model)
    known = {label for labels in language.pipe_labels.values() for label in labels}
    unknown = [name for name in names if known.isdisjoint(LABELS[name])]
    if unknown:
        raise FilterUnavailable(
            f"The spaCy model {model}, which redaction.names_model names, does not find "
            f"{', '.join(unknown)}; it knows: {', '.join(sorted(known)) or 'nothing'}."
        )
    engine = _engine(language, names, known)
    entities = [name.upper() for name in names]
    one_thread = Lock()  # the end of a memory zone frees what other threads read in theirs

    def find_names(text: str) -> list[Span]:
        text = text.translate(_SURROGATES) if _has_surrogates(text) else text
        spans = []
        for first, last in pieces(text):
            with one_thread, language.memory_zone():  # else spaCy keeps every new word for ever
                hits = [
                    Span(first + hit.start, first + hit.end, hit.entity_type.lower())
                    for hit in engine.analyze(text[first:last], language.lang, entities)
                ]
            spans += [part for hit in sorted(hits) for part in _parts(text, hit)]
        return spans

    return find_names


@loader
@cache
def load(model: str) -> Any:
    """Loads a spaCy model; unlike Presidio, never from the network and never onto a GPU.

    Raises:
        FilterUnavailable: Presidio or the model is missing or unusable.
    """
    try:
        import presidio_analyzer  # noqa: F401
        import spacy
    except ModuleNotFoundError as error:
        raise FilterUnavailable(
            f"`redaction.names` needs {error.name}, which is not installed; install it with: "
            "pip install 'gristmill[names]'"
        ) from error
    if not (spacy.util.is_package(model) or Path(model).is_dir()):
        raise FilterUnavailable(
            f"There is no spaCy model {model}, which redaction.names_model names; "
            f"install it with: python -m spacy download {model}"
        )
    try:
        return spacy.load(model, exclude=_NOT_NEEDED)
    except (OSError, ValueError, ImportError) as error:
        raise FilterUnavailable(f"The spaCy model {model} cannot be loaded: {error}") from error


def digest_of(model: str) -> str:
    """Returns the SHA-256 of a spaCy model, all its files with their names.

    Raises:
        FilterUnavailable: As for `load`.
    """
    folder = load(model).path
    found = sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            content = file_digest(file, "sha256").digest()
        found.update(f"{path.relative_to(folder).as_posix()}\n".encode() + content)
    return found.hexdigest()


def _engine(language: Any, names: tuple[str, ...], known: set[str]) -> Any:
    """Returns Presidio's engine around a model, with nothing but its names to recognize."""
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine
    from presidio_analyzer.predefined_recognizers import SpacyRecognizer

    entities = {label: name.upper() for name in names for label in LABELS[name]}
    configuration = NerModelConfiguration(
        model_to_presidio_entity_mapping=entities,
        labels_to_ignore=sorted(known.difference(entities)),
    )
    nlp_engine: Any = SpacyNlpEngine(ner_model_configuration=configuration)
    nlp_engine.nlp = {language.lang: language}  # loaded already, so it downloads none
    recognizer = SpacyRecognizer(language.lang, sorted(set(entities.values())))
    registry = RecognizerRegistry([recognizer], supported_languages=[language.lang])
    return AnalyzerEngine(registry, nlp_engine, supported_languages=[language.lang])


def pieces(text: str) -> Iterator[tuple[int, int]]:
    """Yields what the model sees at once, as offsets; together all of a text but white space.

    A piece ends at a line's end when it has half of `LONGEST_PIECE`, or else between words. Words
    of more than `LONGEST_WORD` characters are cut, and a piece ends there.
    """
    start = end = last = 0
    for word in text.split():
        first = text.index(word, last)
        last = first + len(word)
        for begin in range(first, last, LONGEST_WORD):
            stop = min(begin + LONGEST_WORD, last)
            new_line = begin - start > LONGEST_PIECE // 2 and "\n" in text[end:begin]
            if stop - start > LONGEST_PIECE or begin > first or new_line:
                if start < end:
                    yield start, end
                start = begin
            end = stop
    if start < end:
        yield start, end


def _has_surrogates(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _parts(text: str, hit: Span) -> Iterator[Span]:
    """Yields the parts of a hit that are names, without what redaction put in their place."""
    begin = max(0, hit.start - LONGEST_WORD)
    around = text[begin : hit.end + LONGEST_WORD]
    gaps = [(begin + gap.start(), begin + gap.end()) for gap in _NO_NAME.finditer(around)]
    position = hit.start
    for first, last in [*gaps, (hit.end, hit.end)]:
        part = text[position : min(first, hit.end)]
        if name := part.strip(_EDGES):
            start = position + part.index(name)
            if _has_word(text, start, start + len(name)):
                yield Span(start, start + len(name), hit.type)
        position = max(position, last)


def _has_word(text: str, start: int, end: int) -> bool:
    """Tells whether text[start:end] has a word of letters, and not only a piece of a number."""
    before, after = text[max(0, start - _LONGEST_NUMBER) : start], text[end : end + _LONGEST_NUMBER]
    before = before[len(before.rstrip(_IN_NUMBER)) :]
    after = after[: len(after) - len(after.lstrip(_IN_NUMBER))]
    words = f"{before}{text[start:end]}{after}".split()
    return any("".join(filter(str.isalnum, word)).isalpha() for word in words)
