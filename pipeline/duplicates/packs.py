"""Keys of documents, and how arrays are divided into packs for a shuffle.

A document is known by its key, `part << 32 | row`.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Keyed = Iterator[tuple[int, bytes]]

_ROW = np.uint64(2**32 - 1)


def keys_of(part: int, rows: NDArray[np.integer]) -> Keys:
    """Returns the keys of some rows of a part."""
    return np.uint64(part << 32) | rows.astype(np.uint64)


def rows_of(keys: Keys) -> NDArray[np.uint32]:
    """Returns the rows of keys."""
    return (keys & _ROW).astype(np.uint32)


def parts_of(keys: Keys) -> NDArray[np.int64]:
    """Returns the parts of keys."""
    return (keys >> np.uint64(32)).astype(np.int64)


def packed(numbers: NDArray[np.uint64]) -> bytes:
    """Returns numbers as bytes, compressed: a shuffle may hold all of them in memory."""
    data = np.ascontiguousarray(numbers, "<u8")
    compressed: bytes = pa.compress(data, codec="zstd", asbytes=True)
    return data.nbytes.to_bytes(8, "little") + compressed


def unpacked(chunk: bytes) -> NDArray[np.uint64]:
    """Returns the numbers that `packed` was given, uint64[n]; none for an empty chunk."""
    if not chunk:
        return np.empty(0, np.uint64)
    size = int.from_bytes(chunk[:8], "little")
    return np.frombuffer(pa.decompress(memoryview(chunk)[8:], size, codec="zstd"), "<u8")


def distinct(numbers: NDArray[Any]) -> NDArray[Any]:
    """Returns the numbers of an array in ascending order, each once."""
    # Sorted by ourselves: numpy's `unique` hashes, which takes ten times as long.
    ordered = np.sort(numbers, axis=None)
    first = np.ones(ordered.size, dtype=bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return np.asarray(ordered[first])


def by_part(keys: Keys) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yields each part with the places in `keys` of its documents."""
    parts = parts_of(keys)
    order = np.argsort(parts, kind="stable")
    ordered = parts[order]
    for places in np.split(order, np.flatnonzero(ordered[1:] != ordered[:-1]) + 1):
        if len(places):
            yield int(parts[places[0]]), places


def split(hashes: Keys, packs: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yields the number of each pack with the places of its hashes, chosen by some of their bits.

    The bits are above the lower 32, which may be all that a pack holds of a hash, and below the
    upper ones, by which others divide hashes.
    """
    # Of 16 bits, because numpy sorts those by counting.
    pack = ((hashes >> np.uint64(32)) % np.uint64(packs)).astype(np.uint16)
    order = np.argsort(pack, kind="stable")
    bounds = np.searchsorted(pack[order], np.arange(packs + 1))
    for number in range(packs):
        members = order[bounds[number] : bounds[number + 1]]
        if len(members):
            yield number, members
