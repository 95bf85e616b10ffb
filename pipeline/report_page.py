"""The filter report as one HTML file: no script, nothing fetched, bounded in size.

`pipeline.report.build_report` gives the figures; here they are only laid out. All markup goes
through `pipeline.report_charts.element`, which escapes and clips every value.
"""

import json
from collections.abc import Iterator
from typing import Any

from pipeline.report_charts import bar
from pipeline.report_duplicates import duplicates
from pipeline.report_markup import (
    Markup,
    definitions,
    element,
    join,
    megabytes,
    name,
    number,
    page,
    paragraph,
    share,
    table,
    text,
)
from pipeline.report_rules import rules, samples, signals

MOST_ROWS = 50  # of a table whose length depends on the corpus
MOST_INPUTS = 20
MOST_WARNINGS = 10
MOST_LINES = 400  # of the resolved recipe
Report = dict[str, Any]

PLAIN_TYPES = {
    "credential": "credentials",
    "email": "e-mail addresses",
    "iban": "bank accounts (IBAN)",
    "card": "payment cards",
    "ssn": "US social security numbers",
    "national_id": "national identity numbers",
    "mac": "MAC addresses",
    "ip": "IP addresses",
    "coordinates": "coordinates",
    "phone": "phone numbers",
}
_REPLACEMENTS = {"tag": "tags", "stand_in": "stand-ins", "digest": "keyed digests"}


def render(report: Report) -> str:
    """Returns the whole page.

    Args:
        report: What `build_report` returns, or the same read back from report.json.
    """
    sections = {
        "funnel": _funnel(report),
        "reasons": _reasons(report),
        "rules": rules(report),
        "signals": signals(report),
        "sources": _sources(report),
        "samples": samples(report),
        "duplicates": duplicates(report),
        "redactions": _redactions(report),
        "tokens": _tokens(report),
        "provenance": _provenance(report),
    }
    links = [element("a", key.capitalize(), href=f"#{key}") for key in sections]
    body = [
        element("section", element("h2", key.capitalize()), *children, id=key)
        for key, children in sections.items()
    ]
    main = element("main", *_banners(report), *body)
    nav = element("nav", *links, aria_label="Sections")
    return page("Filter report", _header(report), nav, main)


def _bytes_of(report: Report, verdict: str) -> int:
    if verdict == "kept":
        return int(report["funnel"][-1]["bytes"])
    return sum(row["bytes"] for row in report["reasons"] if row["verdict"] == verdict)


def _header(report: Report) -> Markup:
    """Returns the title, the figures that matter most, and what became of all documents."""
    documents, recipe = report["documents"], report["recipe"]
    kinds = [
        ("kept", "kept"),
        ("filtered", "dropped by a filter"),
        ("duplicate", "duplicates"),
        ("error", "unreadable"),
    ]
    figures = []
    for kind, words in kinds:
        part = share(documents[kind], documents["read"])
        size = "" if kind == "error" else f", {megabytes(_bytes_of(report, kind))} MB"
        figures.append(
            element(
                "li",
                element("strong", number(documents[kind])),
                element("span", words),
                element("small", f"{part}{size}"),
                class_=kind,
            )
        )
    told = ", ".join(f"{number(documents[kind])} {words}" for kind, words in kinds)
    by_count = [(kind, documents[kind]) for kind, _ in kinds]
    by_bytes = [(kind, _bytes_of(report, kind)) for kind, _ in kinds]
    read, size = documents["read"], report["funnel"][0]["bytes"]
    return element(
        "header",
        element("h1", "Filter report"),
        paragraph("Recipe ", name(report["run"]["recipe"]), class_="lead"),
        paragraph(recipe["description"]) if recipe["description"] else "",
        element("ul", *figures, class_="figures"),
        element(
            "div",
            element("span", f"{number(read)} documents"),
            bar(read, *by_count, title=f"Of {number(read)} documents: {told}"),
            element("span", f"{megabytes(size)} MB of text"),
            bar(size, *by_bytes, title=f"The same by MB of text, {megabytes(size)} in all"),
            class_="overview",
        ),
    )


def _banners(report: Report) -> Iterator[Markup]:
    """Yields what the reader must know before anything else."""
    documents, errors = report["documents"], report["errors"]
    if not documents["read"]:
        yield paragraph("The input held no document.", class_="banner loud")
    elif not documents["kept"]:
        yield paragraph("No document was kept.", class_="banner loud")
    for warning in report["warnings"][:MOST_WARNINGS]:
        loud = warning["kind"] != "uncompared"
        yield paragraph(warning["text"], class_="banner loud" if loud else "banner")
    if (more := len(report["warnings"]) - MOST_WARNINGS) > 0:
        yield paragraph(f"{number(more)} more warnings: in report.json.", class_="banner")
    if not documents["error"]:
        return
    allowed = report["recipe"]["max_error_rate"]
    failed = report["error_rate"] > allowed
    count = number(documents["error"])
    told = f"{count} of {number(documents['read'])} records could not be read"
    rate = f" ({share(documents['error'], documents['read'])})"
    limit = f"The recipe allows {100 * allowed:g}%" + (", so the run failed." if failed else ".")
    kinds = sorted(errors.items(), key=lambda item: -item[1])
    yield element(
        "div",
        paragraph(element("strong", told), f"{rate}. {limit}"),
        table(
            "Errors by class",
            ["error", "#records"],
            [(name(kind), number(count)) for kind, count in kinds[:MOST_ROWS]],
        ),
        paragraph(element("code", "gristmill inspect OUT errors"), " tells where they are."),
        class_="banner loud" if failed else "banner",
        role="note",
    )


def _funnel(report: Report) -> tuple[object, ...]:
    """Returns the contents; so does every function below that is named for a section."""
    rows, stages = [], report["funnel"]
    first, before = stages[0], stages[0]
    for stage in stages:
        left = stage["documents"]
        drop = "error" if stage["stage"] == "readable" else "filtered"
        drop = "duplicate" if stage["stage"].startswith("dedup.") else drop
        rows.append(
            (
                name(stage["stage"]),
                bar(first["documents"], ("kept", left), (drop, stage["dropped"])),
                number(stage["dropped"]) if stage is not first else "",
                megabytes(before["bytes"] - stage["bytes"]) if stage is not first else "",
                number(left),
                share(left, first["documents"]),
                megabytes(stage["bytes"]),
            )
        )
        before = stage
    columns = ["stage", "", "#dropped", "#MB dropped", "#documents left", "#of all", "#MB left"]
    kept = number(stages[-1]["documents"])
    return (
        paragraph(
            f"A document leaves at the first stage that drops it. At the end are {kept} documents "
            f"with {number(stages[-1]['tokens'])} tokens."
        ),
        table("Documents and text left after each stage", columns, rows),
    )


def _reasons(report: Report) -> tuple[object, ...]:
    reasons, read = report["reasons"], report["documents"]["read"]
    if not reasons:
        return (paragraph("No document was dropped."),)
    most = max(row["documents"] for row in reasons)
    rows = [
        (
            name(row["reason"]),
            bar(most, (row["verdict"], row["documents"])),
            number(row["documents"]),
            share(row["documents"], read),
            megabytes(row["bytes"]),
        )
        for row in reasons
    ]
    return (
        paragraph("The reason of a document is the first rule, in recipe order, that failed."),
        table("Dropped documents by reason", ["reason", "", "#documents", "#of all", "#MB"], rows),
    )


def _sources(report: Report) -> tuple[object, ...]:
    sources = report["sources"]
    rows = []
    for row in sources[:MOST_ROWS]:
        verdicts = [(kind, row[kind]) for kind in ("kept", "filtered", "duplicate", "error")]
        rows.append(
            (
                name(row["source"]),
                bar(row["read"], *verdicts),
                number(row["read"]),
                number(row["kept"]),
                share(row["kept"], row["read"]),
                *(number(count) for _, count in verdicts[1:]),
                megabytes(row["bytes"]),
                megabytes(row["kept_bytes"]),
                number(row["tokens"]),
            )
        )
    columns = ["source", "", "#read", "#kept", "#share kept", "#filtered", "#duplicate", "#error"]
    columns += ["#MB in", "#MB kept", "#tokens"]
    return table("Sources, in and out", columns, rows), _more(len(sources), "sources")


def _more(count: int, what: str) -> Markup:
    """Says how many rows a capped table leaves out."""
    left_out = count - MOST_ROWS
    return paragraph(f"{number(left_out)} more {what}.") if left_out > 0 else Markup()


def _redactions(report: Report) -> tuple[object, ...]:
    settings = report["recipe"]["redaction"]
    if not settings or not settings["types"]:
        return (paragraph("The recipe redacts nothing: the texts are as they came."),)
    told = (
        f"Personal data replaced by {_REPLACEMENTS[settings['replace']]}, in all documents, kept "
        "or not. Small numbers are not given."
    )
    rows = [
        (PLAIN_TYPES.get(kind, kind), *map(_count, (counts["replaced"], counts["documents"])))
        for kind, counts in report["redactions"].items()
    ]
    return paragraph(told), table("Redactions by type", ["type", "#replaced", "#documents"], rows)


def _count(shown: int | str) -> str:
    return shown if isinstance(shown, str) else number(shown)


def _tokens(report: Report) -> tuple[object, ...]:
    made, shards = report["tokenizer"], report["shards"]
    if not made or not made["kept"]:
        return (paragraph("No document was kept, so there are no tokens."),)
    tokens = sum(shard["tokens"] for shard in shards)
    held_out = sum(shard["tokens"] for shard in shards if "/validation/" in shard["path"])
    kept = report["funnel"][-1]
    repeats = tokens - kept["tokens"]
    figures: list[tuple[str, object]] = [
        ("tokens", number(tokens)),
        ("of them for validation", f"{number(held_out)} ({share(held_out, tokens)})"),
        ("bytes of text a token", f"{kept['bytes'] / max(kept['tokens'], 1):.2f}"),
        ("vocabulary", number(made["vocab_size"])),
        ("encoded by", made["engine"]),
        ("trained or tried on", f"{megabytes(made['sample_bytes'])} MB"),
        ("tokenizer SHA-256", element("code", made["sha256"][:16])),
    ]
    if repeats:
        figures.insert(2, ("of them repeats", f"{number(repeats)} ({share(repeats, tokens)})"))
    rows = [
        (
            name(shard["path"]),
            number(shard["documents"]),
            number(shard["tokens"]),
            megabytes(shard["bytes"]),
            element("code", shard["sha256"][:16]),
        )
        for shard in shards[:MOST_ROWS]
    ]
    columns = ["shard", "#documents", "#tokens", "#MB", "SHA-256 (first 16 digits)"]
    return definitions(figures), table("Shards", columns, rows), _more(len(shards), "shards")


def _provenance(report: Report) -> tuple[object, ...]:
    run, recipe = report["run"], report["recipe"]
    inputs = recipe["source"]["inputs"]
    shown = [element("li", name(entry)) for entry in inputs[:MOST_INPUTS]]
    if len(inputs) > MOST_INPUTS:
        shown.append(element("li", f"and {number(len(inputs) - MOST_INPUTS)} more"))
    facts: list[tuple[str, object]] = [
        ("inputs", element("ul", *shown)),
        ("size", f"{megabytes(run['input_bytes'])} MB as stored, in {number(run['parts'])} parts"),
        ("recipe hash", element("code", report["recipe_hash"][:16])),
        ("seed", element("code", recipe["seed"])),
        ("Gristmill", join(f"{run['gristmill']}, source ", element("code", run["code"][:16]))),
        ("Python", run["python"]),
    ]
    settings = {key: value for key, value in recipe.items() if key != "description"}
    settings["source"] = {k: v for k, v in recipe["source"].items() if k != "inputs"}
    lines = json.dumps(settings, indent=1, ensure_ascii=False).splitlines()
    whole = Markup("\n".join(text(line, 300) for line in lines[:MOST_LINES]))
    resolved = element("details", element("summary", "Resolved recipe"), element("pre", whole))
    return definitions(facts), resolved
