"""Planning: from the names of inputs to numbered splits, the same every time."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from pipeline import storage
from pipeline.errors import UserError, without_user_info
from pipeline.sources import formats
from pipeline.sources.records import SourceOptions, Split
from pipeline.storage import FileInfo

# Small text files that share a split: keeps a split's description under some 100 KB.
_FILES_PER_SPLIT = 1000
_FOOTER_READERS = 16


def plan(options: SourceOptions, inputs: Sequence[str]) -> list[Split]:
    """Plans the splits of the input, numbered in the order of (url, start).

    The order and doubling of `inputs` do not matter. Files of no bytes give no split.

    Args:
        options: How to read the input.
        inputs: Paths, URLs, globs and folders; ``hf:NAME[:CONFIG][:SPLIT]`` for a dataset;
            ``environment`` for the embedded corpus.

    Raises:
        UserError: An input is missing, unreadable, of no known format or without the text
            column; or there is nothing to read at all.
    """
    wanted = options.format
    environment = wanted == "environment" or (wanted == "auto" and "environment" in inputs)
    datasets = sorted(
        {name for name in inputs if name.startswith("hf:") or wanted == "huggingface"}
    )
    patterns = [name for name in inputs if name not in datasets and name != "environment"]
    if not (environment or datasets or patterns):
        raise UserError("no input is given", "Name files with --input or under input.paths.")
    splits: list[Split] = []
    if environment:
        from pipeline.sources import environment as embedded

        splits.extend(embedded.plan(options))
    if datasets:
        from pipeline.sources import huggingface

        for name in datasets:
            splits.extend(huggingface.plan(name))
    if patterns and wanted not in ("environment", "huggingface"):
        splits.extend(_plan_files(options, patterns))
    splits.sort(key=lambda split: (split.url, split.start))
    if not splits:
        raise UserError(
            f"the input is empty: {', '.join(inputs)}",
            "None of the files holds anything; check what wrote them.",
        )
    return [replace(split, part=part) for part, split in enumerate(splits)]


def with_user_info(split: Split, inputs: Sequence[str]) -> Split:
    """Returns a split with the names and passwords for its URLs, which are never written.

    Args:
        split: As the output keeps it.
        inputs: As the recipe names them: the input of the same URL, or else of the same host, has
            the name and password.
    """
    named = {without_user_info(name): name for name in inputs}
    named |= {_host(url): _host(name) for url, name in named.items() if url != name}

    def known(url: str) -> str:
        host = _host(url)
        return named.get(url) or url.replace(host, named.get(host, host), 1)

    return replace(split, url=known(split.url), more=tuple(map(known, split.more)))


def _host(url: str) -> str:
    """Returns the URL up to its path."""
    scheme, mark, rest = url.partition("://")
    return f"{scheme}{mark}{rest.split('/', 1)[0]}" if mark else url


def _plan_files(options: SourceOptions, patterns: Sequence[str]) -> Iterator[Split]:
    files = storage.expand(patterns, lambda url: formats.recognised(url, options.format))
    named = [(file, formats.detect(file.url, options.format)) for file in files if file.size]
    texts = [file for file, format in named if format == "text"]
    yield from _text_splits(texts, options.split_bytes)
    parquets = [file for file, format in named if format == "parquet"]
    if parquets:
        yield from _parquet_splits(parquets, options)
    for file, format in named:
        if format not in ("text", "parquet"):
            yield from _byte_splits(file, format, options.split_bytes)


def _byte_splits(file: FileInfo, format: str, split_bytes: int) -> Iterator[Split]:
    codec = formats.compression(file.url)
    whole = codec is not None if format == "jsonl" else codec != "gzip"
    step = file.size if whole else split_bytes
    for start in range(0, file.size, step):
        end = min(start + step, file.size)
        yield Split(0, format, file.url, start, end, end - start, file.version)


def _text_splits(files: Sequence[FileInfo], split_bytes: int) -> Iterator[Split]:
    group: list[FileInfo] = []
    for file in files:
        size = sum(member.size for member in group) if group else 0
        if group and (size + file.size > split_bytes or len(group) == _FILES_PER_SPLIT):
            yield _text_split(group)
            group = []
        group.append(file)
    if group:
        yield _text_split(group)


def _text_split(files: Sequence[FileInfo]) -> Split:
    first, *rest = files
    return Split(
        0,
        "text",
        first.url,
        0,
        len(files),
        sum(file.size for file in files),
        fingerprint([file.version for file in files]) if rest else first.version,
        tuple(file.url for file in rest),
    )


def _parquet_splits(files: Sequence[FileInfo], options: SourceOptions) -> Iterator[Split]:
    from pipeline.sources import parquet

    # Footers are small and far away: a thousand of them in object storage take a minute one by one.
    with ThreadPoolExecutor(_FOOTER_READERS) as pool:
        sizes = list(pool.map(lambda file: parquet.row_group_sizes(file.url, options), files))
    for file, groups in zip(files, sizes, strict=True):
        if groups is None:  # the reader reports the damage
            yield Split(0, "parquet", file.url, 0, 0, file.size, file.version)
            continue
        start = size = 0
        for index, group in enumerate(groups):
            if index > start and size + group > options.split_bytes:
                yield Split(0, "parquet", file.url, start, index, size, file.version)
                start, size = index, 0
            size += group
        if groups:
            yield Split(0, "parquet", file.url, start, len(groups), size, file.version)


def fingerprint(values: Sequence[object]) -> str:
    """Returns a short digest of values that JSON can hold."""
    return hashlib.blake2b(json.dumps(values).encode(), digest_size=16).hexdigest()
