"""Where values stand in a JSON object, so that one can be changed and all else stays as it is."""

import json
from collections.abc import Iterator

_WHITE_SPACE = " \t\n\r"
_BOM = "\ufeff"
_decode = json.JSONDecoder(parse_float=str, parse_int=str).raw_decode


def places(line: str, name: str) -> list[tuple[int, int]]:
    """Finds a field as `pipeline.sources.fields.lookup` does, in the text of an object.

    Args:
        line: A valid JSON object.
        name: The field's name or, if there is none of that name, its dotted path.

    Returns:
        Offsets at which its value begins and ends; more than one if the object has the field more
        than once, of which readers of JSON take the last one.
    """
    begin = len(_BOM) if line.startswith(_BOM) else 0
    found = [(first, last) for key, first, last in _members(line, begin) if key == name]
    return found or list(_below(line, begin, name.split(".")))


def _below(line: str, begin: int, path: list[str]) -> Iterator[tuple[int, int]]:
    for key, first, last in _members(line, begin):
        if key == path[0] and len(path) == 1:
            yield first, last
        elif key == path[0]:
            yield from _below(line, first, path[1:])


def _members(line: str, begin: int) -> Iterator[tuple[str, int, int]]:
    """Yields the names and places of the members of what begins there, if it is an object."""
    position = _skipped(line, begin)
    if line[position] != "{":
        return
    position = _skipped(line, position + 1)
    while line[position] != "}":
        key, position = _decode(line, position)
        first = _skipped(line, _skipped(line, position) + 1)
        last = _decode(line, first)[1]
        yield key, first, last
        position = _skipped(line, last)
        if line[position] == ",":
            position = _skipped(line, position + 1)


def _skipped(line: str, position: int) -> int:
    while line[position] in _WHITE_SPACE:
        position += 1
    return position
