"""What is put in the place of personal data: tags."""

from collections.abc import Callable

Replacement = Callable[[], Callable[[str, str], str]]
"""Makes, for one document, the function from a type and a value to what replaces the value."""


def tags() -> Callable[[str, str], str]:
    """Replaces by typed tags such as <|email|>."""
    return lambda name, value: f"<|{name}|>"
