"""The command `gristmill redact`: documents of a file, or a plain text, without personal data."""

import json
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from rich.console import Console

from filters.redaction import redact
from pipeline import storage
from pipeline.errors import UsageError, UserError
from pipeline.redacting import Redacting, redacting
from pipeline.redaction import Redaction
from pipeline.settings import Section, parse_overrides, validate
from pipeline.sources.compression import DamagedError, chunks
from pipeline.sources.fields import valid_unicode
from pipeline.sources.formats import compression, recognised
from pipeline.sources.json_places import places
from pipeline.sources.jsonl import lines, parse
from pipeline.sources.records import ERRORS, Record, SourceOptions, Unreadable

STDIN = "-"
MOST_TOLD = 10  # lines without a document


class _Settings(Section):
    redaction: Redaction = Redaction()


def how_to_redact(overrides: Iterable[str]) -> Redacting:
    """Returns how to redact, from `redaction.KEY=VALUE` options.

    Raises:
        UsageError: an option is none of redaction.
        UserError: the key of digests cannot be read, or is too short.
    """
    return redacting(validate(_Settings, {}, overrides=parse_overrides(overrides)).redaction)


def redact_file(
    file: str,
    text_field: str,
    how: Redacting,
    as_json: bool,
    streams: tuple[BinaryIO, BinaryIO],
    console: Console,
) -> None:
    """Redacts a file of JSON lines a line at a time, or a text.

    Args:
        file: JSON lines, also compressed, a text file, or "-" for a text from standard input.
        text_field: Dotted name of the text's field in JSON lines.
        how: From `how_to_redact`.
        as_json: Whether to write id, spans and text of each document as one JSON object a line.
            Otherwise records are written with their text replaced and all else as it was.
        streams: Standard input and output.
        console: Gets a message for each of the first lines that hold no document.

    Raises:
        UserError: the file cannot be read; or, at the end, some lines hold no document.
    """
    source, sink = streams
    if file == STDIN:
        _redact_text(source, how, as_json, sink)
    elif recognised(file, "text"):
        with storage.open_binary(file) as opened:
            _redact_text(opened, how, as_json, sink, compression(file))
    elif recognised(file, "auto") and not recognised(file, "jsonl"):
        raise UsageError(
            f"{file}: redact reads JSON lines and plain text",
            "`gristmill run` reads Parquet, WARC and WET files.",
        )
    else:
        _redact_lines(file, SourceOptions(text_field=text_field), how, as_json, sink, console)
    sink.flush()


def _redact_text(
    source: BinaryIO, how: Redacting, as_json: bool, sink: BinaryIO, codec: str | None = None
) -> None:
    try:
        data = b"".join(chunks(source, codec))
    except DamagedError as damage:
        raise UserError(ERRORS[damage.error]) from None
    # Bytes that are no UTF-8 come out as they went in.
    text = data.decode("utf-8", "surrogateescape")
    if as_json:
        sink.write(_redacted_object("1", valid_unicode(text), how))
    else:
        sink.write(redact(text, *how).text.encode("utf-8", "surrogateescape"))


def _redact_lines(
    file: str,
    options: SourceOptions,
    how: Redacting,
    as_json: bool,
    sink: BinaryIO,
    console: Console,
) -> None:
    unreadable = 0
    for number, line, record in _documents(file, options):
        error = record.error if isinstance(record, Unreadable) else None
        try:
            if isinstance(record, Unreadable):
                pass
            elif as_json:
                sink.write(_redacted_object(_identifier(line, options, number), record.text, how))
            else:
                sink.write(f"{_redacted_line(line, options, how)}\n".encode())
        except RecursionError:  # nested deeper than Python's parser goes
            error = "invalid_json"
        if error:
            unreadable += 1
            if unreadable <= MOST_TOLD:
                told = f"{file}:{number}: {_told(error, options)}"
                console.print(told, markup=False, highlight=False)
    if unreadable > MOST_TOLD:
        console.print(f"and {unreadable - MOST_TOLD:,} more", highlight=False)
    if unreadable:
        raise UserError(f"{file}: lines without a document: {unreadable:,}", "They were left out.")


def _redacted_line(line: str, options: SourceOptions, how: Redacting) -> str:
    """Returns a line with another text; all else in it is as it was written."""
    parts, position = [], 0
    for first, last in places(line, options.text_field):
        value = json.loads(line[first:last])
        if isinstance(value, str):
            text = redact(valid_unicode(value), *how).text
            if text != value:
                parts += [line[position:first], json.dumps(text, ensure_ascii=False)]
                position = last
    return "".join((*parts, line[position:]))


def _identifier(line: str, options: SourceOptions, number: int) -> str:
    """Returns a line's id as it is written, or its number if it has none."""
    written = [line[first:last] for first, last in places(line, options.id_field)]
    return written[-1] if written and written[-1] != "null" else str(number)


def _documents(file: str, options: SourceOptions) -> Iterator[tuple[int, str, Record | Unreadable]]:
    """Yields the number of each line that is not blank, the line, and its document."""
    number = 0
    with storage.open_binary(file) as opened:
        pieces = chunks(opened, compression(file))
        try:
            for number, (offset, size, line) in enumerate(
                lines(pieces, 0, options.max_document_bytes), 1
            ):
                if line is None:
                    yield number, "", Unreadable(str(offset), "too_large", size)
                elif line and not line.isspace():
                    record = parse(line, str(offset), options)
                    yield number, "" if isinstance(record, Unreadable) else line.decode(), record
        except DamagedError as damage:
            yield number + 1, "", Unreadable("", damage.error, 0)


def _told(error: str, options: SourceOptions) -> str:
    field = options.text_field
    if error == "no_text_field":
        return f"no field {field}; name the text's field: --text-field NAME"
    return f"the field {field} holds no string" if error == "not_text" else ERRORS[error]


def _redacted_object(identifier: str, text: str, how: Redacting) -> bytes:
    """Returns a line of JSON.

    Args:
        identifier: The id, as JSON.
        text: The document's text.
        how: From `how_to_redact`.
    """
    redaction = redact(text, *how)
    spans = [{"start": start, "end": end, "type": name} for start, end, name in redaction.spans]
    rest = json.dumps({"spans": spans, "text": redaction.text}, ensure_ascii=False)
    return f'{{"id": {identifier}, {rest[1:]}\n'.encode()
