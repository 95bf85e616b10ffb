"""Repeated parts of documents: what is cut out of the texts that are kept, and the evidence.

Hashes of spans go through a shuffle in packs. Where one comes more than once, the copy that stays
is decided (`dedup.passages`), its document's part adds the id, and the part of each other copy cuts
it out. documents/ keeps the whole texts: the ranges to cut lie beside them, in work/passages/.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dedup.passages import (
    Units,
    cut,
    cut_ranges,
    first_copies,
    removed_units,
    repeated_spans,
    span_hashes,
    split_units,
)
from pipeline import storage
from pipeline.arrow_files import from_bytes, read_arrow, to_bytes, write_arrow
from pipeline.documents import read_rows
from pipeline.duplicates.cuts import RANGES_SCHEMA, REMAINS_SCHEMA
from pipeline.duplicates.packs import Keyed, by_part, keys_of, parts_of, rows_of, split
from pipeline.duplicates.priority import PASSED, dedup_of, ranks, read_order
from pipeline.duplicates.settings import Passages
from pipeline.output import Job

PACKS = 64

_SPANS = pa.schema(
    [
        ("low", pa.uint64()),
        ("high", pa.uint64()),
        ("document", pa.uint64()),
        ("place", pa.uint32()),
        ("priority", pa.binary()),
    ]
)
_LINK = np.dtype([("document", "<u8"), ("place", "<u4"), ("kept", "<u8"), ("kept_place", "<u4")])
# Spans of a part that repeat another one or, without `kept`, that others repeat.
_COPIES = pa.schema(
    [
        ("row", pa.uint32()),
        ("place", pa.uint32()),
        ("kept", pa.uint64()),
        ("kept_place", pa.uint32()),
        ("kept_id", pa.string()),
    ]
)
PASSAGES_SCHEMA = pa.schema(
    [("id", pa.string()), ("start", pa.uint32()), ("end", pa.uint32()), ("kept_id", pa.string())]
)


class Cut(NamedTuple):
    """What the documents of a part lose.

    Attributes:
        documents: How many stay and lose something.
        bytes: What these lose.
        dropped: How many are dropped, since too little of them would remain.
    """

    documents: int = 0
    bytes: int = 0
    dropped: int = 0


def total(cuts: Iterable[Cut]) -> dict[str, int]:
    """Returns what all parts lose."""
    columns = zip(*cuts, strict=True)
    return dict(zip(Cut._fields, map(sum, columns), strict=True))


def passages_of(job: Job) -> Passages:
    """Returns the recipe's section `dedup.passages`, which a run that looks for them has."""
    passages = dedup_of(job).passages
    assert passages is not None
    return passages


def span_packs(job: Job, part: int) -> Keyed:
    """Yields packs of the hashes of all spans in a part's kept documents."""
    settings = passages_of(job)
    order = read_order(job, part)
    rows = np.flatnonzero(_kept(job, part, order))
    scopes = order["scope"].to_numpy()
    found = [np.empty((0, 2), np.uint64)]
    for row, _, text in _texts(job, part, rows):
        hashes = span_hashes(split_units(text, settings.unit).hashes, settings.length)
        found.append(hashes ^ scopes[row])
    counts = [len(hashes) for hashes in found[1:]]
    spans, documents = np.concatenate(found), np.repeat(rows, counts)
    places = np.arange(len(spans)) - np.repeat(np.cumsum([0, *counts])[:-1], counts)
    columns = [
        *(np.ascontiguousarray(half) for half in spans.T),
        keys_of(part, documents),
        places.astype(np.uint32),
        order["priority"].take(documents),
    ]
    table = pa.table(columns, schema=_SPANS)
    for pack, members in split(spans[:, 0], PACKS):
        yield pack, to_bytes(table.take(members))


def _kept(job: Job, part: int, order: pa.Table) -> NDArray[np.bool_]:
    """Returns bool[n]: which documents of a part are neither filtered nor duplicates."""
    kept: NDArray[np.bool_] = order["matched"].to_numpy().copy()
    if part < job.n_parts:
        kept &= pc.starts_with(order["priority"], bytes([PASSED])).to_numpy()
        kept[read_arrow(job.output.part("work/survivors", part, ".arrow"))["row"].to_numpy()] = (
            False
        )
    return kept


def _texts(job: Job, part: int, rows: NDArray[np.int64]) -> Iterator[tuple[int, str, str]]:
    """Yields row, id and text of some of a part's documents."""
    for found, table in read_rows(job.documents(part), rows, ["id", "text"]):
        columns = [table[name].to_pylist() for name in ("id", "text")]
        yield from zip(found.tolist(), *columns, strict=True)


def group_spans(job: Job, pack: int, chunks: Iterable[bytes]) -> Keyed:
    """Yields, for each part, which of its spans others repeat: `_LINK` records."""
    table = from_bytes(chunks, _SPANS)
    hashes = np.column_stack([table["low"].to_numpy(), table["high"].to_numpy()])
    several, groups = repeated_spans(hashes)
    table = table.take(several)
    place = table["place"].to_numpy()
    keys, where, which = np.unique(
        table["document"].to_numpy(), return_index=True, return_inverse=True
    )
    rank = ranks(table["priority"].take(where), keys)
    first = first_copies(groups, rank[which], place)
    links = np.empty(len(first), _LINK)
    links["document"], links["place"] = keys[which], place
    links["kept"], links["kept_place"] = keys[which[first]], place[first]
    links = links[(first != np.arange(len(first))) & (parts_of(links["document"]) < job.n_parts)]
    for part, members in by_part(links["kept"]):
        yield part, links[members].tobytes()


def name_spans(job: Job, part: int, chunks: Iterable[bytes]) -> Keyed:
    """Yields rows of `_COPIES` for each part: copies of the part's spans, and these themselves."""
    links = np.frombuffer(b"".join(chunks), _LINK)
    rows, which = np.unique(rows_of(links["kept"]), return_inverse=True)
    with storage.open_binary(job.documents(part)) as source:
        ids = pq.read_table(source, columns=["id"])["id"].take(rows).combine_chunks()
    copies = pa.table(
        [
            rows_of(links["document"]),
            links["place"].copy(),
            links["kept"].copy(),
            links["kept_place"].copy(),
            ids.take(which),
        ],
        schema=_COPIES,
    )
    for where, members in by_part(links["document"]):
        yield where, to_bytes(copies.take(members))
    if part < job.n_parts:
        stay = np.unique(links[["kept", "kept_place"]])
        firsts = pa.table({"row": rows_of(stay["kept"]), "place": stay["kept_place"].copy()})
        yield part, to_bytes(_with_nulls(firsts))


def _with_nulls(table: pa.Table) -> pa.Table:
    for field in list(_COPIES)[2:]:
        table = table.append_column(field, pa.nulls(len(table), field.type))
    return table


def write_passages(job: Job, part: int, chunks: Iterable[bytes]) -> Cut:
    """Writes what is cut out of a part's documents.

    work/passages/ has the ranges to cut, work/remains/ what remains of each document; passages/ the
    passages themselves, in code points of the text in documents/, and whose copy stays.

    Returns:
        What the part loses.
    """
    settings = passages_of(job)
    copies = from_bytes(chunks, _COPIES).sort_by([("row", "ascending"), ("place", "ascending")])
    row = copies["row"].to_numpy()
    repeats = copies["kept"].is_valid().to_numpy()
    ranges: list[tuple[int, ...]] = []
    evidence: list[tuple[str, int, int, str]] = []
    remains: list[tuple[int, int, int, bool, str]] = []
    for document, name, text in _texts(job, part, np.unique(row[repeats]).astype(np.int64)):
        first, last = np.searchsorted(row, [document, document + 1])
        mine = copies.slice(first, last - first)
        units = split_units(text, settings.unit)
        loss = _loss(units, mine, settings.length)
        if not loss.removed.any():
            continue
        gone = cut_ranges(text, units, loss.removed)
        ranges.extend((document, *each) for each in gone)
        evidence.extend((name, *each) for each in loss.passages)
        words = int(units.words[~loss.removed].sum())
        size = len(text.encode()) - len(cut(text, gone).encode())
        stays = not repeats[first:last].all()
        dropped = words < settings.min_words and not stays
        remains.append((document, size, words, dropped, loss.kept_id))
    write_arrow(job.output.part("work/passages", part, ".arrow"), _table(ranges, RANGES_SCHEMA))
    write_arrow(job.output.part("work/remains", part, ".arrow"), _table(remains, REMAINS_SCHEMA))
    with storage.atomic(job.output.part("passages", part, ".parquet")) as sink:
        pq.write_table(_table(evidence, PASSAGES_SCHEMA), sink, compression="zstd")
    sizes = [size for _, size, _, dropped, _ in remains if not dropped]
    return Cut(len(sizes), sum(sizes), len(remains) - len(sizes))


def _table(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema)


class _Loss(NamedTuple):
    """What one document loses.

    Attributes:
        removed: bool[units].
        passages: Start, end, and the id of the document whose copy stays, of each row of removed
            units that stand in that document side by side.
        kept_id: The document in which most of the removed words stand.
    """

    removed: NDArray[np.bool_]
    passages: list[tuple[int, int, str]]
    kept_id: str


def _loss(units: Units, copies: pa.Table, length: int) -> _Loss:
    """Decides what a document loses, given its spans that are copies, by ascending place."""
    repeats = copies["kept"].is_valid().to_numpy()
    places = copies["place"].to_numpy().astype(np.int64)
    removed = removed_units(len(units), length, places[~repeats], places[repeats])
    copies, places = copies.filter(pa.array(repeats)), places[repeats]
    gone = np.flatnonzero(removed)
    if not len(gone):
        return _Loss(removed, [], "")
    cover = np.searchsorted(places, gone - length + 1)  # the first span over each removed unit
    kept = copies["kept"].to_numpy()[cover]
    shift = copies["kept_place"].to_numpy().astype(np.int64)[cover] - places[cover]
    along = (np.diff(gone) == 1) & (kept[1:] == kept[:-1]) & (np.diff(shift) == 0)
    starts = np.flatnonzero(np.append(True, ~along))
    ends = np.append(starts[1:], len(gone)) - 1
    ids = copies["kept_id"].take(cover[starts]).to_pylist()
    edges = zip(units.starts[gone[starts]].tolist(), units.ends[gone[ends]].tolist(), strict=True)
    words = np.add.reduceat(units.words[gone], starts)
    most: dict[str, int] = {}
    for identifier, count in zip(ids, words.tolist(), strict=True):
        most[identifier] = most.get(identifier, 0) + count
    return _Loss(
        removed,
        [(*edge, identifier) for edge, identifier in zip(edges, ids, strict=True)],
        max(most, key=lambda identifier: (most[identifier], identifier)),
    )
