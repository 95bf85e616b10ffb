from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from pipeline import settings
from pipeline.errors import UsageError
from pipeline.settings import load_yaml, parse_overrides, plain, validate, with_overrides


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    size: int = Field(default=1, ge=1)
    share: float = Field(default=0.5, le=1)


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    name: str = "x"
    inner: Inner | None = Inner()
    items: list[int] = []
    others: dict[str, Inner] = {}


def load(path: Path, text: str, *options: str) -> Outer:
    path.write_text(text)
    tree = load_yaml(path)
    overrides = parse_overrides(options)
    return validate(Outer, plain(tree), overrides=overrides, origin=path.name, tree=tree)


def lines(path: Path, text: str, *options: str) -> list[str]:
    with pytest.raises(UsageError) as caught:
        load(path, text, *options)
    return caught.value.message.splitlines()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.yaml"


def test_valid_settings(path):
    loaded = load(path, "name: y\ninner: {size: 3}\nitems: [1, 2]\n", "inner.share=0.25")
    assert loaded == Outer(name="y", inner=Inner(size=3, share=0.25), items=[1, 2])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "name: y\ninner:\n  size: 0\n",
            "file.yaml:3:3: inner.size: expected greater than or equal to 1",
        ),
        ("inner: {share: x}\n", "file.yaml:1:9: inner.share: expected a valid number"),
        ("\n\nitems:\n  - 1\n  -   x\n", "file.yaml:5:7: items.1: expected a valid integer"),
        (
            "name: y\ninner:\n  siez: 2\n",
            "file.yaml:3:3: inner.siez: unknown key; did you mean size?",
        ),
        (
            "qqqq: 2\n",
            "file.yaml:1:1: qqqq: unknown key; expected one of name, inner, items, others",
        ),
        ("inner: [1]\n", "file.yaml:1:1: inner: expected a mapping of keys: size, share"),
        (
            "others:\n  de: {siez: 1}\n",
            "file.yaml:2:8: others.de.siez: unknown key; did you mean size?",
        ),
        ("others: {de: 3}\n", "file.yaml:1:10: others.de: expected a mapping of keys: size, share"),
    ],
)
def test_a_mistake_has_its_place_key_and_what_was_expected(path, text, expected):
    (line,) = lines(path, text)
    assert line.startswith(expected)


def test_all_mistakes_at_once(path):
    found = lines(path, "nme: y\ninner:\n  size: 0\n  shar: 1\nitems: [a, 1, b]\n")
    assert sorted(line.split(": ")[0] for line in found) == [
        "file.yaml:1:1",
        "file.yaml:3:3",
        "file.yaml:4:3",
        "file.yaml:5:15",
        "file.yaml:5:9",
    ]


def test_messages_do_not_repeat_the_value(path):
    assert "secret" not in "\n".join(lines(path, "items: [secret]\ninner: {size: secret}\n"))


def test_an_override_is_validated_and_named_in_the_message(path):
    found = lines(path, "name: y\ninner: {size: 2}\n", "inner.size=0", "inner.shaer=1")
    assert found == [
        "--set inner.size: expected greater than or equal to 1",
        "--set inner.shaer: unknown key; did you mean share?",
    ]


def test_a_mistake_below_or_above_the_key_of_an_override_is_named(path):
    assert lines(path, "name: y\n", "inner={size: 0}", "items=[x, 1]") == [
        "--set inner: inner.size: expected greater than or equal to 1",
        "--set items: items.0: expected a valid integer, unable to parse string as an integer",
    ]
    assert lines(path, "items: [x]\n", "items.first=1") == [
        "--set items.first: items: expected a valid list"
    ]


def test_a_mistake_in_the_file_is_not_blamed_on_another_override(path):
    assert lines(path, "inner: {size: 0}\n", "inner.share=1", "name=z") == [
        "file.yaml:1:9: inner.size: expected greater than or equal to 1"
    ]


def test_an_override_mends_the_file(path):
    assert load(path, "inner: {size: 0}\n", "inner.size=5").inner == Inner(size=5)
    assert load(path, "inner: {size: 0}\n", "inner=null").inner is None
    assert load(path, "inner: null\n", "inner.size=7").inner == Inner(size=7)


def test_a_key_that_yaml_merges_is_found(path):
    text = "base: &base {size: 0}\nname: y\ninner: {<<: *base}\n"
    found = lines(path, text)
    assert "file.yaml:1:1: base: unknown key; expected one of name, inner, items, others" in found
    assert any(line.startswith("file.yaml:3:1: inner.size: expected greater") for line in found)


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("seed=1", {("seed",): 1}),
        ("a.b.c=0.5", {("a", "b", "c"): 0.5}),
        ("a=", {("a",): None}),
        ("a=null", {("a",): None}),
        ("a=[x, 1, true]", {("a",): ["x", 1, True]}),
        ("a={b: 1}", {("a",): {"b": 1}}),
        ("a=b=c", {("a",): "b=c"}),
        ('a="1"', {("a",): "1"}),
    ],
)
def test_overrides_are_read_as_yaml(option, expected):
    assert parse_overrides([option]) == expected


@pytest.mark.parametrize(
    "option", ["seed", "=1", "a..b=1", ".a=1", "a.=1", "a=[", "a=]", "a={b", "a=" + "[" * 300]
)
def test_an_override_that_cannot_be_read(option):
    with pytest.raises(UsageError, match=r"^--set "):
        parse_overrides([option])


KEYS = st.sampled_from("abc")
TREES = st.recursive(
    st.integers(0, 9), lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)


@given(st.dictionaries(KEYS, TREES), st.lists(KEYS, min_size=1, max_size=4), st.integers(10, 19))
def test_an_override_sets_its_key_and_nothing_else(data, keys, value):
    before = repr(data)
    merged = with_overrides(data, {tuple(keys): value})
    assert repr(data) == before
    node, original = merged, data
    for key in keys[:-1]:
        original = original.get(key, {}) if isinstance(original, dict) else {}
        others = {k: v for k, v in node.items() if k != key}
        expected = {k: v for k, v in data.items() if k != key} if node is merged else others
        assert others == expected
        node = node[key]
    assert node[keys[-1]] == value
    siblings = original if isinstance(original, dict) else {}
    assert {k: v for k, v in node.items() if k != keys[-1]} == {
        k: v for k, v in siblings.items() if k != keys[-1]
    }


def test_plain_values_have_plain_types(path):
    path.write_text(
        "a: 1\nb: 0x10\nc: 1.5\nd: 'x'\ne: |\n  text\nf: true\ng: null\nh: [1]\n2: {}\n"
    )
    value = plain(load_yaml(path))
    expected = {
        "a": 1,
        "b": 16,
        "c": 1.5,
        "d": "x",
        "e": "text\n",
        "f": True,
        "g": None,
        "h": [1],
        "2": {},
    }
    assert value == expected
    assert [type(v) for v in value.values()] == [type(v) for v in expected.values()]


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)
)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", ":1:1: expected a mapping"),
        (b"- 1\n", ":1:1: expected a mapping"),
        (b"a: 1\nb: [1\n", ":3:1: not valid YAML: "),
        (b"a: 1\na: 2\n", ":2:1: not valid YAML: found duplicate key"),
        (b"a:\n\tb: 1\n", ":2:1: not valid YAML: "),
        (b"a: *nowhere\n", ":1:4: not valid YAML: found undefined alias"),
        (b"a: 1\n---\nb: 2\n", "not valid YAML: "),
        (b"a: \0\n", "not valid YAML: "),
        (b"\xff\xfe\xff", "cannot be read (UnicodeDecodeError)"),
        (b"a: " + b"[" * 300 + b"]" * 300, "nested too deeply"),
        (BOMB.encode(), "aliases"),
    ],
)
def test_hostile_yaml_is_refused_with_its_place(path, content, expected):
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        load_yaml(path)
    assert str(caught.value).startswith(str(path))
    assert expected in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(UsageError, match="no such file\nGive the file with --config"):
        load_yaml(tmp_path / "none.yaml")
    with pytest.raises(UsageError, match=r"cannot be read \(IsADirectoryError\)"):
        load_yaml(tmp_path)


def test_aliases_in_reason_are_welcome(path):
    path.write_text("a: &a [1, 2]\nb: [*a, *a]\nc: &c {x: *a}\nd: {<<: *c, y: 1}\n")
    assert plain(load_yaml(path))["b"] == [[1, 2], [1, 2]]
    assert plain(load_yaml(path))["d"] == {"y": 1, "x": [1, 2]}


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "a: &a\n  b: &b\n    c: [*a, *b]\n"])
def test_a_node_that_holds_itself_ends(path, text):
    path.write_text(text)
    assert len(repr(plain(load_yaml(path)))) < 100


def test_the_limit_on_values_counts_copies(path, monkeypatch):
    path.write_text("a: &a [1, 2, 3]\nb: [*a, *a]\n")
    monkeypatch.setattr(settings, "MOST_VALUES", 14)  # the mapping, a: 1 + 3, b: 1 + 2 x 4
    assert load_yaml(path)
    monkeypatch.setattr(settings, "MOST_VALUES", 13)
    with pytest.raises(UsageError, match="aliases stand for more than 13 values"):
        load_yaml(path)


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:pathlib.Path.touch", "!!python/object/new:os.system", "!run"]
)
def test_yaml_never_runs_code(path, tmp_path, tag):
    target = tmp_path / "touched"
    text = f"name: {tag} [{target}]\n"
    assert lines(path, text) == ["file.yaml:1:1: name: expected a valid string"]
    with pytest.raises(UsageError, match="--set name"):
        load(path, "name: y\n", f"name={tag} [{target}]")
    assert not target.exists()
