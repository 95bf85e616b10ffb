"""Finds documents of an output by their ids, reading no more text than theirs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import storage


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document is: in a file of documents/, and its ledger's row in that of ledger/."""

    file: str
    row: int


def places(root: str, ids: Iterable[str]) -> Iterator[tuple[str, Place]]:
    """Yields each document that has one of some ids, with its id."""
    wanted = pa.array(sorted(set(ids)), pa.string())
    for file in storage.list_files(f"{root}/documents"):
        with storage.open_binary(file.url) as source:
            known = pq.read_table(source, columns=["id"])["id"]
        rows = pc.indices_nonzero(pc.is_in(known, value_set=wanted))
        for row, identifier in zip(rows.to_pylist(), known.take(rows).to_pylist(), strict=True):
            yield identifier, Place(file.url.rsplit("/", 1)[-1], row)


def read_rows(url: str, rows: Sequence[int], columns: list[str] | None = None) -> pa.Table:
    """Reads some rows of a Parquet file, and of it only the row groups that hold them.

    Args:
        url: The file.
        rows: Numbers of rows, ascending.
        columns: Which columns; all if None.
    """
    found = []
    with storage.open_binary(url) as source:
        file, start = pq.ParquetFile(source), 0
        for group in range(file.num_row_groups):
            end = start + file.metadata.row_group(group).num_rows
            inside = [row - start for row in rows if start <= row < end]
            if inside:
                found.append(file.read_row_group(group, columns=columns).take(inside))
            start = end
    return pa.concat_tables(found)


def kept(root: str, ids: Iterable[str], columns: list[str]) -> dict[str, dict[str, Any]]:
    """Returns columns of the kept documents that have one of some ids."""
    found: dict[str, dict[str, Any]] = {}
    by_file: dict[str, list[tuple[str, int]]] = {}
    for identifier, place in places(root, ids):
        by_file.setdefault(place.file, []).append((identifier, place.row))
    for file, members in by_file.items():
        rows = [row for _, row in members]
        verdicts = read_rows(f"{root}/ledger/{file}", rows, ["verdict"])["verdict"].to_pylist()
        chosen = [
            member for member, verdict in zip(members, verdicts, strict=True) if verdict == "kept"
        ]
        if chosen:
            table = read_rows(f"{root}/documents/{file}", [row for _, row in chosen], columns)
            found.update(zip([name for name, _ in chosen], table.to_pylist(), strict=True))
    return found
