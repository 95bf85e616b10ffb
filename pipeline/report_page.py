"""The first HTML page of the report."""

from typing import Any


def render(report: dict[str, Any]) -> str:
    """Returns the page."""
    return "<!doctype html>"
