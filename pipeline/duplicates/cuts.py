"""What is cut out of each document: files of work/ that the verdicts and the tokens read."""

from itertools import groupby

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.arrow_files import read_arrow
from pipeline.output import Job

# work/passages/: the ranges to cut, in code points of the text in documents/, in order.
RANGES_SCHEMA = pa.schema([("row", pa.uint32()), ("start", pa.uint32()), ("end", pa.uint32())])
# work/remains/: each document that loses something; bytes that go, words that remain, whether too
# few, and the document in which most of what goes stands.
REMAINS_SCHEMA = pa.schema(
    [
        ("row", pa.uint32()),
        ("n_removed", pa.uint32()),
        ("words", pa.uint32()),
        ("dropped", pa.bool_()),
        ("kept_id", pa.string()),
    ]
)


def _cuts(job: Job) -> bool:
    return job.recipe.dedup is not None and job.recipe.dedup.passages is not None


def ranges_of(job: Job, part: int) -> dict[int, list[tuple[int, int]]]:
    """Returns the ranges that a part's documents lose, by row; nothing of others."""
    if not _cuts(job):
        return {}
    table = read_arrow(job.output.part("work/passages", part, ".arrow"))
    rows = zip(*(table[name].to_pylist() for name in RANGES_SCHEMA.names), strict=True)
    return {
        row: [(start, end) for _, start, end in mine]
        for row, mine in groupby(rows, key=lambda found: found[0])
    }


def read_remains(job: Job, part: int) -> pa.Table:
    """Reads what remains of a part's documents that lose something, by ascending row."""
    if not _cuts(job):
        return REMAINS_SCHEMA.empty_table()
    return read_arrow(job.output.part("work/remains", part, ".arrow"))


def removed_bytes(remains: pa.Table, start: int, count: int) -> NDArray[np.uint32]:
    """Returns uint32[count]: the bytes that each document from row `start` on loses."""
    return of_rows(remains, "n_removed", start, count, otherwise=0)


def of_rows(
    table: pa.Table, column: str, start: int, count: int, otherwise: int
) -> NDArray[np.uint32]:
    """Returns uint32[count]: a column's values for the documents from row `start` on.

    Args:
        table: Has the column `row`, ascending, and the column that is asked for.
        column: Its name.
        start: The first row.
        count: How many rows.
        otherwise: The value of documents that the table does not have.
    """
    rows = table["row"].to_numpy()
    first, last = np.searchsorted(rows, [start, start + count])
    values = np.full(count, otherwise, np.uint32)
    values[rows[first:last] - start] = table[column].to_numpy()[first:last]
    return values
