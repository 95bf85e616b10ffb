"""Mill: one split in; documents/, errors/ and work/signatures/ of the same number out.

Everything that looks at a document's text happens here, in one pass over it: the filters on the
text as it was read, then redaction, then the duplicate signature of the redacted text. Only
redacted text leaves this module.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from filters.document import Document
from filters.errors import FilterUnavailable
from filters.loaders import loader
from filters.redaction import redact
from pipeline import storage
from pipeline.documents import Row, documents_batch, documents_schema, errors_table
from pipeline.duplicates.signatures import signatures_batch, signatures_schema, signer
from pipeline.errors import UserError
from pipeline.filter_chain import FilterChain
from pipeline.output import Job
from pipeline.recipe import Recipe
from pipeline.redacting import Redacting, check_key, redacting
from pipeline.resources import local_files
from pipeline.sources.fields import valid_unicode
from pipeline.sources.formats import stem
from pipeline.sources.plan import with_user_info
from pipeline.sources.read import read
from pipeline.sources.records import Record, Split, Unreadable

BATCH_ROWS = 2_000
BATCH_BYTES = 8 * 2**20
SOURCES = 1_000  # of which the redacted form is kept
MOST_ID = 4_096  # characters; a longer id is replaced, since many rows may name it
ENCODINGS = 3  # of a URL within a URL within a URL
NO_FILES: Mapping[str, str] = MappingProxyType({})


def mill(job: Job, part: int) -> dict[str, Any]:
    """Mills one split, unless it was done before.

    Returns:
        The part's summary: records read, rows written, bytes of text, errors by class.

    Raises:
        UserError: the split's file is gone or the output cannot be written.
    """
    fingerprint = job.fingerprint("mill", part)
    done = job.output.committed("mill", part, fingerprint)
    if done:
        return done
    check_key(job.recipe.redaction, job.key_mark)
    split = with_user_info(job.splits[part], job.recipe.source.inputs)
    read_count = Count()
    summary = _write(job, part, measured(split, job.recipe, read_count, local_files(job)))
    summary["records"] = read_count.records
    job.output.commit("mill", part, fingerprint, summary)
    return summary


@dataclass
class Count:
    """How many records a source gave; the accounts compare it with the ledger."""

    records: int = 0


def measured(
    split: Split, recipe: Recipe, count: Count, files: Mapping[str, str] = NO_FILES
) -> Iterator[Row]:
    """Yields exactly one row for each record of a split, in the split's order.

    Args:
        split: What to read.
        recipe: The resolved recipe.
        count: Counts the records.
        files: The local file for each path or URL that a filter of the recipe names.
    """
    measure = _measurer(recipe.model_dump_json(), tuple(files.items()))
    how = redacting(recipe.redaction)
    for record in read(split, recipe.source.options()):
        count.records += 1
        file = record.file.rsplit("/", 1)[-1]
        if isinstance(record, Unreadable):
            yield _unreadable(record, record.error, how)
            continue
        try:
            yield measure(record, file)
        except MemoryError:
            raise
        except FilterUnavailable as error:
            raise UserError(str(error)) from None
        except Exception as error:  # the message may hold text; the class cannot
            yield _unreadable(record, f"failed_{type(error).__name__}", how)


@loader  # it has prepared the filters, which checks the files
@lru_cache(maxsize=2)
def _measurer(recipe_json: str, files: tuple[tuple[str, str], ...]) -> Callable[[Record, str], Row]:
    """Prepares all that is the same for every document, once in each process."""
    recipe = Recipe.model_validate_json(recipe_json)
    how = redacting(recipe.redaction)
    sign = signer(recipe.dedup) if recipe.dedup else None
    try:
        chain = FilterChain(recipe, dict(files))
    except FilterUnavailable as error:
        raise UserError(str(error)) from None

    @lru_cache(maxsize=SOURCES)
    def redacted_source(source: str) -> str:
        return redact(valid_unicode(source), *how).text

    def measure(record: Record, file: str) -> Row:
        text = valid_unicode(record.text)
        redaction = None
        identifier = valid_unicode(record.id or "")
        # An id, a URL, a source and a file's name are data of the document, too.
        if not 0 < len(identifier) <= MOST_ID or _redacted_url(identifier, how)[1]:
            redaction = redact(text, *how)
            identifier = _digest(file, record.place, redaction.text)
        url = valid_unicode(record.url) if record.url else None
        measured = chain.measure(Document(text, url, recipe.words, identifier))
        if redaction is None or measured.text is not text:  # a filter rewrote it
            redaction = redact(measured.text, *how)
        for signals in measured.signals.values():
            if isinstance(named := signals.get("evidence"), str):  # an entry of a user's list
                signals["evidence"] = redact(named, *how).text
        row = Row(
            id=identifier,
            source=redacted_source(record.source or stem(record.file)),
            snapshot=redacted_source(record.snapshot) if record.snapshot else None,
            text=redaction.text,
            n_bytes=len(redaction.text.encode()),
            signals=measured.signals,
            language=measured.language,
            language_score=measured.language_score,
            place=record.place,
        )
        found = Counter(redaction.counts)
        in_url: Counter[str] = Counter()
        if url:
            row.url, in_url = _redacted_url(url, how)
            found.update(in_url)
        row.redactions = dict(sorted(found.items()))
        if sign:
            # A URL with personal data has another in its place, which other URLs may have, too.
            row.marks = sign(redaction.text, url if url and not in_url else None)
        return row

    return measure


def _redacted_url(url: str, how: Redacting) -> tuple[str, Counter[str]]:
    """Returns a URL without personal data, also percent-encoded, and how many hits there were.

    Only a URL in which something encoded was found is decoded.
    """
    redaction = redact(url, *how)
    redacted = decoded = redaction.text
    counts = Counter(redaction.counts)
    for _ in range(ENCODINGS):
        if "%" not in decoded:
            break
        redaction = redact(valid_unicode(unquote(decoded)), *how)
        decoded = redaction.text
        if redaction.spans:
            redacted = decoded
            counts.update(redaction.counts)
    return redacted, counts


def _digest(*fields: str) -> str:
    """Names a record by its place and its redacted content, never the raw text."""
    hashed = hashlib.blake2b(digest_size=16)
    for value in fields:
        data = value.encode()
        hashed.update(len(data).to_bytes(8, "little") + data)
    return hashed.hexdigest()


def _unreadable(record: Record | Unreadable, error: str, how: Redacting) -> Row:
    # Not the record's own source, at which redaction may have failed.
    name, source = record.file.rsplit("/", 1)[-1], redact(stem(record.file), *how).text
    return Row(id=_digest(name, record.place), source=source, place=record.place, error=error)


def _write(job: Job, part: int, rows: Iterator[Row]) -> dict[str, Any]:
    """Streams rows into the part's files, a batch at a time, and returns the part's summary."""
    files = {
        "documents": job.output.part("documents", part, ".parquet"),
        "errors": job.output.part("errors", part, ".parquet"),
        "signatures": job.output.part("work/signatures", part, ".arrow"),
    }
    documents, signatures = documents_schema(job.recipe), signatures_schema(job.recipe.dedup)
    count, n_bytes, redactions, redacted = 0, 0, Counter[str](), Counter[str]()
    sources, errors = Counter[str](), []
    with ExitStack() as stack:
        sink = {name: stack.enter_context(storage.atomic(url)) for name, url in files.items()}
        to_documents = stack.enter_context(
            pq.ParquetWriter(sink["documents"], documents, compression="zstd")
        )
        to_signatures = stack.enter_context(pa.ipc.new_file(sink["signatures"], signatures))
        for batch in _batches(rows):
            to_documents.write_batch(documents_batch(batch, documents))
            to_signatures.write_batch(signatures_batch([row.marks for row in batch], signatures))
            for row in batch:
                count += 1
                n_bytes += row.n_bytes
                sources[row.source] += 1
                redactions.update(row.redactions)
                redacted.update(row.redactions.keys())
                if row.error:
                    errors.append(
                        {
                            "split": part,
                            "id": row.id,
                            "offset": row.place,
                            "stage": "mill",
                            "error": row.error,
                        }
                    )
        pq.write_table(errors_table(errors), sink["errors"], compression="zstd")
    return {
        "documents": count,
        "bytes": n_bytes,
        "errors": dict(Counter(error["error"] for error in errors)),
        "sources": dict(sources),
        "redactions": dict(redactions),
        "redacted_documents": dict(redacted),
    }


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Groups rows so that a batch's memory is bounded in rows and in bytes."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += row.n_bytes
        if len(batch) >= BATCH_ROWS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
