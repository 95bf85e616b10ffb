"""Comparison: the exact Jaccard of every candidate pair, also of those that are too different.

`work/pairs/` holds the pairs by the documents' keys, `pairs/` by their ids.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dedup.survivors import find
from pipeline import storage
from pipeline.arrow_files import read_arrow
from pipeline.duplicates.bands import BUCKET_PACKS, PAIR_PACKS
from pipeline.duplicates.candidates import read_buckets
from pipeline.duplicates.packs import Keys, distinct, split
from pipeline.duplicates.sketches import Sketches
from pipeline.output import Job

PAIRS_AT_ONCE = 1_000_000
PASSES = 5  # the pairs of small buckets, then four times the leaders of large ones
ROWS_AT_ONCE = 1 << 16  # of a file of pairs/; ids have up to 4,096 characters, a column 2 GB

_PAIRS_SCHEMA = pa.schema([("a", pa.uint64()), ("b", pa.uint64()), ("jaccard", pa.float64())])
_PUBLIC_SCHEMA = pa.schema([("a", pa.string()), ("b", pa.string()), ("jaccard", pa.float64())])


def compare(job: Job, pack: int, pairs: Keys, again: int = 0) -> int:
    """Writes one pack of pairs with their exact Jaccard to work/pairs/.

    Pairs of documents of different scopes, which only share a shortened hash, are left out.

    Args:
        job: The run; work/sketches/ must hold every document of the pairs.
        pack: The pack's number, below PAIR_PACKS.
        pairs: uint64[k, 2], distinct.
        again: The pass; pairs that were compared in an earlier one are left out.

    Returns:
        How many pairs were compared.
    """
    sketches = Sketches(job)
    for earlier in range(again):
        pairs = _without(pairs, read_pairs(job, earlier, pack))
    keys = distinct(pairs)
    sets, scopes = sketches.sets(keys), sketches.take(keys, "scope").to_numpy()
    names, hashes = _names(sketches, keys), _id_hashes(sketches, keys)
    count = 0
    with (
        storage.atomic(_pairs_file(job, again, pack)) as sink,
        pa.ipc.new_file(sink, _PAIRS_SCHEMA) as writer,
    ):
        for start in range(0, len(pairs), PAIRS_AT_ONCE):
            numbers = np.searchsorted(keys, pairs[start : start + PAIRS_AT_ONCE])
            a, b = numbers[scopes[numbers[:, 0]] == scopes[numbers[:, 1]]].T
            jaccards = sets.jaccards(np.column_stack([a, b]))
            packs = dict(split(hashes[np.where(names[a] < names[b], a, b)], PAIR_PACKS))
            for number in range(PAIR_PACKS):  # one batch for each file of pairs/
                mine = packs.get(number, np.empty(0, np.int64))
                columns = [keys[a[mine]], keys[b[mine]], jaccards[mine]]
                writer.write_batch(pa.record_batch(columns, schema=_PAIRS_SCHEMA))
            count += len(a)
    return count


def _pairs_file(job: Job, again: int, pack: int) -> str:
    return job.output.part("work/pairs", again * PAIR_PACKS + pack, ".arrow")


def read_pairs(job: Job, again: int, pack: int) -> pa.Table:
    """Reads the pairs that one pass compared in one pack."""
    return read_arrow(_pairs_file(job, again, pack))


def _without(pairs: Keys, known: pa.Table) -> Keys:
    """Returns those of some pairs, distinct and ascending, that are not among the known ones."""
    keys = distinct(pairs)
    numbers = np.searchsorted(keys, pairs)
    codes = numbers[:, 0] * len(keys) + numbers[:, 1]
    new = np.ones(len(pairs), dtype=bool)
    for batch in known.to_batches():
        (a, a_is_there), (b, b_is_there) = (find(keys, batch[end].to_numpy()) for end in "ab")
        places, found = find(codes, (a * len(keys) + b)[a_is_there & b_is_there])
        new[places[found]] = False
    return pairs[new]


def _names(sketches: Sketches, keys: Keys) -> NDArray[np.uint64]:
    """Returns uint64[n], the places of the documents' ids in the order of ids."""
    ids = sketches.take(keys, "id")
    return np.asarray(pc.rank(ids, tiebreaker="dense").to_numpy())


def _id_hashes(sketches: Sketches, keys: Keys) -> NDArray[np.uint64]:
    """Returns uint64[n], the hashes of the ids, with which every priority ends."""
    ends = pc.binary_slice(sketches.take(keys, "priority"), -8)
    return np.frombuffer(ends.buffers()[2] or b"", ">u8").astype(np.uint64)


def publish_pairs(job: Job, pack: int) -> int:
    """Writes one file of pairs/: a, b, jaccard, by the ids, so that it does not depend on files.

    Returns:
        How many pairs it has.
    """
    tables = [_published(job, number, pack) for number in range(PASSES * PAIR_PACKS)]
    table = pa.concat_tables(tables)
    a, b, jaccards = (column.to_numpy() for column in table.columns)
    keys = distinct(np.concatenate([a, b]))
    sketches = Sketches(job)
    ids, names = sketches.take(keys, "id"), _names(sketches, keys)
    numbers = np.stack([np.searchsorted(keys, a), np.searchsorted(keys, b)])
    by_name = names[numbers]
    numbers = np.where(by_name[0] > by_name[1], numbers[::-1], numbers)
    by_name.sort(axis=0)
    order = np.lexsort((jaccards, by_name[1], by_name[0]))
    with (
        storage.atomic(job.output.part("pairs", pack, ".parquet")) as sink,
        pq.ParquetWriter(sink, _PUBLIC_SCHEMA, compression="zstd") as writer,
    ):
        for start in range(0, len(order), ROWS_AT_ONCE):
            mine = order[start : start + ROWS_AT_ONCE]
            first, second = (ids.take(end[mine]).cast(pa.string()) for end in numbers)
            writer.write_table(pa.table([first, second, jaccards[mine]], schema=_PUBLIC_SCHEMA))
    return len(order)


def _published(job: Job, number: int, pack: int) -> pa.Table:
    """Returns those pairs of a file of work/pairs/ that belong into one file of pairs/."""
    with storage.open_binary(job.output.part("work/pairs", number, ".arrow")) as source:
        file = pa.ipc.open_file(source)
        batches = range(pack, file.num_record_batches, PAIR_PACKS)
        return pa.Table.from_batches(map(file.get_batch, batches), _PAIRS_SCHEMA)


def finish(job: Job) -> None:
    """Marks the comparisons as finished."""
    pairs = 0
    for pack in range(PAIR_PACKS):
        with storage.open_binary(job.output.part("pairs", pack, ".parquet")) as source:
            pairs += pq.read_metadata(source).num_rows
    left_out = [
        bucket.left_out
        for pack in range(BUCKET_PACKS)
        for bucket in read_buckets(job, PASSES - 1, pack)
    ]
    summary = {"pairs": pairs, "large_buckets": len(left_out), "uncompared": sum(left_out)}
    job.output.commit("compare", 0, job.fingerprint("compare"), summary)


def comparisons(job: Job) -> dict[str, int] | None:
    """Returns how much was compared; None if it is not finished or compares nothing."""
    done = job.output.committed("compare", 0, job.fingerprint("compare"))
    return done and {key: value for key, value in done.items() if key != "fingerprint"}


def can_choose_anew(job: Job) -> bool:
    """Tells whether only the choice is left, since all pairs were compared for another threshold.

    In a large bucket the threshold decides who is compared, so then they were not.
    """
    done = comparisons(job)
    return done is not None and not done["large_buckets"]
