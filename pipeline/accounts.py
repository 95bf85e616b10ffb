"""Accounts: every input document is in the ledger exactly once, or the run fails.

All counts that anyone sees come from here, and so from the files themselves.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import storage
from pipeline.errors import VerificationError
from pipeline.output import Job
from pipeline.repeats import LEDGER_COLUMNS, times_in_shards
from pipeline.verdicts import VERDICTS

_VERDICTS = pa.array(VERDICTS)


@dataclass
class Tally:
    """Documents, bytes of text and tokens; those of a ledger count each document once."""

    documents: int = 0
    bytes: int = 0
    tokens: int = 0

    def add(self, other: "Tally") -> None:
        """Adds another tally to this one."""
        self.documents += other.documents
        self.bytes += other.bytes
        self.tokens += other.tokens


@dataclass
class Accounts:
    """What became of every document.

    Args:
        read: Records that the sources gave, counted before anything else was done.
        cells: A tally for each source, verdict and reason.
        errors: Unreadable records by error class.
    """

    read: int = 0
    cells: dict[tuple[str, str, str | None], Tally] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)

    def by(self, *keys: str) -> dict[tuple[str | None, ...], Tally]:
        """Sums the cells over all but some of `source`, `verdict` and `reason`."""
        places = [("source", "verdict", "reason").index(key) for key in keys]
        sums: dict[tuple[str | None, ...], Tally] = {}
        for cell, tally in self.cells.items():
            sums.setdefault(tuple(cell[place] for place in places), Tally()).add(tally)
        return sums

    def verdict(self, name: str) -> Tally:
        """Returns the tally of one verdict over all sources."""
        return self.by("verdict").get((name,), Tally())

    @property
    def error_rate(self) -> float:
        """The share of records that could not be read or measured."""
        return self.verdict("error").documents / self.read if self.read else 0.0


def take_accounts(job: Job) -> Accounts:
    """Counts the ledger and compares it with what was read, part by part.

    Raises:
        VerificationError: a document is missing, doubled, in the wrong row or without a verdict.
    """
    accounts = Accounts()
    stages = zip(job.summaries("mill"), job.summaries("tokenize"), strict=True)
    for part, (milled, tokenized) in enumerate(stages):
        _count_part(job, part, milled["records"], tokenized["shards"], accounts)
        accounts.read += milled["records"]
        accounts.errors.update(milled["errors"])
    counted = sum(tally.documents for tally in accounts.cells.values())
    in_errors = sum(accounts.errors.values())
    if counted != accounts.read:
        raise VerificationError(f"{accounts.read} documents were read, {counted} have a verdict")
    if in_errors != accounts.verdict("error").documents:
        raise VerificationError(
            f"{in_errors} error rows, but {accounts.verdict('error').documents} verdicts are error"
        )
    return accounts


def _count_part(
    job: Job, part: int, records: int, shards: list[dict[str, Any]], accounts: Accounts
) -> None:
    with storage.open_binary(job.output.part("documents", part, ".parquet")) as source:
        documents = pq.read_table(source, columns=["id", "source", "n_bytes"])
    with storage.open_binary(job.output.part("ledger", part, ".parquet")) as source:
        ledger = pq.read_table(source, columns=["id", "reason", "n_tokens", *LEDGER_COLUMNS])
    if not records == len(documents) == len(ledger):
        raise _lost(
            job,
            part,
            f"has {records} documents read, {len(documents)} in documents/, "
            f"{len(ledger)} in ledger/",
        )
    if documents["id"] != ledger["id"]:
        raise _lost(job, part, "has documents and ledger rows of different documents")
    verdicts = ledger["verdict"].cast("string")
    if not pc.all(pc.is_in(verdicts, value_set=_VERDICTS)).as_py() and len(ledger):
        raise _lost(job, part, "has a document without a verdict")
    joined = ledger.select(["reason", "n_tokens"]).append_column("verdict", verdicts)
    joined = joined.append_column("source", documents["source"])
    joined = joined.append_column("n_bytes", documents["n_bytes"])
    groups = joined.group_by(["source", "verdict", "reason"]).aggregate(
        [([], "count_all"), ("n_bytes", "sum"), ("n_tokens", "sum")]
    )
    for row in groups.to_pylist():
        cell = (row["source"], row["verdict"], row["reason"])
        tally = Tally(row["count_all"], row["n_bytes_sum"], row["n_tokens_sum"] or 0)
        accounts.cells.setdefault(cell, Tally()).add(tally)
    times = times_in_shards(ledger, job.recipe.tokens.repeat)
    due = int(times.sum()), int(times @ pc.fill_null(ledger["n_tokens"], 0).to_numpy())
    there = tuple(sum(shard[what] for shard in shards) for what in ("documents", "tokens"))
    if due != there:
        raise _lost(
            job,
            part,
            f"keeps, with repeats, {due[0]} documents of {due[1]} tokens, and its shards hold "
            f"{there[0]} of {there[1]}",
        )


def _lost(job: Job, part: int, what: str) -> VerificationError:
    return VerificationError(
        f"{job.output.root}: the accounts do not add up: part {part} {what}",
        "The output cannot be trusted. Remove it and run again; if it happens again, report it.",
    )
