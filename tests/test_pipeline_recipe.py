import dataclasses
import itertools
import math
import random

import pytest
from conftest import CONFIG
from pydantic import ValidationError

from filters.registry import FILTERS
from pipeline.errors import UsageError
from pipeline.recipe import Recipe, default_config, digest, load_recipe, recipe_names
from pipeline.run import recipe_yaml

# What a recipe must give for a filter, as it is written and as the filter gets it.
NEEDED = {
    "bad_words": ("{lists: {en: words.txt}}", {"lists": {"en": "words.txt"}}),
    "classifier": ("{model: quality.bin}", {"model": "quality.bin"}),
    "decontamination": ("{benchmarks: {b: b.jsonl}}", {"benchmarks": {"b": "b.jsonl"}}),
    "perplexity": ("{model: m.arpa}", {"model": "m.arpa"}),
    "regex": ("{patterns: [x]}", {"patterns": ("x",)}),
}
EVERY_FILTER = [f"filters.{name}={NEEDED.get(name, ('{}',))[0]}" for name in FILTERS]
EVERY_RULE = [(name, rule) for name, module in FILTERS.items() for rule in module.RULES]


def recipe(*settings: str, name: str = "raw") -> Recipe:
    return load_recipe(name, CONFIG, settings)


@pytest.mark.parametrize("name", list(recipe_names(CONFIG)))
def test_every_shipped_recipe_is_valid_and_described(name):
    loaded = recipe(name=name)
    assert loaded.description
    assert recipe_names(CONFIG)[name].split() == loaded.description.split()


@pytest.mark.parametrize(("name", "rule"), EVERY_RULE, ids=lambda v: getattr(v, "signal", v))
def test_every_rule_is_in_the_schema_with_the_bounds_of_its_table(name, rule):
    everything = recipe(*EVERY_FILTER)
    bounds = getattr(getattr(everything.filters, name), rule.signal)
    assert (bounds.minimum, bounds.maximum) == (rule.minimum, rule.maximum)
    assert rule in everything.filters.rules(name)
    field = type(getattr(everything.filters, name)).model_fields[rule.signal]
    assert field.description == rule.description


@pytest.mark.parametrize(("name", "rule"), EVERY_RULE, ids=lambda v: getattr(v, "signal", v))
def test_a_bound_or_a_null_changes_one_rule_only(name, rule):
    tables = {other: list(FILTERS[other].RULES) for other in FILTERS}
    place = tables[name].index(rule)
    changed = recipe(*EVERY_FILTER, f"filters.{name}.{rule.signal}.maximum=99999.5")
    expected = {other: list(rules) for other, rules in tables.items()}
    expected[name][place] = dataclasses.replace(rule, maximum=99999.5)
    assert {other: changed.filters.rules(other) for other in FILTERS} == expected
    without = recipe(*EVERY_FILTER, f"filters.{name}.{rule.signal}=null")
    del expected[name][place]
    assert {other: without.filters.rules(other) for other in FILTERS} == expected


@pytest.mark.parametrize("name", FILTERS)
def test_every_parameter_is_in_the_schema(name):
    loaded = recipe(*EVERY_FILTER)
    needed = NEEDED[name][1] if name in NEEDED else {}
    assert loaded.filters.parameters(name) == FILTERS[name].Parameters(**needed)
    for field in dataclasses.fields(FILTERS[name].Parameters):
        assert hasattr(getattr(loaded.filters, name), field.name)


def test_a_parameter_reaches_the_filter():
    loaded = recipe("filters.language.languages=[de, fr]")
    assert loaded.filters.parameters("language").languages == ("de", "fr")


@pytest.mark.parametrize("order", [*itertools.permutations(["language", "gopher_quality"])])
def test_the_order_of_filters_is_kept(tmp_path, order):
    path = tmp_path / "r.yaml"
    path.write_text("r:\n  filters:\n" + "".join(f"    {name}: {{}}\n" for name in order))
    loaded = load_recipe("r", path)
    assert loaded.filters.names == order
    again = Recipe.model_validate_json(loaded.model_dump_json())
    assert again.filters.names == order
    assert list(loaded.model_dump(mode="json")["filters"]) == list(order)
    assert again == loaded


def test_null_turns_a_filter_off():
    assert recipe(name="gopher").filters.names == (
        "language",
        "gopher_quality",
        "gopher_repetition",
    )
    off = recipe("filters.gopher_quality=null", name="gopher")
    assert off.filters.names == ("language", "gopher_repetition")
    assert "gopher_quality" not in off.model_dump(mode="json")["filters"]
    assert Recipe.model_validate_json(off.model_dump_json()).filters.names == off.filters.names


@pytest.mark.parametrize("section", ["redaction", "dedup", "dedup.minhash"])
def test_null_turns_a_section_off(section):
    node = recipe(f"{section}=null", name="gopher")
    for key in section.split("."):
        node = getattr(node, key)
    assert node is None


def test_the_hash_ignores_what_changes_no_document():
    plain = recipe()
    for setting in ("description=other", "source.inputs=[a, b]", "max_error_rate=0.5"):
        assert recipe(setting).hash == plain.hash, setting


@pytest.mark.parametrize(
    "setting",
    [
        "seed=1",
        "source.text_field=body",
        "source.html=trafilatura",
        "source.max_document_bytes=5000",
        "filters.gopher_quality.word_count.minimum=51",
        "filters.gopher_quality.word_count=null",
        "filters.gopher_quality=null",
        "filters.gopher_quality.stop_words=[the]",
        "filters.language.languages=[]",
        "redaction=null",
        "redaction.types=[email]",
        "dedup=null",
        "dedup.exact=null",
        "dedup.exact=words",
        "dedup.prefer=first_url",
        "dedup.minhash.threshold=0.7",
        "tokenizer.vocab_size=400",
        "tokens.validation=0.5",
        "tokens.format=parquet",
    ],
)
def test_the_hash_changes_with_what_changes_documents(setting):
    assert recipe(setting, name="gopher").hash != recipe(name="gopher").hash


def test_the_hash_changes_with_the_order_of_filters_since_the_reason_does():
    one = recipe("filters.language={}", "filters.gopher_quality={}")
    other = recipe("filters.gopher_quality={}", "filters.language={}")
    assert one.hash != other.hash


def test_spelling_out_a_default_changes_no_hash():
    spelt = recipe("filters.gopher_quality.word_count.minimum=50", "seed=0", name="gopher")
    assert spelt.hash == recipe(name="gopher").hash


@pytest.mark.parametrize("name", list(recipe_names(CONFIG)))
def test_a_resolved_recipe_can_be_loaded_again(tmp_path, name):
    loaded = recipe("source.inputs=['a*', 'ü']", name=name)
    text = "".join(f"  {line}\n" for line in recipe_yaml(loaded).splitlines())
    path = tmp_path / "resolved.yaml"
    path.write_text(f"{name}:\n{text}", encoding="utf-8")
    again = load_recipe(name, path)
    assert again == loaded
    assert again.hash == loaded.hash
    assert again.filters.names == loaded.filters.names


def test_a_recipe_survives_its_trip_to_the_workers():
    rng = random.Random(3)
    for name, rule in EVERY_RULE:
        bound = rng.choice([0, 1e-300, 0.1 + 0.2, -5, 1e17])
        loaded = recipe(
            *EVERY_FILTER,
            f"filters.{name}.{rule.signal}.minimum={bound!r}",
            f"filters.{name}.{rule.signal}.maximum=null",
        )
        again = Recipe.model_validate_json(loaded.model_dump_json())
        assert again.filters.rules(name) == loaded.filters.rules(name)


@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan"])
def test_a_bound_is_a_finite_number(value):
    with pytest.raises(UsageError, match=r"word_count\.minimum: expected a finite number"):
        recipe(f"filters.gopher_quality.word_count.minimum={value}")


@pytest.mark.parametrize(
    "setting",
    [
        "tokens.validation=1.5",
        "tokens.validation=-0.1",
        "dedup.minhash.bands=0",
        "dedup.minhash.threshold=2",
        "tokenizer.vocab_size=256",
        "source.split_bytes=1",
        "source.format=exe",
        "redaction.types=[name]",
        "max_error_rate=x",
        "seed=-1",
        "words=spaces",
    ],
)
def test_bounds_hold_for_overrides_too(setting):
    key = setting.split("=")[0]
    with pytest.raises(UsageError) as caught:
        recipe(setting, name="gopher")
    assert caught.value.message.startswith(f"--set {key}: ")


def test_all_mistakes_of_a_recipe_with_places_and_nearest_names(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "mine:\n"
        "  sed: 1\n"
        "  dedup:\n"
        "    minhash: {bnads: 3, threshold: 2}\n"
        "  filters:\n"
        "    gopher_qualty: {}\n"
        "    gopher_repetition:\n"
        "      duplicate_line_fracton: {maximum: 0.3}\n"
        "    gopher_quality:\n"
        "      word_count: {minmum: 3}\n"
        "  source: {inputs: [1]}\n"
    )
    with pytest.raises(UsageError) as caught:
        load_recipe("mine", path)
    found = dict(
        line.removeprefix(f"{path}:").split(": ", 1) for line in str(caught.value).split("\n")
    )
    assert found == {
        "2:3": "sed: unknown key; did you mean seed?",
        "4:15": "dedup.minhash.bnads: unknown key; did you mean bands?",
        "4:25": "dedup.minhash.threshold: expected less than or equal to 1",
        "6:5": "filters.gopher_qualty: unknown key; did you mean gopher_quality?",
        "8:7": "filters.gopher_repetition.duplicate_line_fracton: unknown key; "
        "did you mean duplicate_line_fraction?",
        "10:20": "filters.gopher_quality.word_count.minmum: unknown key; did you mean minimum?",
        "11:21": "source.inputs.0: expected a valid string",
    }


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("one: {}\n", "oen", "no recipe named oen\nDid you mean one?"),
        ("one: {}\ntwo: {}\n", "zzz", "no recipe named zzz\nIt has: one, two."),
        ("one: 3\n", "one", ":1:1: one: expected a mapping"),
        ("zero: {}\none: [1]\n", "one", ":2:1: one: expected a mapping"),
    ],
)
def test_a_recipe_that_is_not_there_or_none(tmp_path, text, name, expected):
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_recipe(name, path)
    assert str(caught.value).startswith(str(path))
    assert expected in str(caught.value)


def test_an_empty_recipe_has_all_defaults(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("empty:\nbraces: {}\n")
    assert load_recipe("empty", path) == load_recipe("braces", path) == Recipe()


def test_a_recipe_cannot_be_changed():
    with pytest.raises(ValidationError):
        recipe().seed = 5


def test_the_config_in_the_working_directory_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    elsewhere = default_config()
    assert elsewhere.is_absolute()
    assert "fineweb" in recipe_names(elsewhere)
    (tmp_path / "pipelines.yaml").write_text("own: {description: mine}\n")
    assert recipe_names(default_config()) == {"own": "mine"}


def test_a_digest_does_not_depend_on_the_order_of_keys():
    assert digest({"a": 1, "b": [1, {"c": None}]}) == digest({"b": [1, {"c": None}], "a": 1})
    assert digest({"a": 1}) != digest({"a": "1"})
    assert digest([1, 2]) != digest([2, 1])
    assert digest({"a": math.pi}) == digest({"a": math.pi})


# --- bounds that are not two numbers ------------------------------------------------------------


@pytest.mark.parametrize(("written", "share"), [("10%", 0.1), ("0.25", 0.25), ("33.3%", 0.333)])
def test_a_rule_can_keep_a_share_in_place_of_its_bounds(written, share):
    loaded = recipe(f"filters.gopher_quality.word_count.keep={written}")
    bounds = loaded.filters.bounds("gopher_quality", "word_count")
    assert (bounds.minimum, bounds.maximum, bounds.keep) == (None, None, pytest.approx(share))
    assert Recipe.model_validate_json(loaded.model_dump_json()) == loaded
    ((name, rule, kept),) = loaded.filters.keeps()
    assert (name, rule.signal, kept) == ("gopher_quality", "word_count", pytest.approx(share))


@pytest.mark.parametrize("written", ["0%", "101%", "-1", "many", "ten%", ".nan"])
def test_an_impossible_share_is_refused(written):
    with pytest.raises(UsageError, match=r"word_count\.keep: expected"):
        recipe(f"filters.gopher_quality.word_count.keep={written}")


@pytest.mark.parametrize(
    "bound", ["minimum: 3", "minimum: 0", "maximum: 0.0", "languages: {de: {minimum: 0}}"]
)
def test_a_share_and_a_bound_exclude_each_other(bound):
    with pytest.raises(UsageError, match="keep takes the place of minimum"):
        recipe(f"filters.gopher_quality.word_count={{keep: 10%, {bound}}}")


def test_a_minimum_above_the_maximum_is_refused():
    with pytest.raises(UsageError, match="the minimum is above the maximum"):
        recipe("filters.gopher_quality.word_count={minimum: 9, maximum: 3}")
    with pytest.raises(UsageError, match="the minimum is above the maximum"):
        recipe("filters.gopher_quality.word_count={languages: {de: {minimum: 9, maximum: 3}}}")


def test_bounds_for_a_language_need_languages():
    bounds = "filters.gopher_quality.word_count.languages={de: {minimum: 9}}"
    with pytest.raises(UsageError, match="needs the filter language"):
        recipe(bounds, name="raw")
    loaded = recipe(bounds, name="gopher")
    plain = loaded.filters.rules("gopher_quality")
    german = loaded.filters.rules("gopher_quality", "de")
    assert german[0] == dataclasses.replace(plain[0], minimum=9)
    assert german[1:] == plain[1:]
    assert loaded.filters.rules("gopher_quality", "en") == plain
    sent_to_a_worker = Recipe.model_validate_json(loaded.model_dump_json())
    assert sent_to_a_worker.filters.rules("gopher_quality", "de") == german


def test_files_of_filters_are_named_once():
    files = "{domains: [a.txt, b.txt], urls: [a.txt]}"
    loaded = recipe(
        f"filters.url={files}",
        "filters.bad_words={lists: {en: b.txt, de: c.txt}}",
        "filters.classifier={model: q.bin}",
        "filters.language={}",
    )
    assert loaded.filters.files() == ["a.txt", "b.txt", "c.txt", "q.bin"]


def test_a_pattern_that_is_none_is_refused_where_it_stands():
    with pytest.raises(UsageError, match=r"filters\.regex: .*is not a pattern of RE2"):
        recipe("filters.regex={patterns: ['(']}")


# --- repeats -------------------------------------------------------------------------------------


def test_repeats_go_from_yaml_to_the_workers_and_back(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("r:\n  tokens:\n    repeat: {2: 2, 5: 3, 1000: 1}\n")
    loaded = load_recipe("r", path)
    assert loaded.tokens.repeat == {2: 2, 5: 3, 1000: 1}
    assert Recipe.model_validate_json(loaded.model_dump_json()) == loaded
    path.write_text("r:\n" + "".join(f"  {line}\n" for line in recipe_yaml(loaded).splitlines()))
    assert load_recipe("r", path) == loaded
    turned = recipe("dedup={}", "tokens.repeat={1000: 1, 5: 3, 2: 2}")
    assert turned.hash == recipe("dedup={}", "tokens.repeat={2: 2, 5: 3, 1000: 1}").hash
    assert turned.hash != recipe("dedup={}").hash


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("{1: 2}", "tokens.repeat.1.[key]: expected greater than or equal to 2"),
        ("{2: 0}", "tokens.repeat.2: expected greater than or equal to 1"),
        ("{2: 101}", "tokens.repeat.2: expected less than or equal to 100"),
        ("{2: 1.5}", "tokens.repeat.2: expected a valid integer"),
        ("3", "tokens.repeat: expected a valid dictionary"),
    ],
)
def test_repeats_that_make_no_sense_are_refused(setting, said):
    with pytest.raises(UsageError) as caught:
        recipe("dedup={}", f"tokens.repeat={setting}")
    assert said in caught.value.message


def test_repeats_need_deduplication():
    with pytest.raises(UsageError, match=r"tokens\.repeat: needs dedup, which finds the clusters"):
        recipe("dedup=null", "tokens.repeat={2: 2}")
