"""Text files: one file, one document; many small files share a split.

A file that holds no byte is no document. The encoding is UTF-8, with or without a byte order
mark; line ends stay as they are.
"""

from collections.abc import Iterator

from pipeline import storage
from pipeline.sources.compression import DamagedError, chunks
from pipeline.sources.formats import compression
from pipeline.sources.records import Record, SourceOptions, Split, Unreadable


def read(split: Split, options: SourceOptions) -> Iterator[Record | Unreadable]:
    """Reads every file of the split as one document; the place is always ``0``."""
    for url in (split.url, *split.more):
        yield _read_file(url, options.max_document_bytes)


def _read_file(url: str, limit: int) -> Record | Unreadable:
    pieces = []
    size = 0
    try:
        with storage.open_binary(url) as file:
            for piece in chunks(file, compression(url)):
                size += len(piece)
                if size > limit:
                    return Unreadable("0", "too_large", storage.info(url).size, url)
                pieces.append(piece)
    except DamagedError as damage:
        return Unreadable("0", damage.error, storage.info(url).size, url)
    try:
        text = b"".join(pieces).decode("utf-8-sig")
    except UnicodeDecodeError:
        return Unreadable("0", "invalid_utf8", size, url)
    return Record("0", text, file=url)
