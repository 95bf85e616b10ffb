"""MinHash signatures and their bands (Broder, 1997; Leskovec, Rajaraman and Ullman, chapter 3).

Signatures are bit for bit those of datasketch 2's ``MinHash`` under its scheme ``affine32``, given
a hash function that returns the **lower 32 bits of a shingle's 64-bit hash**: h is finalised by
MurmurHash3's 32-bit finaliser, then place k holds the minimum of ``a[k] * h + b[k] mod 2**32``. So
a signature works in every tool of datasketch, as ``MinHash(hashvalues=..., scheme="affine32")``.
"""

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from dedup.arrays import frozen
from dedup.shingles import MULTIPLIER, mix, reference_mix, shingle_sequence

EMPTY = 0xFFFFFFFF  # every place of the signature of a text without shingles

_MULTIPLIER = np.uint64(MULTIPLIER)
_TILE = 4096  # hashes a kernel keeps in the first-level cache while it goes over the permutations


def permutations(count: int, seed: int) -> NDArray[np.uint32]:
    """Returns datasketch's parameters of `count` permutations: row 0 is a (odd), row 1 is b.

    Raises:
        ValueError: `count` is less than 1.
    """
    # Imported here because it takes 0.6 seconds, and only those who make signatures need it.
    from datasketch import MinHash

    parameters = MinHash(num_perm=count, seed=seed, scheme="affine32").permutations
    return frozen(parameters, np.uint32)


def signature(hashes: ArrayLike, permutations: ArrayLike) -> NDArray[np.uint32]:
    """Returns the signature uint32[count] of the shingle hashes uint64[k].

    Args:
        hashes: 64-bit hashes of shingles, in any order; repetitions change nothing. Without any,
            every place of the signature is `EMPTY`.
        permutations: uint32[2, count], as `permutations` returns them.
    """
    return _signature(frozen(hashes, np.uint64), frozen(permutations, np.uint32))  # type: ignore[no-any-return]


def text_signature(
    text: str, n: int, unit: str, permutations: ArrayLike
) -> NDArray[np.uint32] | None:
    """Returns the signature of the shingles of `text`, None if it has no words.

    It is that of `dedup.shingles.shingle_hashes`, without making a sorted set of them. Arguments
    and errors are those of that function and of `signature`.
    """
    hashes = shingle_sequence(text, n, unit)
    return signature(hashes, permutations) if hashes.size else None


def reference_signature(hashes: list[int], permutations: list[list[int]]) -> list[int]:
    """Returns what `signature` returns, from Python integers: its definition."""
    places = [EMPTY] * len(permutations[0])
    for shingle in hashes:
        value = shingle % 2**32
        value ^= value >> 16
        value = value * 0x85EBCA6B % 2**32
        value ^= value >> 13
        value = value * 0xC2B2AE35 % 2**32
        value ^= value >> 16
        for k, (a, b) in enumerate(zip(*permutations, strict=True)):
            places[k] = min(places[k], (a * value + b) % 2**32)
    return places


def band_hashes(signatures: ArrayLike, bands: int, rows: int) -> NDArray[np.uint64]:
    """Returns one 64-bit hash for each band of each signature, uint64[n, bands].

    Band i covers the places ``i * rows`` to ``(i + 1) * rows - 1``; places after the last band are
    not used. The number of the band goes into its hash, so that hashes of all bands can share one
    table. A hash starts as ``mix((i + 1) * M)`` and takes in a place by ``h = mix(h ^ place)``
    (`mix` and M are those of `dedup.shingles`).

    Args:
        signatures: uint32[n, count].
        bands: how many bands, at least 1.
        rows: places in a band, at least 1.

    Raises:
        ValueError: the signatures are shorter than `bands` times `rows`.
    """
    values = frozen(signatures, np.uint32)
    if values.ndim != 2:
        raise ValueError(f"signatures have the shape [documents, places], not {values.shape}")
    if bands < 1 or rows < 1:
        raise ValueError(f"bands and rows are at least 1, not {bands} and {rows}")
    if bands * rows > values.shape[1]:
        raise ValueError(
            f"{bands} bands of {rows} rows need {bands * rows} places, "
            f"but the signatures have {values.shape[1]}"
        )
    return _band_hashes(values, bands, rows)  # type: ignore[no-any-return]


def reference_band_hashes(signature: list[int], bands: int, rows: int) -> list[int]:
    """Returns the band hashes of one signature, from Python integers: their definition."""
    hashes = []
    for band in range(bands):
        value = reference_mix((band + 1) * MULTIPLIER % 2**64)
        for place in signature[band * rows : (band + 1) * rows]:
            value = reference_mix(value ^ place)
        hashes.append(value)
    return hashes


def collision_probability(jaccard: ArrayLike, bands: int, rows: int) -> NDArray[np.float64]:
    """Returns the probability that two sets of this Jaccard similarity share a band.

    It is ``1 - (1 - jaccard**rows)**bands`` (Leskovec, Rajaraman and Ullman, section 3.4.2).
    """
    similarity = np.asarray(jaccard, dtype=np.float64)
    return np.asarray(1.0 - (1.0 - similarity**rows) ** bands)


def bands_for(target: float, recall: float = 0.999, places: int = 100) -> tuple[int, int]:
    """Returns the bands and rows of signatures of `places` places that find a similarity.

    Of all choices that let a pair of Jaccard similarity `target` share a band with a probability of
    at least `recall`, by `collision_probability`, it is the one with the most rows, which has the
    fewest dissimilar candidates; it has as many bands as fit. Pairs more similar are found more
    often.

    Args:
        target: the least similarity to find, above 0 and at most 1.
        recall: the probability to find it, above 0 and below 1.
        places: of a signature, at least 1. Up to ``rows - 1`` of them can be left over.

    Raises:
        ValueError: an argument is outside its range, or no choice reaches `recall`.
    """
    if not (0 < target <= 1 and 0 < recall < 1 and places >= 1):
        raise ValueError(
            "a target is above 0 and at most 1, a recall between 0 and 1 and places are at least "
            f"1, not {target}, {recall} and {places}"
        )
    for rows in range(places, 0, -1):
        bands = places // rows
        if collision_probability(target, bands, rows) >= recall:
            return bands, rows
    best = float(collision_probability(target, places, 1))
    raise ValueError(
        f"no bands of {places} places find pairs at Jaccard {target} with a probability of "
        f"{recall}: {places} bands of 1 row reach {best:.4f}; use more places, or a higher target "
        "or lower recall"
    )


@njit(cache=True, nogil=True)
def _signature(hashes, permutations):  # type: ignore[no-untyped-def]
    count = permutations.shape[1]
    places = np.full(count, EMPTY, dtype=np.uint32)
    tile = np.empty(min(_TILE, hashes.size), dtype=np.uint32)
    for start in range(0, hashes.size, _TILE):
        size = min(_TILE, hashes.size - start)
        for index in range(size):
            value = np.uint32(hashes[start + index])
            value ^= value >> np.uint32(16)
            value = np.uint32(value * np.uint32(0x85EBCA6B))
            value ^= value >> np.uint32(13)
            value = np.uint32(value * np.uint32(0xC2B2AE35))
            tile[index] = value ^ (value >> np.uint32(16))
        for k in range(count):
            a = permutations[0, k]
            b = permutations[1, k]
            smallest = places[k]
            for index in range(size):
                smallest = min(smallest, np.uint32(a * tile[index] + b))
            places[k] = smallest
    return places


@njit(cache=True, nogil=True)
def _band_hashes(signatures, bands, rows):  # type: ignore[no-untyped-def]
    hashes = np.empty((signatures.shape[0], bands), dtype=np.uint64)
    for document in range(signatures.shape[0]):
        for band in range(bands):
            value = mix(np.uint64(band + 1) * _MULTIPLIER)
            for place in range(band * rows, (band + 1) * rows):
                value = mix(value ^ np.uint64(signatures[document, place]))
            hashes[document, band] = value
    return hashes
