"""The columns of documents/ and errors/, how rows become batches, and how they are read again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from filters.registry import FILTERS
from filters.rules import Signals
from pipeline import storage
from pipeline.duplicates.signatures import Marks
from pipeline.recipe import Recipe


@dataclass(slots=True)
class Row:
    """One input document on its way to documents/: redacted text and all that was measured.

    A document that could not be read or measured has an `error` and no text, signals or sketch.
    """

    id: str
    source: str
    text: str = ""
    url: str | None = None
    snapshot: str | None = None
    n_bytes: int = 0
    language: str | None = None
    language_score: float | None = None
    signals: dict[str, Signals] = field(default_factory=dict)
    redactions: dict[str, int] = field(default_factory=dict)
    marks: Marks = field(default_factory=Marks)
    place: str = ""
    error: str | None = None


def documents_schema(recipe: Recipe) -> pa.Schema:
    """Returns the schema of documents/, with one struct of signals for each filter."""
    fields = [
        ("id", pa.string()),
        ("url", pa.string()),
        ("source", pa.string()),
        ("snapshot", pa.string()),
        ("text", pa.large_string()),
        ("n_bytes", pa.uint32()),
        ("language", pa.string()),
        ("language_score", pa.float32()),
    ]
    filters = [pa.field(name, _signals_type(name)) for name in recipe.filters.names]
    if filters:  # Parquet has no struct without fields
        fields.append(("signals", pa.struct(filters)))
    fields.append(("redactions", pa.map_(pa.string(), pa.uint32())))
    return pa.schema(fields)


def _signals_type(name: str) -> pa.DataType:
    """Returns a struct of float64 for each signal, and of a string for the filter's evidence."""
    module = FILTERS[name]
    fields = [(rule.signal, pa.float64()) for rule in module.RULES]
    return pa.struct(fields + [("evidence", pa.string())] * hasattr(module, "EVIDENCE"))


def documents_batch(rows: list[Row], schema: pa.Schema) -> pa.RecordBatch:
    """Returns rows as a record batch of documents/."""
    columns = [
        [
            list(getattr(row, name).items()) if name == "redactions" else getattr(row, name)
            for row in rows
        ]
        for name in schema.names
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def read_rows(
    url: str, rows: NDArray[np.int64], columns: Sequence[str] | None
) -> Iterator[tuple[NDArray[np.int64], pa.Table]]:
    """Yields some rows of a part of documents/, given in ascending order, a row group at a time.

    Args:
        url: The file.
        rows: Numbers of rows.
        columns: Which columns; all if None.

    Yields:
        The rows' numbers and their columns.
    """
    with storage.open_binary(url) as source:
        file = pq.ParquetFile(source)
        start = 0
        for group in range(file.num_row_groups):
            end = start + file.metadata.row_group(group).num_rows
            inside = rows[np.searchsorted(rows, start) : np.searchsorted(rows, end)]
            if len(inside):
                yield inside, file.read_row_group(group, columns=columns).take(inside - start)
            start = end


ERRORS_SCHEMA = pa.schema(
    [
        ("split", pa.uint32()),
        ("id", pa.string()),
        ("offset", pa.string()),
        ("stage", pa.string()),
        ("error", pa.string()),
    ]
)


def errors_table(rows: list[dict[str, Any]]) -> pa.Table:
    """Returns error rows as a table of errors/."""
    return pa.Table.from_pylist(rows, ERRORS_SCHEMA)
