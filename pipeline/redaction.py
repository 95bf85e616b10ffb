"""The recipe's section on personal data."""

import difflib
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from filters.redaction import DEFAULT_REGIONS, NAMES, TYPES
from pipeline.settings import Section


def _known(value: str, names: Iterable[str], otherwise: str) -> str:
    """Refuses a name that is none of some, with the nearest one or else what is expected."""
    by_lower = {name.lower(): name for name in sorted(names)}
    if value not in by_lower.values():
        near = difflib.get_close_matches(value.lower(), by_lower, n=1)
        hint = f"did you mean {by_lower[near[0]]}?" if near else f"expected {otherwise}"
        raise ValueError(f"unknown {value}; {hint}")
    return value


def _type(value: str) -> str:
    return _known(value, TYPES, f"one of {', '.join(TYPES)}")


def _name(value: str) -> str:
    return _known(value, NAMES, f"one of {', '.join(NAMES)}")


def _region(value: str) -> str:
    if value in DEFAULT_REGIONS:
        return value
    import phonenumbers  # only for regions that need it

    return _known(value, phonenumbers.SUPPORTED_REGIONS, "an ISO 3166 code such as US or GB")


class Redaction(Section):
    """Which personal data is replaced before any text is written, and by what."""

    types: list[Annotated[str, AfterValidator(_type)]] = Field(
        default=list(TYPES), description="kinds of personal data"
    )
    replace: Literal["tag", "stand_in", "digest"] = Field(
        default="tag",
        description="by a tag of the type, a value of a reserved range, or a keyed digest "
        "that is equal for equal values",
    )
    key: str | None = Field(
        default=None, description="file with at least 16 secret bytes, for replace: digest"
    )
    regions: list[Annotated[str, AfterValidator(_region)]] = Field(
        default=list(DEFAULT_REGIONS),
        description="where a phone number without country code may be from; ISO 3166 codes",
    )
    spelled_out_emails: bool = Field(
        default=False, description="name [at] domain is an e-mail address, too"
    )
    private_addresses: bool = Field(
        default=False, description="IP addresses that are not global are replaced, too"
    )
    names: list[Annotated[str, AfterValidator(_name)]] = Field(
        default=[],
        description="person, location, nrp, organization: names that a model finds (extra)",
    )
    names_model: str = Field(
        default="en_core_web_lg", description="spaCy model for names, by its package or folder"
    )

    @model_validator(mode="after")
    def _key_for_digests(self) -> "Redaction":
        if self.replace == "digest" and self.key is None:
            raise ValueError(
                "replace: digest needs key, a file with at least 16 secret bytes; to make one: "
                "head -c 32 /dev/urandom > redaction.key"
            )
        if self.replace != "digest" and self.key is not None:
            raise ValueError("only replace: digest has a use for key")
        return self
