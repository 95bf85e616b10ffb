"""Values of a record's fields, shared by the formats that have fields."""

from typing import Any

from pipeline.sources.records import Record, SourceOptions, Unreadable


def lookup(row: dict[str, Any], name: str) -> tuple[bool, Any]:
    """Finds a field by its name or, if there is none of that name, by its dotted path.

    Returns:
        Whether it is there, and its value.
    """
    if name in row:
        return True, row[name]
    value: Any = row
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            return False, None
        value = value[part]
    return True, value


def label(value: Any) -> str | None:
    """Returns a string or an integer as a non-empty string; anything else as None."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return valid_unicode(str(value)) or None


def valid_unicode(text: str) -> str:
    """Joins surrogate pairs and replaces lone surrogates, which UTF-8 cannot hold, by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def exceeds(text: str, limit: int) -> bool:
    """Says whether the text has more than `limit` bytes in UTF-8."""
    if len(text) * 4 <= limit:
        return False
    return len(text) > limit or len(text.encode()) > limit


def to_record(
    row: dict[str, Any], place: str, size: int, options: SourceOptions
) -> Record | Unreadable:
    """Makes a record of a row of fields.

    Args:
        row: Field names and values.
        place: Where the row is.
        size: Its bytes, for error rows; 0 if unknown.
        options: Field names and the largest text.
    """
    found, text = lookup(row, options.text_field)
    if not found:
        return Unreadable(place, "no_text_field", size)
    if not isinstance(text, str):
        return Unreadable(place, "not_text", size)
    text = valid_unicode(text)
    if exceeds(text, options.max_document_bytes):
        return Unreadable(place, "too_large", size or len(text.encode()))
    return Record(
        place,
        text,
        label(lookup(row, options.id_field)[1]),
        label(lookup(row, options.url_field)[1]),
        label(lookup(row, options.source_field)[1]),
        label(lookup(row, options.snapshot_field)[1]),
    )
