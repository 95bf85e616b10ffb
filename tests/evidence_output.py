"""Small finished outputs with duplicates, written by hand, whose evidence is known."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dedup.jaccard import jaccard
from dedup.shingles import shingle_hashes
from pipeline.output import FORMAT_VERSION

MINHASH = {"unit": "words", "shingle": 5, "threshold": 0.8, "leaders": 16}
DEDUP: dict[str, Any] = {
    "over": "kept",
    "against": None,
    "url": True,
    "exact": "spaces",
    "minhash": MINHASH,
    "passages": None,
    "alarm": 0.5,
}
CLUSTERS = pa.schema(
    [
        ("id", pa.string()),
        ("kept_id", pa.string()),
        ("jaccard", pa.float64()),
        ("cluster_size", pa.uint32()),
        ("reason", pa.string()),
    ]
)
PAIRS = pa.schema([("a", pa.string()), ("b", pa.string()), ("jaccard", pa.float64())])


@dataclass(frozen=True)
class Document:
    """A document and what became of it; `reason` without "dedup." if it is a duplicate."""

    id: str
    text: str
    source: str = "web"
    url: str | None = None
    duplicate_of: str | None = None
    reason: str | None = None
    snapshot: str | None = None


def similarity(one: str, other: str) -> float:
    """Returns the exact Jaccard similarity of two texts."""
    return jaccard(shingle_hashes(one, 5), shingle_hashes(other, 5))


def write_output(
    root: Path, documents: list[Document], against: Path | None = None, texts: Any = ()
) -> Path:
    """Writes documents/, ledger/, clusters/, pairs/ and a manifest, all of it true.

    Args:
        root: Where.
        documents: In two parts, with two rows in a group, and an empty third one.
        against: The output that other kept documents are in.
        texts: Their texts by id.
    """
    by_id = {**dict(texts), **{document.id: document.text for document in documents}}
    sizes = Counter(d.duplicate_of for d in documents if d.duplicate_of)
    values = {
        d.id: {"url": None, "exact": 1.0}.get(
            d.reason or "", similarity(d.text, by_id[d.duplicate_of or d.id])
        )
        for d in documents
    }
    for part, rows in enumerate((documents[::2], documents[1::2], [])):
        _write(root, "documents", part, [_row(d) for d in rows], TEXTS)
        _write(root, "ledger", part, [_verdict(d, values[d.id], sizes) for d in rows], LEDGER)
    clusters = [
        {
            "id": d.id,
            "kept_id": d.duplicate_of,
            "jaccard": values[d.id],
            "cluster_size": sizes[d.duplicate_of] + 1,
            "reason": f"dedup.{d.reason}",
        }
        for d in sorted(documents, key=lambda d: (d.duplicate_of or "", d.id))
        if d.duplicate_of
    ]
    half = [row for row in clusters if row["kept_id"] < "m"]
    _write(root, "clusters", 0, half, CLUSTERS)
    _write(root, "clusters", 1, clusters[len(half) :], CLUSTERS)
    _write(root, "clusters", 2, [], CLUSTERS)
    pairs = [
        {"a": min(ends), "b": max(ends), "jaccard": found}
        for n, one in enumerate(documents)
        for other in documents[n + 1 :]
        if 0.2 < (found := similarity(one.text, other.text)) < 1
        for ends in [(one.id, other.id)]
    ]
    _write(root, "pairs", 0, pairs, PAIRS)
    dedup = {**DEDUP, "against": str(against) if against else None}
    manifest = {
        "format_version": FORMAT_VERSION,
        "parts": 3,
        "cutoffs": {},
        "recipe": {"dedup": dedup, "filters": {}},
    }
    (root / "manifest.json").write_text(json.dumps(manifest))
    return root


TEXTS = pa.schema(
    [
        ("id", pa.string()),
        ("url", pa.string()),
        ("source", pa.string()),
        ("snapshot", pa.string()),
        ("text", pa.large_string()),
        ("n_bytes", pa.uint32()),
        ("language", pa.string()),
    ]
)
LEDGER = pa.schema(
    [
        ("id", pa.string()),
        ("verdict", pa.dictionary(pa.int8(), pa.string())),
        ("failed", pa.list_(pa.string())),
        ("reason", pa.string()),
        ("value", pa.float64()),
        ("threshold", pa.float64()),
        ("duplicate_of", pa.string()),
        ("cluster_size", pa.uint32()),
        ("partition", pa.string()),
        ("n_tokens", pa.uint32()),
        ("evidence", pa.string()),
    ]
)


def _row(document: Document) -> dict[str, Any]:
    return {
        "id": document.id,
        "url": document.url,
        "source": document.source,
        "snapshot": document.snapshot,
        "text": document.text,
        "n_bytes": len(document.text.encode()),
        "language": "en",
    }


def _verdict(document: Document, value: float | None, sizes: Counter[str]) -> dict[str, Any]:
    kept = document.duplicate_of is None
    return {
        "id": document.id,
        "verdict": "kept" if kept else "duplicate",
        "failed": [],
        "reason": None if kept else f"dedup.{document.reason}",
        "value": None if kept else value,
        "threshold": {"exact": 1.0, "minhash": 0.8}.get(document.reason or ""),
        "duplicate_of": document.duplicate_of,
        "cluster_size": sizes[document.id] + 1 if kept else None,
        "partition": "train" if kept else None,
        "n_tokens": 9 if kept else None,
    }


def _write(
    root: Path, folder: str, part: int, rows: list[dict[str, Any]], schema: pa.Schema
) -> None:
    path = root / folder / f"part-{part:05d}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema), path, row_group_size=2)
