import dataclasses
import subprocess
import sys
import time
from types import ModuleType

import pytest

from filters.document import Document
from filters.registry import FILTERS

TEXTS = ("", "\n \n", "One short text.", "The same line of the text.\n\n" * 40)


def test_the_order_is_fixed() -> None:
    assert list(FILTERS) == ["language", "gopher_repetition", "gopher_quality", "fineweb_quality"]


@pytest.fixture(params=FILTERS)
def module(request: pytest.FixtureRequest) -> ModuleType:
    return FILTERS[request.param]


def test_every_signal_has_a_rule_and_every_rule_a_signal(module: ModuleType) -> None:
    names = [rule.signal for rule in module.RULES]
    assert len(set(names)) == len(names)
    for text in TEXTS:
        values = module.signals(Document(text), module.Parameters())
        assert list(values) == names
        assert all(isinstance(value, int | float) for value in values.values())


def test_every_rule_says_what_it_measures_and_has_a_bound(module: ModuleType) -> None:
    for rule in module.RULES:
        assert rule.description, rule
        assert rule.unit, rule
        assert rule.minimum is not None or rule.maximum is not None, rule


def test_every_filter_has_a_source_and_frozen_parameters(module: ModuleType) -> None:
    assert "https://" in module.SOURCE
    parameters = module.Parameters()
    assert parameters == module.Parameters()
    assert type(parameters).__dataclass_params__.frozen
    for field in dataclasses.fields(parameters):
        assert field.name in type(parameters).__doc__


def test_importing_the_registry_is_light() -> None:
    code = (
        "import sys, filters.registry, filters.redaction;"
        "print([name for name in ('fasttext', 'numba', 'phonenumbers', 'torch', 'apache_beam')"
        " if name in sys.modules])"
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
}


@pytest.mark.parametrize("name", HOSTILE)
def test_all_filters_together_take_linear_time(name: str) -> None:
    for module in FILTERS.values():
        module.signals(Document("warm up"), module.Parameters())
    start = time.perf_counter()
    document = Document(HOSTILE[name])
    for module in FILTERS.values():
        module.signals(document, module.Parameters())
    assert time.perf_counter() - start < 2 * len(HOSTILE[name]) / 1_000_000
