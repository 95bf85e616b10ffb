"""Decisions become rows: who stands for whom, at which similarity, and for how many.

Each duplicate knows the document that it repeats by URL or text, or is similar to. That one may be
a duplicate itself: a text equal to one that is dropped as similar to a third is similar to the
third as well. So duplicates are followed to the document that is kept; there they are counted and
named.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dedup.survivors import DECISION
from pipeline import storage
from pipeline.arrow_files import from_bytes, read_arrow, to_bytes, write_arrow
from pipeline.duplicates.compare import comparisons
from pipeline.duplicates.exact import repeats
from pipeline.duplicates.outcome import SURVIVORS_SCHEMA
from pipeline.duplicates.packs import (
    Keyed,
    Keys,
    by_part,
    distinct,
    keys_of,
    parts_of,
    rows_of,
    split,
)
from pipeline.duplicates.priority import dedup_of
from pipeline.output import Job
from pipeline.verdicts import id_hashes

PACKS = 16
PART_PACKS = 64  # in which duplicates reach their parts: one for each would be parts squared
REASONS = ("dedup.url", "dedup.exact", "dedup.minhash")
_URL, _EXACT, _NEAR = range(3)

_LINK = np.dtype([("dropped", "<u8"), ("kept", "<u8"), ("jaccard", "<f8"), ("reason", "u1")])
# Of one document's many duplicates the ids together can have more bytes than a string column holds.
_NAMED_SCHEMA = SURVIVORS_SCHEMA.set(0, pa.field("document", pa.uint64())).set(
    1, pa.field("kept_id", pa.large_string())
)
CLUSTERS_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("kept_id", pa.string()),
        ("jaccard", pa.float64()),
        ("cluster_size", pa.uint32()),
        ("reason", pa.string()),
    ]
)
# Documents with one id can have the same evidence, and equal values of a shuffle are taken once.
_EVIDENCE_SCHEMA = CLUSTERS_SCHEMA.append(pa.field("document", pa.uint64()))


def write_near(job: Job, part: int, chunks: Iterable[bytes]) -> int:
    """Writes work/near/ of one part: rows of near-duplicates and the keys of who stands for them.

    Returns:
        The part's number.
    """
    records = np.frombuffer(b"".join(chunks), DECISION)
    records = records[np.argsort(records["dropped"])]
    table = pa.table(
        {
            "row": rows_of(records["dropped"]),
            "kept": records["kept"],
            "jaccard": records["jaccard"],
        }
    )
    write_arrow(job.output.part("work/near", part, ".arrow"), table)
    return part


def _links(job: Job, part: int) -> NDArray[Any]:
    """Returns a part's duplicates, by ascending key: what each one repeats or is similar to."""
    if part >= job.n_parts:  # documents that are matched against are kept
        return np.empty(0, _LINK)
    found = []
    url, exact = repeats(job, part, ["url"]), repeats(job, part, ["exact"])
    found.append(_made(_URL, part, url["row"], url["kept"], np.nan))
    found.append(_made(_EXACT, part, exact["row"], exact["kept"], 1.0))
    if dedup_of(job).minhash:
        near = read_arrow(job.output.part("work/near", part, ".arrow"))
        row, kept, jaccard = (near[name].to_numpy() for name in ("row", "kept", "jaccard"))
        found.append(_made(_NEAR, part, row, kept, jaccard))
    links = np.concatenate(found)
    return links[np.argsort(links["dropped"])]


def _made(reason: int, part: int, rows: Any, kept: Any, jaccard: Any) -> NDArray[Any]:
    links = np.empty(len(rows), _LINK)
    links["dropped"], links["kept"] = keys_of(part, rows), kept
    links["jaccard"], links["reason"] = jaccard, reason
    return links


def start(job: Job, part: int) -> Keyed:
    """Yields a part's duplicates, in packs by the part of what each one repeats."""
    yield from _keyed(_links(job, part))


def _keyed(links: NDArray[Any]) -> Keyed:
    for pack, places in _packs(links["kept"]):
        yield pack, links[places].tobytes()


def _packs(keys: Keys) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yields packs of parts, with the places in `keys` of their documents."""
    packs = parts_of(keys) % PART_PACKS
    for pack in distinct(packs).tolist():
        yield pack, np.flatnonzero(packs == pack)


def follow(job: Job, _: int, chunks: Iterable[bytes]) -> Keyed:
    """Passes on the duplicates of documents that are duplicates themselves."""
    links = np.frombuffer(b"".join(chunks), _LINK)
    followed = [_followed(job, part, links[places]) for part, places in by_part(links["kept"])]
    yield from _keyed(np.concatenate(followed))


def _followed(job: Job, part: int, links: NDArray[Any]) -> NDArray[Any]:
    """Returns duplicates of documents of one part, as duplicates of what these repeat."""
    known = _links(job, part)
    if len(known):
        place = np.minimum(np.searchsorted(known["dropped"], links["kept"]), len(known) - 1)
        passed = known["dropped"][place] == links["kept"]
        onward = known[place]
        near = passed & (links["reason"] == _EXACT) & (onward["reason"] == _NEAR)
        links["jaccard"][near], links["reason"][near] = onward["jaccard"][near], _NEAR
        links["kept"][passed] = onward["kept"][passed]
    return links


def name_kept(job: Job, pack: int, chunks: Iterable[bytes]) -> Keyed:
    """Counts for how many documents each one stands, and writes work/stands/ of a pack of parts.

    Yields:
        Rows of work/survivors/, in packs by the part of the duplicates.
    """
    links = np.frombuffer(b"".join(chunks), _LINK)
    mine, none = dict(by_part(links["kept"])), np.empty(0, np.int64)
    parts = range(pack, job.n_parts + job.reference_parts, PART_PACKS)
    tables = [_named(job, part, links[mine.get(part, none)]) for part in parts]
    named = pa.concat_tables([_NAMED_SCHEMA.empty_table(), *tables])
    for where, places in _packs(named["document"].to_numpy()):
        yield where, to_bytes(named.take(places))


def _named(job: Job, part: int, links: NDArray[Any]) -> pa.Table:
    """Writes work/stands/ of one part, and returns the duplicates of its documents."""
    keys, which, sizes = np.unique(links["kept"], return_inverse=True, return_counts=True)
    sizes = (sizes + 1).astype(np.uint32)
    table = pa.table({"row": rows_of(keys), "cluster_size": sizes})
    write_arrow(job.output.part("work/stands", part, ".arrow"), table)
    if not len(links):
        return _NAMED_SCHEMA.empty_table()
    with storage.open_binary(job.documents(part)) as source:
        ids = pq.read_table(source, columns=["id"])["id"].cast(pa.large_string())
    ids = ids.take(rows_of(keys)).combine_chunks()
    return pa.table(
        {
            "document": links["dropped"],
            "kept_id": ids.take(which),
            "jaccard": pa.array(links["jaccard"], from_pandas=True),  # NaN becomes null
            "reason": pa.array(np.array(REASONS, dtype=object)[links["reason"]], pa.string()),
            "cluster_size": sizes[which],
        },
        schema=_NAMED_SCHEMA,
    )


def write_survivors(job: Job, pack: int, chunks: Iterable[bytes]) -> Keyed:
    """Writes work/survivors/ of a pack of parts, the duplicates in the order of their rows.

    Yields:
        Rows of clusters/, in packs by the hash of the kept document's id.
    """
    table = from_bytes(chunks, _NAMED_SCHEMA).sort_by("document").combine_chunks()
    mine, none = dict(by_part(table["document"].to_numpy())), np.empty(0, np.int64)
    parts = range(pack, job.n_parts, PART_PACKS)
    tables = [_survivors(job, part, table.take(mine.get(part, none))) for part in parts]
    rows = pa.concat_tables([_EVIDENCE_SCHEMA.empty_table(), *tables])
    kept = rows["kept_id"].combine_chunks().dictionary_encode()
    hashes = id_hashes(kept.dictionary)[kept.indices.to_numpy()]
    for number, members in split(hashes, PACKS):
        yield number, to_bytes(rows.take(members))


def _survivors(job: Job, part: int, named: pa.Table) -> pa.Table:
    """Writes work/survivors/ of one part, and returns its rows of clusters/."""
    rows = pa.array(rows_of(named["document"].to_numpy()))
    table = named.set_column(0, "row", rows).cast(SURVIVORS_SCHEMA)
    write_arrow(job.output.part("work/survivors", part, ".arrow"), table)
    if not len(table):
        return _EVIDENCE_SCHEMA.empty_table()
    with storage.open_binary(job.documents(part)) as source:
        ids = pq.read_table(source, columns=["id"])["id"].take(rows)
    evidence = table.append_column("id", ids).append_column("document", named["document"])
    return evidence.select(_EVIDENCE_SCHEMA.names)


def write_clusters(job: Job, pack: int, chunks: Iterable[bytes]) -> int:
    """Writes one file of clusters/, sorted by the ids, so that it does not depend on files.

    Returns:
        How many clusters it has.
    """
    table = from_bytes(chunks, _EVIDENCE_SCHEMA).select(CLUSTERS_SCHEMA.names)
    table = table.sort_by([(name, "ascending") for name in ("kept_id", "id", "jaccard", "reason")])
    with storage.atomic(job.output.part("clusters", pack, ".parquet")) as sink:
        pq.write_table(table, sink, compression="zstd")
    return len(table["kept_id"].unique())


def finish(job: Job, clusters: int, cut: dict[str, int] | None = None) -> None:
    """Marks the match stage as finished, with what the report says of it."""
    counts = dict.fromkeys(REASONS, 0)
    for part in range(job.n_parts):
        table = read_arrow(job.output.part("work/survivors", part, ".arrow"))
        for count in table["reason"].value_counts().to_pylist():
            counts[count["values"]] += count["counts"]
    summary = {
        **(comparisons(job) or dict.fromkeys(("pairs", "large_buckets", "uncompared"), 0)),
        "url_duplicates": counts["dedup.url"],
        "exact_duplicates": counts["dedup.exact"],
        "near_duplicates": counts["dedup.minhash"],
        "clusters": clusters,
        "passages": cut,
    }
    job.output.commit("match", 0, job.fingerprint("match"), summary)
