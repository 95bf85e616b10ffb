"""One document's story: its verdict and every rule's value, and the evidence if it is a duplicate.

All texts are those of documents/, after redaction. What is printed cannot steer the terminal.
"""

import json
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline import storage
from pipeline.errors import UserError
from pipeline.evidence import shared_shingles
from pipeline.look import read_manifest
from pipeline.lookup import stands, stories
from pipeline.recipe import Recipe
from pipeline.repeats import LEDGER_COLUMNS, times_in_shards
from pipeline.text_diff import MOST_WORDS, compare
from pipeline.visible import clipped, visible

EXCERPT = 600
MOST_MEMBERS = 5
MOST_MISSES = 3
MOST_CUTS = 5

Story = dict[str, Any]
_MARKS = {
    "same": ("", "", "default"),
    "removed": ("[-", "-]", "red"),
    "added": ("{+", "+}", "green"),
}


def explanation(output: str, identifier: str) -> list[Story]:
    """Returns everything an output knows about the documents with an id (one, as a rule).

    Raises:
        UserError: no document has the id.
    """
    root = output.rstrip("/")
    manifest = read_manifest(root)
    told = []
    for story in stories(root, [identifier]):
        story["rules"] = _rules(manifest, story)
        if story["duplicate_of"]:
            story["duplicate"] = _duplicate(root, manifest, story)
        elif story["verdict"] == "kept" and manifest["recipe"]["dedup"]:
            story["stands_for"] = _stands_for(root, identifier)
            story["compared"] = _compared(root, manifest, identifier)
        story["cut"] = _cut(root, story)
        story["times_in_shards"] = _times(manifest, story)
        told.append(story)
    if not told:
        raise UserError(
            f"{root} holds no document with the id {visible(identifier)}",
            f"Ids look like these: gristmill inspect {root} ledger",
        )
    return told


def _rules(manifest: dict[str, Any], document: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns each active rule with the document's value and the bounds for its language."""
    signals = document.get("signals") or {}
    table = []
    for name, settings in manifest["recipe"]["filters"].items():
        for signal, value in (signals.get(name) or {}).items():
            bounds = settings.get(signal)
            if bounds is not None:
                rule = f"{name}.{signal}"
                cutoff = manifest["cutoffs"].get(rule)
                there = bounds["languages"].get(document["language"], {})
                table.append({"rule": rule, "value": value, **bounds, **there, "cutoff": cutoff})
    return table


def _duplicate(root: str, manifest: dict[str, Any], story: Story) -> dict[str, Any]:
    """Returns the evidence for a duplicate: the pair, what they share and where they differ."""
    kept_id, settings = story["duplicate_of"], manifest["recipe"]["dedup"]
    wanted = (pc.field("kept_id") == kept_id) & (pc.field("id") == story["id"])
    rows = _rows_where(root, "clusters", wanted)
    found: dict[str, Any] = {**(rows[0] if rows else {}), "kept_id": kept_id}
    found["kept_in"], other = _kept_document(root, settings.get("against"), kept_id)
    if other is None:
        return found
    found["kept"] = {"source": other["source"], "url": other["url"]}
    if settings["minhash"]:
        shared = shared_shingles(settings["minhash"], story["text"], other["text"])
        found["shingles"] = {**shared, **{k: settings["minhash"][k] for k in ("shingle", "unit")}}
    found["same_text"] = story["text"] == other["text"]
    found["diff"] = asdict(compare(other["text"], story["text"]))
    return found


def _kept_document(
    root: str, against: str | None, kept_id: str
) -> tuple[str | None, dict[str, Any] | None]:
    """Returns the other output that a kept document is in, if any, and the document if found."""
    columns = ["source", "url", "text"]
    for story in stories(root, [kept_id], columns):
        if stands(story):
            return None, story
    if not against:
        return None, None
    try:
        return against, next(filter(stands, stories(against.rstrip("/"), [kept_id], columns)), None)
    except (UserError, OSError):
        return against, None


def _stands_for(root: str, kept_id: str) -> dict[str, Any]:
    """Returns how many documents a kept one stands for besides itself, and the least similar."""
    rows = _rows_where(root, "clusters", pc.field("kept_id") == kept_id)
    rows.sort(key=lambda row: (2.0 if row["jaccard"] is None else row["jaccard"], row["id"]))
    return {"number": len(rows), "least_similar": rows[:MOST_MEMBERS]}


def _compared(root: str, manifest: dict[str, Any], identifier: str) -> dict[str, Any]:
    """Returns how many documents one was compared with, and the nearest below the threshold."""
    settings = manifest["recipe"]["dedup"]["minhash"]
    if not settings:
        return {"number": 0, "nearest_misses": []}
    rows = _rows_where(root, "pairs", (pc.field("a") == identifier) | (pc.field("b") == identifier))
    misses = [
        {"id": row["b"] if row["a"] == identifier else row["a"], "jaccard": row["jaccard"]}
        for row in rows
        if row["jaccard"] < settings["threshold"]
    ]
    misses.sort(key=lambda miss: (-miss["jaccard"], miss["id"]))
    return {"number": len(rows), "nearest_misses": misses[:MOST_MISSES]}


def _cut(root: str, story: Story) -> list[dict[str, Any]]:
    """Returns the passages that were cut out of a document, with what each was."""
    rows = _rows_where(root, "passages", pc.field("id") == story["id"])
    return [{**row, "text": story["text"][row["start"] : row["end"]]} for row in rows]


def _times(manifest: dict[str, Any], story: Story) -> int:
    row = pa.table({name: [story[name]] for name in LEDGER_COLUMNS})
    recipe = Recipe.model_validate(manifest["recipe"])
    return int(times_in_shards(row, recipe.tokens.repeat)[0])


def _rows_where(root: str, folder: str, wanted: pc.Expression) -> list[dict[str, Any]]:
    """Returns the rows of pairs/, clusters/ or passages/ that meet a condition."""
    found: list[dict[str, Any]] = []
    for file in storage.list_files(f"{root}/{folder}"):
        with storage.open_binary(file.url) as source:
            found += pq.read_table(source, filters=wanted).to_pylist()
    return found


def told_apart(*values: float | None) -> list[str]:
    """Writes numbers with four digits, or as many as it takes to tell those apart that differ."""
    different = {value for value in values if value is not None}
    for digits in range(4, 18):
        if len({f"{value:.{digits}g}" for value in different}) == len(different):
            break
    return ["" if value is None else f"{value:.{digits}g}" for value in values]


def print_explanation(stories: list[Story], console: Console, as_json: bool) -> None:
    """Prints what became of a document: verdict, reason, evidence, every rule's value, its text."""
    if as_json:
        print(json.dumps(stories, default=str, ensure_ascii=False, indent=1))
        return
    for story in stories:
        _print_story(story, console)


def _print_story(story: Story, console: Console) -> None:
    reason = f" by {story['reason']}" if story["reason"] else ""
    console.print(Text(visible(f"{story['id']}: {story['verdict']}{reason}"), style="bold"))
    if story["reason"] and "duplicate" not in story:
        value, threshold = told_apart(story["value"], story["threshold"])
        console.print(f"value {value}, threshold {threshold}")
    if story["evidence"]:
        console.print(Text(visible(f"evidence: {story['evidence']}")))
    if "duplicate" in story:
        _print_pair(story, console)
    if "stands_for" in story:
        _print_others(story, console)
    for number, passage in enumerate(story["cut"]):
        if number == MOST_CUTS:
            console.print(f"and {len(story['cut']) - MOST_CUTS:,} more passages")
            break
        where = f"characters {passage['start']:,} to {passage['end']:,}"
        words = clipped(passage["text"])
        console.print(Text(visible(f"cut, since {passage['kept_id']} has it: {where}: {words}")))
    if story["partition"]:
        times = story["times_in_shards"]
        often = f", {times} times in the shards" if times > 1 else ""
        console.print(f"partition {story['partition']}, {story['n_tokens']:,} tokens{often}")
    console.print(Text(visible(f"{_origin(story)}, {story['n_bytes']:,} bytes")))
    if "diff" in story.get("duplicate", {}):
        _print_diff(story["duplicate"], console)
    table = Table("rule", "value", "from", "to", "cutoff", "")
    for rule in story["rules"]:
        failed = f"{rule['rule']}" in (story["failed"] or [])
        table.add_row(
            rule["rule"],
            *told_apart(*(rule[key] for key in ("value", "minimum", "maximum", "cutoff"))),
            "failed" if failed else "",
        )
    if story["rules"]:
        console.print(table)
    if "diff" not in story.get("duplicate", {}):
        console.print(Text(visible(story["text"][:EXCERPT], newline="\n")))


def _origin(document: dict[str, Any]) -> str:
    return f"source {document['source']}" + (f", {document['url']}" if document["url"] else "")


def _print_pair(story: Story, console: Console) -> None:
    """Prints which document stands for this one, and what shows that it may."""
    found = story["duplicate"]
    jaccard, threshold = told_apart(found.get("jaccard"), story["threshold"])
    why = {
        "dedup.url": " by the URL",
        "dedup.exact": f", Jaccard {jaccard}: equal texts",
        "dedup.passages": ", which has most of what was cut: "
        f"{story['value'] or 0:,.0f} words were left, fewer than {story['threshold'] or 0:,.0f}",
    }.get(story["reason"], f", Jaccard {jaccard}, threshold {threshold}")
    console.print(Text(visible(f"duplicate of {found['kept_id']}{why}")))
    if "shingles" in found:
        shared = found["shingles"]
        console.print(
            f"shingles of {shared['shingle']} {shared['unit']}: {shared['both']:,} are in both "
            f"texts, {shared['either']:,} in either, Jaccard {shared['jaccard']:.4f}"
        )
    if "cluster_size" in found:
        console.print(f"cluster of {found['cluster_size']:,} documents")
    where = f", in {found['kept_in']}" if found["kept_in"] else ""
    if "kept" in found:
        console.print(Text(visible(f"the kept one: {_origin(found['kept'])}{where}")))
    else:
        console.print(Text(visible(f"the kept one{where}: its text cannot be read")))


def _print_others(story: Story, console: Console) -> None:
    """Prints which documents a kept one stands for, and which were nearly its duplicates."""
    others, compared = story["stands_for"], story["compared"]
    if others["number"]:
        rest = others["number"] - len(others["least_similar"])
        console.print(
            f"stands for {others['number']:,} other document"
            + "s" * (others["number"] > 1)
            + (f"; the {len(others['least_similar'])} least similar:" if rest else ":")
        )
        for row in others["least_similar"]:
            jaccard = "" if row["jaccard"] is None else f", Jaccard {row['jaccard']:.4f}"
            console.print(Text(visible(f"  {row['id']} ({row['reason']}{jaccard})")))
    else:
        console.print("stands for no other document")
    console.print(f"compared with {compared['number']:,} documents")
    for miss in compared["nearest_misses"]:
        console.print(
            Text(visible(f"  below the threshold: {miss['id']}, Jaccard {miss['jaccard']:.4f}"))
        )


def _print_diff(found: dict[str, Any], console: Console) -> None:
    """Prints where the text differs from the kept one."""
    diff = found["diff"]
    if found["same_text"]:
        console.print("the texts are the same, byte for byte")
        return
    console.print(
        f"from the kept text to this one: {diff['removed']:,} words removed, "
        f"{diff['added']:,} added" + ("" if diff["hunks"] else "; only white space differs")
    )
    for hunk in diff["hunks"]:
        console.print(f"@@ word {hunk['old']:,} | word {hunk['new']:,} @@", style="cyan")
        console.print(diff_line(hunk["pieces"]))
    if diff["more_hunks"]:
        console.print(f"and {diff['more_hunks']:,} more places")
    if diff["cut"]:
        console.print(f"only the first {MOST_WORDS:,} words of each text were compared")
    if diff["coarse"]:
        console.print("the texts differ so much that some words are called replaced that are not")


def diff_line(pieces: list[dict[str, Any]]) -> Text:
    """Returns a hunk as `git diff --word-diff` writes it: same [-removed-] {+added+} same."""
    line = Text("", style="default")
    for number, piece in enumerate(pieces):
        words = piece["text"].rstrip()
        more = f" (and {piece['left_out']:,} words more)" if piece["left_out"] else ""
        replaced = [p["kind"] for p in pieces[number : number + 2]] == ["removed", "added"]
        space = "" if replaced else visible(piece["text"][len(words) :])
        before, after, style = _MARKS[piece["kind"]]
        line.append(f"{before}{visible(words)}{more}{after}", style).append(space)
    return line
