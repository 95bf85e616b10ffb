"""How a recipe redacts: what is looked for, what is put in its place, the key of digests.

The key is read where it is by every worker. Neither it nor a plain hash of it is ever written: of
a key that somebody thought up, a hash would tell who tries many. What a run remembers of it is made
by scrypt (RFC 7914), of which a try takes some hundredths of a second, and so is the key that
digests are made with.
"""

import hashlib
from functools import lru_cache
from typing import NamedTuple

from filters.errors import FilterUnavailable
from filters.loaders import forget
from filters.redaction import Options
from filters.redaction.strategies import Replacement, digests, stand_ins, tags, tags_written
from pipeline import storage
from pipeline.errors import UserError
from pipeline.redaction import Redaction

SHORTEST_KEY = 16  # bytes
_HOW_TO_MAKE_ONE = "Make one and keep it secret: head -c 32 /dev/urandom > redaction.key"
_remembered: dict[str, str] = {}


class Redacting(NamedTuple):
    """What `filters.redaction.redact` takes beside the text."""

    options: Options
    replacement: Replacement = tags


def options_of(settings: Redaction | None) -> Options:
    """Returns what a recipe's redaction looks for; nothing if it has none."""
    if settings is None:
        return Options(types=())
    return Options(
        types=tuple(settings.types),
        regions=tuple(settings.regions),
        spelled_out_emails=settings.spelled_out_emails,
        private_addresses=settings.private_addresses,
        names=tuple(settings.names),
        names_model=settings.names_model,
    )


def redacting(settings: Redaction | None) -> Redacting:
    """Returns how a recipe redacts.

    Raises:
        UserError: the key's file cannot be read, or is too short; or the model that finds names, or
            what it needs, is missing.
    """
    options = options_of(settings)
    if settings and settings.names:
        find_model(settings)  # said before the first document
    if settings and settings.replace == "digest":
        return Redacting(options, digests(_keys(settings)[0]))
    return Redacting(options, stand_ins if settings and settings.replace == "stand_in" else tags)


def tags_of(settings: Redaction | None) -> list[str]:
    """Returns every tag that a recipe's redaction can write."""
    if settings is None or settings.replace == "digest":
        return []
    return tags_written(
        (*settings.types, *settings.names), stand_ins if settings.replace == "stand_in" else tags
    )


def key_mark(settings: Redaction | None) -> str:
    """Returns what tells another key from the recipe's; "" if it has none.

    Raises:
        UserError: as for `redacting`.
    """
    return _keys(settings)[1].hex() if settings and settings.replace == "digest" else ""


def names_mark(settings: Redaction | None) -> str:
    """Returns what tells another model of names from the recipe's; "" if it has none.

    Raises:
        UserError: the model, or what it needs, is missing.
    """
    if not settings or not settings.names:
        return ""
    from filters.redaction.names import digest_of

    find_model(settings)
    return digest_of(settings.names_model)


def find_model(settings: Redaction) -> None:
    """Makes sure that the model of a recipe's names is there.

    Raises:
        UserError: it, or what it needs, is missing.
    """
    from filters.redaction.names import finder

    try:
        finder(tuple(settings.names), settings.names_model)
    except FilterUnavailable as error:
        raise UserError(str(error)) from None


def check_key(settings: Redaction | None, mark: str) -> None:
    """Makes sure that a run's key is still the same, and that what remembers another forgets it.

    Args:
        settings: What the recipe says of redaction.
        mark: What `key_mark` returned when the run was planned.

    Raises:
        UserError: The key is another one or cannot be read.
    """
    found, key = key_mark(settings), str(settings and settings.key)
    if found != mark:
        raise UserError(
            f"{key} was changed while the run went on",
            "Run again; what depends on it is made anew.",
        )
    if found != _remembered.get(key, found):
        forget()
    _remembered[key] = found


def _keys(settings: Redaction) -> tuple[bytes, bytes]:
    """Returns the key of digests and its mark."""
    path = str(settings.key)
    secret = storage.read_bytes(path)
    if len(secret) < SHORTEST_KEY:
        raise UserError(
            f"{path}: a key needs at least {SHORTEST_KEY} bytes and has {len(secret)}",
            _HOW_TO_MAKE_ONE,
        )
    derived = _derived(secret)
    return derived[:32], derived[32:]


@lru_cache(maxsize=4)
def _derived(secret: bytes) -> bytes:
    return hashlib.scrypt(secret, salt=b"gristmill redaction", n=2**14, r=8, p=1, dklen=48)
