"""An existing output that new documents are matched against.

Its parts come after the run's own. Documents that it kept are signed anew from their text, so it
does not matter with which settings it was made. They come before all others in the order of
priority, and nothing drops them.
"""

import hashlib
import json
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import storage
from pipeline.arrow_files import write_arrow
from pipeline.duplicates.priority import ORDER_SCHEMA, REFERENCE, order_table
from pipeline.duplicates.signatures import Marks, signatures_batch, signatures_schema, signer
from pipeline.errors import UsageError, UserError
from pipeline.output import FORMAT_VERSION, Job, Output
from pipeline.recipe import Recipe

BATCH_ROWS = 2_000


def reference_of(recipe: Recipe) -> tuple[str, int]:
    """Returns the hash of the manifest of the output that is matched against, and its parts.

    Raises:
        UsageError: it is not a finished output of this format.
    """
    root = recipe.dedup.against if recipe.dedup else None
    if not root:
        return "", 0
    url = Output(root.rstrip("/")).path("manifest.json")
    if not storage.exists(url):
        raise UsageError(
            f"dedup.against: {root} is not a finished output: it has no manifest.json",
            "Give the --output directory of a finished run.",
        )
    data = storage.read_bytes(url)
    try:
        manifest = json.loads(data)
        version, parts = manifest["format_version"], int(manifest["parts"])
    except (ValueError, KeyError, TypeError):
        raise UsageError(
            f"dedup.against: {root} has a damaged manifest.json",
            "Have it made again by its `gristmill run`.",
        ) from None
    if version != FORMAT_VERSION:
        raise UsageError(
            f"dedup.against: {root} was made in another format", "Make it anew with this version."
        )
    return hashlib.sha256(data).hexdigest(), parts


def write_reference(job: Job, part: int) -> int:
    """Writes work/signatures/ and work/order/ of one part of the reference.

    Returns:
        The part's number, above those of the run's own parts.
    """
    dedup = job.recipe.dedup
    assert dedup is not None
    sign, schema = signer(dedup), signatures_schema(dedup)
    orders = [ORDER_SCHEMA.empty_table()]
    with (
        storage.atomic(job.output.part("work/signatures", part, ".arrow")) as sink,
        pa.ipc.new_file(sink, schema) as writer,
    ):
        for documents, kept in _batches(job, part):
            texts, urls = documents["text"].to_pylist(), documents["url"].to_pylist()
            marks = [
                sign(text, url) if wanted else Marks()
                for text, url, wanted in zip(texts, urls, kept.tolist(), strict=True)
            ]
            writer.write_batch(signatures_batch(marks, schema))
            standing = np.full(len(kept), REFERENCE, np.uint8)
            orders.append(order_table(documents, kept, standing, job.recipe, preferred=False))
    write_arrow(job.output.part("work/order", part, ".arrow"), pa.concat_tables(orders))
    return part


def _batches(job: Job, part: int) -> Iterator[tuple[pa.RecordBatch, np.ndarray]]:
    """Yields the documents of a part of the reference and which of them it kept."""
    try:
        with storage.open_binary(job.reference_part("ledger", part)) as source:
            verdicts = pq.read_table(source, columns=["verdict"])["verdict"].cast("string")
        kept = pc.equal(verdicts, "kept").to_numpy()
        start = 0
        wanted = ["id", "source", "snapshot", "url", "n_bytes", "text"]
        with storage.open_binary(job.documents(part)) as source:
            for batch in pq.ParquetFile(source).iter_batches(BATCH_ROWS, columns=wanted):
                yield batch, kept[start : start + len(batch)]
                start += len(batch)
    except (pa.ArrowInvalid, OSError):  # no Parquet, or a page that cannot be read
        raise UserError(
            f"dedup.against: {job.documents(part)} or its part of ledger/ is damaged",
            "Have that output made again by its `gristmill run`.",
        ) from None
