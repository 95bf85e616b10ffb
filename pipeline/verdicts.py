"""Verdicts: rules on stored signals and the survivors of matching become one row a document.

Judging reads the signals that mill stored, never the text, so another threshold needs no second
pass over the corpus.
"""

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from filters.registry import FILTERS
from filters.rules import Rule, thresholds_failed
from pipeline import storage
from pipeline.duplicates.cuts import read_remains, removed_bytes
from pipeline.duplicates.outcome import Duplicates, read_duplicates, read_stands, stands_for
from pipeline.output import Job
from pipeline.recipe import Bounds, Recipe

BATCH_ROWS = 10_000
Cutoffs = Mapping[str, "Cutoff"]
NO_CUTOFFS: Cutoffs = MappingProxyType({})
VERDICTS = ("kept", "filtered", "duplicate", "error")
PARTITIONS = ("train", "validation")

LEDGER_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("verdict", pa.dictionary(pa.int8(), pa.string())),
        ("failed", pa.list_(pa.string())),
        ("reason", pa.string()),
        ("value", pa.float64()),
        ("threshold", pa.float64()),
        ("duplicate_of", pa.string()),
        ("cluster_size", pa.uint32()),
        ("n_removed", pa.uint32()),
        ("partition", pa.dictionary(pa.int8(), pa.string())),
        ("n_tokens", pa.uint32()),
        ("evidence", pa.string()),
    ]
)


@dataclass(frozen=True)
class Cutoff:
    """Where the share of the corpus ends that a rule keeps.

    Args:
        value: The last value that is kept.
        tie: Of documents with that value, those with a hash of the id up to this one are kept.
    """

    value: float
    tie: int


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


def rules_of(recipe: Recipe, cutoffs: Cutoffs = NO_CUTOFFS) -> list[tuple[str, Rule]]:
    """Returns each active filter's name with each of its active rules, in recipe order.

    A rule that keeps a share of the corpus has its cutoff as its bound, where that is known.
    """
    table = []
    for name in recipe.filters.names:
        for rule in recipe.filters.rules(name):
            if cutoff := cutoffs.get(f"{name}.{rule.signal}"):
                bounds = (None, cutoff.value) if _keeps_low(name, rule) else (cutoff.value, None)
                rule = dataclasses.replace(rule, strict=False, minimum=bounds[0], maximum=bounds[1])
            table.append((name, rule))
    return table


def _keeps_low(name: str, rule: Rule) -> bool:
    """Tells which end the published rule keeps."""
    return any(r.keeps_low for r in FILTERS[name].RULES if r.signal == rule.signal)


def judge(documents: pa.RecordBatch, recipe: Recipe, cutoffs: Cutoffs = NO_CUTOFFS) -> Judgement:
    """Compares stored signals with the recipe's rules.

    Args:
        documents: Rows of documents/ with `id`, `language` and, if the recipe has filters,
            `signals`.
        recipe: Gives rules and bounds.
        cutoffs: Those known; a rule that keeps a share whose cutoff is not known drops nothing.
    """
    rules = rules_of(recipe, cutoffs)
    values = np.full((len(documents), len(rules)), np.nan)
    thresholds = np.full((len(documents), len(rules)), np.nan)
    for column, (name, rule) in enumerate(rules):
        field = pc.struct_field(documents["signals"], [name, rule.signal])
        values[:, column] = field.to_numpy(zero_copy_only=False)
        thresholds[:, column] = thresholds_failed(rule, values[:, column])
        bounds = recipe.filters.bounds(name, rule.signal) or Bounds()
        for language in bounds.languages:
            rows = np.flatnonzero(_equal(documents["language"], language))
            there = bounds.of(rule, language)
            thresholds[rows, column] = thresholds_failed(there, values[rows, column])
        if cutoff := cutoffs.get(f"{name}.{rule.signal}"):
            tied = np.flatnonzero(values[:, column] == cutoff.value)
            late = tied[id_hashes(documents["id"].take(pa.array(tied))) > np.uint64(cutoff.tie)]
            thresholds[late, column] = cutoff.value
    names = [f"{name}.{rule.signal}" for name, rule in rules]
    return Judgement(names, ~np.isnan(thresholds), values, thresholds)


def id_hashes(ids: pa.Array) -> NDArray[np.uint64]:
    """Returns uint64[n], by which documents with the value of a cutoff are ordered."""
    hashes = [hashlib.blake2b(i.encode(), digest_size=8).digest() for i in ids.to_pylist()]
    return np.frombuffer(b"".join(hashes), "<u8")


def _equal(column: pa.Array, value: str) -> NDArray[np.bool_]:
    equal = pc.fill_null(pc.equal(column, value), False)
    return np.asarray(equal.to_numpy(zero_copy_only=False), dtype=bool)


def known_cutoffs(job: Job) -> Cutoffs:
    """Returns the cutoffs that `pipeline.cutoffs` found; none if the recipe has no such rule."""
    if not job.recipe.filters.keeps():
        return NO_CUTOFFS
    stored = job.summaries("cutoffs")[0]["cutoffs"]
    return {rule: Cutoff(**values) for rule, values in stored.items()}


def judged_batches(
    job: Job, part: int, cutoffs: Cutoffs | None = None, more: Iterable[str] = ()
) -> Iterator[tuple[pa.RecordBatch, Judgement]]:
    """Yields a part of documents/ without its text, batch by batch, and what the rules say.

    Args:
        job: The run.
        part: The part.
        cutoffs: As for `judge`; those of the run if not given.
        more: Further columns of documents/ to read.
    """
    cutoffs = known_cutoffs(job) if cutoffs is None else cutoffs
    wanted = ["id", "source", "n_bytes", "language"]
    wanted += [*more, *(["signals"] if job.recipe.filters.names else [])]
    with storage.open_binary(job.output.part("documents", part, ".parquet")) as source:
        for batch in pq.ParquetFile(source).iter_batches(BATCH_ROWS, columns=wanted):
            yield batch, judge(batch, job.recipe, cutoffs)


def error_ids(job: Job, part: int) -> pa.Array:
    """Returns the ids of a part's documents that could not be read or measured."""
    with storage.open_binary(job.output.part("errors", part, ".parquet")) as source:
        return pq.read_table(source, columns=["id"])["id"].combine_chunks()


def is_in(ids: pa.Array, some: pa.Array) -> NDArray[np.bool_]:
    """Returns bool[n]: which ids are among some."""
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
    duplicates, stands = read_duplicates(job, part), read_stands(job, part)
    remains = read_remains(job, part)
    place = duplicates["row"].to_numpy()
    start, counts = 0, Counter[tuple[str, str]]()
    kept_bytes = 0
    with (
        storage.atomic(job.output.part("work/verdicts", part, ".arrow")) as sink,
        pa.ipc.new_file(sink, LEDGER_SCHEMA) as writer,
    ):
        for documents, judgement in judged_batches(job, part):
            first, last = np.searchsorted(place, [start, start + len(documents)])
            removed = removed_bytes(remains, start, len(documents))
            table = verdict_table(
                documents,
                judgement,
                is_in(documents["id"], errors),
                Duplicates.of(duplicates.slice(first, last - first), start),
                stands_for(stands, start, len(documents)),
                job.recipe,
                removed,
            )
            writer.write_table(table)
            verdicts = table["verdict"].to_pylist()
            counts.update(zip(documents["source"].to_pylist(), verdicts, strict=True))
            kept = np.array([verdict == "kept" for verdict in verdicts], dtype=bool)
            kept_bytes += int((documents["n_bytes"].to_numpy() - removed)[kept].sum())
            start += len(documents)
    summary: dict[str, Any] = {
        "documents": start,
        "kept_bytes": kept_bytes,
        "verdicts": [[*key, count] for key, count in sorted(counts.items())],
    }
    job.output.commit("bin", part, fingerprint, summary)
    return summary


def verdict_table(
    documents: pa.RecordBatch,
    judgement: Judgement,
    errors: NDArray[np.bool_],
    duplicates: Duplicates,
    stands: NDArray[np.uint32],
    recipe: Recipe,
    removed: NDArray[np.uint32],
) -> pa.Table:
    """Returns the ledger of n documents; every document gets exactly one verdict.

    An error comes before a filter's verdict, and a filter's before a duplicate's.

    Args:
        documents: Rows of documents/, as `judged_batches` gives them.
        judgement: The rules' results.
        errors: bool[n].
        duplicates: Those that another one stands for.
        stands: uint32[n]: for how many documents each one stands if it is kept.
        recipe: Gives seed, validation share and the duplicates' threshold.
        removed: uint32[n]: the bytes that each one loses if it is kept.
    """
    ids, n = documents["id"], len(documents)
    filtered = ~judgement.passed & ~errors
    duplicate = np.zeros(n, dtype=bool)
    reasons = np.full(n, None, dtype=object)
    values, thresholds = np.full(n, np.nan), np.full(n, np.nan)
    duplicate_of = np.full(n, None, dtype=object)

    rows = duplicates.rows
    duplicate[rows] = True
    reasons[rows] = duplicates.reasons
    values[rows] = duplicates.values
    thresholds[rows] = [_threshold(recipe, reason) for reason in duplicates.reasons]
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
        "value": pa.array(values, mask=~dropped | np.isnan(values)),
        "threshold": pa.array(thresholds, mask=~dropped | np.isnan(thresholds)),
        "duplicate_of": pa.array(duplicate_of, pa.string()),
        "cluster_size": pa.array(stands, mask=~kept),
        "n_removed": pa.array(removed, mask=~kept),
        "partition": pa.DictionaryArray.from_arrays(partition, list(PARTITIONS)),
        "n_tokens": pa.nulls(n, pa.uint32()),
        "evidence": _evidence(documents, reasons, filtered),
    }
    return pa.table(columns, schema=LEDGER_SCHEMA)


def _threshold(recipe: Recipe, reason: str) -> float:
    """Returns what the value of a duplicate is compared with."""
    dedup = recipe.dedup
    if dedup and dedup.minhash and reason == "dedup.minhash":
        return dedup.minhash.threshold
    if dedup and dedup.passages and reason == "dedup.passages":
        return dedup.passages.min_words
    return 1.0 if reason == "dedup.exact" else np.nan


def _evidence(
    documents: pa.RecordBatch, reasons: NDArray[np.object_], filtered: NDArray[np.bool_]
) -> pa.Array:
    """Returns string[n]: what the filter that dropped a document names, such as a list's entry."""
    evidence = np.full(len(documents), None, dtype=object)
    rows = np.flatnonzero(filtered)
    filters = np.array([reasons[row].split(".")[0] for row in rows], dtype=object)
    for name in set(filters):
        if hasattr(FILTERS[name], "EVIDENCE"):
            named = pc.struct_field(documents["signals"], [name, "evidence"])
            mine = rows[filters == name]
            evidence[mine] = named.take(pa.array(mine)).to_pylist()
    return pa.array(evidence, pa.string())


def _failed_names(judgement: Judgement) -> pa.ListArray:
    """Returns list<string>[n]: the names of the rules that each document failed."""
    counts = judgement.failed.sum(axis=1)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    names = np.array(judgement.rules, dtype=object)[np.nonzero(judgement.failed)[1]]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(names, pa.string()))
