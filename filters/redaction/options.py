"""What is looked for."""

from dataclasses import dataclass

DEFAULT_REGIONS = ("US", "GB", "DE", "FR", "IT", "ES", "NL", "AU", "IN", "BR", "IL")
"""Where a phone number written without a country code may be from.

The largest countries of the seven Western languages most frequent on the web, more of those that
write English, and Israel; US stands for all of +1, so Canada too. Each region more costs precision
and time, and a number with its country code is found for any country.
"""

TYPES = (
    "credential",
    "email",
    "iban",
    "card",
    "ssn",
    "national_id",
    "mac",
    "ip",
    "coordinates",
    "phone",
)
"""The types in the order in which they claim text: where hits overlap, the earlier type wins."""

NAMES = ("person", "location", "nrp", "organization")
"""The types that need a model, see `filters.redaction.names`. They claim text after all others."""


@dataclass(frozen=True)
class Options:
    """What is looked for.

    Attributes:
        types: Some of `TYPES`.
        regions: Where a phone number without country code may be from (ISO 3166 codes).
        spelled_out_emails: Whether `name [at] domain` is an e-mail address, too.
        private_addresses: Whether IP addresses that are not global are found, too, such as
            192.168.0.1 and ::1.
        names: Some of `NAMES`.
        names_model: The spaCy model that finds them: the name of its package, or its folder.
    """

    types: tuple[str, ...] = TYPES
    regions: tuple[str, ...] = DEFAULT_REGIONS
    spelled_out_emails: bool = False
    private_addresses: bool = False
    names: tuple[str, ...] = ()
    names_model: str = "en_core_web_lg"

    def __post_init__(self) -> None:
        unknown = sorted(set(self.types).difference(TYPES))
        if unknown:
            raise ValueError(f"no detector for {unknown}; there are: {', '.join(TYPES)}")
        unknown = sorted(set(self.names).difference(NAMES))
        if unknown:
            raise ValueError(f"no names of type {unknown}; there are: {', '.join(NAMES)}")
