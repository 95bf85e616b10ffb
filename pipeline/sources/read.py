"""Reading: from a split to its records and unreadable places."""

from collections.abc import Iterator

from pipeline import storage
from pipeline.errors import UserError
from pipeline.sources.formats import crawl_of, stem
from pipeline.sources.records import Record, SourceOptions, Split, Unreadable


def read(split: Split, options: SourceOptions) -> Iterator[Record | Unreadable]:
    """Reads a split in the order of its places, as a stream.

    A record without a source gets its file's stem; every item gets its file.

    Args:
        split: From `plan`.
        options: The same as for `plan`.

    Raises:
        UserError: A file is gone or has changed since it was planned.
    """
    for item in _reader(split, options):
        file = item.file or split.url
        if isinstance(item, Unreadable):
            yield Unreadable(item.place, item.error, item.size, file)
        else:
            # `replace` would take a third of the time of reading a short document.
            source, snapshot = item.source or stem(file), item.snapshot or crawl_of(file)
            yield Record(item.place, item.text, item.id, item.url, source, snapshot, file)


def _reader(split: Split, options: SourceOptions) -> Iterator[Record | Unreadable]:
    # Each format brings in what only it needs.
    if split.format == "environment":
        from pipeline.sources import environment

        return environment.read(split, options)
    if split.format == "huggingface":
        from pipeline.sources import huggingface

        return huggingface.read(split, options)
    if not split.more and storage.info(split.url).version != split.version:
        raise UserError(
            f"{split.url} has changed since the run was planned",
            "Start the run again; parts that are still good are kept.",
        )
    if split.format == "jsonl":
        from pipeline.sources import jsonl

        return jsonl.read(split, options)
    if split.format == "parquet":
        from pipeline.sources import parquet

        return parquet.read(split, options)
    if split.format == "text":
        from pipeline.sources import text

        return text.read(split, options)
    from pipeline.sources import warc

    return warc.read(split, options)
