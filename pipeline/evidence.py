"""Whether what an output says of its duplicates is so: the evidence checked, and made again.

Pairs of equal and of similar texts are compared anew, as many as fit a bound of memory; which ones
is decided by hash of the id. A duplicate by URL is not: between it and the kept document there can
be others, so their URLs need not be equal, nor their texts alike.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dedup.digests import exact_digest
from dedup.passages import split_units, stands_in
from dedup.shingles import shingle_hashes
from pipeline import storage
from pipeline.errors import UserError
from pipeline.lookup import documents
from pipeline.visible import visible

MOST_PAIRS = 20_000  # that are compared again
MOST_BYTES = 100_000_000  # of their texts
MOST_NAMED = 5  # of the problems of one kind
COMPARED = ("dedup.exact", "dedup.minhash")
_KEYS = ["id", "kept_id", "reason", "value"]
Pair = tuple[str, str, Any, Any]


@dataclass
class Evidence:
    """What was checked of an output's duplicates.

    Attributes:
        problems: What is not so, in words.
        duplicates: How many the ledger has.
        compared: How many are equal or similar, so that they can be compared again.
        again: How many were.
        passages: How many passages were cut out of documents.
        found_again: How many of them were looked for in the documents that keep them.
        unreachable: The output that was matched against, if it cannot be read.
    """

    problems: list[str] = field(default_factory=list)
    duplicates: int = 0
    compared: int = 0
    again: int = 0
    passages: int = 0
    found_again: int = 0
    unreachable: str = ""

    def told(self) -> str:
        """Returns what was checked, for the terminal."""
        if not self.duplicates and not self.passages:
            return "no duplicates"
        told = (
            f"{self.duplicates:,} duplicates, each of a kept document and with its evidence in "
            f"clusters/; {self.again:,} of {self.compared:,} pairs of texts compared again"
        )
        if self.passages:
            told += (
                f"\n{self.found_again:,} of {self.passages:,} repeated passages found again in "
                "the documents that keep them"
            )
        if self.unreachable:
            told += (
                f"\n{self.unreachable}, which was matched against, cannot be read: not looked at"
            )
        return told

    def refuse(self, wrong: Iterable[str]) -> None:
        """Takes down problems of one kind: the first ones, and how many there are."""
        named = [visible(problem) for problem in wrong]
        self.problems += named[:MOST_NAMED]
        if len(named) > MOST_NAMED:
            self.problems.append(f"and {len(named) - MOST_NAMED:,} more such")


def shared_shingles(settings: dict[str, Any], one: str, other: str) -> dict[str, Any]:
    """Returns how many shingles two texts share, and their exact Jaccard similarity.

    Args:
        settings: The recipe's `dedup.minhash`.
        one: A text.
        other: Another.
    """
    a, b = (shingle_hashes(text, settings["shingle"], settings["unit"]) for text in (one, other))
    both = len(np.intersect1d(a, b, assume_unique=True))
    either = len(a) + len(b) - both
    return {"both": both, "either": either, "jaccard": both / either if either else 0.0}


def check_evidence(root: str, settings: dict[str, Any]) -> Evidence:
    """Checks every duplicate of an output, in memory of all of its duplicates' ids.

    Args:
        root: The output; documents/ and ledger/ must be whole.
        settings: The recipe's `dedup`.
    """
    found = Evidence()
    duplicates, sizes = _ledger(root)
    found.duplicates = len(duplicates)
    clusters = _tables(root, "clusters", ["id", "kept_id", "reason", "jaccard", "cluster_size"])
    clusters = clusters.rename_columns(["id", "kept_id", "reason", "value", "cluster_size"])
    _check_rows(duplicates, clusters, settings["over"] == "all", found)
    _check_sizes(sizes, clusters, found)
    _check_values(duplicates, found)
    _check_kept(root, duplicates, settings["against"], found)
    if not found.problems:
        _compare_again(root, duplicates, settings, found)
    if settings["passages"] and not found.problems:
        _find_passages(root, settings, found)
    return found


def _tables(root: str, folder: str, columns: list[str]) -> pa.Table:
    tables = []
    for file in storage.list_files(f"{root}/{folder}"):
        with storage.open_binary(file.url) as source:
            tables.append(pq.read_table(source, columns=columns))
    return pa.concat_tables(tables)


def _ledger(root: str) -> tuple[pa.Table, pa.Table]:
    """Returns the ledger's duplicates, and the kept documents that stand for others."""
    columns = ["id", "duplicate_of", "reason", "value", "threshold", "cluster_size"]
    duplicates, sizes = [], []
    for file in storage.list_files(f"{root}/ledger"):
        with storage.open_binary(file.url) as source:
            table = pq.read_table(source, columns=columns)
        duplicates.append(table.filter(pc.is_valid(table["duplicate_of"])))
        several = table.filter(pc.greater(table["cluster_size"], 1))
        sizes.append(several.select(["id", "cluster_size"]))
    renamed = ["id", "kept_id", "reason", "value", "threshold", "cluster_size"]
    return pa.concat_tables(duplicates).rename_columns(renamed), pa.concat_tables(sizes)


def _check_rows(duplicates: pa.Table, clusters: pa.Table, over_all: bool, found: Evidence) -> None:
    """Checks that the ledger and clusters/ say the same of every duplicate.

    If all documents are matched, clusters/ also has those that a filter drops.
    """
    matched = duplicates.filter(pc.not_equal(duplicates["reason"], "dedup.passages"))
    order = [(key, "ascending") for key in _KEYS]
    one, other = (table.select(_KEYS).sort_by(order) for table in (matched, clusters))
    if one.equals(other):
        return
    said, shown = (Counter(map(tuple, _rows(table))) for table in (one, other))
    found.refuse(
        f"the ledger has {row[0]} as a duplicate of {row[1]} by {row[2]}, value {row[3]}: "
        "not so in clusters/"
        for row in (said - shown)
    )
    found.refuse(
        f"clusters/ has {row[0]} as a duplicate of {row[1]} by {row[2]}, Jaccard {row[3]}: "
        "not so in the ledger"
        for row in ({} if over_all else shown - said)
    )


def _rows(table: pa.Table) -> Iterable[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


def _check_sizes(sizes: pa.Table, clusters: pa.Table, found: Evidence) -> None:
    """Checks cluster_size; ids need not be unique, so two clusters of one size count as one."""
    groups = clusters.group_by(["kept_id", "cluster_size"]).aggregate([([], "count_all")])
    known: dict[tuple[str, int], int] = {}
    for kept_id, size, count in _rows(groups):
        if size < 2 or count % (size - 1):
            found.refuse(
                [f"clusters/ has {count:,} duplicates of {kept_id}, not {size:,} less one"]
            )
        known[kept_id, size] = count
    found.refuse(
        f"the ledger says that {kept_id} stands for {size:,} documents, clusters/ does not"
        for kept_id, size in _rows(sizes)
        if (kept_id, size) not in known
    )


def _check_values(duplicates: pa.Table, found: Evidence) -> None:
    """Checks every value against its threshold."""
    reached = pc.greater_equal(duplicates["value"], duplicates["threshold"])
    by_reason = {
        "dedup.url": pc.is_null(duplicates["value"]),
        "dedup.exact": pc.equal(duplicates["value"], 1.0),
        "dedup.minhash": reached,
        "dedup.passages": pc.invert(reached),
    }
    right = pc.is_in(duplicates["reason"], value_set=pa.array([]).cast(pa.string()))
    for reason, good in by_reason.items():
        mine = pc.equal(duplicates["reason"], reason)
        right = pc.or_(right, pc.and_(mine, pc.fill_null(good, False)))
    wrong = duplicates.filter(pc.invert(right)).select([*_KEYS, "threshold"])
    found.refuse(
        f"{identifier} is a duplicate of {kept_id} by {reason}, but its value is {value} and the "
        f"threshold {threshold}"
        for identifier, kept_id, reason, value, threshold in _rows(wrong)
    )


def _check_kept(root: str, duplicates: pa.Table, against: str | None, found: Evidence) -> None:
    """Checks that every document that stands for another one is kept.

    It may be dropped after that, where too little is left of it when repeated passages are cut.
    """
    missing = _not_standing(root, duplicates["kept_id"].unique())
    if against and len(missing):
        if not _readable(against):
            found.unreachable = against
            return
        missing = _not_standing(against.rstrip("/"), missing)
    wrong = duplicates.filter(pc.is_in(duplicates["kept_id"], value_set=missing))
    found.refuse(
        f"{identifier} is a duplicate of {kept_id}, which is not kept"
        for identifier, kept_id in _rows(wrong.select(["id", "kept_id"]))
    )


def _readable(root: str) -> bool:
    try:
        return storage.exists(f"{root.rstrip('/')}/manifest.json")
    except (UserError, OSError):
        return False


def _not_standing(root: str, ids: pa.Array) -> pa.Array:
    """Returns those ids that no document has that others can be duplicates of."""
    for file in storage.list_files(f"{root}/ledger"):
        with storage.open_binary(file.url) as source:
            table = pq.read_table(source, columns=["id", "verdict", "reason"])
        kept = pc.equal(table["verdict"].cast(pa.string()), "kept")
        cut = pc.fill_null(pc.equal(table["reason"], "dedup.passages"), False)
        standing = table["id"].filter(pc.or_(kept, cut))
        ids = ids.filter(pc.invert(pc.is_in(ids, value_set=standing)))
    return ids


def _compare_again(
    root: str, duplicates: pa.Table, settings: dict[str, Any], found: Evidence
) -> None:
    """Compares texts anew, and their equality or similarity with what the ledger has."""
    mine = duplicates.filter(pc.is_in(duplicates["reason"], value_set=pa.array(COMPARED)))
    found.compared = len(mine)
    readable = settings["against"] and not found.unreachable
    roots = [root, settings["against"].rstrip("/")] if readable else [root]
    pairs = _chosen(list(_rows(mine.select(_KEYS))), roots)
    texts_of = defaultdict(list)
    for story in _all(roots, pairs, ["id", "text"]):
        texts_of[story["id"]].append(story["text"])
    found.again = len(pairs)
    found.refuse(
        f"the Jaccard similarity of {identifier} and {kept_id} is not {value}: compared again"
        if reason == "dedup.minhash"
        else f"the texts of {identifier} and {kept_id} are not equal: compared again"
        for identifier, kept_id, reason, value in pairs
        # More than one document can have an id.
        if not any(
            shared_shingles(settings["minhash"], *texts)["jaccard"] == value
            if reason == "dedup.minhash"
            else len({exact_digest(text, settings["exact"]) for text in texts}) == 1
            for texts in product(texts_of[identifier], texts_of[kept_id])
        )
    )


def _find_passages(root: str, settings: dict[str, Any], found: Evidence) -> None:
    """Looks for what was cut out of documents in what is left of those that keep it."""
    rows = _tables(root, "passages", ["id", "kept_id", "start", "end"])
    found.passages = len(rows)
    readable = settings["against"] and not found.unreachable
    roots = [root, settings["against"].rstrip("/")] if readable else [root]
    chosen = _chosen(list(_rows(rows)), roots)
    found.found_again = len(chosen)
    unit = settings["passages"]["unit"]
    texts: dict[str, list[str]] = defaultdict(list)
    for story in _all(roots, chosen, ["id", "text"]):
        texts[story["id"]].append(story["text"])
    cuts: dict[str, list[tuple[int, int]]] = defaultdict(list)
    # An id that several texts have says not which of them was cut.
    alone = pa.array([name for name in texts if len(texts[name]) == 1], pa.string())
    for identifier, _, start, end in _rows(rows.filter(pc.is_in(rows["id"], value_set=alone))):
        cuts[identifier].append((start, end))
    units = {name: [split_units(text, unit) for text in texts[name]] for name in texts}
    found.refuse(
        f"characters {start} to {end} of {identifier} were cut, but do not stand in {kept_id}"
        for identifier, kept_id, start, end in chosen
        if not any(
            stands_in(split_units(text[start:end], unit).hashes, other, sorted(cuts[kept_id]))
            for text in texts[identifier]
            for other in units[kept_id]
            if len(split_units(text[start:end], unit))
        )
    )


def _chosen(pairs: list[Pair], roots: list[str]) -> list[Pair]:
    """Returns the pairs to compare, in the order of hashes, as many as fit into memory."""
    pairs = sorted(pairs, key=lambda pair: _hash(pair[0]))[:MOST_PAIRS]
    sizes: Counter[str] = Counter()
    for story in _all(roots, pairs, ["id", "n_bytes"]):
        sizes[story["id"]] += story["n_bytes"]
    chosen, total = [], 0
    held: set[str] = set()
    for pair in pairs:
        more = sum(sizes[name] for name in {*pair[:2]} - held)
        if total + more <= MOST_BYTES and all(name in sizes for name in pair[:2]):
            chosen.append(pair)
            held.update(pair[:2])
            total += more
    return chosen


def _hash(identifier: str) -> bytes:
    return hashlib.blake2b(identifier.encode(), digest_size=8).digest()


def _all(roots: list[str], pairs: list[Pair], columns: list[str]) -> Iterable[dict[str, Any]]:
    ids = {name for pair in pairs for name in pair[:2]}
    for root in roots:
        yield from documents(root, ids, columns)
