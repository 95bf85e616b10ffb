"""Which documents are matched, and which one of two duplicates stays.

The order of priority is that of byte strings: the smaller one is preferred. A string depends on the
document alone, so the order is the same however the input is cut into files:

* one byte: a document of the output that is matched against, one that passes the filters, one that
  does not;
* what the recipe's `dedup.prefer` says;
* 8 bytes of the hash of the id.

Documents with the same string, which need the same id, are ordered by their places.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from filters.registry import FILTERS
from pipeline.arrow_files import read_arrow, write_arrow
from pipeline.duplicates.settings import Best, Dedup, Sources
from pipeline.output import Job
from pipeline.recipe import Recipe
from pipeline.verdicts import error_ids, id_hashes, is_in, judged_batches

ORDER_SCHEMA = pa.schema(
    [("matched", pa.bool_()), ("priority", pa.binary()), ("scope", pa.uint64())]
)
REFERENCE, PASSED, FILTERED = range(3)
URL_BYTES = 500  # of a URL decide; each span of a document's text carries them

Bytes = NDArray[np.uint8]


def write_order(job: Job, part: int) -> int:
    """Writes work/order/ of one part: which documents are matched, their priority, their scope.

    Returns:
        The part's number.
    """
    dedup = dedup_of(job)
    errors = error_ids(job, part)
    more = ["url"] * (dedup.prefer == "first_url") + ["snapshot"] * (dedup.scope == "snapshot")
    batches = [ORDER_SCHEMA.empty_table()]
    for documents, judgement in judged_batches(job, part, more=more):
        readable = ~is_in(documents["id"], errors)
        matched = readable & (judgement.passed | (dedup.over == "all"))
        standing = np.where(judgement.passed, PASSED, FILTERED).astype(np.uint8)
        batches.append(order_table(documents, matched, standing, job.recipe))
    write_arrow(job.output.part("work/order", part, ".arrow"), pa.concat_tables(batches))
    return part


def dedup_of(job: Job) -> Dedup:
    """Returns the recipe's section `dedup`, which a run that matches has."""
    dedup = job.recipe.dedup
    assert dedup is not None
    return dedup


def order_table(
    documents: pa.RecordBatch,
    matched: NDArray[np.bool_],
    standing: NDArray[np.uint8],
    recipe: Recipe,
    preferred: bool = True,
) -> pa.Table:
    """Returns rows of work/order/ for n documents.

    Args:
        documents: Rows of documents/, with the columns that `dedup.prefer` and `scope` need.
        matched: bool[n].
        standing: uint8[n]: REFERENCE, PASSED or FILTERED.
        recipe: Gives `dedup.prefer` and `dedup.scope`.
        preferred: False to leave `dedup.prefer` out, for documents that all stay.
    """
    dedup = recipe.dedup
    assert dedup is not None
    wanted = _preferred(documents, dedup) if preferred else np.empty((len(documents), 0), np.uint8)
    tie = id_hashes(documents["id"]).astype(">u8").view(np.uint8).reshape(-1, 8)
    if isinstance(wanted, np.ndarray):
        fixed = np.column_stack([standing, wanted, tie])
        offsets = np.arange(len(fixed) + 1, dtype=np.int32) * fixed.shape[1]
        priority = pa.Array.from_buffers(
            pa.binary(), len(fixed), [None, pa.py_buffer(offsets), pa.py_buffer(fixed.tobytes())]
        )
    else:
        parts = zip(standing.tolist(), wanted, tie, strict=True)
        priority = pa.array([bytes([s]) + p + t.tobytes() for s, p, t in parts], pa.binary())
    return pa.table([pa.array(matched), priority, _scopes(documents, dedup)], schema=ORDER_SCHEMA)


def _preferred(documents: pa.RecordBatch, dedup: Dedup) -> Bytes | list[bytes]:
    """Returns what `dedup.prefer` says of n documents: uint8[n, width], or n byte strings."""
    # Inverted first: numpy would return it in the machine's own order of bytes.
    longest = _big_endian((~documents["n_bytes"].to_numpy()).astype(">u4"))
    match dedup.prefer:
        case Best(best=signal):
            return _big_endian(_by_signal(documents, signal))
        case Sources(sources=names):
            place = pc.fill_null(pc.index_in(documents["source"], pa.array(names)), len(names))
            return np.column_stack([_big_endian(place.to_numpy().astype(">u2")), longest])
        case "first_url":
            urls = documents["url"].to_pylist()
            # A URL is ended by a byte below all that it holds; without one comes last.
            return [
                b"\xff" if u is None else u.encode()[:URL_BYTES].replace(b"\0", b"\1") + b"\0"
                for u in urls
            ]
        case _:
            return longest


def _by_signal(documents: pa.RecordBatch, signal: str) -> NDArray[np.uint64]:
    """Returns uint64[n] in which the best value of a signal is the smallest; none comes last.

    The rule says whether low or high values are good.
    """
    name, field = signal.split(".")
    rule = next(rule for rule in FILTERS[name].RULES if rule.signal == field)
    column = pc.struct_field(documents["signals"], [name, field])
    values = column.to_numpy(zero_copy_only=False).astype(np.float64)
    values = (values if rule.keeps_low else -values) + 0.0  # no negative zero
    bits = values.view(np.uint64)
    # IEEE 754: the order of the numbers is that of their bits, but for the negative ones' sign.
    negative = bits >> np.uint64(63) == 1
    ordered = np.where(negative, ~bits, bits | np.uint64(1 << 63))
    ordered[np.isnan(values)] = np.uint64(2**64 - 1)
    return np.asarray(ordered, ">u8")


def _big_endian(values: NDArray[np.unsignedinteger]) -> Bytes:
    return values.view(np.uint8).reshape(len(values), values.itemsize)


def _scopes(documents: pa.RecordBatch, dedup: Dedup) -> pa.Array:
    """Returns uint64[n]: equal for documents that are matched with each other."""
    if dedup.scope == "corpus":
        return pa.array(np.zeros(len(documents), np.uint64))
    names = pc.fill_null(documents[dedup.scope], "").dictionary_encode()
    return pa.array(id_hashes(names.dictionary)).take(names.indices)


def read_order(job: Job, part: int) -> pa.Table:
    """Reads work/order/ of one part."""
    return read_arrow(job.output.part("work/order", part, ".arrow"))


def ranks(priority: pa.Array, documents: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers n documents by priority, from n - 1 for the preferred one down to 0.

    Args:
        priority: Byte strings, the smaller one preferred.
        documents: uint64[n], their keys, all different, which decide between equal strings.
    """
    table = pa.table({"priority": priority, "document": documents})
    order = pc.sort_indices(table, [("priority", "ascending"), ("document", "ascending")])
    numbers = np.empty(len(documents), np.uint64)
    numbers[order.to_numpy()] = np.arange(len(documents), dtype=np.uint64)[::-1]
    return numbers
