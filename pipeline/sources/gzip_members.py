"""The members of a gzip file, so that a compressed WARC can be read from its middle.

A WARC writer compresses every record as a gzip member of its own. A *group* is a member whose
content begins with ``WARC/`` and the members after it that do not: one record as a rule, the
whole file where a tool compressed it in one go or in blocks.
"""

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from pipeline.sources.compression import DamagedError

_INPUT = 64 << 10
_OUTPUT = 256 << 10
_MAGIC = b"\x1f\x8b\x08"
_RECORD = b"WARC/"
# Enough compressed bytes to inflate the first five: a gzip header and a Huffman table.
_PEEK = 4 << 10


class GzipMembers:
    """Walks the members of an open gzip file in bounded memory.

    Attributes:
        position: File offset of the next compressed byte.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._data = b""  # read from the file, not yet inflated
        self.position = 0
        self._seek(0)

    def find(self, start: int, end: int) -> int | None:
        """Returns the offset of the first group that starts in `start` <= offset < `end`."""
        self._seek(start)
        window, base = b"", start
        while base < end and (piece := self._file.read(_INPUT)):
            window += piece
            at = window.find(_MAGIC)
            while at >= 0 and base + at < end:
                self._seek(base + at)
                if self._starts_record():
                    return base + at
                at = window.find(_MAGIC, at + 1)
            keep = len(_MAGIC) - 1
            base, window = base + max(0, len(window) - keep), window[-keep:]
            self._seek(base + len(window))
        return None

    def group(self, position: int) -> Iterator[bytes]:
        """Yields the content of the group at `position`; then `position` is its end.

        Raises:
            DamagedError: A member is broken or ends too early.
        """
        if position != self.position:
            self._seek(position)
        yield from self._member()
        while self._fill() and not self._starts_record():
            yield from self._member()

    def at_end(self) -> bool:
        """Says whether every byte of the file is read."""
        return not self._fill()

    def _seek(self, position: int) -> None:
        self._file.seek(position)
        self._data = b""
        self.position = position

    def _fill(self) -> bool:
        if not self._data:
            self._data = self._file.read(_INPUT)
        return bool(self._data)

    def _starts_record(self) -> bool:
        if len(self._data) < _PEEK:
            self._data += self._file.read(_INPUT)
        try:
            return zlib.decompressobj(31).decompress(self._data, len(_RECORD)) == _RECORD
        except zlib.error:
            return False

    def _member(self) -> Iterator[bytes]:
        inflator = zlib.decompressobj(31)
        while not inflator.eof:
            if not self._fill():
                raise DamagedError("truncated")
            before = len(self._data)
            try:
                piece = inflator.decompress(self._data, _OUTPUT)
            except zlib.error:
                raise DamagedError("invalid_compression") from None
            self._data = inflator.unused_data if inflator.eof else inflator.unconsumed_tail
            self.position += before - len(self._data)
            if piece:
                yield piece
