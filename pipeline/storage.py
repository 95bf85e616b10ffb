"""Files by local path or by URL (``gs://``, ``s3://``, ``memory://`` ...), through fsspec.

Every function takes either form. A local file is written beside its final name and renamed; a
remote object is made locally first and put in one request. Both appear whole or not at all.
"""

import errno
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec

from pipeline.errors import UserError

_EXTRAS = {"gs": "gcp", "gcs": "gcp"}
_PACKAGES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "abfs": "adlfs",
    "az": "adlfs",
    "hf": "huggingface_hub",
    "http": "aiohttp",
    "https": "aiohttp",
}
_VERSION_KEYS = (
    "etag",
    "ETag",
    "generation",
    "mtime",
    "LastModified",
    "Last-Modified",
    "last_modified",
    "created",
)
_MAGIC = frozenset("*?[")
_TEMPORARY = ".*.tmp"

_REASONS = {
    errno.ENOSPC: ("the disk is full", "Free some space or choose another output directory."),
    errno.EDQUOT: ("the disk quota is used up", "Free some space or choose another directory."),
    errno.EACCES: ("permission is denied", "Check who owns the path and its mode."),
    errno.EPERM: ("permission is denied", "Check who owns the path and its mode."),
    errno.EROFS: ("the file system is read-only", "Choose a directory that can be written."),
    errno.ENOENT: ("there is no such file", "Check the path."),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", "Check the path."),
    errno.EEXIST: ("a part of the path is a file, not a folder", "Choose another path."),
    errno.ENOTEMPTY: ("the folder is not empty", "Choose another one."),
    errno.EISDIR: ("it is a folder, not a file", "Give the path of a file."),
    errno.ENAMETOOLONG: ("the name is too long", "Choose a shorter path."),
}


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file and the state it was seen in.

    Attributes:
        url: Absolute local path, or URL.
        size: Bytes.
        version: Changes when the content does: an object's etag, a local file's time of change.
    """

    url: str
    size: int
    version: str


def expand(
    patterns: Sequence[str], recognised: Callable[[str], bool] | None = None
) -> list[FileInfo]:
    """Finds the files that paths, globs and folders name.

    A path that exists is taken literally, also when it holds ``*``, ``?`` or ``[``. A folder
    means every recognised file below it, except names that begin with ``.`` or ``_`` (such as
    ``_SUCCESS``). Globs skip names that begin with ``.`` unless the pattern names the dot.

    Args:
        patterns: Paths, URLs, globs (``**`` crosses folders) or folders.
        recognised: Which files of a folder are wanted; all if None.

    Returns:
        Files by ascending URL, each once.

    Raises:
        UserError: A pattern matches nothing, or a file cannot be read.
    """
    found: dict[str, FileInfo] = {}
    for pattern in patterns:
        matches = _matches(pattern, recognised)
        if not matches and is_folder(pattern):
            raise UserError(
                f"the folder {pattern} holds no file of a known kind",
                "Name the files themselves, or say what they are: -s source.format=jsonl",
            )
        if not matches:
            raise UserError(
                f"no input file matches {pattern!r}",
                "Check the path; quote a glob so that the shell leaves it alone.",
            )
        found.update((match.url, match) for match in matches)
    for url in found:
        if is_local(url) and not os.access(url, os.R_OK):
            raise UserError(f"cannot read {url}: permission is denied", "Check its owner and mode.")
    return [found[url] for url in sorted(found)]


def info(url: str) -> FileInfo:
    """Returns the size and version of one file.

    Raises:
        UserError: There is no such file.
    """
    with explained("read", url):
        fs, path = _filesystem(url)
        return _file_info(fs, fs.info(path))


def open_binary(url: str, offset: int = 0) -> BinaryIO:
    """Opens a file for reading at a byte offset.

    Raises:
        UserError: The file is missing or may not be read.
    """
    with explained("read", url):
        if is_local(url):
            file = cast(BinaryIO, local_path(url).open("rb"))
        else:
            fs, path = _filesystem(url)
            file = cast(BinaryIO, fs.open(path, "rb"))
        if offset:
            file.seek(offset)
        return file


def read_bytes(url: str) -> bytes:
    """Reads a whole (small) file.

    Raises:
        UserError: The file is missing or may not be read.
    """
    with open_binary(url) as file:
        return file.read()


@contextmanager
def atomic(url: str) -> Iterator[BinaryIO]:
    """Opens a file for writing that other readers see whole or not at all.

    Usage: `with atomic(url) as file: file.write(...)`. An older file of that name is replaced
    when the block ends; if the block raises, it stays, and nothing else is left.

    Args:
        url: Where; missing folders are made.

    Raises:
        UserError: The place cannot be written or the disk is full.
    """
    with explained("write", url):
        if is_local(url):
            final = local_path(url)
            final.parent.mkdir(parents=True, exist_ok=True)
            with _temporary(final.parent) as temporary:
                with temporary.open("xb") as file:
                    yield file
                temporary.replace(final)
        else:
            # fsspec commits an object when its file is closed, also when it is closed by an
            # exception; nothing is opened remotely before the content is whole.
            fs, path = _filesystem(url)
            with _temporary(Path(tempfile.gettempdir())) as temporary:
                with temporary.open("xb") as file:
                    yield file
                fs.makedirs(fs._parent(path), exist_ok=True)
                fs.put_file(str(temporary), path)


@contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    # A fixed-length random name: two workers may write the same part, and a part's own name may
    # already be as long as the file system allows.
    path = folder / f".{secrets.token_hex(8)}.tmp"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def remove_temporary(url: str) -> None:
    """Removes what writes that were killed have left in a local folder and below."""
    if is_local(url):
        for path in local_path(url).rglob(_TEMPORARY):
            path.unlink(missing_ok=True)


def write_bytes(url: str, data: bytes | memoryview) -> None:
    """Writes a whole (small) file atomically.

    Raises:
        UserError: The place cannot be written or the disk is full.
    """
    with atomic(url) as file:
        file.write(data)


def exists(url: str) -> bool:
    """Says whether a file or folder is there.

    Raises:
        UserError: That cannot be told, since a part of the path is a file, or forbidden.
    """
    with explained("read", url):
        fs, path = _filesystem(url)
        return bool(fs.exists(path))


def is_folder(url: str) -> bool:
    """Says whether a folder is there."""
    fs, path = _filesystem(url)
    return bool(fs.isdir(path))


def list_files(url: str) -> list[FileInfo]:
    """Lists the files directly in a folder, by ascending URL; empty if there is no such folder.

    Temporary files of `atomic` (their names begin with a dot) are left out.
    """
    fs, path = _filesystem(url)
    fs.invalidate_cache()  # object stores remember listings; another worker may have written
    try:
        entries = fs.ls(path, detail=True)
    except FileNotFoundError:
        return []
    files = [
        _file_info(fs, entry)
        for entry in entries
        if entry["type"] == "file" and not _name(entry["name"]).startswith(".")
    ]
    return sorted(files, key=lambda file: file.url)


def names_below(url: str) -> list[str]:
    """Returns the names of all files in a folder and below, relative to it, in ascending order."""
    fs, path = _filesystem(url)
    fs.invalidate_cache()
    root = path.rstrip("/")
    return sorted(name[len(root) + 1 :] for name in fs.find(root))


def remove(url: str, recursive: bool = False) -> None:
    """Removes a file, or with `recursive` a folder and all it holds; a missing one is no error.

    Raises:
        UserError: Permission is denied.
    """
    with explained("remove", url):
        fs, path = _filesystem(url)
        try:
            fs.rm(path, recursive=recursive)
        except FileNotFoundError:
            return


def is_local(url: str) -> bool:
    """Says whether a path or URL names a local file."""
    return "://" not in url or url.startswith("file://")


def local_path(url: str) -> Path:
    """Returns a local file's path."""
    return Path(url.removeprefix("file://"))


def _name(path: str) -> str:
    return path.rstrip("/").rsplit("/", 1)[-1]


def _filesystem(url: str) -> tuple[Any, str]:
    protocol = url.split("://", 1)[0] if "://" in url else "file"
    try:
        fs, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        package = _PACKAGES.get(protocol)
        install = f"gristmill[{_EXTRAS[protocol]}]" if protocol in _EXTRAS else package
        raise UserError(
            f"cannot open {url}: support for {protocol}:// is not installed",
            f"Install it: pip install '{install or f'the fsspec package for {protocol}'}'.",
        ) from error
    except ValueError as error:
        raise UserError(
            f"cannot open {url}: {protocol}:// is not a known kind of storage",
            "Use a local path, or a URL such as gs://bucket/path or s3://bucket/path.",
        ) from error
    return fs, path


def _file_info(fs: Any, entry: dict[str, Any]) -> FileInfo:
    path = entry["name"]
    local = "file" in (fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,))
    version = next((entry[key] for key in _VERSION_KEYS if entry.get(key) is not None), "")
    if isinstance(version, datetime):  # one file system gives a time in either form
        version = version.timestamp()
    return FileInfo(path if local else fs.unstrip_protocol(path), entry["size"] or 0, str(version))


def _matches(pattern: str, recognised: Callable[[str], bool] | None) -> list[FileInfo]:
    fs, path = _filesystem(pattern)
    if fs.isdir(path):
        entries = fs.find(path, detail=True)
        below = len(path.rstrip("/")) + 1
        return [
            _file_info(fs, entry)
            for name, entry in entries.items()
            if not any(part.startswith((".", "_")) for part in name[below:].split("/"))
            and (recognised is None or recognised(name))
        ]
    if not _MAGIC.isdisjoint(path) and not fs.exists(path):
        hidden = _name(path).startswith(".")
        return [
            _file_info(fs, entry)
            for name, entry in fs.glob(path, detail=True).items()
            if entry["type"] == "file" and (hidden or not _name(name).startswith("."))
        ]
    try:
        return [_file_info(fs, fs.info(path))]
    except FileNotFoundError:
        return []


@contextmanager
def explained(verb: str, url: str) -> Iterator[None]:
    """Turns the errors of the system that a user can mend into words.

    Args:
        verb: What is tried: read, write or remove.
        url: With what.

    Raises:
        UserError: Such an error came.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error.__cause__, OSError):  # fsspec calls a file missing then
            hint = "Check the address, and whether this machine may reach it."
            raise UserError(f"cannot {verb} {url}: the server does not answer", hint) from error
        code = error.errno
        if code is None and isinstance(error, FileNotFoundError):
            code = errno.ENOENT
        if code not in _REASONS:
            raise
        reason, hint = _REASONS[code]
        raise UserError(f"cannot {verb} {url}: {reason}", hint) from error


def is_empty(url: str) -> bool:
    """Says whether a folder holds no file but such as killed writes leave, or is not there."""
    if is_local(url):
        names = (name for _, _, names in os.walk(local_path(url)) for name in names)
        return all(fnmatch(name, _TEMPORARY) for name in names)
    fs, path = _filesystem(url)
    try:
        return not fs.ls(path, detail=False)
    except FileNotFoundError:
        return True
