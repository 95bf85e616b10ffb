"""Every filter by its name, in the order in which FineWeb applies them."""

from types import ModuleType

from filters import fineweb_quality, gopher_quality, gopher_repetition, language

FILTERS: dict[str, ModuleType] = {
    "language": language,
    "gopher_repetition": gopher_repetition,
    "gopher_quality": gopher_quality,
    "fineweb_quality": fineweb_quality,
}
