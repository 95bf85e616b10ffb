"""Match: from stored signatures to candidate pairs, exact similarities and survivors.

A document is known by its key, `part << 32 | row`. Only hashes and keys go through a shuffle; the
shingle sets of documents in a candidate pair go through files, work/sketches/.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dedup.candidates import candidate_pairs, group_exact, unique_pairs
from dedup.jaccard import jaccard_pairs
from dedup.minhash import band_hashes
from dedup.shingles import shingle_hashes
from pipeline import storage
from pipeline.output import Job
from pipeline.verdicts import matchable

BAND_PACKS = 64
EXACT_PACKS = 16
PAIR_PACKS = 16
PAIRS_AT_ONCE = 2_000

Keys = NDArray[np.uint64]
Keyed = Iterator[tuple[int, bytes]]

_BAND = np.dtype([("hash", "<u8"), ("document", "<u8"), ("rank", "<u8"), ("digest", "<u8")])
_EXACT = np.dtype([("digest", "V16"), ("document", "<u8"), ("rank", "<u8")])
_PAIR = np.dtype([("a", "<u8"), ("b", "<u8")])


def hash_packs(job: Job, part: int) -> Keyed:
    """Yields packs of a part's hashes, keyed by a share of the hash.

    Packs below BAND_PACKS hold band hashes, those above digests of whole texts. Nothing is
    yielded if the match stage was finished before.
    """
    if job.output.committed("match", 0, job.fingerprint("match")):
        return
    dedup = job.recipe.dedup
    assert dedup is not None
    with storage.open_binary(job.output.part("work/signatures", part, ".arrow")) as source:
        table = pa.ipc.open_file(source).read_all()
    rows = np.flatnonzero(matchable(job, part))
    if not len(rows):
        return
    table = table.take(pa.array(rows)).combine_chunks()
    documents = np.uint64(part << 32) | rows.astype(np.uint64)
    ranks = table["rank"].to_numpy()
    digests = np.frombuffer(b"".join(table["digest"].to_pylist()), "V16")
    if dedup.exact:
        exact = np.empty(len(rows), _EXACT)
        exact["digest"], exact["document"], exact["rank"] = digests, documents, ranks
        for pack, members in _split(exact, digests.view("<u8")[::2], EXACT_PACKS):
            yield BAND_PACKS + pack, members
    if dedup.minhash:
        column = table["signature"].combine_chunks()
        signed = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
        width = dedup.minhash.bands * dedup.minhash.rows
        signatures = column.drop_null().flatten().to_numpy().reshape(-1, width)
        hashes = band_hashes(signatures, dedup.minhash.bands, dedup.minhash.rows)
        bands = np.empty(hashes.shape, _BAND)
        bands["hash"] = hashes
        bands["document"] = documents[signed, None]
        bands["rank"] = ranks[signed, None]
        bands["digest"] = digests.view("<u8")[::2][signed, None]
        for pack, members in _split(bands.ravel(), hashes.ravel(), BAND_PACKS):
            yield pack, members


def _split(records: NDArray[Any], hashes: Keys, packs: int) -> Keyed:
    """Yields the records of each pack, chosen by the hash's high bits."""
    pack = (hashes >> np.uint64(40)) % np.uint64(packs)
    order = np.argsort(pack, kind="stable")
    bounds = np.searchsorted(pack[order], np.arange(packs + 1))
    for number in range(packs):
        members = order[bounds[number] : bounds[number + 1]]
        if len(members):
            yield number, records[members].tobytes()


def match_pack(job: Job, pack: int, chunks: Iterable[bytes]) -> Keyed:
    """Turns one pack of hashes into pairs, keyed by a share of the document of higher rank.

    Yields:
        Keys below PAIR_PACKS with pairs to compare; keys from there with exact duplicates, the
        kept document first.
    """
    data = b"".join(chunks)
    dedup = job.recipe.dedup
    assert dedup is not None
    if pack >= BAND_PACKS:
        exact = np.frombuffer(data, _EXACT)
        member, leader = group_exact(exact["digest"], exact["document"], _ranks(exact))
        yield from _keyed_pairs(np.column_stack([leader, member]), PAIR_PACKS)
        return
    band = np.frombuffer(data, _BAND)
    if dedup.exact:
        band = _one_of_each_text(band)
    found = candidate_pairs(band["hash"], band["document"], _ranks(band))
    job.output.commit(
        "candidates",
        pack,
        job.fingerprint("match"),
        {"uncompared": found.uncompared, "large_groups": found.large_groups},
    )
    yield from _keyed_pairs(found.pairs, 0)


def _ranks(members: NDArray[Any]) -> Keys:
    """Numbers the documents of a pack by rank, equal ranks by place, so that none are equal."""
    order = np.lexsort((~members["document"], members["rank"]))
    documents = members["document"][order]
    changes = np.ones(len(order), np.uint64)
    changes[1:] = documents[1:] != documents[:-1]
    ranks = np.empty(len(order), np.uint64)
    ranks[order] = np.cumsum(changes, dtype=np.uint64)
    return ranks


def _one_of_each_text(band: NDArray[Any]) -> NDArray[Any]:
    """Keeps, of equal texts in a bucket, the document of highest rank.

    Equal texts share every band, so this is the same document in all buckets: the one that
    `group_exact` lets stand for the others.
    """
    order = np.lexsort((band["document"], ~band["rank"], band["digest"], band["hash"]))
    ordered = band[order]
    first = np.ones(len(ordered), dtype=bool)
    same = ordered[["hash", "digest"]]
    first[1:] = same[1:] != same[:-1]
    return ordered[first]


def _keyed_pairs(pairs: Keys, offset: int) -> Keyed:
    for pack, members in _split(
        np.ascontiguousarray(pairs, "<u8").view(_PAIR).ravel(),
        pairs[:, 0] << np.uint64(40),
        PAIR_PACKS,
    ):
        yield offset + pack, members


def distinct_pairs(chunks: Iterable[bytes]) -> Keys:
    """Returns the pairs of one pack, uint64[k, 2], each once and in ascending order."""
    return unique_pairs(np.frombuffer(b"".join(chunks), "<u8").reshape(-1, 2))


def documents_in(pairs: Keys) -> Keyed:
    """Yields, for each part, the rows of its documents that are in a pair."""
    keys = np.unique(pairs)
    parts = (keys >> np.uint64(32)).astype(np.int64)
    for part in np.unique(parts):
        yield int(part), (keys[parts == part] & np.uint64(2**32 - 1)).astype("<u4").tobytes()


def write_sketches(job: Job, part: int, chunks: Iterable[bytes]) -> int:
    """Writes the shingle sets of some of a part's documents to work/sketches/.

    Returns:
        The part's number.
    """
    assert job.recipe.dedup is not None
    assert job.recipe.dedup.minhash is not None
    size = job.recipe.dedup.minhash.shingle
    rows = np.unique(np.frombuffer(b"".join(chunks), "<u4")).astype(np.int64)
    schema = pa.schema(
        [("row", pa.uint32()), ("id", pa.string()), ("shingles", pa.large_list(pa.uint64()))]
    )
    with (
        storage.open_binary(job.output.part("documents", part, ".parquet")) as source,
        storage.atomic(job.output.part("work/sketches", part, ".arrow")) as sink,
        pa.ipc.new_file(sink, schema) as writer,
    ):
        file = pq.ParquetFile(source)
        start = 0
        for group in range(file.num_row_groups):
            end = start + file.metadata.row_group(group).num_rows
            wanted = rows[(rows >= start) & (rows < end)]
            if len(wanted):
                table = file.read_row_group(group, columns=["id", "text"]).take(wanted - start)
                sets = [shingle_hashes(text.as_py(), size) for text in table["text"]]
                ends = np.cumsum([0, *map(len, sets)])
                shingles = pa.LargeListArray.from_arrays(ends, np.concatenate(sets))
                ids = table["id"].combine_chunks()
                row_numbers = pa.array(wanted.astype(np.uint32))
                writer.write_batch(pa.record_batch([row_numbers, ids, shingles], schema=schema))
            start = end
    return part


def verify(job: Job, pack: int, pairs: Keys) -> int:
    """Writes the exact Jaccard of every pair of one pack to pairs/ and work/pairs/.

    Args:
        job: The run; work/sketches/ must hold every document of the pairs.
        pack: The pack's number.
        pairs: uint64[k, 2], distinct, as `distinct_pairs` returns them.

    Returns:
        How many pairs there were.
    """
    sketches = _Sketches(job)
    jaccards = np.concatenate(
        [np.empty(0)]
        + [
            sketches.compare(pairs[at : at + PAIRS_AT_ONCE])
            for at in range(0, len(pairs), PAIRS_AT_ONCE)
        ]
    )
    a, b = sketches.ids(pairs[:, 0]), sketches.ids(pairs[:, 1])
    public = pa.table({"a": a, "b": b, "jaccard": jaccards}).sort_by(
        [("a", "ascending"), ("b", "ascending")]
    )
    with storage.atomic(job.output.part("pairs", pack, ".parquet")) as sink:
        pq.write_table(public, sink, compression="zstd")
    numbers = pa.table({"a": pairs[:, 0], "b": pairs[:, 1], "jaccard": jaccards})
    write_arrow(job.output.part("work/pairs", pack, ".arrow"), numbers)
    return len(pairs)


class _Sketches:
    """Shingle sets and ids of documents by key, each part's file opened once."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.parts: dict[int, tuple[NDArray[np.uint32], pa.Table]] = {}

    def _part(self, part: int) -> tuple[NDArray[np.uint32], pa.Table]:
        if part not in self.parts:
            table = read_arrow(self.job.output.part("work/sketches", part, ".arrow"))
            self.parts[part] = table["row"].to_numpy(), table
        return self.parts[part]

    def compare(self, pairs: Keys) -> NDArray[np.float64]:
        keys, numbers = np.unique(pairs, return_inverse=True)
        sets = [np.empty(0, np.uint64)]
        for part, rows in _by_part(keys):
            known, table = self._part(part)
            taken = table["shingles"].take(np.searchsorted(known, rows))
            sets.extend(entry.values.to_numpy() for entry in taken)
        offsets = np.cumsum([len(values) for values in sets])
        return jaccard_pairs(np.concatenate(sets), offsets, numbers.reshape(-1, 2))

    def ids(self, keys: Keys) -> pa.Array:
        distinct, numbers = np.unique(keys, return_inverse=True)
        ids = [pa.array([], pa.string())]
        for part, rows in _by_part(distinct):
            known, table = self._part(part)
            ids.extend(table["id"].take(np.searchsorted(known, rows)).chunks)
        return pa.concat_arrays(ids).take(numbers)


def _by_part(keys: Keys) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yields the rows of ascending keys, part by part."""
    parts = (keys >> np.uint64(32)).astype(np.int64)
    rows = (keys & np.uint64(2**32 - 1)).astype(np.int64)
    for part in np.unique(parts):
        yield int(part), rows[parts == part]


def write_exact(job: Job, pack: int, chunks: Iterable[bytes]) -> int:
    """Writes one pack of exact duplicates, (kept, dropped), to work/exact/."""
    pairs = distinct_pairs(chunks)
    table = pa.table({"a": pairs[:, 0], "b": pairs[:, 1]})
    write_arrow(job.output.part("work/exact", pack, ".arrow"), table)
    return pack


def write_arrow(url: str, table: pa.Table) -> None:
    """Writes a table as an Arrow IPC file."""
    with storage.atomic(url) as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def read_arrow(url: str) -> pa.Table:
    """Reads an Arrow IPC file, mapped into memory where the file is local."""
    if storage.is_local(url):
        return pa.ipc.open_file(pa.memory_map(str(storage.local_path(url)))).read_all()
    with storage.open_binary(url) as source:
        return pa.ipc.open_file(source).read_all()
