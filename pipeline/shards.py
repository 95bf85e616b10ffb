"""Token shards: the file format between the pipeline and the trainer.

A shard is an Arrow IPC file, uncompressed, with one record batch and one row per document:

    tokens   large_list<uint16 | uint32>   ends with the end-of-document id
    id       string
    source   dictionary<int32, string>
    n_bytes  uint32                        UTF-8 length of the text that was tokenized

and the `ShardMetadata` as strings in the schema's metadata. Being uncompressed and in one
batch, all tokens of a shard lie side by side in the file: a reader maps the file into memory
and sees one flat array. This module imports nothing but pyarrow, numpy and the standard library.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

Tokens = NDArray[np.uint16] | NDArray[np.uint32]


class ShardError(ValueError):
    """A file that is not a token shard, or a damaged one; or documents that do not make a shard."""


@dataclass(frozen=True)
class ShardMetadata:
    """What holds for every document of a shard.

    Args:
        tokenizer_sha256: SHA-256 of tokenizer.json, in hexadecimal.
        vocab_size: Number of token ids; every id is below it.
        end_of_document_id: The id that ends every document.
        recipe_hash: Hash of the recipe that made the shard.
    """

    tokenizer_sha256: str
    vocab_size: int
    end_of_document_id: int
    recipe_hash: str


@dataclass(frozen=True)
class TokenTable:
    """Tokenized documents.

    Args:
        tokens: All documents' tokens, one after the other, shape [total].
        offsets: Document k is `tokens[offsets[k]:offsets[k + 1]]`; int64, shape [documents + 1].
        ids: Document ids, length [documents]. As read from a shard: an Arrow array in the
            mapped file, nothing of which becomes a Python string before it is asked for.
        sources: Name of each document's source, likewise.
        n_bytes: UTF-8 length of each document's text, uint32, shape [documents].
        metadata: What holds for all documents.
    """

    tokens: Tokens
    offsets: NDArray[np.int64]
    ids: "Sequence[str] | pa.Array[Any]"
    sources: "Sequence[str] | pa.Array[Any]"
    n_bytes: NDArray[np.uint32]
    metadata: ShardMetadata


def token_dtype(vocab_size: int) -> type[np.uint16] | type[np.uint32]:
    """Returns the narrowest dtype of the format that holds ids below `vocab_size`."""
    return np.uint16 if vocab_size <= 1 << 16 else np.uint32


def write_shard(target: str | os.PathLike[str] | BinaryIO, table: TokenTable) -> None:
    """Writes documents as an Arrow token shard; the same documents give the same bytes.

    Args:
        target: A path, or a binary file that is open for writing (it stays open).
        table: The documents; tokens of any unsigned integer type that fit the vocabulary.

    Raises:
        ShardError: The columns do not belong together, a document does not end with the
            end-of-document id, or a token is not below the vocabulary size.
        OSError: The target cannot be written.
    """
    batch = _record_batch(table)
    options = pa.ipc.IpcWriteOptions(compression=None)
    sink: Any = target if hasattr(target, "write") else os.fspath(target)
    with pa.ipc.new_file(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)


def write_parquet_shard(target: str | os.PathLike[str] | BinaryIO, table: TokenTable) -> None:
    """Writes the columns of `write_shard` as Parquet, for readers other than the trainer.

    Args:
        target: A path, or a binary file that is open for writing (it stays open).
        table: The documents.

    Raises:
        ShardError: As in `write_shard`.
        OSError: The target cannot be written.
    """
    sink: Any = target if hasattr(target, "write") else os.fspath(target)
    pq.write_table(pa.Table.from_batches([_record_batch(table)]), sink, compression="zstd")


def read_shard(path: str | os.PathLike[str]) -> TokenTable:
    """Maps a shard into memory; nothing of its tokens is read before it is used.

    Args:
        path: A file written by `write_shard`.

    Returns:
        The documents, whose arrays are read-only views of the mapped file and keep it open.

    Raises:
        ShardError: The file is damaged or is not a token shard.
        OSError: The file cannot be opened.
    """
    path = os.fspath(path)
    try:
        with pa.memory_map(path) as source:
            reader = pa.ipc.open_file(source)
            if reader.num_record_batches != 1:
                raise ShardError(
                    f"{path}: {reader.num_record_batches} record batches; a token shard has one"
                )
            batch = reader.get_batch(0)
        try:
            metadata = _parse_metadata(batch.schema.metadata or {})
        except ValueError as error:
            raise ShardError(f"{path}: not the metadata of a token shard: {error}") from error
        expected = _schema(metadata)
        if not batch.schema.equals(expected):
            raise ShardError(
                f"{path}: not the columns of a token shard: {_columns(batch.schema)}; "
                f"expected {_columns(expected)}"
            )
        batch.validate(full=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ShardError(f"{path}: not an Arrow IPC file, or a damaged one: {error}") from error
    lists: Any = batch.column("tokens")
    offsets = lists.offsets.to_numpy(zero_copy_only=True)
    return TokenTable(
        tokens=lists.values.to_numpy(zero_copy_only=True)[: offsets[-1]],
        offsets=offsets,
        ids=batch.column("id"),
        sources=batch.column("source"),
        n_bytes=batch.column("n_bytes").to_numpy(zero_copy_only=True),
        metadata=metadata,
    )


def _schema(metadata: ShardMetadata) -> pa.Schema:
    token = pa.from_numpy_dtype(np.dtype(token_dtype(metadata.vocab_size)))
    return pa.schema(
        [
            pa.field("tokens", pa.large_list(pa.field("item", token, False)), False),
            pa.field("id", pa.string(), False),
            pa.field("source", pa.dictionary(pa.int32(), pa.string()), False),
            pa.field("n_bytes", pa.uint32(), False),
        ],
        metadata={
            "tokenizer_sha256": metadata.tokenizer_sha256,
            "vocab_size": str(metadata.vocab_size),
            "end_of_document_id": str(metadata.end_of_document_id),
            "recipe_hash": metadata.recipe_hash,
        },
    )


def _columns(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in schema)


def _parse_metadata(fields: dict[bytes, bytes]) -> ShardMetadata:
    def text(name: str) -> str:
        if name.encode() not in fields:
            raise ValueError(f"no {name}")
        return fields[name.encode()].decode()

    return ShardMetadata(
        tokenizer_sha256=text("tokenizer_sha256"),
        vocab_size=int(text("vocab_size")),
        end_of_document_id=int(text("end_of_document_id")),
        recipe_hash=text("recipe_hash"),
    )


def _record_batch(table: TokenTable) -> pa.RecordBatch:
    _check(table)
    schema = _schema(table.metadata)
    token_type = schema.field("tokens").type
    ids, sources = (
        column if isinstance(column, pa.Array) else pa.array(column, pa.string())
        for column in (table.ids, table.sources)
    )
    if not pa.types.is_dictionary(sources.type):
        sources = sources.dictionary_encode()  # in the order of first appearance
    tokens = np.asarray(table.tokens).astype(token_dtype(table.metadata.vocab_size), copy=False)
    columns = [
        pa.LargeListArray.from_arrays(
            pa.array(table.offsets, pa.int64()), pa.array(tokens), type=token_type
        ),
        ids,
        sources,
        pa.array(table.n_bytes, pa.uint32()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _check(table: TokenTable) -> None:
    documents = len(table.ids)
    lengths = (len(table.sources), len(table.n_bytes), len(table.offsets) - 1)
    if lengths != (documents,) * 3:
        raise ShardError(
            f"{documents} ids, {lengths[0]} sources, {lengths[1]} n_bytes and {lengths[2]} "
            "documents by the offsets; all four must be the same"
        )
    offsets, tokens, metadata = table.offsets, table.tokens, table.metadata
    if offsets[0] != 0 or offsets[-1] != len(tokens) or (np.diff(offsets) < 1).any():
        raise ShardError(
            f"the offsets must rise from 0 to the number of tokens ({len(tokens)}), "
            "by at least one token per document"
        )
    if not 0 <= metadata.end_of_document_id < metadata.vocab_size:
        raise ShardError(
            f"end-of-document id {metadata.end_of_document_id} is not in the vocabulary "
            f"of {metadata.vocab_size}"
        )
    if len(tokens) and int(tokens.max()) >= metadata.vocab_size:
        raise ShardError(
            f"token id {int(tokens.max())} is not in the vocabulary of {metadata.vocab_size}"
        )
    open_ended = np.flatnonzero(tokens[offsets[1:] - 1] != metadata.end_of_document_id)
    if len(open_ended):
        raise ShardError(
            f"document {int(open_ended[0])} does not end with the end-of-document id "
            f"{metadata.end_of_document_id}"
        )
