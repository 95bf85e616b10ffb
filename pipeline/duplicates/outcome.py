"""What the verdicts read of the match stage: duplicates, and who stands for others."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.arrow_files import read_arrow
from pipeline.duplicates.cuts import of_rows, read_remains
from pipeline.output import Job

SURVIVORS_SCHEMA = pa.schema(
    [
        ("row", pa.uint32()),
        ("kept_id", pa.string()),
        ("jaccard", pa.float64()),
        ("reason", pa.string()),
        ("cluster_size", pa.uint32()),
    ]
)


@dataclass(frozen=True)
class Duplicates:
    """The documents of a batch that others stand for; four arrays of one length.

    The values are what the ledger says: a Jaccard, or the words that would remain.
    """

    rows: NDArray[np.int64]
    kept_ids: list[str]
    values: NDArray[np.float64]
    reasons: list[str]

    @classmethod
    def of(cls, duplicates: pa.Table, start: int) -> "Duplicates":
        """Takes rows of `read_duplicates`, numbered from `start` on."""
        return cls(
            duplicates["row"].to_numpy().astype(np.int64) - start,
            duplicates["kept_id"].to_pylist(),
            duplicates["value"].to_numpy(),
            duplicates["reason"].to_pylist(),
        )


def read_survivors(job: Job, part: int) -> pa.Table:
    """Reads the duplicates of one part from work/survivors/, by ascending row."""
    if job.recipe.dedup is None:
        return SURVIVORS_SCHEMA.empty_table()
    return read_arrow(job.output.part("work/survivors", part, ".arrow"))


def read_duplicates(job: Job, part: int) -> pa.Table:
    """Reads all duplicates of one part, by ascending row: row, kept_id, value, reason.

    Beside those of work/survivors/ they are the documents that are cut to too few words.
    """
    survivors = read_survivors(job, part).drop_columns("cluster_size")
    whole = survivors.rename_columns(["row", "kept_id", "value", "reason"])
    remains = read_remains(job, part)
    remains = remains.filter(remains["dropped"])
    reason = pa.array(["dedup.passages"] * len(remains), pa.string())
    columns = [remains["row"], remains["kept_id"], remains["words"].cast(pa.float64()), reason]
    cut = pa.table(columns, schema=whole.schema)
    return pa.concat_tables([whole, cut]).sort_by("row").combine_chunks()


def read_stands(job: Job, part: int) -> pa.Table:
    """Reads the documents of one part that stand for others: row, cluster_size."""
    if job.recipe.dedup is None:
        return pa.table(
            {"row": pa.array([], pa.uint32()), "cluster_size": pa.array([], pa.uint32())}
        )
    return read_arrow(job.output.part("work/stands", part, ".arrow"))


def stands_for(stands: pa.Table, start: int, count: int) -> NDArray[np.uint32]:
    """Returns uint32[count]: for how many documents each one from row `start` on would stand."""
    return of_rows(stands, "cluster_size", start, count, otherwise=1)
