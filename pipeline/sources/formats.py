"""Which format and compression a file has, by its name."""

import re
from functools import lru_cache

from pipeline.errors import UserError

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd", ".lz4": "lz4"}

_SUFFIXES = {
    "jsonl": (".jsonl", ".ndjson", ".jsonlines", ".json"),
    "parquet": (".parquet", ".pq"),
    "text": (".txt", ".text", ".md", ".markdown", ".rst", ".tex", ".org", ".adoc"),
    "warc": (".warc",),
    "wet": (".wet",),
}
_FORMATS = {suffix: name for name, suffixes in _SUFFIXES.items() for suffix in suffixes}

_REFUSED = {
    ".arc": "ARC, the predecessor of WARC, is not read; convert the file: warcio recompress",
    ".wat": "WAT files hold metadata, not documents; use the .warc or .wet file of the crawl",
    ".bz2": "bzip2 is not read; recompress the file, for example with zstd",
    ".xz": "xz is not read; recompress the file, for example with zstd",
    ".zip": "zip archives are not read; unpack the file",
    ".tar": "tar archives are not read; unpack the file",
}


def compression(url: str) -> str | None:
    """Returns ``gzip``, ``zstd``, ``lz4`` or None (plain), by the name's last suffix."""
    return COMPRESSIONS.get(_suffix(url))


@lru_cache(maxsize=256)
def stem(url: str) -> str:
    """Returns the file's name without its format's and compression's suffixes."""
    name = _uncompressed(url).rstrip("/").rsplit("/", 1)[-1]
    suffix = _suffix(name)
    if suffix in _FORMATS:
        name = name[: -len(suffix)]
    return name.removesuffix(".warc") or name


def recognised(url: str, format: str) -> bool:
    """Says whether a file found in a folder belongs to the input.

    Args:
        url: The file.
        format: The wanted format; ``auto`` takes every known one.
    """
    name = _FORMATS.get(_suffix(_uncompressed(url)))
    return name is not None and (format in ("auto", name) or {format, name} == {"warc", "wet"})


def detect(url: str, format: str) -> str:
    """Returns the file's format: the wanted one, or with ``auto`` the one its name tells.

    Raises:
        UserError: The name tells none, or one that is not read.
    """
    inner = _suffix(_uncompressed(url))
    for suffix in (_suffix(url), inner):
        if suffix in _REFUSED:
            raise UserError(
                f"cannot read {url}", f"{_REFUSED[suffix][0].upper()}{_REFUSED[suffix][1:]}."
            )
    if format != "auto":
        return format
    if inner not in _FORMATS:
        raise UserError(
            f"cannot tell the format of {url} from its name",
            "Set source.format to jsonl, parquet, text, warc or wet.",
        )
    return _FORMATS[inner]


def _suffix(url: str) -> str:
    name = _without_query(url).rsplit("/", 1)[-1].lower()
    dot = name.rfind(".")
    return name[dot:] if dot > 0 else ""


def _uncompressed(url: str) -> str:
    suffix, url = _suffix(url), _without_query(url)
    return url[: -len(suffix)] if suffix in COMPRESSIONS else url


def _without_query(url: str) -> str:
    """Returns a web address up to its query, where signed addresses have their secret."""
    return url.split("?", 1)[0] if url.startswith(("http://", "https://")) else url


def crawl_of(url: str) -> str | None:
    """Returns the crawl that a file's path names, such as ``CC-MAIN-2024-10``, or None."""
    found = re.search(r"CC-MAIN-\d{4}-\d{2}(?!\d)", url)
    return found.group() if found else None
