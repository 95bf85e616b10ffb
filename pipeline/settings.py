"""Loads settings from YAML and `--set` options, and says exactly where a mistake is.

Nothing here knows what a recipe is: any pydantic model can be loaded, so recipes and training
settings share the same overrides and the same errors.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pipeline.errors import UsageError

Model = TypeVar("Model", bound=BaseModel)
Path_ = tuple[str | int, ...]

# A file of a few lines can name itself by aliases often enough to fill any memory.
MOST_VALUES = 100_000


class Section(BaseModel):
    """Settings that cannot be changed once read, and refuse unknown keys."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=True,
        allow_inf_nan=False,  # JSON, in which a recipe goes to the workers, has neither
    )


def load_yaml(path: Path) -> CommentedMap:
    """Reads a YAML mapping, keeping the line and column of every key.

    Raises:
        UsageError: the file is missing, is not YAML, or is not a mapping.
    """
    try:
        data = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file", "Give the file with --config.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read ({type(error).__name__})") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise UsageError(f"{path}{where}: not valid YAML: {error.problem}") from None
    except YAMLError as error:
        raise UsageError(f"{path}: not valid YAML: {error}") from None
    except RecursionError:
        raise UsageError(f"{path}: nested too deeply") from None
    if not isinstance(data, CommentedMap):
        raise UsageError(f"{path}:1:1: expected a mapping of names to settings")
    if _expanded(data, {}) > MOST_VALUES:
        raise UsageError(f"{path}: its aliases stand for more than {MOST_VALUES:,} values")
    return data


def _expanded(node: Any, known: dict[int, int]) -> int:
    """Returns how many values a node is when each alias is a copy of what it names."""
    if not isinstance(node, Mapping | list):
        return 1
    if id(node) not in known:
        values = node.values() if isinstance(node, Mapping) else node
        known[id(node)] = 1 + sum(_expanded(value, known) for value in values)
    return known[id(node)]


def plain(node: Any) -> Any:
    """Returns ruamel's round-trip containers as plain dicts and lists."""
    if isinstance(node, Mapping):
        return {str(key): plain(value) for key, value in node.items()}
    if isinstance(node, Sequence) and not isinstance(node, str):
        return [plain(value) for value in node]
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def parse_overrides(options: Iterable[str]) -> dict[Path_, Any]:
    """Parses `dotted.key=value` options; the value is read as YAML.

    Raises:
        UsageError: an option has no `=`, an empty key, or a value that is not YAML.
    """
    overrides: dict[Path_, Any] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals or not all(key.split(".")):
            raise UsageError(f"--set {option}: expected key=value", "For instance: --set seed=1")
        try:
            overrides[tuple(key.split("."))] = plain(YAML(typ="safe").load(value))
        except (YAMLError, RecursionError):
            raise UsageError(f"--set {option}: the value is not valid YAML") from None
    return overrides


def with_overrides(data: dict[str, Any], overrides: Mapping[Path_, Any]) -> dict[str, Any]:
    """Returns a copy of nested `data` in which every override has replaced or added its key."""
    merged = dict(data)
    for path, value in overrides.items():
        node = merged
        for key in path[:-1]:
            child = node.get(str(key))
            node[str(key)] = dict(child) if isinstance(child, dict) else {}
            node = node[str(key)]
        node[str(path[-1])] = value
    return merged


def validate(
    model: type[Model],
    data: dict[str, Any],
    *,
    overrides: Mapping[Path_, Any],
    origin: str = "",
    tree: CommentedMap | None = None,
) -> Model:
    """Validates `data` with `overrides` applied, and reports all mistakes at once.

    Args:
        model: What the settings must be.
        data: Plain nested settings.
        overrides: From `parse_overrides`.
        origin: The file that `data` was read from, for the messages.
        tree: The YAML node that `data` was made from, which knows lines and columns.

    Raises:
        UsageError: one line for each mistake: file:line:column (or the --set option), the key
            (unless the option names it), what was expected, and the nearest valid name of a
            misspelt key.
    """
    try:
        return model.model_validate(with_overrides(data, overrides))
    except ValidationError as error:
        problems = [
            _describe(model, problem, overrides, origin, tree)
            for problem in error.errors(include_url=False, include_input=False)
        ]
        raise UsageError("\n".join(dict.fromkeys(problems))) from None


def _describe(
    model: type[BaseModel],
    problem: Any,
    overrides: Mapping[Path_, Any],
    origin: str,
    tree: CommentedMap | None,
) -> str:
    path: Path_ = tuple(problem["loc"])
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    key, colon, rest = message.partition(": ")
    if not path and colon and " " not in key:  # several sections disagree, and it says about what
        path, message = tuple(key.split(".")), rest
    if problem["type"] == "extra_forbidden":
        valid = _fields(model, path[:-1])
        near = difflib.get_close_matches(str(path[-1]), valid, n=1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(valid)}"
        message = f"unknown key; {hint}"
    elif problem["type"] == "model_type":
        message = f"expected a mapping of keys: {', '.join(_fields(model, path))}"
    elif problem["msg"].startswith("Input should be "):
        message = f"expected {message}"
    return f"{_where(path, overrides, origin, tree)}: {message}"


def _where(
    path: Path_, overrides: Mapping[Path_, Any], origin: str, tree: CommentedMap | None
) -> str:
    """Returns the place that set what is wrong, and the key unless the place names it."""
    name = ".".join(map(str, path)) or "settings"
    for key in overrides:
        if key == path:
            return f"--set {name}"
        if path[: len(key)] == key or key[: len(path)] == path:
            return f"--set {'.'.join(map(str, key))}: {name}"
    return f"{_position(path, origin, tree)}: {name}"


def _position(path: Path_, origin: str, tree: CommentedMap | None) -> str:
    """Returns file:line:column of the deepest part of `path` that the file holds."""
    if tree is None:
        return origin
    line, column = tree.lc.line, tree.lc.col
    node: Any = tree
    for key in path:
        try:
            line, column = node.lc.item(key) if isinstance(key, int) else node.lc.key(key)
            node = node[key]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return f"{origin}:{line + 1}:{column + 1}"


def _fields(model: type[BaseModel], path: Path_) -> list[str]:
    """Returns the names of the keys that the model allows at `path`."""
    for key in path:
        if str(key) not in model.model_fields:
            continue  # a name of the user's own, such as that of a language
        nested = _models(model.model_fields[str(key)].annotation)
        if not nested:
            return []
        model = nested[0]
    return list(model.model_fields)


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Returns the pydantic models named in an annotation such as `Model | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models(part)]
