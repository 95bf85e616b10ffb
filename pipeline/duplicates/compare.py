"""Comparison: the exact Jaccard of every candidate pair, also of those that are too different.

`work/pairs/` holds the pairs by the documents' keys, `pairs/` by their ids.
"""

from collections.abc import Generator, Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dedup.candidates import (
    Numbers,
    Similar,
    leader_pairs,
    led_by,
    replacement_pairs,
    unique_pairs,
)
from dedup.survivors import find
from pipeline import storage
from pipeline.arrow_files import read_arrow
from pipeline.duplicates.bands import (
    BUCKET_PACKS,
    PAIR_PACKS,
    pair_packs,
    read_buckets,
    write_buckets,
)
from pipeline.duplicates.packs import Keyed, Keys, by_part, distinct, rows_of, split
from pipeline.duplicates.priority import dedup_of
from pipeline.duplicates.settings import MinHash
from pipeline.duplicates.sketches import Sets, Sketches
from pipeline.output import Job

PAIRS_AT_ONCE = 1_000_000
PASSES = 5  # the pairs of small buckets, then four times the leaders of large ones
REST_UP_TO = 1 << 10  # documents of a bucket, similar to no leader, of which all pairs are compared
REPLACEMENTS = 1 << 15  # pairs of a kept and a dropped document in a large bucket
ROWS_AT_ONCE = 1 << 16  # of a file of pairs/; ids have up to 4,096 characters, a column 2 GB

_PAIRS_SCHEMA = pa.schema([("a", pa.uint64()), ("b", pa.uint64()), ("jaccard", pa.float64())])
_PUBLIC_SCHEMA = pa.schema([("a", pa.string()), ("b", pa.string()), ("jaccard", pa.float64())])


def leaders_of_buckets(job: Job, pack: int, again: int) -> Keyed:
    """Yields packs of the pairs to compare in large buckets.

    Only documents that are kept so far are compared: what stands for the others is settled. Writes
    the buckets again, with the number of pairs that are left out now.

    Args:
        job: The run.
        pack: The buckets' pack.
        again: The pass, 1 or more.
    """
    minhash = dedup_of(job).minhash
    assert minhash is not None
    before = read_buckets(job, again - 1, pack)
    buckets = [documents.values.to_numpy() for documents in before["documents"]]
    if not buckets:
        write_buckets(job, again, pack, [], [])
        return
    sketches = Sketches(job)
    known = distinct(np.concatenate(buckets))
    known = known[np.argsort(~sketches.ranks(known))]
    dropped = _dropped(job, known)
    order, sets = np.argsort(known), sketches.sets(known)
    left_out = []

    def compared() -> Iterator[Numbers]:
        for bucket in buckets:
            places, _ = find(known[order], bucket)
            numbers = np.sort(order[places])
            left_out.append((yield from _led(sets, numbers, dropped[numbers], minhash)))

    for pairs in _many_at_once(compared()):
        yield from pair_packs(job, known[pairs])
    write_buckets(job, again, pack, buckets, left_out)


def _led(
    sets: Sets, bucket: Numbers, dropped: NDArray[np.bool_], minhash: MinHash
) -> Generator[Numbers, None, int]:
    """Yields the pairs to compare in a bucket, some at a time; returns how many are left out.

    Args:
        sets: The shingle sets of all documents.
        bucket: int64[n], numbers of documents, in order of priority and ascending.
        dropped: bool[n], for which of them another one stands so far.
        minhash: Says who is similar, and how many lead.
    """

    def similar_in(members: Numbers) -> Similar:
        mine = sets.some(members)

        def similar(leader: int, others: Numbers) -> NDArray[np.bool_]:
            pairs = np.searchsorted(members, led_by(leader, others))
            return np.asarray(mine.jaccards(pairs) >= minhash.threshold)

        return similar

    kept = bucket[~dropped]
    left_out = yield from leader_pairs(kept, similar_in(kept), minhash.leaders, REST_UP_TO)
    yield from replacement_pairs(kept, bucket[dropped], similar_in(bucket), REPLACEMENTS)
    return left_out


def _many_at_once(blocks: Iterable[Numbers]) -> Iterator[Keys]:
    """Yields pairs many at a time; those of several bands that come together count once."""
    held, count = [np.empty((0, 2), np.uint64)], 0
    for block in blocks:
        held.append(block.astype(np.uint64))
        count += len(block)
        if count > PAIRS_AT_ONCE:
            held = [unique_pairs(np.concatenate(held))]
            count = len(held[0])
            if count > PAIRS_AT_ONCE // 2:
                yield held[0]
                held, count = [], 0
    yield unique_pairs(np.concatenate([np.empty((0, 2), np.uint64), *held]))


def _dropped(job: Job, keys: Keys) -> NDArray[np.bool_]:
    """Returns bool[n]: for which documents another one stands, as chosen so far."""
    dropped = np.zeros(len(keys), dtype=bool)
    for part, places in by_part(keys):
        if part < job.n_parts:
            near = read_arrow(job.output.part("work/near", part, ".arrow"))
            _, dropped[places] = find(near["row"].to_numpy(), rows_of(keys[places]))
    return dropped


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
        count
        for pack in range(BUCKET_PACKS)
        for count in read_buckets(job, PASSES - 1, pack)["left_out"].to_pylist()
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
