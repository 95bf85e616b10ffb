"""Candidates: documents that share a band of their signatures.

Band hashes go through a shuffle in packs, one or more for each band. In a pack an entry is 4 bytes
of the hash (others are the same for the whole pack) and 2 bytes of the row. So 20 bands take 120
bytes a document. With so short a hash a few documents meet by chance; the exact comparison tells.
"""

from collections.abc import Iterable

import numpy as np

from dedup.candidates import candidates, unique_pairs
from dedup.minhash import band_hashes
from pipeline.arrow_files import read_arrow
from pipeline.duplicates.exact import repeats
from pipeline.duplicates.packs import (
    Keyed,
    Keys,
    by_part,
    distinct,
    keys_of,
    packed,
    parts_of,
    rows_of,
    split,
    unpacked,
)
from pipeline.duplicates.priority import dedup_of, read_order
from pipeline.output import Job

PACKS = 320  # about; a power of two for each band
PAIR_PACKS = 16
BUCKET_PACKS = 16
CANDIDATE_PACKS = PAIR_PACKS + BUCKET_PACKS
ALL_PAIRS_UP_TO = 64

_HEADER = np.dtype([("part", "<u4"), ("block", "<u4"), ("entries", "<u4")])
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio
_BLOCK = 1 << 16  # rows that 2 bytes tell apart


def packs_of_band(bands: int) -> int:
    """Returns into how many packs each band is divided."""
    return 1 << max(0, (PACKS // bands).bit_length() - 1)


def band_packs(job: Job, part: int) -> Keyed:
    """Yields packs of the band hashes of a part's documents that no other one stands for yet."""
    minhash = dedup_of(job).minhash
    assert minhash is not None
    order = read_order(job, part)
    table = read_arrow(job.output.part("work/signatures", part, ".arrow"))
    wanted = order["matched"].to_numpy() & table["signature"].is_valid().to_numpy()
    wanted[repeats(job, part, ["url", "exact"])["row"]] = False
    rows = np.flatnonzero(wanted)
    packs = packs_of_band(minhash.bands)
    scopes = order["scope"].to_numpy()
    for block in np.unique(rows // _BLOCK):
        inside = rows[rows // _BLOCK == block]
        column = table["signature"].take(inside).combine_chunks()
        signatures = column.flatten().to_numpy().reshape(-1, minhash.places)
        hashes = band_hashes(signatures, minhash.bands, minhash.rows) ^ scopes[inside, None]
        for band in range(minhash.bands):
            mine = hashes[:, band]
            for pack, members in split(mine, packs):
                header = np.array((part, block, len(members)), _HEADER)
                low = (mine[members] & np.uint64(2**32 - 1)).astype("<u4")
                place = (inside[members] % _BLOCK).astype("<u2")
                yield band * packs + pack, header.tobytes() + low.tobytes() + place.tobytes()


def _entries(chunks: Iterable[bytes]) -> tuple[np.ndarray, Keys]:
    """Returns the hashes uint32[m] and the documents uint64[m] of one pack."""
    hashes, documents = [np.empty(0, np.uint32)], [np.empty(0, np.uint64)]
    for chunk in chunks:
        header = np.frombuffer(chunk, _HEADER, 1)[0]
        n, at = int(header["entries"]), _HEADER.itemsize
        hashes.append(np.frombuffer(chunk, "<u4", n, at))
        rows = np.frombuffer(chunk, "<u2", n, at + 4 * n).astype(np.uint64)
        documents.append(keys_of(int(header["part"]), rows + np.uint64(header["block"] * _BLOCK)))
    return np.concatenate(hashes), np.concatenate(documents)


def candidate_packs(job: Job, pack: int, chunks: Iterable[bytes]) -> Keyed:
    """Yields packs of pairs, and behind them the packs of large buckets, an element for each.

    A bucket is its documents, uint64[m]. Its pack comes from its first document, so that equal
    buckets of several bands meet.
    """
    found = candidates(*_entries(chunks), ALL_PAIRS_UP_TO)
    yield from pair_packs(job, found.pairs)
    for bucket in found.buckets:
        number = int((bucket[:1] * _SPREAD >> np.uint64(32))[0]) % BUCKET_PACKS
        yield PAIR_PACKS + number, bucket.tobytes()


def pair_packs(job: Job, pairs: Keys) -> Keyed:
    """Yields the pairs, the smaller key first, in packs; none of two documents of the reference."""
    pairs = np.sort(pairs, axis=1)
    pairs = pairs[parts_of(pairs[:, 0]) < job.n_parts]
    hashes = pairs[:, 0] * _SPREAD
    for pack, members in split(hashes, PAIR_PACKS):
        yield pack, packed(pairs[members])


def distinct_pairs(chunks: Iterable[bytes]) -> Keys:
    """Returns the pairs of one pack, uint64[k, 2], each once and in ascending order."""
    return unique_pairs(np.concatenate([np.empty(0, np.uint64), *map(unpacked, chunks)]))


def documents_in(keys: Keys) -> Keyed:
    """Yields, for each part, the rows of its documents that are among the keys."""
    keys = distinct(keys)
    for part, places in by_part(keys):
        yield part, rows_of(keys[places]).tobytes()
