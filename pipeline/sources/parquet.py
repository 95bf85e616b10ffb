"""Parquet by row groups: only the needed columns, a few rows at a time."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import storage
from pipeline.errors import UserError
from pipeline.sources.fields import to_record
from pipeline.sources.records import Record, SourceOptions, Split, Unreadable

_BATCH_BYTES = 4 << 20
_BATCH_ROWS = 1024
_DAMAGE = (pa.ArrowException, OSError, MemoryError)


def row_group_sizes(url: str, options: SourceOptions) -> list[int] | None:
    """Returns the stored bytes of every row group, or None if the file's footer is damaged.

    Raises:
        UserError: The file is missing, or has no text column of strings.
    """
    with storage.open_binary(url) as file:
        try:
            metadata = pq.read_metadata(file)
            schema = metadata.schema.to_arrow_schema()
        except _DAMAGE:
            return None
    text_type = _field_type(schema, options.text_field)
    if text_type is None:
        raise UserError(
            f"{url} has no column {options.text_field!r}; it has {', '.join(schema.names)}",
            "Set source.text_field to the name of the column that holds the text.",
        )
    if pa.types.is_dictionary(text_type):
        text_type = text_type.value_type
    if not (
        pa.types.is_string(text_type)
        or pa.types.is_large_string(text_type)
        or pa.types.is_string_view(text_type)
    ):
        raise UserError(
            f"column {options.text_field!r} of {url} holds {text_type}, not strings",
            "Set source.text_field to the name of the column that holds the text.",
        )
    groups = (metadata.row_group(index) for index in range(metadata.num_row_groups))
    return [
        max(1, sum(group.column(i).total_compressed_size for i in range(group.num_columns)))
        for group in groups
    ]


def read(split: Split, options: SourceOptions) -> Iterator[Record | Unreadable]:
    """Reads the rows of row groups `start` to `end`; places are row numbers in the file.

    Damage gives one `Unreadable` for all that follows it in the split.
    """
    with storage.open_binary(split.url) as file:
        row = 0
        try:
            # Without a buffer size every column chunk would be read as a whole.
            parquet = pq.ParquetFile(file, buffer_size=1 << 20)
            metadata = parquet.metadata
            row = sum(metadata.row_group(i).num_rows for i in range(split.start))
            for batch in _batches(parquet, split, options):
                for fields in _rows(batch):
                    yield (
                        Unreadable(str(row), "invalid_utf8", 0)
                        if fields is None
                        else to_record(fields, str(row), 0, options)
                    )
                    row += 1
            if split.end == split.start:  # the footer was damaged when planned
                yield Unreadable(str(row), "invalid_parquet", split.size)
        except _DAMAGE:
            yield Unreadable(str(row), "invalid_parquet", split.size)


def _batches(
    parquet: pq.ParquetFile, split: Split, options: SourceOptions
) -> Iterator[pa.RecordBatch]:
    names = (
        options.text_field,
        options.id_field,
        options.url_field,
        options.source_field,
        options.snapshot_field,
    )
    schema = parquet.schema_arrow
    columns = list(dict.fromkeys(n for n in names if _field_type(schema, n) is not None))
    for index in range(split.start, split.end):
        group = parquet.metadata.row_group(index)
        row_bytes = group.total_byte_size // max(1, group.num_rows)
        yield from parquet.iter_batches(
            batch_size=max(1, min(_BATCH_ROWS, _BATCH_BYTES // max(1, row_bytes))),
            row_groups=[index],
            columns=columns,
            use_threads=False,
        )


def _rows(batch: pa.RecordBatch) -> list[dict[str, Any] | None]:
    try:
        return list(batch.to_pylist())
    except UnicodeDecodeError:
        rows: list[dict[str, Any] | None] = []
        for index in range(batch.num_rows):
            try:
                rows.extend(batch.slice(index, 1).to_pylist())
            except UnicodeDecodeError:
                rows.append(None)
        return rows


def _field_type(schema: pa.Schema, name: str) -> Any:
    """Returns the type of a column, or of a field in nested structs by its dotted path."""
    if name in schema.names:
        return schema.field(name).type
    first, *path = name.split(".")
    if not path or first not in schema.names:
        return None
    kind = schema.field(first).type
    for part in path:
        if not pa.types.is_struct(kind) or kind.get_field_index(part) < 0:
            return None
        kind = kind.field(part).type
    return kind
