"""Records of a WARC stream (ISO 28500), each checked against its Content-Length.

fastwarc and warcio read a clipped record and the record after it as one, without an error. Here
a block must be as long as its header says and be followed by a record or the end; otherwise it
is damaged, and reading goes on at the next line that begins like a record.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.sources.compression import DamagedError

HEADER_BYTES = 64 << 10
# DamagedError blocks that are searched again for a record, for each stream. A hostile file could
# otherwise have every byte searched as often as it has records.
_RECOVERIES = 100


@dataclass(frozen=True, slots=True)
class Frame:
    """A WARC record as it stands in the file.

    Attributes:
        offset: Place of its first byte in the (decompressed) stream.
        headers: Its header fields by lower-case name.
        block: What follows the header; cut off if larger than asked for.
        length: Content-Length.
        error: None, ``truncated``, ``invalid_warc`` or ``invalid_compression``.
    """

    offset: int
    headers: dict[str, str]
    block: bytes
    length: int
    error: str | None = None


class ByteReader:
    """Lines and blocks of a stream of pieces.

    Attributes:
        offset: Place of the next byte.
        damage: Why the stream ended before its time, or None.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._buffer = b""
        self._at = 0
        self.offset = 0
        self.damage: str | None = None

    def line(self, limit: int = HEADER_BYTES) -> bytes:
        """Returns the bytes up to and with the next newline, but at most `limit`."""
        searched = self._at
        while (stop := self._buffer.find(b"\n", searched)) < 0:
            if len(self._buffer) - self._at >= limit:
                break
            held = len(self._buffer) - self._at
            if not self._more():
                break
            searched = self._at + held
        stop = len(self._buffer) if stop < 0 else stop + 1
        return self._consume(min(stop - self._at, limit))

    def take(self, size: int) -> bytes:
        """Returns the next `size` bytes, or fewer at the end."""
        parts = []
        while size:
            if self._at == len(self._buffer) and not self._more():
                break
            parts.append(self._consume(min(size, len(self._buffer) - self._at)))
            size -= len(parts[-1])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def skip(self, size: int) -> int:
        """Passes over `size` bytes without holding them; returns how many there were."""
        skipped = 0
        while skipped < size and (piece := self.take(min(size - skipped, HEADER_BYTES))):
            skipped += len(piece)
        return skipped

    def push_back(self, data: bytes) -> None:
        """Makes `data` the next bytes again."""
        self._buffer = data + self._buffer[self._at :]
        self._at = 0
        self.offset -= len(data)

    def newlines(self) -> bytes:
        """Returns the CRs and LFs that come next, at most 64."""
        found = b""
        while len(found) < 64 and (self._at < len(self._buffer) or self._more()):
            if self._buffer[self._at] not in b"\r\n":
                break
            found += self._consume(1)
        return found

    def next_is(self, prefix: bytes) -> bool:
        """Says whether the next bytes are `prefix`, or the stream is at its end."""
        data = self.take(len(prefix))
        self.push_back(data)
        return data == prefix or not data

    def _consume(self, size: int) -> bytes:
        data = self._buffer[self._at : self._at + size]
        self._at += len(data)
        self.offset += len(data)
        return data

    def _more(self) -> bool:
        try:
            piece = next(self._pieces, b"")
        except DamagedError as damage:
            self.damage = damage.error
            return False
        self._buffer = self._buffer[self._at :] + piece
        self._at = 0
        return bool(piece)


def frames(reader: ByteReader, limit: int) -> Iterator[Frame]:
    """Reads every record of a stream; damage gives a frame with an `error` and goes on.

    Args:
        reader: The stream.
        limit: Largest part of a block that is held, in bytes.
    """
    recoveries = _RECOVERIES
    told = False  # of the stream's damage, which is one event
    while True:
        while reader.newlines():
            pass
        offset = reader.offset
        first = reader.line()
        if not first:
            if reader.damage and not told:
                yield Frame(offset, {}, b"", 0, reader.damage)
            return
        headers = _headers(reader) if first.startswith(b"WARC/") else None
        length = _length(headers)
        if headers is None or length is None:
            yield Frame(offset, {}, b"", 0, reader.damage or "invalid_warc")
            told = reader.damage is not None
            _resynchronise(reader)
            continue
        block = reader.take(min(length, limit))
        complete = len(block) + reader.skip(length - len(block)) == length
        if complete and _ends_well(reader, block):
            yield Frame(offset, headers, block, length)
            continue
        error = "invalid_warc" if complete else reader.damage or "truncated"
        yield Frame(offset, headers, b"", length, error)
        told = reader.damage is not None
        if recoveries and len(block) < limit:
            # The block may have swallowed the records after it.
            recoveries -= 1
            reader.push_back(block)
        _resynchronise(reader)


def _ends_well(reader: ByteReader, block: bytes) -> bool:
    """Says whether a block of the right length ends where its record ends.

    It must be followed by two line ends (section 4 of the standard) and by a record or the end.
    One of the two will do, because some writers forget line ends and some files hold rubbish
    between records, unless the block seems to have swallowed a record.
    """
    line_ends = reader.newlines()
    signs = (line_ends == b"\r\n\r\n") + reader.next_is(b"WARC/")
    reader.push_back(line_ends)
    swallowed = b"\nWARC/1." in block or b"\nWARC/0." in block
    return signs == 2 or (signs == 1 and not swallowed)


def _headers(reader: ByteReader) -> dict[str, str] | None:
    """Reads header fields up to the blank line; None if there is no end to them."""
    fields: dict[str, str] = {}
    name = ""
    left = HEADER_BYTES
    while left > 0:
        line = reader.line(left)
        left -= len(line)
        if not line.endswith(b"\n"):
            return None
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if not text:
            return fields
        if text[0] in " \t" and name:  # a folded line goes on with the field before
            fields[name] += " " + text.strip()
            continue
        name, colon, value = text.partition(":")
        if not colon:
            return None
        name = name.strip().lower()
        fields.setdefault(name, value.strip())
    return None


def _length(headers: dict[str, str] | None) -> int | None:
    value = (headers or {}).get("content-length", "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 19 else None


def _resynchronise(reader: ByteReader) -> None:
    """Passes over everything before the next line that begins a record."""
    at_line_start = True
    while line := reader.line():
        if at_line_start and line.startswith((b"WARC/1.", b"WARC/0.")):
            reader.push_back(line)
            return
        at_line_start = line.endswith(b"\n")
