r"""JSON lines: plain by byte ranges, compressed as a whole.

A line belongs to the range in which its first byte lies. Blank lines are not documents. A
lone surrogate escape (``\ud800``) becomes U+FFFD. NaN and Infinity, which Python's json writes
though JSON has none, are accepted anywhere but in the text.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from pipeline import storage
from pipeline.sources.compression import DamagedError, chunks
from pipeline.sources.fields import to_record
from pipeline.sources.formats import compression
from pipeline.sources.records import Record, SourceOptions, Split, Unreadable

_BOM = b"\xef\xbb\xbf"


def read(split: Split, options: SourceOptions) -> Iterator[Record | Unreadable]:
    """Reads the lines of a range of a plain file, or of a whole compressed one.

    Places are byte offsets, in the decompressed content.
    """
    codec = compression(split.url)
    # Reading begins one byte early: what stands before the first newline belongs to the range
    # before, and is empty where the range begins with a line.
    begin = max(split.start - 1, 0)
    end = None if codec else split.end
    with storage.open_binary(split.url, begin) as file:
        after = begin
        try:
            for offset, size, line in lines(chunks(file, codec), begin, options.max_document_bytes):
                if end is not None and offset >= end:
                    return
                after = offset + size + 1
                if offset < split.start:
                    continue
                if line is None:
                    yield Unreadable(str(offset), "too_large", size)
                elif line and not line.isspace():
                    yield parse(line, str(offset), options)
        except DamagedError as damage:
            yield Unreadable(str(after), damage.error, 0)


def lines(
    pieces: Iterable[bytes], offset: int, limit: int
) -> Iterator[tuple[int, int, bytes | None]]:
    """Cuts a stream of bytes into lines, holding no more than `limit` bytes and one piece.

    Args:
        pieces: The stream.
        offset: Place of the stream's first byte.
        limit: Longest line that is given out, in bytes.

    Yields:
        Offset of the line, its bytes without the newline, and the line itself, or None if it is
        longer than `limit`. A last line needs no newline.
    """
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        begin = 0
        while (stop := piece.find(b"\n", begin)) >= 0:
            size += stop - begin
            if size > limit:
                yield offset, size, None
            elif held:
                held.append(piece[begin:stop])
                yield offset, size, b"".join(held)
            else:
                yield offset, size, piece[begin:stop]
            offset += size + 1
            held, size, begin = [], 0, stop + 1
        size += len(piece) - begin
        if size > limit:
            held = []
        elif begin < len(piece):
            held.append(piece[begin:])
    if size:
        yield offset, size, None if size > limit else b"".join(held)


def parse(line: bytes, place: str, options: SourceOptions) -> Record | Unreadable:
    """Makes a record of one line, or says why not."""
    row = row_of(line, place)
    if isinstance(row, str):
        return Unreadable(place, row, len(line))
    return to_record(row, place, len(line), options)


def row_of(line: bytes, place: str) -> dict[str, Any] | str:
    """Returns the fields of one line, or the error that it is."""
    if line.startswith(_BOM) and place == "0":
        line = line[len(_BOM) :]
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        try:
            row = _lenient(line.decode())
        except UnicodeDecodeError:
            return "invalid_utf8"
        except (ValueError, RecursionError):
            return "invalid_json"
    return row if isinstance(row, dict) else "no_text_field"


def _lenient(line: str) -> Any:
    # Python's parser takes what orjson rejects: lone surrogates, NaN and Infinity. Numbers are
    # kept short because int() refuses more than 4,300 digits.
    return json.loads(line, parse_int=lambda digits: int(digits) if len(digits) < 20 else digits)
