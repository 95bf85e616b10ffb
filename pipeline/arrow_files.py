"""Arrow IPC files of work/, and tables as bytes for a shuffle."""

from collections.abc import Iterable

import pyarrow as pa

from pipeline import storage


def write_arrow(url: str, table: pa.Table) -> None:
    """Writes a table as an Arrow IPC file."""
    with storage.atomic(url) as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def read_arrow(url: str) -> pa.Table:
    """Reads an Arrow IPC file, mapped into memory where the file is local."""
    return pa.ipc.open_file(pa.BufferReader(read_buffer(url))).read_all()


def read_buffer(url: str) -> pa.Buffer:
    """Returns the bytes of a file, mapped into memory where the file is local."""
    if storage.is_local(url):
        return pa.memory_map(str(storage.local_path(url))).read_buffer()
    return pa.py_buffer(storage.read_bytes(url))


def to_bytes(table: pa.Table) -> bytes:
    """Returns a table as an Arrow stream, compressed: a shuffle may hold all of them in memory."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def from_bytes(chunks: Iterable[bytes], schema: pa.Schema) -> pa.Table:
    """Returns one table of what `to_bytes` returned for several; empty chunks are left out."""
    tables = [pa.ipc.open_stream(chunk).read_all() for chunk in chunks if chunk]
    return pa.concat_tables([schema.empty_table(), *tables])
