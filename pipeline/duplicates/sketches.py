"""Sketches: the shingle sets of the documents that are compared, in files beside the documents."""

from collections.abc import Iterable
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dedup.jaccard import jaccard_pairs
from dedup.shingles import shingle_hashes
from pipeline import storage
from pipeline.arrow_files import read_buffer
from pipeline.duplicates.packs import Keys, by_part, distinct, parts_of, rows_of
from pipeline.duplicates.priority import dedup_of, ranks, read_order
from pipeline.output import Job

SHINGLES_AT_ONCE = 4_000_000  # 8 bytes each

_SCHEMA = pa.schema(
    [
        ("row", pa.uint32()),
        ("id", pa.large_string()),
        ("priority", pa.large_binary()),
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
                    table["id"].combine_chunks().cast(_SCHEMA.field("id").type),
                    mine["priority"].combine_chunks().cast(_SCHEMA.field("priority").type),
                    mine["scope"].combine_chunks(),
                    pa.LargeListArray.from_arrays(ends, np.concatenate(sets)),
                ]
                writer.write_batch(pa.record_batch(columns, schema=_SCHEMA))
            start = end
    return part


class _Part:
    """The sketches of one part, mapped into memory.

    Attributes:
        rows: uint32[n], ascending.
        table: The file.
        values: uint64[], all of the file, in which the shingles lie.
    """

    def __init__(self, url: str) -> None:
        self._data = read_buffer(url)
        self.table = pa.ipc.open_file(pa.BufferReader(self._data)).read_all()
        self.rows: NDArray[np.uint32] = self.table["row"].to_numpy()
        self.values: NDArray[np.uint64] = np.frombuffer(self._data, "<u8", self._data.size // 8)

    @cached_property
    def bounds(self) -> NDArray[np.int64]:
        """int64[2, n], where in `values` the shingles of each document begin and end."""
        bounds = [np.empty((2, 0), np.int64)]
        for lists in self.table["shingles"].chunks:
            values = lists.values.buffers()[1]
            first = (values.address - self._data.address) // 8 if values else 0
            offsets = lists.offsets.to_numpy() + first
            bounds.append(np.stack([offsets[:-1], offsets[1:]]))
        return np.concatenate(bounds, axis=1)

    def find(self, keys: Keys) -> NDArray[np.intp]:
        """Returns where the part's documents with these keys are."""
        return np.searchsorted(self.rows, rows_of(keys))


class Sketches:
    """Reads sketches of documents by their keys, each part's file opened once."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._parts: dict[int, _Part] = {}

    def _part(self, part: int) -> _Part:
        if part not in self._parts:
            self._parts[part] = _Part(self._job.output.part("work/sketches", part, ".arrow"))
        return self._parts[part]

    def take(self, keys: Keys, column: str) -> pa.Array:
        """Returns one column's values for n documents, in the order of their keys."""
        found, places = [], [np.empty(0, np.int64)]
        for number, mine in by_part(keys):
            part = self._part(number)
            found.extend(part.table[column].take(part.find(keys[mine])).chunks)
            places.append(mine)
        back = np.empty(len(keys), np.int64)
        back[np.concatenate(places)] = np.arange(len(keys))
        return pa.concat_arrays(found or [pa.array([], _SCHEMA.field(column).type)]).take(back)

    def ranks(self, keys: Keys) -> NDArray[np.uint64]:
        """Returns uint64[n], the ranks of n different documents among themselves."""
        return ranks(self.take(keys, "priority"), keys)

    def sets(self, keys: Keys) -> "Sets":
        """Returns the shingle sets of n documents, numbered in the order of their keys."""
        bounds = np.empty((2, len(keys)), np.int64)
        files = {}
        for number, mine in by_part(keys):
            part = self._part(number)
            bounds[:, mine] = part.bounds[:, part.find(keys[mine])]
            files[number] = part.values
        return Sets(files, keys, bounds)


class Sets:
    """Shingle sets of some documents.

    Args:
        files: For each part, uint64[], in which its sets lie.
        keys: uint64[n], the documents.
        bounds: int64[2, n], where each set begins and ends.
    """

    def __init__(
        self, files: dict[int, NDArray[np.uint64]], keys: Keys, bounds: NDArray[np.int64]
    ) -> None:
        self._files, self._keys, self._bounds = files, keys, bounds
        self._sizes = bounds[1] - bounds[0]

    def some(self, numbers: NDArray[np.int64]) -> "Sets":
        """Returns the sets of some of the documents."""
        return Sets(self._files, self._keys[numbers], self._bounds[:, numbers])

    def jaccards(self, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        """Returns float64[k], the exact Jaccard of k pairs of documents, given by their numbers.

        So many sets at once are in memory that their size is bounded.
        """
        if self._sizes.sum() <= SHINGLES_AT_ONCE:
            return jaccard_pairs(*self._copied, pairs)
        read = np.cumsum(self._sizes[pairs].sum(axis=1))
        blocks = np.split(pairs, np.flatnonzero(np.diff(read // SHINGLES_AT_ONCE)) + 1)
        found = []
        for block in blocks:
            chosen = distinct(block)
            numbers = np.searchsorted(chosen, block)
            found.append(jaccard_pairs(*self.some(chosen)._copied, numbers))
        return np.concatenate(found)

    @cached_property
    def _copied(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """The sets, one after another, and their offsets."""
        places = zip(parts_of(self._keys).tolist(), *self._bounds.tolist(), strict=True)
        sets = [self._files[part][start:end] for part, start, end in places]
        return np.concatenate([np.empty(0, np.uint64), *sets]), np.append(0, self._sizes.cumsum())
