"""Finds documents of an output by their ids, reading no more text than theirs."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline import storage
from pipeline.documents import read_rows

Row = dict[str, Any]


def places(root: str, ids: Iterable[str]) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Yields the name of each file that has documents with some ids, and the rows they are in.

    The file is one of documents/; that of the same name in ledger/ has the same rows.
    """
    wanted = pa.array(sorted(set(ids)), pa.string())
    for file in storage.list_files(f"{root}/documents"):
        with storage.open_binary(file.url) as source:
            known = pq.read_table(source, columns=["id"])["id"]
        # Not indices_nonzero, which crashes on a column without chunks.
        rows = np.flatnonzero(pc.is_in(known, value_set=wanted).to_numpy())
        if len(rows):
            yield file.url.rsplit("/", 1)[-1], rows


def documents(root: str, ids: Iterable[str], columns: list[str]) -> Iterator[Row]:
    """Yields the documents that have some ids, kept or not."""
    for file, rows in places(root, ids):
        for _, table in read_rows(f"{root}/documents/{file}", rows, columns):
            yield from table.to_pylist()


def stories(root: str, ids: Iterable[str], columns: list[str] | None = None) -> Iterator[Row]:
    """Yields the documents that have some ids, each in one row with what the ledger says."""
    for file, rows in places(root, ids):
        found = read_rows(f"{root}/documents/{file}", rows, columns)
        said = read_rows(f"{root}/ledger/{file}", rows, None)
        document = (row for _, table in found for row in table.to_pylist())
        verdict = (row for _, table in said for row in table.to_pylist())
        for one, other in zip(document, verdict, strict=True):
            yield {**one, **other}


def stands(story: Row) -> bool:
    """Tells whether others can be duplicates of a document.

    That is one that is kept, or of which too little was left when repeated passages were cut; that
    is decided after the duplicates are.
    """
    return bool(story["verdict"] == "kept" or story["reason"] == "dedup.passages")
