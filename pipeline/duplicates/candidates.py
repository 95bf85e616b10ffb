"""Candidates in files: the pairs to compare, and the large buckets in which leaders are chosen."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.arrow_files import read_arrow, write_arrow
from pipeline.duplicates.bands import BUCKET_PACKS, PAIR_PACKS, distinct_pairs, documents_in
from pipeline.duplicates.packs import Keyed, Keys
from pipeline.output import Job

_BUCKETS_SCHEMA = pa.schema(
    [("documents", pa.large_list(pa.uint64())), ("left_out", pa.int64()), ("kept", pa.binary())]
)


class Bucket(NamedTuple):
    """A large bucket after a pass.

    Attributes:
        documents: uint64[m], keys, ascending.
        left_out: How many pairs of its documents are not compared.
        kept: A digest of the documents that were kept before the pass; empty before the first one.
    """

    documents: Keys
    left_out: int = 0
    kept: bytes = b""


def write_candidates(job: Job, pack: int, chunks: Iterable[bytes]) -> Keyed:
    """Writes one pack of pairs, or of large buckets, to work/candidates/ or work/buckets/.

    Yields:
        For each part, the rows of its documents that are compared.
    """
    if pack < PAIR_PACKS:
        documents = distinct_pairs(chunks)
        pairs = pa.table({"a": documents[:, 0], "b": documents[:, 1]})
        write_arrow(job.output.part("work/candidates", pack, ".arrow"), pairs)
    else:
        buckets = [np.frombuffer(bucket, "<u8") for bucket in sorted(set(chunks)) if bucket]
        write_buckets(job, 0, pack - PAIR_PACKS, map(Bucket, buckets))
        documents = np.concatenate([np.empty(0, np.uint64), *buckets])
    yield from documents_in(documents)


def read_candidates(job: Job, pack: int) -> Keys:
    """Reads one pack of the pairs to compare, uint64[k, 2]."""
    table = read_arrow(job.output.part("work/candidates", pack, ".arrow"))
    return np.column_stack([table["a"].to_numpy(), table["b"].to_numpy()])


def write_buckets(job: Job, again: int, pack: int, buckets: Iterable[Bucket]) -> None:
    """Writes one pack of large buckets as they are after a pass; 0 is before the first one."""
    columns = list(zip(*buckets, strict=True)) or [(), (), ()]
    table = pa.table(list(map(list, columns)), schema=_BUCKETS_SCHEMA)
    write_arrow(job.output.part("work/buckets", again * BUCKET_PACKS + pack, ".arrow"), table)


def read_buckets(job: Job, again: int, pack: int) -> list[Bucket]:
    """Reads one pack of large buckets as they are after a pass."""
    table = read_arrow(job.output.part("work/buckets", again * BUCKET_PACKS + pack, ".arrow"))
    documents = [column.values.to_numpy() for column in table["documents"]]
    rest = (table[name].to_pylist() for name in ("left_out", "kept"))
    return [Bucket(*fields) for fields in zip(documents, *rest, strict=True)]
