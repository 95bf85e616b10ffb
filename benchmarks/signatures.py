"""Signatures: MB per CPU second from text to signature, and datasketch's own beside it.

    .venv/bin/python benchmarks/signatures.py FILE ... [--rounds 7] [--megabytes 4] [--pieces 1000]

Each input is timed as it is and cut into pieces of some characters, by words and by characters,
with 5 of them in a shingle and 100 places. `text_signature` is what a run calls; `shingle_hashes`
makes the sorted set that a comparison needs, from which the signature follows. The digests of the
three normalisations are timed, too.

datasketch's MinHash gets the same shingles as bytes, joined from words that were found before the
clock starts, with its own hash function (SHA-1) and with CRC-32, the fastest of Python's library,
on a tenth of the documents. Each sketch is a copy of an empty one, so that permutations are made
once.

All variants take turns in each round; the first round warms up. Inputs are what Gristmill reads.
"""

import argparse
import statistics
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

# A script's own folder comes first, where `filters` is another script.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from datasketch import MinHash
from datasketch.hashfunc import sha1_hash32

from dedup.digests import NORMALISATIONS, exact_digest
from dedup.minhash import permutations, signature, text_signature
from dedup.shingles import UNITS, normalise, shingle_hashes, words
from pipeline.sources.plan import plan
from pipeline.sources.read import read
from pipeline.sources.records import Record, SourceOptions

N = 5
PLACES = 100
SEED = 1
PERMUTATIONS = permutations(PLACES, SEED)
EMPTY = MinHash(num_perm=PLACES, seed=SEED)

# What a variant calls for each document, and the documents as it wants them.
Variant = tuple[Callable[[Any], object], Sequence[Any], float]


def texts_of(path: str, megabytes: float) -> list[str]:
    """Returns documents from the whole of a file, about so many MB."""
    options = SourceOptions()
    items = (item for split in plan(options, [path]) for item in read(split, options))
    texts = [item.text for item in items if isinstance(item, Record)]
    return texts[:: max(1, round(size_of(texts) / megabytes))]


def pieces_of(texts: Sequence[str], length: int) -> list[str]:
    """Returns pieces of `length` characters; the rest at the end of a text is left out."""
    return [
        text[start : start + length]
        for text in texts
        for start in range(0, len(text) - length + 1, length)
    ]


def size_of(texts: Sequence[str]) -> float:
    """Returns how many million bytes of UTF-8 there are."""
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts) / 1e6


def with_set(text: str, unit: str) -> object:
    """Computes a signature by way of the sorted set."""
    return signature(shingle_hashes(text, N, unit), PERMUTATIONS)


def by_datasketch(units: Sequence[bytes], joint: bytes, hashfunc: Callable[[bytes], int]) -> object:
    """Computes a signature as datasketch does, from words or characters."""
    sketch = EMPTY.copy()
    sketch.hashfunc = hashfunc
    count = max(len(units) - N + 1, 1)
    sketch.update_batch([joint.join(units[start : start + N]) for start in range(count)])
    return sketch.hashvalues


def variants(texts: Sequence[str], unit: str) -> dict[str, Variant]:
    """Returns what is timed."""
    size = size_of(texts)
    some = texts[::10]
    joint = b" " if unit == "words" else b""
    split = [words(text) if joint else normalise(text) for text in some]
    units = [[each.encode() for each in text] for text in split]
    signed = partial(text_signature, n=N, unit=unit, permutations=PERMUTATIONS)
    return {
        "text_signature": (signed, texts, size),
        "shingle_hashes, signature": (partial(with_set, unit=unit), texts, size),
        "SHA-1": (partial(by_datasketch, joint=joint, hashfunc=sha1_hash32), units, size_of(some)),
        "CRC-32": (partial(by_datasketch, joint=joint, hashfunc=zlib.crc32), units, size_of(some)),
    }


def measure(timed: dict[str, Variant], rounds: int) -> Iterator[str]:
    """Yields the median MB per CPU second of each variant, and the lowest and highest."""
    speeds: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(rounds + 1):
        for name, (function, documents, size) in timed.items():
            start = time.process_time()
            for document in documents:
                function(document)
            speeds[name].append(size / (time.process_time() - start))
    for found in speeds.values():
        warm = found[1:]
        yield f"{statistics.median(warm):.3g} ({min(warm):.3g} to {max(warm):.3g})"


def main() -> None:
    """Prints the two tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("inputs", nargs="+", metavar="FILE")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--megabytes", type=float, default=4.0, help="of each input")
    parser.add_argument("--pieces", type=int, default=1000, help="characters in a short text")
    given = parser.parse_args()

    inputs: dict[str, list[str]] = {}
    for path in given.inputs:
        name, texts = Path(path).name, texts_of(path, given.megabytes)
        inputs[name] = texts
        inputs[f"{name}, {given.pieces} characters each"] = pieces_of(texts, given.pieces)

    print(f"MB per CPU second, median (lowest to highest) of {given.rounds} rounds.\n")
    print("| text | documents, MB | unit | text_signature | shingle_hashes, signature |", end="")
    print(" datasketch, SHA-1 | datasketch, CRC-32 |\n|---|---|---|---|---|---|---|")
    for name, texts in inputs.items():
        for unit in UNITS:
            cells = measure(variants(texts, unit), given.rounds)
            about = f"{len(texts)}, {size_of(texts):.1f}"
            print(f"| {' | '.join((name, about, unit, *cells))} |", flush=True)

    print(f"\n| exact digest of | {' | '.join(NORMALISATIONS)} |\n|---|---|---|---|")
    for name, texts in inputs.items():
        timed: dict[str, Variant] = {
            each: (partial(exact_digest, normalisation=each), texts, size_of(texts))
            for each in NORMALISATIONS
        }
        print(f"| {' | '.join((name, *measure(timed, given.rounds)))} |", flush=True)


if __name__ == "__main__":
    main()
