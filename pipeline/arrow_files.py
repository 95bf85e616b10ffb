"""Arrow IPC files of work/."""

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
