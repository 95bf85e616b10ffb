"""Sketches: the shingle sets of the documents that are compared, in files beside the documents."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dedup.jaccard import copy_sets, jaccard_pairs
from dedup.shingles import shingle_hashes
from pipeline import storage
from pipeline.arrow_files import read_buffer
from pipeline.duplicates.packs import Keys, by_part, distinct, rows_of
from pipeline.duplicates.priority import dedup_of, ranks, read_order
from pipeline.output import Job

SHINGLES_AT_ONCE = 4_000_000  # 8 bytes each

_SCHEMA = pa.schema(
    [
        ("row", pa.uint32()),
        ("id", pa.string()),
        ("priority", pa.binary()),
        ("scope", pa.uint64()),
        ("shingles", pa.large_list(pa.uint64())),
    ]
)


def write_sketches(job: Job, part: int, chunks: Iterable[bytes]) -> int:
    """Writes work/sketches/ of one part: the shingle sets of some of its documents.

    Args:
        job: The run.
        part: The part.
        chunks: Rows, uint32, in any order; a row may occur more than once.

    Returns:
        The part's number.
    """
    minhash = dedup_of(job).minhash
    assert minhash is not None
    rows = np.unique(np.frombuffer(b"".join(chunks), "<u4")).astype(np.int64)
    order = read_order(job, part)
    with (
        storage.open_binary(job.documents(part)) as source,
        storage.atomic(job.output.part("work/sketches", part, ".arrow")) as sink,
        pa.ipc.new_file(sink, _SCHEMA) as writer,
    ):
        file = pq.ParquetFile(source)
        start = 0
        for group in range(file.num_row_groups):
            end = start + file.metadata.row_group(group).num_rows
            wanted = rows[(rows >= start) & (rows < end)]
            if len(wanted):
                table = file.read_row_group(group, columns=["id", "text"]).take(wanted - start)
                texts = table["text"].to_pylist()
                sets = [shingle_hashes(text, minhash.shingle, minhash.unit) for text in texts]
                ends = np.cumsum([0, *map(len, sets)])
                mine = order.take(wanted)
                columns = [
                    pa.array(wanted.astype(np.uint32)),
                    table["id"].combine_chunks(),
                    mine["priority"].combine_chunks(),
                    mine["scope"].combine_chunks(),
                    pa.LargeListArray.from_arrays(ends, np.concatenate(sets)),
                ]
                writer.write_batch(pa.record_batch(columns, schema=_SCHEMA))
            start = end
    return part


class _Part(NamedTuple):
    """The sketches of one part, mapped into memory.

    Attributes:
        rows: uint32[n], ascending.
        table: The file.
        values: uint64[], the whole file.
        starts: int64[n], where in it the shingles of each document begin.
        ends: int64[n], where they end.
    """

    rows: NDArray[np.uint32]
    table: pa.Table
    values: NDArray[np.uint64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]


class Sketches:
    """Reads sketches of documents by their keys, each part's file opened once."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._parts: dict[int, _Part] = {}

    def _part(self, part: int) -> _Part:
        if part not in self._parts:
            data = read_buffer(self._job.output.part("work/sketches", part, ".arrow"))
            table = pa.ipc.open_file(pa.BufferReader(data)).read_all()
            bounds = [np.empty((2, 0), np.int64)]
            for lists in table["shingles"].chunks:
                values = lists.values.buffers()[1]
                first = (values.address - data.address) // 8 if values else 0
                offsets = lists.offsets.to_numpy() + first
                bounds.append(np.stack([offsets[:-1], offsets[1:]]))
            starts, ends = np.concatenate(bounds, axis=1)
            shingles = np.frombuffer(data, "<u8", data.size // 8)
            self._parts[part] = _Part(table["row"].to_numpy(), table, shingles, starts, ends)
        return self._parts[part]

    def take(self, keys: Keys, column: str) -> pa.Array:
        """Returns one column's values for n documents, in the order of their keys."""
        found, places = [], [np.empty(0, np.int64)]
        for number, mine in by_part(keys):
            part = self._part(number)
            found.extend(part.table[column].take(_find(part, keys[mine])).chunks)
            places.append(mine)
        back = np.empty(len(keys), np.int64)
        back[np.concatenate(places)] = np.arange(len(keys))
        return pa.concat_arrays(found or [pa.array([], _SCHEMA.field(column).type)]).take(back)

    def ranks(self, keys: Keys) -> NDArray[np.uint64]:
        """Returns uint64[n], the ranks of n different documents among themselves."""
        return ranks(self.take(keys, "priority"), keys)

    def sets(self, keys: Keys) -> "Sets":
        """Returns the shingle sets of n documents, numbered in the order of their keys."""
        starts, ends = np.empty((2, len(keys)), np.int64)
        for number, mine in by_part(keys):
            part = self._part(number)
            rows = _find(part, keys[mine])
            starts[mine], ends[mine] = part.starts[rows], part.ends[rows]
        return Sets(self, keys, starts, ends)

    def copied(
        self, keys: Keys, starts: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Returns shingle sets as `dedup.jaccard.jaccard_pairs` wants them: values and offsets."""
        offsets = np.append(0, np.cumsum(ends - starts))
        values = np.empty(offsets[-1], np.uint64)
        for number, mine in by_part(keys):
            copy_sets(self._part(number).values, starts[mine], ends[mine], offsets[mine], values)
        return values, offsets


class Sets:
    """Shingle sets of some documents; so many at once in memory that their size is bounded."""

    def __init__(
        self, sketches: Sketches, keys: Keys, starts: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> None:
        self._sketches = sketches
        self._keys, self._starts, self._ends = keys, starts, ends
        small = (ends - starts).sum() <= SHINGLES_AT_ONCE
        self._all = sketches.copied(keys, starts, ends) if small else None

    def jaccards(self, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        """Returns float64[k], the exact Jaccard of k pairs of documents, given by their numbers."""
        if self._all:
            return jaccard_pairs(*self._all, pairs)
        read = np.cumsum((self._ends - self._starts)[pairs].sum(axis=1))
        blocks = np.split(pairs, np.flatnonzero(np.diff(read // SHINGLES_AT_ONCE)) + 1)
        return np.concatenate([self._some(block) for block in blocks])

    def _some(self, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        chosen = distinct(pairs)
        some = (values[chosen] for values in (self._keys, self._starts, self._ends))
        return jaccard_pairs(*self._sketches.copied(*some), np.searchsorted(chosen, pairs))


def _find(part: _Part, keys: Keys) -> NDArray[np.intp]:
    return np.searchsorted(part.rows, rows_of(keys))
