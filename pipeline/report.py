"""The filter report as data: report.json, derived from ledger, documents and clusters.

`pipeline.report_page` turns it into report.html; `pipeline.summary` into the terminal summary.
"""

import hashlib
import platform
from collections import Counter
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from filters.redaction import redact
from filters.rules import Rule
from pipeline import storage
from pipeline.accounts import Accounts, Tally
from pipeline.alarms import alarms
from pipeline.errors import without_user_info
from pipeline.output import Job
from pipeline.redacting import options_of
from pipeline.report_clusters import duplicates
from pipeline.report_page import render
from pipeline.verdicts import VERDICTS, judged_batches, known_cutoffs, rules_of

SAMPLES = 5
EXCERPT = 600
BINS = 40
FEWEST_BINS = 8
SMALLEST_COUNT = 10  # redactions fewer than this could lead to a person, so no number is given


def write_report(job: Job, accounts: Accounts) -> str:
    """Writes report/report.json and report/report.html.

    Returns:
        The place of the page.
    """
    report = build_report(job, accounts)
    job.output.write_json("report/report.json", report)
    page = job.output.path("report/report.html")
    storage.write_bytes(page, render(report).encode())
    return page


def build_report(job: Job, accounts: Accounts) -> dict[str, Any]:
    """Returns the whole report as JSON values; nothing in it grows with the corpus."""
    signals = _Signals(job)
    samples = _Samples(job)
    for part in range(job.n_parts):
        signals.add(part)
        samples.add(part)
    run = job.output.read_json("work/run.json") or {}
    return {
        "run": {
            "recipe": run.get("recipe", ""),
            "gristmill": version("gristmill"),
            "code": job.code,
            "python": platform.python_version(),
            "parts": job.n_parts,
            "input_bytes": sum(split.size for split in job.splits),
        },
        "recipe": without_user_info(job.recipe.model_dump(mode="json")),
        "recipe_hash": job.recipe.hash,
        "documents": {
            "read": accounts.read,
            **{name: accounts.verdict(name).documents for name in VERDICTS},
        },
        "error_rate": accounts.error_rate,
        "errors": dict(sorted(accounts.errors.items())),
        "funnel": _funnel(job, accounts),
        "reasons": [
            {"reason": reason, "verdict": verdict, **asdict(tally)}
            for (reason, verdict), tally in sorted(
                accounts.by("reason", "verdict").items(),
                key=lambda item: (-item[1].documents, str(item[0][0])),
            )
            if reason
        ],
        "warnings": alarms(job, accounts),
        "rules": signals.rules(),
        "histograms": signals.histograms(),
        "sources": _sources(accounts),
        "samples": samples.chosen(),
        "duplicates": duplicates(job),
        "redactions": _redactions(job),
        "tokenizer": job.summaries("tokenizer")[0],
        "shards": [shard for summary in job.summaries("tokenize") for shard in summary["shards"]],
    }


def _redactions(job: Job) -> dict[str, dict[str, int | str]]:
    """Returns how many hits of each type were replaced, and in how many documents.

    There are no sums over types or sources, from which a hidden number could be told.
    """
    replaced: Counter[str] = Counter()
    documents: Counter[str] = Counter()
    for summary in job.summaries("mill"):
        replaced.update(summary["redactions"])
        documents.update(summary["redacted_documents"])
    types = job.recipe.redaction.types if job.recipe.redaction else []
    return {
        name: {"replaced": _shown(replaced[name]), "documents": _shown(documents[name])}
        for name in sorted({*types, *replaced})
    }


def _shown(count: int) -> int | str:
    return f"fewer than {SMALLEST_COUNT}" if 0 < count < SMALLEST_COUNT else count


def _funnel(job: Job, accounts: Accounts) -> list[dict[str, Any]]:
    """Returns what is left after each stage, and what that stage dropped."""
    left = Tally(accounts.read, sum(tally.bytes for tally in accounts.cells.values()))
    by_reason = accounts.by("verdict", "reason")
    rows = [{"stage": "read", "dropped": 0, **asdict(left)}]

    def drop(stage: str, tally: Tally) -> None:
        left.documents -= tally.documents
        left.bytes -= tally.bytes
        rows.append({"stage": stage, "dropped": tally.documents, **asdict(left)})

    drop("readable", accounts.verdict("error"))
    for name in job.recipe.filters.names:
        dropped = Tally()
        for (verdict, reason), tally in by_reason.items():
            if verdict == "filtered" and reason and reason.split(".")[0] == name:
                dropped.add(tally)
        drop(name, dropped)
    if job.recipe.dedup:
        for reason in job.recipe.dedup.reasons:
            dropped = by_reason.get(("duplicate", reason), Tally())
            if reason == "dedup.passages":  # which also shortens documents that stay
                cut = job.summaries("match")[0]["passages"]["bytes"]
                dropped = Tally(dropped.documents, dropped.bytes + cut)
            drop(reason, dropped)
    rows[-1]["tokens"] = accounts.verdict("kept").tokens
    return rows


def _sources(accounts: Accounts) -> list[dict[str, Any]]:
    sources: dict[str, dict[str, Any]] = {}
    for (source, verdict), tally in accounts.by("source", "verdict").items():
        row = sources.setdefault(
            str(source),
            {
                "source": source,
                "read": 0,
                **dict.fromkeys(VERDICTS, 0),
                "bytes": 0,
                "kept_bytes": 0,
                "tokens": 0,
            },
        )
        row["read"] += tally.documents
        row[str(verdict)] += tally.documents
        row["bytes"] += tally.bytes
        row["kept_bytes"] += tally.bytes if verdict == "kept" else 0
        row["tokens"] += tally.tokens
    return sorted(sources.values(), key=lambda row: (-row["read"], row["source"]))


class _Signals:
    """For every rule how many documents it dropped, and the distribution of its signal."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.table = rules_of(job.recipe, known_cutoffs(job))
        self.names = [f"{name}.{rule.signal}" for name, rule in self.table]
        self.failed, self.first, self.alone = (np.zeros(len(self.names), np.int64) for _ in "abc")
        self.edges: list[NDArray[np.float64]] = []
        self.scales: list[str] = []
        self.counts: list[NDArray[np.int64]] = []
        self.smallest = np.full(len(self.names), np.inf)
        self.largest = -self.smallest

    def add(self, part: int) -> None:
        for _, judgement in judged_batches(self.job, part):
            if not self.names or not len(judgement.failed):
                continue
            failed, values = judgement.failed, judgement.values
            self.failed += failed.sum(axis=0)
            dropped = failed.any(axis=1)
            self.first += np.bincount(failed[dropped].argmax(axis=1), minlength=len(self.names))
            self.alone += failed[failed.sum(axis=1) == 1].sum(axis=0)
            if not self.edges and np.isfinite(values).any():
                pairs = zip(self.table, values.T, strict=True)
                chosen = [_edges(rule, column) for (_, rule), column in pairs]
                self.edges, self.scales = [list(kind) for kind in zip(*chosen, strict=True)]
                self.counts = [np.zeros(len(edges) - 1, np.int64) for edges in self.edges]
            for number, edges in enumerate(self.edges):
                known = values[np.isfinite(values[:, number]), number]
                bins = np.searchsorted(edges[1:-1], known, side="right")
                self.counts[number] += np.bincount(bins, minlength=len(edges) - 1)
                self.smallest[number] = known.min(initial=self.smallest[number])
                self.largest[number] = known.max(initial=self.largest[number])

    def rules(self) -> list[dict[str, Any]]:
        return [
            {
                "rule": f"{name}.{rule.signal}",
                "minimum": rule.minimum,
                "maximum": rule.maximum,
                **self._other_bounds(name, rule.signal),
                "strict": rule.strict,
                "unit": rule.unit,
                "description": rule.description,
                "failed": int(self.failed[number]),
                "first": int(self.first[number]),
                "alone": int(self.alone[number]),
            }
            for number, (name, rule) in enumerate(self.table)
        ]

    def _other_bounds(self, name: str, signal: str) -> dict[str, Any]:
        """Returns the share of the corpus that a rule keeps, and its bounds for languages."""
        bounds = self.job.recipe.filters.bounds(name, signal)
        assert bounds is not None  # or the rule would not be in the table
        return {
            "keep": bounds.keep,
            "languages": {
                language: other.model_dump(exclude_unset=True)
                for language, other in bounds.languages.items()
            },
        }

    def histograms(self) -> list[dict[str, Any]]:
        """Returns each rule's edges and counts; the end bins hold all that lies beyond.

        The counts on the dropped side of the bounds add up to the rule's `failed`. `smallest` and
        `largest` are null where no document has the signal.
        """
        return [
            {
                "rule": self.names[number],
                "scale": self.scales[number],
                "edges": edges.tolist(),
                "counts": counts.tolist(),
                "smallest": float(self.smallest[number]) if counts.any() else None,
                "largest": float(self.largest[number]) if counts.any() else None,
            }
            for number, (edges, counts) in enumerate(zip(self.edges, self.counts, strict=True))
        ]


def _edges(rule: Rule, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], str]:
    """Chooses the bins of a rule's histogram, and a linear or log scale, by some of its values.

    They span the middle 99 % of the values and the bounds, in equal steps between one bound and
    the next; equal ratios for counts that reach 1,000. Each bound is an edge, or the next float
    where the bound itself lies on the other side, so that no bin is half dropped.
    """
    known = values[np.isfinite(values)]
    low, high = map(float, np.quantile(known, [0.005, 0.995])) if len(known) else (0.0, 1.0)
    cuts = _cuts(rule)
    ratios = low >= 0 and max([high, *cuts]) >= 1000 and min([1.0, *cuts]) >= 0.1
    if ratios:
        low, high = max(low, 1.0), max(high, 1.0)
    scale, back = (np.log, np.exp) if ratios else (np.asarray, np.asarray)
    first, last = scale([min([low, *cuts]), max([high, *cuts])])
    few = min(BINS, max(FEWEST_BINS, len(np.unique(known))))  # small whole numbers: a bin each
    # Floats next to each other have no room for bins between them.
    narrow = last - first < 1e-9 * max(1.0, abs(first), abs(last))
    margin = 1.0 if narrow else (last - first) / few
    # A bound at an end needs a bin beyond it.
    if narrow or (cuts and scale(cuts[0]) < scale(low) + margin / 2):
        low = float(back(first - margin))
    if narrow or (cuts and scale(cuts[-1]) > scale(high) - margin / 2):
        high = float(back(last + margin))
    points = np.unique([low, *cuts, high])
    spans = np.diff(scale(points))
    steps = np.maximum(1, np.rint(few * spans / spans.sum())).astype(int)
    spaced = np.geomspace if ratios else np.linspace
    pieces = zip(points[:-1], points[1:], steps, strict=True)
    edges = [spaced(*piece, endpoint=False) for piece in pieces]
    return np.concatenate([*edges, points[-1:]]), "log" if ratios else "linear"


def _cuts(rule: Rule) -> list[float]:
    """Returns the first float on the upper side of each finite bound, ascending."""
    cuts = []
    for bound, itself_below in ((rule.minimum, rule.strict), (rule.maximum, not rule.strict)):
        if bound is not None and np.isfinite(bound):
            cuts.append(float(np.nextafter(bound, np.inf)) if itself_below else float(bound))
    return sorted(cuts)


class _Samples:
    """A few documents for each reason: those whose ids have the smallest hashes."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.best: dict[str, list[tuple[bytes, int, int, dict[str, Any]]]] = {}

    def add(self, part: int) -> None:
        columns = ["id", "verdict", "reason", "value", "threshold", "duplicate_of", "evidence"]
        with storage.open_binary(self.job.output.part("ledger", part, ".parquet")) as source:
            ledger = pq.read_table(source, columns=columns)
        reasons = ledger["reason"].to_pylist()
        verdicts = ledger["verdict"].to_pylist()
        ids = ledger["id"].to_pylist()
        for row, (verdict, reason) in enumerate(zip(verdicts, reasons, strict=True)):
            if verdict == "error":
                continue
            best = self.best.setdefault(reason or verdict, [])
            order = hashlib.blake2b(ids[row].encode(), digest_size=8).digest()
            if len(best) < SAMPLES or order < best[-1][0]:
                entry = {name: ledger[name][row].as_py() for name in columns}
                best.append((order, part, row, entry))
                best.sort(key=lambda sample: sample[:3])
                del best[SAMPLES:]

    def chosen(self) -> list[dict[str, Any]]:
        wanted: dict[int, set[int]] = {}
        for best in self.best.values():
            for _, part, row, _ in best:
                wanted.setdefault(part, set()).add(row)
        texts = {part: _excerpts(self.job, part, sorted(rows)) for part, rows in wanted.items()}
        return [
            {**entry, **texts[part][row]}
            for _, best in sorted(self.best.items())
            for _, part, row, entry in best
        ]


def _excerpts(job: Job, part: int, rows: list[int]) -> dict[int, dict[str, Any]]:
    with storage.open_binary(job.output.part("documents", part, ".parquet")) as source:
        file, options = pq.ParquetFile(source), options_of(job.recipe.redaction)
        start, found = 0, {}
        for group in range(file.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            inside = [row for row in rows if start <= row < start + count]
            if inside:
                table = file.read_row_group(group, columns=["text", "source", "url", "language"])
                for row in inside:
                    entry = {name: table[name][row - start].as_py() for name in table.column_names}
                    text = entry.pop("text")
                    # The beginning of a long number can be a number of another kind.
                    excerpt = redact(text[:EXCERPT], options).text
                    found[row] = {**entry, "excerpt": excerpt, "characters": len(text)}
            start += count
    return found
