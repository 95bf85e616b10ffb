"""Writes docs/reference.md from the code: `make reference`. A test holds the two equal."""

import dataclasses
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from filters.registry import FILTERS
from pipeline.recipe import Recipe
from pipeline.sources.records import ERRORS
from pipeline.summary import attribute_descriptions, plain_default

_NONE = type(None)
PAGE = Path(__file__).with_name("reference.md")


def reference() -> str:
    """Returns the page: recipe keys, filters and error classes."""
    return "\n".join(
        [
            "# Reference",
            "",
            "Made from the code by `make reference`; do not edit.",
            "",
            "## Recipe keys",
            "",
            "Every key can be set in pipelines.yaml and by `-s key=value`.",
            "",
            "| key | default | meaning |",
            "|---|---|---|",
            *_keys(Recipe, ""),
            "",
            "## Filters",
            "",
            "A filter is on when the recipe names it: `filters: {gopher_quality: {}}`. A rule's",
            "bounds are `filters.FILTER.SIGNAL.minimum` and `.maximum`; `.keep` (10%) keeps a",
            "share of the corpus instead; `.languages.CODE.minimum` and `.maximum` hold for one",
            "language. `null` in place of the bounds turns the rule off. All signals are computed",
            "and stored, whatever the rules; those without bounds only say what was found.",
            "",
            *_filters(),
            "## Error classes",
            "",
            "What `errors/` and the report call a record that gave no document.",
            "",
            "| class | meaning and remedy |",
            "|---|---|",
            *(f"| `{name}` | {meaning} |" for name, meaning in ERRORS.items()),
            "| `failed_…` | A filter raised the exception that is named; please report it. |",
            "",
        ]
    )


def _keys(model: type[BaseModel], prefix: str) -> list[str]:
    rows = []
    for name, field in model.model_fields.items():
        if name == "filters":
            continue
        nested, row = _model(field.annotation), f"| `{prefix}{name}` | `{_plain(field.default)}` |"
        if nested is None or field.default is None:
            rows.append(f"{row} {field.description}{_values(field.annotation)} |")
        if nested:
            rows += _keys(nested, f"{prefix}{name}.")
    return rows


def _values(annotation: Any) -> str:
    """Returns the values that a setting can have, in brackets, if there are few."""
    parts = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else [annotation]
    if not all(part is _NONE or get_origin(part) is Literal for part in parts):
        return ""
    names = [_plain(value) for part in parts for value in get_args(part) or [None]]
    return f" ({', '.join(f'`{name}`' for name in names)})"


def _model(annotation: Any) -> type[BaseModel] | None:
    """Returns the model of a section, or of one that may be null; other unions are one setting."""
    parts = [part for part in get_args(annotation) or [annotation] if part is not _NONE]
    model = parts[0] if len(parts) == 1 else None
    return model if isinstance(model, type) and issubclass(model, BaseModel) else None


def _plain(value: Any) -> str:
    if value is None or value is PydanticUndefined:
        return "null"
    if value == "":
        return '""'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple | set | frozenset):
        return f"[{', '.join(sorted(value) if isinstance(value, set | frozenset) else value)}]"
    return str(value).replace("|", r"\|")


def _filters() -> list[str]:
    lines = []
    for name, module in FILTERS.items():
        lines += [f"### {name}", "", (module.__doc__ or "").splitlines()[0], ""]
        lines += [f"Source: {module.SOURCE}.", ""]
        described = attribute_descriptions(module.Parameters)
        settings = [
            f"| `{field.name}` | `{plain_default(field)}` | {described[field.name]} |"
            for field in dataclasses.fields(module.Parameters)
        ]
        if settings:
            lines += ["| setting | default | what it is |", "|---|---|---|", *settings, ""]
        if hasattr(module, "EVIDENCE"):
            lines += [f"Evidence in the ledger: {module.EVIDENCE}.", ""]
        lines += ["| signal | keeps from | to | unit | what it measures |", "|---|---|---|---|---|"]
        for rule in module.RULES:
            low, high = (
                "" if bound is None else f"{bound:g}{' (excluded)' if rule.strict else ''}"
                for bound in (rule.minimum, rule.maximum)
            )
            lines.append(f"| `{rule.signal}` | {low} | {high} | {rule.unit} | {rule.description} |")
        lines.append("")
    return lines


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
