"""What the trainer reads: windows of token shards, in an order that is a pure function.

Training tokens are one stream, the documents of all shards in the manifest's order, cut into
windows; only the tail shorter than a window is left out. Which windows make up a step follows
from the seed and the step alone, so a resumed run has no position to restore, and any process
can compute any part of any step.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from model.errors import TrainingError
from pipeline.shards import ShardError, ShardMetadata, TokenTable, read_shard

Partition = Literal["train", "validation"]

_ROUNDS = 6


@dataclass(frozen=True)
class TokenStream:
    """The documents of some shards as one sequence of tokens.

    Args:
        shards: Mapped shards; at least one.
    """

    shards: tuple[TokenTable, ...]

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Place of each shard's first token, and the stream's length, [shards + 1]."""
        return np.cumsum([0, *(len(shard.tokens) for shard in self.shards)], dtype=np.int64)

    def __len__(self) -> int:
        return int(self.starts[-1])

    @property
    def n_bytes(self) -> int:
        """UTF-8 bytes of all documents' text."""
        return sum(int(shard.n_bytes.sum(dtype=np.int64)) for shard in self.shards)

    @property
    def metadata(self) -> ShardMetadata:
        """What holds for every shard."""
        return self.shards[0].metadata

    def read(self, start: int, stop: int) -> NDArray[np.int64]:
        """Returns tokens `start` to `stop` of the stream, across shards where need be."""
        pieces = []
        shard = int(np.searchsorted(self.starts, start, side="right")) - 1
        while start < stop:
            end = min(stop, int(self.starts[shard + 1]))
            base = int(self.starts[shard])
            pieces.append(self.shards[shard].tokens[start - base : end - base].astype(np.int64))
            start, shard = end, shard + 1
        return np.concatenate(pieces) if pieces else np.empty(0, np.int64)


@dataclass(frozen=True)
class Corpus:
    """The tokens of a finished pipeline output.

    Args:
        train: Training documents.
        validation: Validation documents.
        fingerprint: SHA-256 over what decides which tokens are read, and in which order.
    """

    train: TokenStream
    validation: TokenStream
    fingerprint: str

    @property
    def vocab_size(self) -> int:
        """Number of token ids."""
        return self.train.metadata.vocab_size

    @property
    def end_of_document_id(self) -> int:
        """The id that ends every document."""
        return self.train.metadata.end_of_document_id


def open_corpus(output: Path) -> Corpus:
    """Maps the shards that a pipeline output's manifest names, and no others.

    Raises:
        TrainingError: The output is not finished, a shard is missing, damaged or not the one of
            the manifest, or a partition has no tokens.
    """
    entries = _manifest_shards(output)
    parts: dict[str, list[TokenTable]] = {"train": [], "validation": []}
    identity: list[tuple[Any, ...]] = []
    for entry in entries:
        table = _open_shard(output, entry)
        partition = Path(entry["path"]).parts[1]
        if partition in parts and table.n_bytes.any():
            parts[partition].append(table)
        identity.append((entry["path"], entry["sha256"], len(table.ids), len(table.tokens)))
    for partition, tables in parts.items():
        if not tables:
            raise TrainingError(
                f"{output} has no {partition} tokens",
                "Run the pipeline on more text, or raise the recipe's share of validation "
                "documents if that is the empty partition.",
            )
    tables = [*parts["train"], *parts["validation"]]
    kinds = {
        (t.metadata.tokenizer_sha256, t.metadata.vocab_size, t.metadata.end_of_document_id)
        for t in tables
    }
    if len(kinds) > 1:
        raise TrainingError(
            f"the shards of {output} were not all made by one tokenizer",
            "Run the pipeline again into an empty output directory.",
        )
    text = json.dumps([identity, sorted(kinds)], separators=(",", ":"))
    return Corpus(
        train=TokenStream(tuple(parts["train"])),
        validation=TokenStream(tuple(parts["validation"])),
        fingerprint=hashlib.sha256(text.encode()).hexdigest(),
    )


def _manifest_shards(output: Path) -> list[dict[str, Any]]:
    path = output / "manifest.json"
    try:
        entries: list[dict[str, Any]] = json.loads(path.read_bytes())["shards"]
        for entry in entries:
            _ = entry["sha256"], entry["tokens"], Path(entry["path"]).parts[1]
    except FileNotFoundError:
        raise TrainingError(
            f"{path} does not exist: the pipeline has not finished, or this is not its output",
            "Run the same `gristmill run` command again; it goes on where it stopped.",
        ) from None
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise TrainingError(
            f"{path} is not a manifest of the pipeline ({type(error).__name__}: {error})"
        ) from error
    return entries


def _open_shard(output: Path, entry: dict[str, Any]) -> TokenTable:
    path = output / entry["path"]
    if path.suffix != ".arrow":
        raise TrainingError(
            f"{path} is not an Arrow shard", "Set tokens.format to arrow and run the pipeline."
        )
    try:
        table = read_shard(path)
    except FileNotFoundError:
        problem = f"{path} does not exist, but the manifest names it"
    except (ShardError, OSError) as error:
        problem = str(error)
    else:
        if len(table.tokens) == entry["tokens"]:
            return table
        problem = f"{path} has {len(table.tokens)} tokens; the manifest says {entry['tokens']}"
    raise TrainingError(problem, "`gristmill verify` finds what else is wrong with the output.")


@dataclass(frozen=True)
class Windows:
    """Training windows of a stream, and the order in which steps use them.

    Window w holds tokens `w * length` to `(w + 1) * length`, both included: `length` inputs and,
    one place on, `length` targets. Windows do not overlap, so an epoch predicts each token once.

    Args:
        stream: The training tokens.
        length: Inputs of a window.
        global_batch: Windows of a step.
        seed: Of the order.
    """

    stream: TokenStream
    length: int
    global_batch: int
    seed: int

    def __post_init__(self) -> None:
        if self.count < 1:
            raise TrainingError(
                f"{len(self.stream)} training tokens do not fill one sequence of {self.length} "
                "and its next token",
                "Run the pipeline on more text, or lower sequence_length.",
            )

    @cached_property
    def count(self) -> int:
        """Windows of an epoch."""
        return (len(self.stream) - 1) // self.length

    def of_step(self, step: int) -> NDArray[np.int64]:
        """Returns the windows of a step, [global_batch].

        Sample s, counted over all steps, is the place `s % count` in epoch `s // count`; each
        epoch goes through every window once, in an order of its own.
        """
        samples = np.arange(step * self.global_batch, (step + 1) * self.global_batch)
        return permute(samples % self.count, self.count, self.seed, samples // self.count)

    def read(self, windows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the tokens of some windows, [len(windows), length + 1]."""
        return np.stack(
            [
                self.stream.read(int(w) * self.length, (int(w) + 1) * self.length + 1)
                for w in windows
            ]
        )


def validation_batches(
    stream: TokenStream, length: int, batch: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yields inputs and targets that predict every token of the stream exactly once.

    The first token follows an end-of-document id, as the first of any other document does.
    Where the last window is not full, inputs are padded with that id and targets with -100.

    Args:
        stream: The documents.
        length: Tokens of a window.
        batch: Windows of a batch; the last batch has fewer.

    Yields:
        Inputs and targets, each [windows, length].
    """
    end = stream.metadata.end_of_document_id
    for start in range(0, len(stream), length * batch):
        targets = stream.read(start, min(start + length * batch, len(stream)))
        before = stream.read(start - 1, start)[0] if start else end
        inputs = np.concatenate(([before], targets[:-1]))
        padding = -len(targets) % length
        yield (
            np.pad(inputs, (0, padding), constant_values=end).reshape(-1, length),
            np.pad(targets, (0, padding), constant_values=-100).reshape(-1, length),
        )


def permute(
    index: NDArray[np.int64], size: int, seed: int, epoch: NDArray[np.int64] | int
) -> NDArray[np.int64]:
    """Maps each index below `size` to another one, one to one, for a seed and an epoch.

    A Feistel network over the smallest even number of bits that holds `size`; what falls outside
    goes through it again until it is inside ("cycle walking", Black & Rogaway, 2002, "Ciphers
    with arbitrary finite domains"). Nothing is stored, however many indices there are.

    Args:
        index: Values below `size`, [n].
        size: Number of values that are permuted among themselves.
        seed: Picks the family of permutations.
        epoch: Picks the permutation, [n] or one for all.
    """
    half = np.uint64(max(1, ((size - 1).bit_length() + 1) // 2))
    mask = (np.uint64(1) << half) - np.uint64(1)
    key = _mix(_mix(np.uint64(seed) + np.zeros(1, np.uint64)) + np.asarray(epoch, np.uint64))
    keys = np.broadcast_to(key, index.shape)
    value = index.astype(np.uint64)
    outside = np.arange(len(value))
    while len(outside):
        left, right = value[outside] >> half, value[outside] & mask
        for number in range(_ROUNDS):
            mixed = _mix(right ^ _mix(keys[outside] + np.uint64(number)))
            left, right = right, left ^ (mixed & mask)
        value[outside] = (left << half) | right
        outside = outside[value[outside] >= size]
    return value.astype(np.int64)


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scrambles 64 bits, one to one: the output function of SplitMix64 (Steele et al., 2014)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = x ^ (x >> np.uint64(31))
    return mixed
