"""Texts made harmless for a terminal."""

CELL = 120  # characters of a cell of a table

# Control characters and overrides of the reading direction, which could steer a terminal.
_SYMBOLS = {
    **{code: chr(0x2400 + code) for code in range(32)},
    **dict.fromkeys([*range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\ufffd"),
    ord("\t"): " ",
}


def visible(text: str, newline: str = "⏎") -> str:
    """Returns a text with symbols for all that could steer a terminal.

    Args:
        text: Any text.
        newline: Stands for a line's end.
    """
    return text.translate({**_SYMBOLS, ord("\n"): newline})


def clipped(text: str) -> str:
    """Returns a text for one cell of a table on a terminal."""
    return visible(text[:CELL]) + "…" * (len(text) > CELL)
