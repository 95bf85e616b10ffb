"""Files that filters read, such as models and lists: found and hashed once, then given to workers.

A recipe names them by path or URL. A local file that a local run reads stays where it is, and
every worker checks that it is still the same. Any other one is copied to OUT/work/files/ under the
SHA-256 of its content, so that every worker reads the same bytes; a worker whose output is remote
keeps a copy in its own cache folder.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from filters.loaders import forget
from pipeline import storage
from pipeline.errors import UserError, without_user_info
from pipeline.output import Job

_BLOCK = 2**20

# SHA-256 of what the filters of this process read under a path.
_read: dict[str, str] = {}


def cache_folder() -> Path:
    """Returns the folder for files fetched by URL: $XDG_CACHE_HOME/gristmill, else in ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gristmill"


def hashes(urls: Iterable[str]) -> dict[str, str]:
    """Returns the SHA-256 of each file; a URL's file is fetched unless the cache has it.

    Raises:
        UserError: a file is missing or cannot be read.
    """
    return {url: _sha256(url) if storage.is_local(url) else _fetched(url) for url in urls}


def publish(job: Job) -> None:
    """Copies to the output what workers cannot read from where it is.

    Raises:
        UserError: the output cannot be written.
    """
    for url, sha256 in job.files:
        target = job.output.path(f"work/files/{sha256}")
        if _is_readable(job, url) or storage.exists(target):
            continue
        source = storage.local_path(url) if storage.is_local(url) else cache_folder() / sha256
        with source.open("rb") as file, storage.atomic(target) as sink:
            shutil.copyfileobj(file, sink, _BLOCK)


def local_files(job: Job) -> dict[str, str]:
    """Returns, for each path or URL that the recipe names, a local file with the same bytes.

    Filters that remember another content of one of them forget it.

    Raises:
        UserError: a file is gone, or no longer what it was when the run was planned.
    """
    return {url: _local(job, url, sha256) for url, sha256 in job.files}


def _local(job: Job, url: str, sha256: str) -> str:
    if _is_readable(job, url):
        return _unchanged(url, sha256)
    shared = job.output.path(f"work/files/{sha256}")
    if storage.is_local(shared):
        return str(storage.local_path(shared))
    cached = cache_folder() / sha256
    if not cached.exists():
        with storage.open_binary(shared) as file:
            found = _keep(file, cached)
        if found != sha256:
            raise UserError(
                f"{shared} is not the file of that name: its SHA-256 is {found}",
                "Remove it and run again.",
            )
    return str(cached)


def _unchanged(url: str, sha256: str) -> str:
    """Returns a local file's path if it has the content that the run was planned with."""
    found, path = _sha256(url), str(storage.local_path(url))
    if found != sha256:
        raise UserError(
            f"{url} was changed while the run went on: its SHA-256 is {found}, not {sha256}",
            "Run again; what depends on it is made anew.",
        )
    if _read.get(path) != sha256:
        forget()
        _read[path] = sha256
    return path


def _is_readable(job: Job, url: str) -> bool:
    """Tells whether workers read the file where it is: they run here if the output is here."""
    return storage.is_local(url) and storage.is_local(job.output.root)


def _fetched(url: str) -> str:
    """Fetches a file into the cache unless it holds this version of it; returns its SHA-256."""
    seen = storage.info(url)
    key = hashlib.sha256(f"{url}\n{seen.size}\n{seen.version}".encode()).hexdigest()
    note = cache_folder() / f"{key}.json"
    if note.exists():
        sha256 = str(json.loads(note.read_text())["sha256"])
        if (cache_folder() / sha256).exists():
            return sha256
    with storage.open_binary(url) as file:
        sha256 = _keep(file, cache_folder() / "incoming")
    storage.write_bytes(
        str(note), json.dumps({"url": without_user_info(url), "sha256": sha256}).encode()
    )
    return sha256


def _keep(file: BinaryIO, target: Path) -> str:
    """Writes a file into its folder under its SHA-256, whole or not at all; returns the hash."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".tmp", delete=False) as sink:
        try:
            while block := file.read(_BLOCK):
                digest.update(block)
                sink.write(block)
            sink.close()
            Path(sink.name).replace(target.with_name(digest.hexdigest()))
        except BaseException:
            Path(sink.name).unlink(missing_ok=True)
            raise
    return digest.hexdigest()


def _sha256(url: str) -> str:
    """Returns the SHA-256 of a local file; read again only if its size or time is another."""
    with storage.explained("read", url):
        path = storage.local_path(url).absolute()
        state = path.stat()
        return _sha256_of(str(path), state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=1024)
def _sha256_of(path: str, size: int, modified: int) -> str:
    with storage.open_binary(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
