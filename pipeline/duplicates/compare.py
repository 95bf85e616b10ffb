"""Comparison: the exact Jaccard of every candidate pair, also of those that are too different.

`work/pairs/` holds the pairs by the documents' keys, `pairs/` by their ids.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dedup.candidates import leader_pairs
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
PASSES = 4  # the pairs of small buckets, then three times the leaders of large ones
REST_UP_TO = 1 << 10  # documents of a bucket, similar to no leader, of which all pairs are compared
REPLACEMENTS = 1 << 16  # pairs of a kept and a dropped document in a large bucket

_PAIRS_SCHEMA = pa.schema(
    [
        ("a", pa.uint64()),
        ("b", pa.uint64()),
        ("jaccard", pa.float64()),
        ("id_a", pa.string()),
        ("id_b", pa.string()),
    ]
)


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
    found, count = [np.empty((0, 2), np.uint64)], 0
    for bucket in buckets:
        places, _ = find(known[order], bucket)
        numbers = np.sort(order[places])
        kept = numbers[~dropped[numbers]]
        pairs, uncompared = _led(sets.some(kept), len(kept), minhash)
        left_out.append(uncompared)
        found += [known[kept[pairs]], known[numbers[_replacements(dropped[numbers])]]]
        count += len(found[-2]) + len(found[-1])
        if count > PAIRS_AT_ONCE:
            yield from pair_packs(job, np.concatenate(found))
            found, count = found[:1], 0
    yield from pair_packs(job, np.concatenate(found))
    write_buckets(job, again, pack, buckets, left_out)


def _led(sets: Sets, count: int, minhash: MinHash) -> tuple[NDArray[np.int64], int]:
    """Returns which pairs of documents, numbered by priority, are compared; how many are not."""

    def similar(leader: int, others: NDArray[np.int64]) -> NDArray[np.bool_]:
        pairs = np.column_stack([np.full(len(others), leader), others])
        return np.asarray(sets.jaccards(pairs) >= minhash.threshold)

    return leader_pairs(count, similar, minhash.leaders, REST_UP_TO)


def _replacements(dropped: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Returns the pairs of a kept document and a dropped one of lower priority.

    The one that a document was dropped for may itself be dropped in the next choice, for one that
    it met in another bucket. Then it is known which other kept document is similar to it.

    Args:
        dropped: bool[n], for the documents of a bucket in order of priority.

    Returns:
        int64[k, 2], places in the bucket; of the kept ones as many as give `REPLACEMENTS` pairs.
    """
    kept, lost = np.flatnonzero(~dropped), np.flatnonzero(dropped)
    kept = kept[: max(1, REPLACEMENTS // max(1, len(lost)))]
    one, other = (side.ravel() for side in np.meshgrid(kept, lost[:REPLACEMENTS]))
    return np.column_stack([one, other])[one < other]


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
    numbers = np.searchsorted(keys, pairs)
    scopes = sketches.take(keys, "scope").to_numpy()[numbers]
    same = scopes[:, 0] == scopes[:, 1]
    pairs, numbers = pairs[same], numbers[same]
    ids = sketches.take(keys, "id")
    id_a, id_b = ids.take(numbers[:, 0]), ids.take(numbers[:, 1])
    jaccards = sketches.sets(keys).jaccards(numbers)
    table = pa.table([pairs[:, 0], pairs[:, 1], jaccards, id_a, id_b], schema=_PAIRS_SCHEMA)
    hashes = _id_hashes(sketches, keys)[numbers]
    first = np.where(pc.less(id_a, id_b).to_numpy(zero_copy_only=False), hashes[:, 0], hashes[:, 1])
    packs = dict(split(first, PAIR_PACKS))
    none = np.empty(0, np.int64)
    with (
        storage.atomic(_pairs_file(job, again, pack)) as sink,
        pa.ipc.new_file(sink, _PAIRS_SCHEMA) as writer,
    ):
        for number in range(PAIR_PACKS):  # one batch for each file of pairs/
            mine = table.take(packs.get(number, none)).combine_chunks()
            writer.write_batch(
                pa.record_batch([c.combine_chunks() for c in mine.columns], schema=_PAIRS_SCHEMA)
            )
    return len(pairs)


def _pairs_file(job: Job, again: int, pack: int) -> str:
    return job.output.part("work/pairs", again * PAIR_PACKS + pack, ".arrow")


def read_pairs(job: Job, again: int, pack: int) -> pa.Table:
    """Reads the pairs that one pass compared in one pack."""
    return read_arrow(_pairs_file(job, again, pack))


def _without(pairs: Keys, known: pa.Table) -> Keys:
    """Returns those of some pairs that are not among the known ones."""
    both = np.concatenate([np.column_stack([known[name].to_numpy() for name in "ab"]), pairs])
    order = np.lexsort((both[:, 1], both[:, 0]))  # stable: of two equal ones the known one is first
    repeats = np.flatnonzero((both[order[1:]] == both[order[:-1]]).all(axis=1)) + 1
    new = np.ones(len(both), dtype=bool)
    new[order[repeats]] = False
    return pairs[new[len(known) :]]


def _id_hashes(sketches: Sketches, keys: Keys) -> NDArray[np.uint64]:
    """Returns uint64[n], the hashes of the ids, with which every priority ends."""
    ends = pc.binary_slice(sketches.take(keys, "priority"), -8)
    return np.frombuffer(b"".join(ends.to_pylist()), ">u8").astype(np.uint64)


def publish_pairs(job: Job, pack: int) -> int:
    """Writes one file of pairs/: a, b, jaccard, by the ids, so that it does not depend on files.

    Returns:
        How many pairs it has.
    """
    batches = []
    for number in range(PASSES * PAIR_PACKS):
        url = job.output.part("work/pairs", number, ".arrow")
        with storage.open_binary(url) as source:
            batches.append(pa.ipc.open_file(source).get_batch(pack))
    table = pa.Table.from_batches(batches)
    swap = pc.greater(table["id_a"], table["id_b"])
    public = pa.table(
        {
            "a": pc.if_else(swap, table["id_b"], table["id_a"]),
            "b": pc.if_else(swap, table["id_a"], table["id_b"]),
            "jaccard": table["jaccard"],
        }
    ).sort_by([(name, "ascending") for name in ("a", "b", "jaccard")])
    with storage.atomic(job.output.part("pairs", pack, ".parquet")) as sink:
        pq.write_table(public, sink, compression="zstd")
    return len(public)


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
