"""Large buckets: who is compared in them, see `dedup.candidates.leader_pairs`."""

from collections.abc import Generator, Iterable, Iterator
from hashlib import blake2b

import numpy as np
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
from pipeline.arrow_files import read_arrow
from pipeline.duplicates.bands import pair_packs
from pipeline.duplicates.candidates import Bucket, read_buckets, write_buckets
from pipeline.duplicates.packs import Keyed, Keys, by_part, distinct, rows_of
from pipeline.duplicates.priority import dedup_of
from pipeline.duplicates.settings import MinHash
from pipeline.duplicates.sketches import Sets, Sketches
from pipeline.output import Job

REST_UP_TO = 1 << 10  # documents of a bucket, similar to no leader, of which all pairs are compared
REPLACEMENTS = 1 << 15  # pairs of a kept and a dropped document of a bucket, in each pass
PAIRS_AT_ONCE = 1_000_000


def leaders_of_buckets(job: Job, pack: int, again: int) -> Keyed:
    """Yields packs of the pairs to compare in large buckets.

    Only documents that are kept so far are compared: what stands for the others is settled. In a
    bucket that keeps the same documents as before, the same pairs would be compared again, so it
    has none. Writes the buckets as they are after this pass.

    Args:
        job: The run.
        pack: The buckets' pack.
        again: The pass, 1 or more.
    """
    minhash = dedup_of(job).minhash
    assert minhash is not None
    buckets = read_buckets(job, again - 1, pack)
    every = distinct(np.concatenate([np.empty(0, np.uint64), *(one.documents for one in buckets)]))
    stays = every[~_dropped(job, every)]
    kept = [_digest(bucket.documents[find(stays, bucket.documents)[1]]) for bucket in buckets]
    new = [n for n, bucket in enumerate(buckets) if bucket.kept != kept[n]]
    left_out = [bucket.left_out for bucket in buckets]
    if new:
        known, sets = _by_priority(job, [buckets[n].documents for n in new])
        dropped = ~find(stays, known)[1]

        def compared() -> Iterator[Numbers]:
            places = np.argsort(known)
            for n in new:
                found, _ = find(known[places], buckets[n].documents)
                numbers = np.sort(places[found])
                left_out[n] = yield from _led(sets, numbers, dropped[numbers], minhash)

        for pairs in _many_at_once(compared()):
            yield from pair_packs(job, known[pairs])
    documents = [bucket.documents for bucket in buckets]
    write_buckets(job, again, pack, map(Bucket, documents, left_out, kept))


def _digest(documents: Keys) -> bytes:
    return blake2b(documents.tobytes(), digest_size=16).digest()


def _by_priority(job: Job, lists: list[Keys]) -> tuple[Keys, Sets]:
    """Returns the documents of some lists in order of priority, and their shingle sets."""
    sketches = Sketches(job)
    known = distinct(np.concatenate(lists))
    known = known[np.argsort(~sketches.ranks(known))]
    return known, sketches.sets(known)


def _dropped(job: Job, keys: Keys) -> NDArray[np.bool_]:
    """Returns bool[n]: for which documents another one stands, as chosen so far."""
    dropped = np.zeros(len(keys), dtype=bool)
    for part, places in by_part(keys):
        if part < job.n_parts:
            near = read_arrow(job.output.part("work/near", part, ".arrow"))
            _, dropped[places] = find(near["row"].to_numpy(), rows_of(keys[places]))
    return dropped


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
