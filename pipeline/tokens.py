"""Tokens: the tokenizer, the token shards and the finished ledger."""

import hashlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from io import BytesIO
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dedup.passages import cut
from filters.redaction import redact
from pipeline import storage
from pipeline.arrow_files import read_arrow
from pipeline.bpe import Encoder, definition_of, train
from pipeline.documents import read_rows
from pipeline.duplicates.cuts import ranges_of
from pipeline.output import Job
from pipeline.redacting import check_key, redacting, tags_of
from pipeline.repeats import spread, times_in_shards
from pipeline.shards import ShardMetadata, TokenTable, token_dtype, write_parquet_shard, write_shard
from pipeline.verdicts import PARTITIONS

# A part with more tokens than this becomes several shards, so that no part, however large its
# input file, needs more memory than this.
SHARD_TOKENS = 1 << 24
CHECKED_DOCUMENTS = 100


def make_tokenizer(job: Job) -> dict[str, Any]:
    """Trains tokenizer/tokenizer.json on a sample of the kept text, or takes the given one.

    Returns:
        The stage's summary: vocabulary size, engine, bytes of text that it was trained on.

    Raises:
        UserError: no document was kept, or the given tokenizer is not one.
    """
    fingerprint = job.fingerprint("tokenizer")
    done = job.output.committed("tokenizer", 0, fingerprint)
    if done:
        return done
    settings = job.recipe.tokenizer
    bins = job.summaries("bin")
    kept_bytes = sum(part["kept_bytes"] for part in bins)
    if not any(verdict == "kept" for part in bins for _, verdict, _ in part["verdicts"]):
        summary: dict[str, Any] = {"kept": False}
        job.output.commit("tokenizer", 0, fingerprint, summary)
        return summary
    sampled = 0

    def sample() -> Iterator[str]:
        nonlocal sampled
        for text in sample_of_kept(job, settings.sample_bytes / max(kept_bytes, 1)):
            sampled += len(text.encode())
            yield text

    if job.given_tokenizer:
        definition = definition_of(storage.read_bytes(job.output.path("work/given_tokenizer.json")))
    else:
        # A tag that the text had when it was read becomes its token, too: nothing tells them apart.
        special = [settings.end_of_document, *tags_of(job.recipe.redaction)]
        definition = train(sample(), settings.vocab_size, special)
    encoder = Encoder(definition, settings.end_of_document)
    fast = encoder.check(islice(sample_of_kept(job, 1.0), CHECKED_DOCUMENTS))
    storage.write_bytes(job.output.path("tokenizer/tokenizer.json"), definition.encode())
    summary = {
        "kept": True,
        "vocab_size": encoder.vocab_size,
        "sha256": encoder.sha256,
        "engine": "tiktoken" if fast else "tokenizers",
        "sample_bytes": sampled,
    }
    job.output.commit("tokenizer", 0, fingerprint, summary)
    return summary


def sample_of_kept(job: Job, share: float) -> Iterator[str]:
    """Yields the texts of about a share of the kept documents, chosen by hash of the id."""
    key = (job.recipe.seed ^ 0x5A5A5A5A).to_bytes(4, "little")
    bound = int(min(share, 1.0) * 2**64)

    def chosen(identifier: str) -> bool:
        hashed = hashlib.blake2b(identifier.encode(), digest_size=8, key=key).digest()
        return int.from_bytes(hashed, "little") < bound

    for part in range(job.n_parts):
        ledger = read_arrow(job.output.part("work/verdicts", part, ".arrow"))
        kept = ledger["verdict"].to_pylist()
        ids = ledger["id"].to_pylist()
        wanted = [v == "kept" and chosen(i) for v, i in zip(kept, ids, strict=True)]
        for row, _, text, _ in texts(job, part, np.array(wanted, dtype=bool)):
            del row
            yield text


def texts(job: Job, part: int, wanted: NDArray[np.bool_]) -> Iterator[tuple[int, str, str, int]]:
    """Yields row, source, text and n_bytes of a part's wanted documents, a row group at a time.

    The texts are without what repeats others' (`pipeline.duplicates.passages`). Those that lose
    something are redacted anew, since what was apart may now stand side by side.
    """
    ranges = ranges_of(job, part)
    if ranges:
        check_key(job.recipe.redaction, job.key_mark)
    how = redacting(job.recipe.redaction) if ranges else None
    rows = np.flatnonzero(wanted)
    for inside, table in read_rows(job.documents(part), rows, ["source", "text", "n_bytes"]):
        columns = [table[name].to_pylist() for name in table.column_names]
        for row, source, text, n_bytes in zip(inside.tolist(), *columns, strict=True):
            if how is None or row not in ranges:
                yield row, source, text, n_bytes
                continue
            rest = redact(cut(text, ranges[row]), *how).text
            yield row, source, rest, len(rest.encode())


@lru_cache(maxsize=2)
def _encoder(definition: str, end_of_document: str, engine: str) -> Encoder:
    encoder = Encoder(definition, end_of_document)
    if engine == "tokenizers":
        encoder.fast = None
    return encoder


class _Shards:
    """Collects the documents of one partition of a part and writes them as shards."""

    def __init__(self, job: Job, part: int, partition: str, metadata: ShardMetadata) -> None:
        self.job, self.part, self.partition, self.metadata = job, part, partition, metadata
        self.dtype = token_dtype(metadata.vocab_size)
        self.files: list[dict[str, Any]] = []
        self._clear()

    def _clear(self) -> None:
        self.documents: list[tuple[NDArray[Any], str, str, int, int]] = []
        self.total = 0

    def add(
        self, tokens: NDArray[Any], identifier: str, source: str, n_bytes: int, row: int
    ) -> None:
        if self.total and self.total + len(tokens) > SHARD_TOKENS:
            self.write()
        self.documents.append((tokens.astype(self.dtype), identifier, source, n_bytes, row))
        self.total += len(tokens)

    def write(self) -> None:
        if not self.documents:
            return
        order = spread(np.array([row for *_, row in self.documents]))
        spaced = [self.documents[place] for place in order]
        tokens, ids, sources, n_bytes, _ = zip(*spaced, strict=True)
        name = f"tokens/{self.partition}/part-{self.part:05d}"
        if self.files:
            name += f".{len(self.files)}"
        kind = self.job.recipe.tokens.format
        write: Callable[..., None] = write_shard if kind == "arrow" else write_parquet_shard
        table = TokenTable(
            tokens=np.concatenate(tokens),
            offsets=np.cumsum([0, *map(len, tokens)], dtype=np.int64),
            ids=ids,
            sources=sources,
            n_bytes=np.array(n_bytes, np.uint32),
            metadata=self.metadata,
        )
        shard = BytesIO()
        write(shard, table)
        data = shard.getbuffer()
        storage.write_bytes(self.job.output.path(f"{name}.{kind}"), data)
        self.files.append(
            {
                "path": f"{name}.{kind}",
                "sha256": hashlib.sha256(data).hexdigest(),
                "documents": len(ids),
                "tokens": self.total,
                "bytes": len(data),
            }
        )
        self._clear()


def tokenize_part(job: Job, part: int) -> dict[str, Any]:
    """Writes one part of tokens/ and of ledger/, unless it was done before.

    Returns:
        The part's summary: documents and shards.
    """
    fingerprint = job.fingerprint("tokenize", part)
    done = job.output.committed("tokenize", part, fingerprint)
    if done:
        return done
    ledger = read_arrow(job.output.part("work/verdicts", part, ".arrow"))
    n_tokens = np.zeros(len(ledger), np.uint32)
    partition = ledger["partition"].to_pylist()
    kept = np.array([name is not None for name in partition], dtype=bool)
    summary: dict[str, Any] = {"documents": len(ledger), "shards": []}
    if kept.any():
        encoder, shards = _tools(job, part)
        ids, times = ledger["id"], times_in_shards(ledger, job.recipe.tokens.repeat)
        end = np.array([encoder.end_of_document_id], np.uint32)
        for row, source, text, n_bytes in texts(job, part, kept):
            tokens = np.concatenate([encoder.encode(text), end])
            n_tokens[row] = len(tokens)
            for _ in range(times[row]):
                shards[partition[row]].add(tokens, ids[row].as_py(), source, n_bytes, row)
        for writer in shards.values():
            writer.write()
            summary["shards"].extend(writer.files)
    column = pa.array(n_tokens, mask=~kept)
    ledger = ledger.set_column(ledger.schema.get_field_index("n_tokens"), "n_tokens", column)
    with storage.atomic(job.output.part("ledger", part, ".parquet")) as sink:
        pq.write_table(ledger, sink, compression="zstd")
    job.output.commit("tokenize", part, fingerprint, summary)
    return summary


def _tools(job: Job, part: int) -> tuple[Encoder, dict[str, _Shards]]:
    made = job.summaries("tokenizer")[0]
    definition = storage.read_bytes(job.output.path("tokenizer/tokenizer.json")).decode()
    encoder = _encoder(definition, job.recipe.tokenizer.end_of_document, made["engine"])
    metadata = ShardMetadata(
        tokenizer_sha256=encoder.sha256,
        vocab_size=encoder.vocab_size,
        end_of_document_id=encoder.end_of_document_id,
        recipe_hash=job.recipe.hash,
    )
    return encoder, {name: _Shards(job, part, name, metadata) for name in PARTITIONS}
