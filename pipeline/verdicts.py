"""Verdicts: rules on stored signals and the survivors of matching become one row a document.

Judging reads the signals that mill stored, never the text, so another threshold needs no second
pass over the corpus.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from filters.rules import Rule, thresholds_failed
from pipeline import storage
from pipeline.output import Job
from pipeline.recipe import Recipe

BATCH_ROWS = 10_000
VERDICTS = ("kept", "filtered", "duplicate", "error")
PARTITIONS = ("train", "validation")

SURVIVORS_SCHEMA = pa.schema(
    [
        ("row", pa.uint32()),
        ("kept_id", pa.string()),
        ("jaccard", pa.float64()),
        ("exact", pa.bool_()),
        ("cluster_size", pa.uint32()),
    ]
)

LEDGER_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("verdict", pa.dictionary(pa.int8(), pa.string())),
        ("failed", pa.list_(pa.string())),
        ("reason", pa.string()),
        ("value", pa.float32()),
        ("threshold", pa.float32()),
        ("duplicate_of", pa.string()),
        ("partition", pa.dictionary(pa.int8(), pa.string())),
        ("n_tokens", pa.uint32()),
    ]
)


@dataclass(frozen=True)
class Judgement:
    """What the rules say about the n documents of a table.

    Args:
        rules: Names `filter.rule` in recipe order.
        failed: bool[n, rules]: which rules a document failed.
        values: float64[n, rules]: the signals compared.
        thresholds: float64[n, rules]: the bound that failed, NaN where the rule passed.
    """

    rules: list[str]
    failed: NDArray[np.bool_]
    values: NDArray[np.float64]
    thresholds: NDArray[np.float64]

    @property
    def passed(self) -> NDArray[np.bool_]:
        """bool[n]: which documents passed every rule."""
        return np.logical_not(self.failed.any(axis=1))


def rules_of(recipe: Recipe) -> list[tuple[str, Rule]]:
    """Returns each active filter's name with each of its active rules, in recipe order."""
    return [(name, rule) for name in recipe.filters.names for rule in recipe.filters.rules(name)]


def judge(signals: pa.StructArray | None, rows: int, recipe: Recipe) -> Judgement:
    """Compares a column of signals with the recipe's rules.

    Args:
        signals: The column `signals` of documents/, or None where a recipe has no filter.
        rows: How many documents there are.
        recipe: Gives rules and bounds.
    """
    rules = rules_of(recipe)
    values = np.full((rows, len(rules)), np.nan)
    thresholds = np.full((rows, len(rules)), np.nan)
    for column, (name, rule) in enumerate(rules):
        field = pc.struct_field(signals, [name, rule.signal])
        values[:, column] = field.to_numpy(zero_copy_only=False)
        thresholds[:, column] = thresholds_failed(rule, values[:, column])
    names = [f"{name}.{rule.signal}" for name, rule in rules]
    return Judgement(names, ~np.isnan(thresholds), values, thresholds)


def judged_batches(job: Job, part: int) -> Iterator[tuple[pa.RecordBatch, Judgement]]:
    """Yields a part of documents/ without its text, batch by batch, and what the rules say."""
    wanted = ["id", "source", "n_bytes"] + (["signals"] if job.recipe.filters.names else [])
    with storage.open_binary(job.output.part("documents", part, ".parquet")) as source:
        for batch in pq.ParquetFile(source).iter_batches(BATCH_ROWS, columns=wanted):
            signals = batch["signals"] if "signals" in wanted else None
            yield batch, judge(signals, len(batch), job.recipe)


def error_ids(job: Job, part: int) -> pa.Array:
    """Returns the ids of a part's documents that could not be read or measured."""
    with storage.open_binary(job.output.part("errors", part, ".parquet")) as source:
        return pq.read_table(source, columns=["id"])["id"].combine_chunks()


def matchable(job: Job, part: int) -> NDArray[np.bool_]:
    """Returns bool[n]: which documents of a part are matched with others: those no rule drops."""
    errors = error_ids(job, part)
    eligible = [np.empty(0, bool)]
    for batch, judgement in judged_batches(job, part):
        readable = ~_is_in(batch["id"], errors)
        eligible.append(readable & judgement.passed)
    return np.concatenate(eligible)


def _is_in(ids: pa.Array, some: pa.Array) -> NDArray[np.bool_]:
    found = pc.is_in(ids, value_set=some)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)


def in_validation(ids: list[str], seed: int, share: float) -> NDArray[np.bool_]:
    """Chooses the validation documents by hash of the id, whatever their place or order."""
    key = seed.to_bytes(4, "little")
    hashes = [hashlib.blake2b(i.encode(), digest_size=8, key=key).digest() for i in ids]
    return np.frombuffer(b"".join(hashes), "<u8") < np.uint64(min(share * 2.0**64, 2**64 - 1))


def bin_documents(job: Job, part: int) -> dict[str, Any]:
    """Writes work/verdicts/: the ledger of one part, still without token counts.

    Returns:
        The part's summary: documents by verdict, and by source and verdict.
    """
    fingerprint = job.fingerprint("bin", part)
    done = job.output.committed("bin", part, fingerprint)
    if done:
        return done
    errors = error_ids(job, part)
    duplicates = read_survivors(job, part)
    place = duplicates["row"].to_numpy()
    start, counts = 0, Counter[tuple[str, str]]()
    kept_bytes = 0
    with (
        storage.atomic(job.output.part("work/verdicts", part, ".arrow")) as sink,
        pa.ipc.new_file(sink, LEDGER_SCHEMA) as writer,
    ):
        for documents, judgement in judged_batches(job, part):
            first, last = np.searchsorted(place, [start, start + len(documents)])
            table = verdict_table(
                documents["id"],
                judgement,
                _is_in(documents["id"], errors),
                Duplicates.of(duplicates.slice(first, last - first), start),
                job.recipe,
            )
            writer.write_table(table)
            verdicts = table["verdict"].to_pylist()
            counts.update(zip(documents["source"].to_pylist(), verdicts, strict=True))
            kept = np.array([verdict == "kept" for verdict in verdicts], dtype=bool)
            kept_bytes += int(documents["n_bytes"].to_numpy()[kept].sum())
            start += len(documents)
    summary: dict[str, Any] = {
        "documents": start,
        "kept_bytes": kept_bytes,
        "verdicts": [[*key, count] for key, count in sorted(counts.items())],
    }
    job.output.commit("bin", part, fingerprint, summary)
    return summary


@dataclass(frozen=True)
class Duplicates:
    """The documents of a batch that another one stands for; four arrays of one length."""

    rows: NDArray[np.int64]
    kept_ids: list[str]
    jaccards: NDArray[np.float64]
    exact: NDArray[np.bool_]

    @classmethod
    def of(cls, survivors: pa.Table, start: int) -> "Duplicates":
        """Takes rows of work/survivors/, numbered from `start` on."""
        return cls(
            survivors["row"].to_numpy().astype(np.int64) - start,
            survivors["kept_id"].to_pylist(),
            survivors["jaccard"].to_numpy(),
            survivors["exact"].to_numpy().astype(bool),
        )


def read_survivors(job: Job, part: int) -> pa.Table:
    """Reads the duplicates of one part from work/survivors/, by ascending row."""
    if job.recipe.dedup is None:
        return SURVIVORS_SCHEMA.empty_table()
    with storage.open_binary(job.output.part("work/survivors", part, ".arrow")) as source:
        return pa.ipc.open_file(source).read_all()


def verdict_table(
    ids: pa.Array,
    judgement: Judgement,
    errors: NDArray[np.bool_],
    duplicates: Duplicates,
    recipe: Recipe,
) -> pa.Table:
    """Returns the ledger of n documents; every document gets exactly one verdict.

    An error comes before a filter's verdict, and a filter's before a duplicate's.

    Args:
        ids: string[n].
        judgement: The rules' results.
        errors: bool[n].
        duplicates: Those that another one stands for.
        recipe: Gives seed, validation share and the duplicates' threshold.
    """
    n = len(ids)
    filtered = ~judgement.passed & ~errors
    duplicate = np.zeros(n, dtype=bool)
    reasons = np.full(n, None, dtype=object)
    values, thresholds = np.full(n, np.nan), np.full(n, np.nan)
    duplicate_of = np.full(n, None, dtype=object)

    rows = duplicates.rows
    duplicate[rows] = True
    reasons[rows] = np.where(duplicates.exact, "dedup.exact", "dedup.minhash")
    values[rows] = duplicates.jaccards
    near = recipe.dedup.minhash if recipe.dedup else None
    thresholds[rows] = np.where(duplicates.exact, 1.0, near.threshold if near else 1.0)
    duplicate_of[rows] = duplicates.kept_ids

    if judgement.rules:
        first = judgement.failed.argmax(axis=1)
        names = np.array(judgement.rules, dtype=object)
        reasons[filtered] = names[first[filtered]]
        values[filtered] = judgement.values[filtered, first[filtered]]
        thresholds[filtered] = judgement.thresholds[filtered, first[filtered]]
    duplicate &= ~filtered & ~errors
    duplicate_of[~duplicate] = None
    kept = ~(filtered | duplicate | errors)

    code = np.select([errors, filtered, duplicate], [3, 1, 2], 0).astype(np.int8)
    validation = in_validation(ids.to_pylist(), recipe.seed, recipe.tokens.validation)
    partition = pa.array(np.where(validation, 1, 0).astype(np.int8), mask=~kept)
    dropped = filtered | duplicate
    columns = {
        "id": ids,
        "verdict": pa.DictionaryArray.from_arrays(pa.array(code), list(VERDICTS)),
        "failed": _failed_names(judgement),
        "reason": pa.array(reasons, pa.string(), mask=~dropped),
        "value": pa.array(values.astype(np.float32), mask=~dropped),
        "threshold": pa.array(thresholds.astype(np.float32), mask=~dropped),
        "duplicate_of": pa.array(duplicate_of, pa.string()),
        "partition": pa.DictionaryArray.from_arrays(partition, list(PARTITIONS)),
        "n_tokens": pa.nulls(n, pa.uint32()),
    }
    return pa.table(columns, schema=LEDGER_SCHEMA)


def _failed_names(judgement: Judgement) -> pa.ListArray:
    """Returns list<string>[n]: the names of the rules that each document failed."""
    counts = judgement.failed.sum(axis=1)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    names = np.array(judgement.rules, dtype=object)[np.nonzero(judgement.failed)[1]]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(names, pa.string()))
