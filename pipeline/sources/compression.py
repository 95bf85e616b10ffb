"""Decompressed bytes of a file, piece by piece, with damage told apart from its end."""

from collections.abc import Iterator
from typing import Any, BinaryIO, cast

# A read from Arrow's stream that meets damage loses what it had already decompressed: small
# reads lose little of a truncated file. 8 KiB reads cost under 2 % of the time.
_READ = 8 << 10
_PLAIN_READ = 256 << 10

# How Arrow's decompressors begin their messages. Anything else is a failure to read the file.
_DAMAGE = ("zlib inflate", "ZSTD ", "LZ4 ", "Lz4 ")
_TRUNCATED = "Truncated compressed stream"


class DamagedError(Exception):
    """The compressed data are broken or end too early.

    Args:
        error: ``truncated`` or ``invalid_compression``.
    """

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


def chunks(file: BinaryIO, codec: str | None) -> Iterator[bytes]:
    """Yields a file's content from its current position, decompressed, in bounded memory.

    Arrow's streams are used because they tell a truncated file from a whole one, read files of
    several gzip members or zstd frames, and never inflate more than asked for; zstandard's
    stream reader returns half of a truncated file without an error, and its decompression
    objects inflate 8 KB to 256 MiB in one call.

    Args:
        file: Open for reading.
        codec: ``gzip``, ``zstd``, ``lz4`` or None.

    Raises:
        DamagedError: After everything that could be decompressed.
    """
    if codec is None:
        while piece := file.read(_PLAIN_READ):
            yield piece
        return
    import pyarrow as pa

    stream = pa.CompressedInputStream(pa.PythonFile(cast(Any, file), mode="r"), cast(Any, codec))
    while True:
        try:
            piece = stream.read(_READ)
        except OSError as error:
            message = str(error)
            if message.startswith(_TRUNCATED):
                raise DamagedError("truncated") from None
            if message.startswith(_DAMAGE):
                raise DamagedError("invalid_compression") from None
            raise
        if not piece:
            return
        yield piece
