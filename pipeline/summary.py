"""What the terminal shows: the funnel, the reasons, the tokens; recipes, splits and filters."""

import dataclasses
import difflib
import inspect
import json
import re
import webbrowser
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline import storage
from pipeline.alarms import print_alarms
from pipeline.errors import UsageError
from pipeline.output import Output


def summary(output: Output) -> dict[str, Any]:
    """Returns the report of an output, with the place of its page.

    Raises:
        UsageError: there is no report.
    """
    report = output.read_json("report/report.json")
    if report is None:
        raise UsageError(
            f"{output.root} holds no report", "Give the --output directory of a finished run."
        )
    return {**report, "page": output.path("report/report.html")}


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", no_wrap=number == 0)
    return table


def print_summary(output: Output, console: Console) -> None:
    """Prints funnel, reasons and tokens of a finished output."""
    report = summary(output)
    funnel = _table("stage", "dropped", "documents left", "", "MB left")
    for row in report["funnel"]:
        share = row["documents"] / max(report["documents"]["read"], 1)
        funnel.add_row(
            row["stage"],
            f"{row['dropped']:,}" if row["stage"] != "read" else "",
            f"{row['documents']:,}",
            f"{share:.1%}",
            f"{row['bytes'] / 1e6:,.2f}",
        )
    console.print(funnel)
    reasons = _table("reason (first rule that failed)", "documents", "MB")
    for row in report["reasons"][:12]:
        reasons.add_row(row["reason"], f"{row['documents']:,}", f"{row['bytes'] / 1e6:,.2f}")
    if report["reasons"]:
        console.print(reasons)
    errors = sum(report["errors"].values())
    if errors:
        kinds = ", ".join(f"{name} {count:,}" for name, count in report["errors"].items())
        console.print(Text(f"{errors:,} records could not be read: {kinds}", style="yellow"))
    tokens = sum(shard["tokens"] for shard in report["shards"])
    made = report["tokenizer"]
    if made and made["kept"]:
        kept_bytes = report["funnel"][-1]["bytes"]
        validation = sum(
            shard["tokens"] for shard in report["shards"] if "/validation/" in shard["path"]
        )
        once = report["funnel"][-1]["tokens"]
        repeats = f", {tokens - once:,} of repeats" if tokens > once else ""
        line = (
            f"{tokens:,} tokens in {len(report['shards'])} shards ({validation:,} for validation"
            f"{repeats}); vocabulary {made['vocab_size']:,}, "
            f"{kept_bytes / max(once, 1):.2f} bytes a token"
        )
        console.print(Text(line))
    console.print(Text(f"report: {report['page']}"))


def print_warnings(output: Output, console: Console) -> None:
    """Prints what a finished output's report warns of."""
    print_alarms(summary(output)["warnings"], output.root, console)


def print_splits(splits: list[dict[str, Any]], console: Console) -> None:
    """Prints the planned splits of a dry run."""
    table = _table("part", "format", "input", "from", "to", "MB")
    for split in splits[:50]:
        table.add_row(
            str(split["part"]),
            split["format"],
            Text(split["url"]),
            f"{split['start']:,}",
            f"{split['end']:,}",
            f"{split['size'] / 1e6:,.2f}",
        )
    console.print(table)
    more = f", {len(splits) - 50} of them not shown" if len(splits) > 50 else ""
    size = sum(split["size"] for split in splits) / 1e6
    console.print(Text(f"{len(splits)} splits, {size:,.2f} MB{more}; nothing was run."))


def print_filters(console: Console) -> None:
    """Prints every filter with its number of rules and its source."""
    from filters.registry import FILTERS

    table = _table("filter", "rules", "source")
    table.columns[2].justify = "left"
    for name, module in FILTERS.items():
        table.add_row(name, str(len(module.RULES)), module.SOURCE)
    console.print(table)


def print_filter(name: str, console: Console) -> None:
    """Prints one filter's table.

    Raises:
        UsageError: there is no such filter.
    """
    from filters.registry import FILTERS

    if name not in FILTERS:
        near = difflib.get_close_matches(name, FILTERS, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(FILTERS)}."
        raise UsageError(f"no filter named {name}", hint)
    module = FILTERS[name]
    console.print(Text(f"{name}: {(module.__doc__ or '').splitlines()[0]}"))
    console.print(Text(module.SOURCE))
    table = _table("signal", "keeps from", "to", "unit", "what it measures")
    table.columns[4].justify = "left"
    for rule in module.RULES:
        low, high = (
            "" if bound is None else f"{bound:g}{' (excluded)' if rule.strict else ''}"
            for bound in (rule.minimum, rule.maximum)
        )
        table.add_row(rule.signal, low, high, rule.unit, rule.description)
    console.print(table)
    settings = _table("setting", "default", "what it is")
    settings.columns[2].justify = "left"
    for field in dataclasses.fields(module.Parameters):
        settings.add_row(
            field.name,
            Text(plain_default(field)),
            attribute_descriptions(module.Parameters)[field.name],
        )
    if settings.rows:
        console.print(settings)
    if hasattr(module, "EVIDENCE"):
        console.print(Text(f"evidence in the ledger: {module.EVIDENCE}"))


def plain_default(parameter: "dataclasses.Field[Any]") -> str:
    """Returns a parameter's default as YAML would have it, or that there is none."""
    from pipeline.recipe import default_of

    value = default_of(parameter)
    if value is ...:
        return "(needed)"
    return json.dumps(value, ensure_ascii=False)


def attribute_descriptions(kind: type) -> dict[str, str]:
    """Returns what the docstring of a class says of each attribute (Google style), on one line."""
    section = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")[2]
    described = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in described}


def open_report(output: Output) -> None:
    """Opens the report in the browser; a remote one is not opened."""
    page = output.path("report/report.html")
    if storage.is_local(page):
        webbrowser.open(storage.local_path(page).resolve().as_uri())
