"""Equal texts and equal URLs: of each group the document of highest priority stays.

Digests go through a shuffle in packs. What a part's documents repeat comes back to the part.
"""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.candidates import group_equal, repeated
from pipeline.arrow_files import from_bytes, read_arrow, to_bytes, write_arrow
from pipeline.duplicates.packs import Keyed, by_part, keys_of, parts_of, rows_of, split
from pipeline.duplicates.priority import dedup_of, ranks, read_order
from pipeline.output import Job

PACKS = 16
Kind = Literal["url", "exact"]

_SCHEMA = pa.schema(
    [("digest", pa.binary(16)), ("document", pa.uint64()), ("priority", pa.binary())]
)
_REPEAT = np.dtype([("dropped", "<u8"), ("kept", "<u8")])


def digest_packs(job: Job, part: int, kind: Kind) -> Keyed:
    """Yields packs of a part's digests with the documents' keys and priorities.

    Args:
        job: The run.
        part: The part.
        kind: "url" for digests of URLs; "exact" for those of the texts of documents that no other
            one with their URL stands for.
    """
    order = read_order(job, part)
    column = "url_digest" if kind == "url" else "digest"
    digests = read_arrow(job.output.part("work/signatures", part, ".arrow"))[column]
    wanted = order["matched"].to_numpy() & digests.is_valid().to_numpy()
    if kind == "exact":
        wanted[repeats(job, part, ["url"])["row"]] = False
    rows = np.flatnonzero(wanted)
    if not len(rows):
        return
    order = order.take(rows)
    raw = _fixed(digests.take(rows)).view("<u8").reshape(-1, 2).copy()
    raw[:, 1] ^= order["scope"].to_numpy()
    fixed = pa.Array.from_buffers(pa.binary(16), len(raw), [None, pa.py_buffer(raw.tobytes())])
    table = pa.table([fixed, keys_of(part, rows), order["priority"]], schema=_SCHEMA)
    for pack, members in split(raw[:, 0], PACKS):
        yield pack, to_bytes(table.take(members))


def group(job: Job, pack: int, chunks: Iterable[bytes]) -> Keyed:
    """Yields, for each part, which of its documents repeat another one: `_REPEAT` records."""
    table = from_bytes(chunks, _SCHEMA).combine_chunks()
    digests = _fixed(table["digest"])
    several = np.flatnonzero(repeated(digests))
    table, digests = table.take(several), digests[several]
    documents = table["document"].to_numpy()
    order = ranks(table["priority"], documents)
    dropped, kept = group_equal(digests, documents, order)
    records = np.empty(len(dropped), _REPEAT)
    records["dropped"], records["kept"] = dropped, kept
    records = records[parts_of(dropped) < job.n_parts]  # a document of the reference stays
    for part, places in by_part(records["dropped"]):
        yield part, records[places].tobytes()


def _fixed(column: pa.ChunkedArray) -> NDArray[np.void]:
    """Returns a column of 16-byte strings as V16[n]."""
    array = pa.concat_arrays(column.chunks)
    data = np.frombuffer(array.buffers()[1], "V16")
    return data[array.offset : array.offset + len(array)]


def write_repeats(job: Job, part: int, chunks: Iterable[bytes], kind: Kind) -> int:
    """Writes work/url/ or work/exact/ of one part: rows that repeat a document, and its key."""
    records = np.frombuffer(b"".join(chunks), _REPEAT)
    records = records[np.argsort(records["dropped"])]
    table = pa.table({"row": rows_of(records["dropped"]), "kept": records["kept"]})
    write_arrow(job.output.part(f"work/{kind}", part, ".arrow"), table)
    return part


def repeats(job: Job, part: int, kinds: Iterable[Kind]) -> dict[str, NDArray[Any]]:
    """Returns the rows of a part that repeat a document by URL or text, and its key.

    Args:
        job: The run.
        part: The part.
        kinds: Which of them; those that the recipe does not look for are left out.
    """
    dedup, own = dedup_of(job), part < job.n_parts
    on = {"url": own and dedup.url, "exact": own and dedup.exact is not None}
    tables = [
        read_arrow(job.output.part(f"work/{kind}", part, ".arrow")) for kind in kinds if on[kind]
    ]
    return {
        "row": np.concatenate([np.empty(0, np.uint32), *(t["row"].to_numpy() for t in tables)]),
        "kept": np.concatenate([np.empty(0, np.uint64), *(t["kept"].to_numpy() for t in tables)]),
    }
