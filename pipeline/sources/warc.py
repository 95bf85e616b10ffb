"""WARC and WET files: which records are documents, and their text.

Documents are: ``response`` records with HTTP status 200 and ``resource`` records, if they are
HTML, XHTML or plain text; and ``conversion`` records (WET). All other records (requests, other
statuses, images, metadata, revisits) are not documents and leave no trace. A page without
extractable text is a document with an empty text.

A ``.warc.gz`` is read by byte ranges: a record belongs to the range in which its gzip member
begins. Other files are read whole.
"""

from collections.abc import Callable, Iterator

from pipeline import storage
from pipeline.errors import UserError
from pipeline.sources import http
from pipeline.sources.compression import chunks
from pipeline.sources.extraction import decode, extractor
from pipeline.sources.fields import exceeds
from pipeline.sources.formats import compression
from pipeline.sources.gzip_members import GzipMembers
from pipeline.sources.records import Record, SourceOptions, Split, Unreadable
from pipeline.sources.warc_framing import HEADER_BYTES, ByteReader, Frame, frames

_HTML = frozenset({"text/html", "application/xhtml+xml"})
_READ_TYPES = frozenset({"response", "resource", "conversion"})


def read(split: Split, options: SourceOptions) -> Iterator[Record | Unreadable]:
    """Reads the documents of a range of a ``.warc.gz``, or of a whole file of another kind.

    A place is the record's byte offset in the file as stored for ``.gz`` (with ``+N`` for a record
    that begins N bytes into its gzip member), else in the decompressed content.

    Raises:
        UserError: The file holds another WARC file and happens to be split inside of it.
    """
    codec = compression(split.url)
    with storage.open_binary(split.url) as file:
        if codec == "gzip":
            yield from _read_members(GzipMembers(file), split, options)
        else:
            yield from _read_stream(ByteReader(chunks(file, codec)), "", options)


def _read_members(
    members: GzipMembers, split: Split, options: SourceOptions
) -> Iterator[Record | Unreadable]:
    position = members.find(split.start, split.end)
    if position is None and split.start == 0:
        yield Unreadable("0", "invalid_warc", split.size)
    while position is not None and position < split.end:
        reader = ByteReader(members.group(position))
        yield from _read_stream(reader, str(position), options)
        if reader.damage:
            position = members.find(position + 1, split.end)
        elif members.at_end():
            return
        else:
            position = members.position
    # The next range begins at the first member from its start on that looks like a record. Here
    # that member is known for certain, because every member before it was read.
    if position is not None and members.find(split.end, position + 1) != position:
        raise UserError(
            f"{split.url} cannot be split at byte {split.end}: a record there holds another "
            "compressed WARC",
            "Set input.split_bytes to more than the size of the file.",
        )


def _read_stream(
    reader: ByteReader, base: str, options: SourceOptions
) -> Iterator[Record | Unreadable]:
    extract = extractor(options.html)
    for frame in frames(reader, options.max_document_bytes + HEADER_BYTES):
        place = str(frame.offset) if not base else f"{base}+{frame.offset}"
        found = document(frame, place.removesuffix("+0"), options, extract)
        if found is not None:
            yield found


def document(
    frame: Frame, place: str, options: SourceOptions, extract: Callable[[str], str]
) -> Record | Unreadable | None:
    """Makes a document of a WARC record; None if the record is none.

    Args:
        frame: The record.
        place: Where it is.
        options: The largest document.
        extract: Makes text of HTML.
    """
    if frame.error:
        return Unreadable(place, frame.error, frame.length)
    headers = frame.headers
    kind = headers.get("warc-type", "").lower()
    if kind not in _READ_TYPES:
        return None
    too_large = Unreadable(place, "too_large", frame.length)
    try:
        page = _page(frame, kind, options.max_document_bytes)
    except http.InvalidHTTPError:
        return Unreadable(place, "invalid_http", frame.length)
    except http.BodyTooLargeError:
        return too_large
    if page is None:
        return None
    body, charset, is_html = page
    if len(body) > options.max_document_bytes:
        return too_large
    if kind == "conversion":
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return Unreadable(place, "invalid_utf8", frame.length)
    else:
        try:
            text = decode(body, charset, is_html)
            text = extract(text) if is_html else text
        except Exception:  # whatever the parser raises on hostile HTML; its message may quote it
            return Unreadable(place, "extraction_failed", frame.length)
    if exceeds(text, options.max_document_bytes):
        return too_large
    url = headers.get("warc-target-uri", "").strip("<> ")  # old wget writes <URL>
    return Record(place, text, headers.get("warc-record-id") or None, url or None)


def _page(frame: Frame, kind: str, limit: int) -> tuple[bytes, str | None, bool] | None:
    """Returns the body, its charset and whether it is HTML; None if it is no text."""
    headers = frame.headers
    mime, charset = http.media_type(headers.get("content-type"))
    if kind == "conversion":
        return frame.block, None, False
    if kind == "resource":
        body = frame.block
    else:
        if mime != "application/http":  # such as the answers of name servers
            return None
        response = http.parse(frame.block)
        if response.status != 200:
            return None
        mime, charset = http.media_type(response.fields.get("content-type"))
        if not mime:
            mime, _ = http.media_type(headers.get("warc-identified-payload-type"))
        if mime not in _HTML and mime != "text/plain":
            return None
        if frame.length > len(frame.block):
            raise http.BodyTooLargeError
        body = http.decode_body(response, limit)
    if mime not in _HTML and mime != "text/plain":
        return None
    return body, charset, mime in _HTML
