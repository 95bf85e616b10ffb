"""The report page's section on duplicates: how many, how similar, and the clusters to look at."""

from typing import Any

from pipeline.report_charts import bar, histogram
from pipeline.report_markup import (
    Markup,
    definitions,
    element,
    join,
    megabytes,
    name,
    number,
    paragraph,
    share,
    table,
)

MOST_SOURCES = 4  # named of a cluster
_KINDS = {
    "dedup.url": ("by URL", "url_duplicates"),
    "dedup.exact": ("equal texts", "exact_duplicates"),
    "dedup.minhash": ("near-duplicates", "near_duplicates"),
}


def duplicates(report: dict[str, Any]) -> tuple[object, ...]:
    """Returns the contents of the section."""
    found = report["duplicates"]
    if found is None:
        return (paragraph("The recipe does not look for duplicates."),)
    if not found["largest"]:
        return definitions(_figures(found)), paragraph("No duplicate was found.")
    return (
        definitions(_figures(found)),
        paragraph(
            "One document of a cluster is kept, the others are dropped: each was compared with the "
            "kept one itself, by the exact Jaccard similarity of their shingles, unless its URL or "
            "its text is equal. Heights of bars grow with the square root of the count."
            + (" Counted are also documents that a filter drops." if found["over"] == "all" else "")
        ),
        *_histograms(found),
        _sizes(found),
        element("h3", "Largest clusters"),
        *_clusters(found["largest"], "By number of documents"),
        *_suspicious(found),
    )


def _figures(found: dict[str, Any]) -> list[tuple[str, object]]:
    figures: list[tuple[str, object]] = []
    if "pairs_by_jaccard" in found:
        data, pairs = found["pairs_by_jaccard"], found["pairs"]
        reached = sum(data["counts"][data["edges"].index(found["threshold"]) :])
        told = f"{number(pairs)}, of which {number(reached)} ({share(reached, pairs)}) reach "
        figures.append(("pairs compared", f"{told}{found['threshold']:g}"))
        buckets = f" in {number(found['large_buckets'])} large buckets"
        figures.append(("pairs not compared", f"{number(found['uncompared'])}{buckets}"))
    figures += [(words, number(found[key])) for words, key in _KINDS.values()]
    figures.append(("clusters", number(found["clusters"])))
    if cut := found.get("passages"):
        told = f"{megabytes(cut['bytes'])} MB cut from {number(cut['documents'])} documents"
        figures.append(("repeated passages", f"{told}; {number(cut['dropped'])} more dropped"))
    return figures


def _histograms(found: dict[str, Any]) -> tuple[object, ...]:
    """Returns how similar pairs and dropped documents are, with the threshold."""
    if "pairs_by_jaccard" not in found:
        return ()
    figures = []
    for title, key, what in (
        ("Pairs compared", "pairs_by_jaccard", "pairs"),
        ("Near-duplicates dropped", "dropped_by_jaccard", "documents"),
    ):
        data = {**found[key], "scale": "linear", "smallest": None, "largest": None}
        bounds = {"minimum": None, "maximum": found["threshold"]}
        told = f"{title} by Jaccard similarity: {number(sum(data['counts']))} {what}"
        drawn = (
            histogram(data, bounds, told, what, "threshold", "duplicate")
            if any(data["counts"])
            else ""
        )
        caption = element("figcaption", element("strong", title), element("small", told))
        figures.append(element("figure", caption, drawn))
    return (element("div", *figures, class_="grid"),)


def _sizes(found: dict[str, Any]) -> Markup:
    buckets: dict[str, list[int]] = {}
    for size, count in found["sizes"]:
        bucket = buckets.setdefault(_bucket(size), [0, 0])
        bucket[0] += count
        bucket[1] += count * (size - 1)
    most = max((dropped for _, dropped in buckets.values()), default=0)
    rows = [
        (bucket, bar(most, ("duplicate", dropped)), number(clusters), number(dropped))
        for bucket, (clusters, dropped) in buckets.items()
    ]
    return table("Cluster sizes", ["documents", "", "#clusters", "#dropped"], rows)


def _bucket(size: int) -> str:
    """Names the range of cluster sizes that a size belongs to: 2, 3, 4, 5-9, 10-99, ..."""
    if size < 5:
        return str(size)
    digits = len(str(size))
    return "5–9" if size < 10 else f"{number(10 ** (digits - 1))}–{number(10**digits - 1)}"


def _suspicious(found: dict[str, Any]) -> tuple[object, ...]:
    heading = element("h3", "Suspicious clusters")
    if found["threshold"] is None:
        return ()
    measure = (
        f"A member is barely similar below {found['barely_below']:.4g}, in the lowest quarter "
        f"between the threshold {found['threshold']:g} and 1. Clusters with the most such members "
        "come first. "
    )
    command = element("code", "gristmill inspect OUT suspicious")
    if not found["suspicious"]:
        return heading, paragraph(measure + "There is none.")
    return (
        heading,
        paragraph(measure, command, " shows more of them."),
        *_clusters(found["suspicious"], "By number of barely similar members"),
    )


def _clusters(clusters: list[dict[str, Any]], caption: str) -> tuple[object, ...]:
    """Returns a table of clusters, and how the least similar member of each differs."""
    rows = [
        (
            name(row["kept_id"]),
            number(row["cluster_size"]),
            *(
                "–" if row[key] is None else f"{row[key]:.3f}"
                for key in ("lowest_jaccard", "mean_jaccard")
            ),
            number(row["barely_similar"]),
            join(_counted(row["reasons"]), element("small", _sources(row["sources"]))),
        )
        for row in clusters
    ]
    columns = ["kept document", "#documents", "#lowest Jaccard", "#mean", "#barely similar"]
    return (
        table(caption, [*columns, "by, and sources"], rows),
        *(_differences(row) for row in clusters if "diff" in row),
    )


def _counted(reasons: dict[str, int]) -> str:
    return ", ".join(f"{_KINDS[key][0]} {number(count)}" for key, count in reasons.items())


def _sources(sources: dict[str, int]) -> Markup:
    shown = list(sources.items())[:MOST_SOURCES]
    listed = [join(name(source), f" {number(count)}") for source, count in shown]
    if len(sources) > MOST_SOURCES:
        listed.append(join(f"{number(len(sources) - MOST_SOURCES)} more"))
    return Markup(", ".join(listed))


def _differences(cluster: dict[str, Any]) -> Markup:
    """Returns where the least similar member differs from the kept document, folded away."""
    diff = cluster["diff"]
    told = f"{number(diff['removed'])} words removed, {number(diff['added'])} added"
    which = name(cluster["least_similar"]), " differs from ", name(cluster["kept_id"])
    summary = element("summary", "How ", *which)
    hunks = [element("pre", *map(_piece, hunk), dir="auto") for hunk in diff["hunks"]]
    same = "No word differs, only white space." if not hunks else ""
    more = " The first places:" if hunks else ""
    return element("details", summary, paragraph(f"{told}.{more}{same}"), *hunks)


def _piece(piece: dict[str, str]) -> Markup:
    tag = {"removed": "del", "added": "ins"}.get(piece["kind"])
    return join(element(tag, piece["text"].rstrip()), " ") if tag else join(piece["text"])
