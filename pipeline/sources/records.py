"""What a source is asked for and what it gives: options, splits, records, unreadable places."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

ERRORS: dict[str, str] = {
    "invalid_json": "The line is not a JSON value.",
    "no_text_field": "The record has no text field; set source.text_field to the field's name.",
    "not_text": "The text field holds something else than a string.",
    "invalid_utf8": "The bytes are not UTF-8; convert the file first, for example with iconv.",
    "too_large": "The document is larger than source.max_document_bytes.",
    "truncated": "The file or record ends too early; fetch it again.",
    "invalid_compression": "The compressed data are damaged, or are not of the kind that the "
    "file's name says; fetch the file again or rename it.",
    "invalid_parquet": "Parquet data are damaged; write or fetch the file again.",
    "invalid_warc": "The WARC framing is broken: a missing or wrong header or Content-Length.",
    "invalid_http": "The HTTP message in a WARC record cannot be decoded.",
    "extraction_failed": "The HTML could not be turned into text.",
    "invalid_dataset": "The rest of the dataset's shard cannot be read.",
    "invalid_python": "The Python file cannot be parsed.",
    "missing_file": "A file of the Python environment is not there on this worker.",
}
"""Every error class that `Unreadable.error` can hold, with what it means and what to do."""


@dataclass(frozen=True, slots=True)
class Record:
    """One input document.

    Attributes:
        place: Where in its file: a byte offset, row or record number. Unique in the file and
            the same however the file is split.
        text: The text, valid Unicode (no surrogates); may be empty.
        id: The source's own name for it, or None.
        url: Its web address, or None.
        source: The collection it belongs to; `read` fills in the file's stem if there is none.
        snapshot: The crawl or date it is from, or None.
        file: URL of the input file (or ``hf:...``, ``environment``); `read` fills it in.
    """

    place: str
    text: str
    id: str | None = None
    url: str | None = None
    source: str | None = None
    snapshot: str | None = None
    file: str = ""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A place in the input that gave no document. Holds no input text, not even in messages.

    Attributes:
        place: As in `Record`.
        error: A key of `ERRORS`.
        size: Bytes affected, as far as known; else 0.
        file: As in `Record`.
    """

    place: str
    error: str
    size: int
    file: str = ""


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How to read the input.

    Attributes:
        format: ``auto`` (by file name), ``jsonl``, ``parquet``, ``text``, ``warc``, ``wet``,
            ``huggingface`` or ``environment``.
        text_field: Name of the text in JSON lines, Parquet and datasets. A dot goes one level
            down (``meta.url``), unless a field of that very name exists.
        id_field: Likewise; a string or an integer. Optional in the data, as the next three are.
        url_field: Likewise.
        source_field: Likewise.
        snapshot_field: Likewise.
        html: ``resiliparse`` or ``trafilatura``.
        split_bytes: Wanted size of a split, in bytes of the stored file.
        max_document_bytes: A larger document becomes an `Unreadable`. Bounds the memory.
    """

    format: str = "auto"
    text_field: str = "text"
    id_field: str = "id"
    url_field: str = "url"
    source_field: str = "source"
    snapshot_field: str = "snapshot"
    html: str = "resiliparse"
    split_bytes: int = 16 << 20
    max_document_bytes: int = 32 << 20


@dataclass(frozen=True, slots=True)
class Split:
    """A part of the input that one worker reads and that makes one output part.

    Attributes:
        part: Number of the split, from 0.
        format: One of the formats of `SourceOptions`, never ``auto``.
        url: The file; ``hf:...``; or ``environment``.
        start: First byte, row group, shard or item, by format.
        end: One after the last.
        size: Bytes of stored data, about; 0 if unknown.
        version: State of the file when planned, for fingerprints.
        more: Further files (many small text files make one split), or for ``environment`` the
            items to read.
    """

    part: int
    format: str
    url: str
    start: int
    end: int
    size: int
    version: str
    more: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, ready for JSON."""
        return {**asdict(self), "more": list(self.more)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Split":
        """Undoes `to_dict`, also after a trip through JSON."""
        return cls(**{**fields, "more": tuple(fields["more"])})
