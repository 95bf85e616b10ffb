"""Sketches: the shingle sets of the documents that are compared, in files beside the documents."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dedup.jaccard import jaccard_pairs
from dedup.shingles import shingle_hashes
from pipeline import storage
from pipeline.arrow_files import read_arrow
from pipeline.duplicates.packs import Keys, by_part, rows_of
from pipeline.duplicates.priority import dedup_of, ranks, read_order
from pipeline.output import Job

PAIRS_AT_ONCE = 4_096

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


class Sketches:
    """Reads sketches of documents by their keys, each part's file opened once."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._parts: dict[int, tuple[NDArray[np.uint32], pa.Table]] = {}

    def take(self, keys: Keys, column: str) -> pa.Array:
        """Returns one column's values for n documents, in the order of their keys."""
        found, places = [], [np.empty(0, np.int64)]
        for part, mine in by_part(keys):
            if part not in self._parts:
                table = read_arrow(self._job.output.part("work/sketches", part, ".arrow"))
                self._parts[part] = table["row"].to_numpy(), table
            known, table = self._parts[part]
            found.extend(table[column].take(np.searchsorted(known, rows_of(keys[mine]))).chunks)
            places.append(mine)
        back = np.empty(len(keys), np.int64)
        back[np.concatenate(places)] = np.arange(len(keys))
        return pa.concat_arrays(found or [pa.array([], _SCHEMA.field(column).type)]).take(back)

    def ranks(self, keys: Keys) -> NDArray[np.uint64]:
        """Returns uint64[n], the ranks of n different documents among themselves."""
        return ranks(self.take(keys, "priority"), keys)

    def jaccards(self, pairs: Keys) -> NDArray[np.float64]:
        """Returns float64[k], the exact Jaccard of k pairs; a part of them at a time in memory."""
        blocks = [pairs[at : at + PAIRS_AT_ONCE] for at in range(0, len(pairs), PAIRS_AT_ONCE)]
        return np.concatenate([np.empty(0), *map(self._jaccards, blocks)])

    def _jaccards(self, pairs: Keys) -> NDArray[Any]:
        keys, numbers = np.unique(pairs, return_inverse=True)
        sets = self.take(keys, "shingles")
        offsets = sets.offsets.to_numpy()
        values = sets.values.to_numpy()[offsets[0] : offsets[-1]]
        return jaccard_pairs(values, offsets - offsets[0], numbers.reshape(-1, 2))
