import dataclasses
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from conftest import linear_time

from filters.document import Document
from filters.registry import FILTERS, apply, implementation

TEXTS = ("", "\n \n", "One short text.", "The same line of the text.\n\n" * 40)

NEED_FILES = ("bad_words", "classifier", "decontamination", "language", "perplexity")
HEURISTICS = [name for name in FILTERS if name not in NEED_FILES]
NEEDED = {"regex": {"patterns": ("x+y", r"\d{4}")}}


def test_the_order_is_fixed() -> None:
    assert list(FILTERS) == [
        *("url", "language", "gopher_repetition", "gopher_quality", "c4_quality", "c4_paragraph"),
        *("fineweb_quality", "refinedweb_lines", "bad_words", "length", "regex", "classifier"),
        *("perplexity", "decontamination", "sampler"),
    ]


@pytest.fixture(params=FILTERS)
def module(request: pytest.FixtureRequest) -> ModuleType:
    return FILTERS[request.param]


@pytest.mark.parametrize("name", HEURISTICS)
def test_every_signal_has_a_rule_and_every_rule_a_signal(name: str) -> None:
    names = [rule.signal for rule in FILTERS[name].RULES]
    assert len(set(names)) == len(names)
    names += ["evidence"] * hasattr(FILTERS[name], "EVIDENCE")
    parameters = FILTERS[name].Parameters(**NEEDED.get(name, {}))
    for text in TEXTS:
        values, rewritten = apply(name)(Document(text, url="https://example.com/"), parameters)
        assert list(values) == names
        numbers = [value for signal, value in values.items() if signal != "evidence"]
        assert all(isinstance(value, int | float) for value in numbers)
        assert isinstance(rewritten, str)


def test_every_rule_says_what_it_measures(module: ModuleType) -> None:
    for rule in module.RULES:
        assert rule.description, rule
        assert rule.unit, rule


def test_every_filter_has_a_source_and_frozen_parameters(module: ModuleType) -> None:
    assert "https://" in module.SOURCE
    kind = module.Parameters
    assert kind.__dataclass_params__.frozen
    names = [field.name for field in dataclasses.fields(kind)]
    assert all(name in kind.__doc__ for name in names)
    assert set(getattr(module, "FILES", ())) <= set(names)
    assert not set(names) & {rule.signal for rule in module.RULES}
    assert hasattr(module, "signals") != hasattr(module, "rewrite")


SHARED = {
    *("__init__", "fasttext_classify", "hierarchical_softmax", "lines", "sentences", "spans"),
    *("split_chunks", "words"),
    "escapes",
    "numbers",
    "windows",
}


def test_compiled_filters_have_a_definition_of_the_same_name() -> None:
    folder = Path(FILTERS["url"].__file__ or "").parent / "compiled"
    compiled = {path.stem for path in folder.glob("*.py")} - SHARED
    assert compiled
    assert compiled == {name for name in FILTERS if implementation(name) is not FILTERS[name]}


def test_the_plain_definition_is_taken_on_request() -> None:
    fast, plain = implementation("c4_quality").rewrite, FILTERS["c4_quality"].rewrite
    assert fast is not plain
    assert apply("c4_quality") is fast
    assert apply("c4_quality", compiled=False) is plain


def test_importing_the_registry_is_light() -> None:
    heavy = "'fasttext', 'numba', 'phonenumbers', 'spacy', 'tldextract', 'torch', 'apache_beam'"
    code = (
        "import sys, filters.registry, filters.redaction;"
        f"print([name for name in ({heavy}) if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


HOSTILE = {
    "a": "a" * 1_000_000,
    "spaces": " " * 1_000_000,
    "line feeds": "\n" * 1_000_000,
    "one repeated word": "word " * 200_000,
    "different words": " ".join(map(str, range(500_000))),
    "emoji": "👍🏽" * 250_000,
    "right to left": "שלום עולם " * 100_000,
    "lone surrogates": "\ud800x " * 250_000,
    "marks": "a" + "\u0315\u0316" * 500_000,
}


@pytest.mark.parametrize("words", ["unicode", "spacy"])
@pytest.mark.parametrize("name", HOSTILE)
def test_all_heuristics_together_take_linear_time(name: str, words: str) -> None:
    def run(text: str) -> None:
        document = Document(text, url="https://example.com/a/b", words=words)
        for filter_name in HEURISTICS:
            parameters = FILTERS[filter_name].Parameters(**NEEDED.get(filter_name, {}))
            _, rewritten = apply(filter_name)(document, parameters)
            document = document.with_text(rewritten)

    run("Warm up. " * 20)
    with linear_time():
        run(HOSTILE[name])
