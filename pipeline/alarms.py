"""What a run warns of loudly: duplicates that are too many or too few to be believed unseen.

Another project's fuzzy deduplication took 859,092 documents to 2 and reported success.
"""

from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.text import Text

from pipeline import storage
from pipeline.accounts import Accounts
from pipeline.cluster_list import first_clusters
from pipeline.duplicates.priority import dedup_of
from pipeline.duplicates.settings import Dedup
from pipeline.output import Job
from pipeline.visible import clipped

FEWEST = 20  # documents, below which no share says anything
ONE_DOCUMENT = 0.1  # share of all matched documents that one may stand for
MOST_CLUSTERS = 1_000  # of which the one that took most of a source is sought
MOST_SOURCES = 10  # that are named

Alarm = dict[str, Any]


def alarms(job: Job, accounts: Accounts) -> list[Alarm]:
    """Returns what to warn of after a run, each with its `text` and figures.

    A source's matched documents are those that are kept or duplicates.
    """
    dedup = job.recipe.dedup
    if dedup is None:
        return []
    matched = _matched(accounts)
    largest = first_clusters(job.output.root, None, "clusters", MOST_CLUSTERS)
    found = [
        *_sources(
            job, matched, dedup.alarm, {row["kept_id"]: row["cluster_size"] for row in largest}
        ),
        *_one_document(job, accounts, largest),
        *_without_snapshot(job),
        *_uncompared(job),
    ]
    return [{**alarm, "text": told(alarm, "OUT")} for alarm in found]


def _matched(accounts: Accounts) -> dict[str, tuple[int, int]]:
    """Returns how many duplicates each source has, of how many matched documents."""
    found: dict[str, Counter[str]] = {}
    for (source, verdict), tally in accounts.by("source", "verdict").items():
        found.setdefault(str(source), Counter())[str(verdict)] += tally.documents
    return {
        source: (counts["duplicate"], counts["duplicate"] + counts["kept"])
        for source, counts in found.items()
    }


def _sources(
    job: Job, matched: dict[str, tuple[int, int]], allowed: float, sizes: dict[str, int]
) -> list[Alarm]:
    """Returns the sources that lose more than the allowed share, those that lose most first."""
    found: list[Alarm] = [
        {"kind": "source", "source": source, "duplicates": lost, "matched": count}
        for source, (lost, count) in matched.items()
        if count >= FEWEST and lost / count > allowed
    ]
    found.sort(key=lambda alarm: (-alarm["duplicates"], alarm["source"]))
    takers = _takers(job, [alarm["source"] for alarm in found], list(sizes))
    for alarm in found:
        if counts := takers.get(alarm["source"]):
            kept_id = min(counts, key=lambda name: (-counts[name], name))
            alarm.update(kept_id=kept_id, cluster_size=sizes[kept_id])
            alarm["by_this_one"] = counts[kept_id]
    return found


def _takers(job: Job, sources: list[str], kept_ids: list[str]) -> dict[str, Counter[str]]:
    """Returns how many documents of some sources each of some kept documents stands for."""
    found: dict[str, Counter[str]] = {}
    if not sources:
        return found
    wanted, stands = pa.array(sources, pa.string()), pa.array(kept_ids, pa.string())
    for part in range(job.n_parts):
        table = _rows(job, part, "source", "duplicate_of")
        mine = pc.and_(
            pc.is_in(table["source"], value_set=wanted),
            pc.is_in(table["duplicate_of"], value_set=stands),
        )
        groups = table.filter(mine).group_by(table.column_names).aggregate([([], "count_all")])
        for row in groups.to_pylist():
            found.setdefault(row["source"], Counter())[row["duplicate_of"]] += row["count_all"]
    return found


def _rows(job: Job, part: int, of_document: str, of_verdict: str) -> pa.Table:
    """Returns a column of documents/ beside one of ledger/."""
    with storage.open_binary(job.output.part("documents", part, ".parquet")) as file:
        documents = pq.read_table(file, columns=[of_document])
    with storage.open_binary(job.output.part("ledger", part, ".parquet")) as file:
        verdicts = pq.read_table(file, columns=[of_verdict])
    return documents.append_column(of_verdict, verdicts[of_verdict])


def _matched_verdicts(dedup: Dedup) -> list[str]:
    return ["kept", "duplicate"] + ["filtered"] * (dedup.over == "all")


def _one_document(job: Job, accounts: Accounts, largest: list[dict[str, Any]]) -> list[Alarm]:
    """Returns an alarm if one document stands for too large a share of all that are matched."""
    count = sum(accounts.verdict(name).documents for name in _matched_verdicts(dedup_of(job)))
    if not largest or largest[0]["cluster_size"] < max(FEWEST, ONE_DOCUMENT * count):
        return []
    first = {key: largest[0][key] for key in ("kept_id", "cluster_size")}
    return [{"kind": "document", **first, "matched": count}]


def _without_snapshot(job: Job) -> list[Alarm]:
    """Returns an alarm if documents that should be matched by snapshot have none."""
    dedup = dedup_of(job)
    if dedup.scope != "snapshot":
        return []
    verdicts, missing, count = pa.array(_matched_verdicts(dedup)), 0, 0
    for part in range(job.n_parts):
        rows = _rows(job, part, "snapshot", "verdict")
        matched = rows.filter(pc.is_in(rows["verdict"].cast("string"), value_set=verdicts))
        missing += matched["snapshot"].null_count
        count += len(matched)
    return [{"kind": "snapshot", "missing": missing, "matched": count}] if missing else []


def _uncompared(job: Job) -> list[Alarm]:
    summary = job.summaries("match")[0]
    if not summary["uncompared"]:
        return []
    counts = {key: summary[key] for key in ("uncompared", "large_buckets")}
    minhash = job.recipe.dedup and job.recipe.dedup.minhash
    return [{"kind": "uncompared", **counts, "leaders": minhash.leaders if minhash else 0}]


def told(alarm: Alarm, root: str) -> str:
    """Returns an alarm in words.

    Args:
        alarm: One of `alarms`.
        root: What the output is called in the commands to type.
    """
    if alarm["kind"] == "source":
        lost, count = alarm["duplicates"], alarm["matched"]
        most = ""
        if "kept_id" in alarm:
            times = alarm["by_this_one"]
            most = f" Most often they repeat {clipped(alarm['kept_id'])} ({times:,} of them)."
        return (
            f"Source {clipped(alarm['source'])} loses {lost:,} of {count:,} documents "
            f"({lost / count:.1%}) as duplicates.{most} Look at them before you trust this: "
            f"gristmill inspect {root} clusters"
        )
    if alarm["kind"] == "document":
        size, count = alarm["cluster_size"], alarm["matched"]
        return (
            f"One document, {clipped(alarm['kept_id'])}, stands for {size:,} of all {count:,} "
            f"({size / count:.1%}). Look at them before you trust this: "
            f"gristmill inspect {root} clusters"
        )
    if alarm["kind"] == "snapshot":
        return (
            f"{alarm['missing']:,} of {alarm['matched']:,} documents have no snapshot and were "
            "matched with each other as if they were of one. If a field of the records names it: "
            "-s source.snapshot_field=FIELD"
        )
    return (
        f"{alarm['uncompared']:,} pairs in {alarm['large_buckets']:,} large buckets were not "
        "compared, so near-duplicates may be left. To compare more of them: "
        f"-s dedup.minhash.leaders={2 * alarm['leaders']}"
    )


def print_alarms(found: list[Alarm], root: str, console: Console) -> None:
    """Prints alarms: in red what may be lost, in yellow what may be left."""
    for alarm in found[:MOST_SOURCES]:
        loud = alarm["kind"] != "uncompared"
        label = Text(" WARNING ", "bold white on red" if loud else "bold black on yellow")
        console.print(label + Text(f" {told(alarm, root)}", "red" if loud else "yellow"))
    if len(found) > MOST_SOURCES:
        console.print(f"and {len(found) - MOST_SOURCES:,} more warnings: see the report")
