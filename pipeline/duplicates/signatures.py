"""What the match stage needs of each document: digests of its URL and text, and its signature."""

import hashlib
import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.duplicates.settings import Dedup

_DEFAULT_PORTS = {"http": "80", "https": "443"}
# Scheme, authority, and path with query, of a URL without its fragment (RFC 3986, appendix B).
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?]*)(.*)", re.DOTALL)


class Marks(NamedTuple):
    """What is matched of one document; None where it has or the recipe needs none.

    Attributes:
        url_digest: 16 bytes, of the normalised URL.
        digest: 16 bytes, of the normalised text.
        signature: uint32[places], of the text's shingles.
    """

    url_digest: bytes | None = None
    digest: bytes | None = None
    signature: NDArray[np.uint32] | None = None


def signer(dedup: Dedup) -> Callable[[str, str | None], Marks]:
    """Returns the function that marks a document, given its redacted text and its URL."""
    # Imported here because numba and datasketch take seconds, and not every process signs.
    from dedup.digests import exact_digest
    from dedup.minhash import permutations, text_signature

    minhash, normalisation = dedup.minhash, dedup.exact
    hashing = permutations(minhash.places, minhash.seed) if minhash else None

    def sign(text: str, url: str | None) -> Marks:
        marks = None
        if minhash and hashing is not None:
            marks = text_signature(text, minhash.shingle, minhash.unit, hashing)
        return Marks(
            url_digest=_digest(normalised_url(url)) if dedup.url and url else None,
            digest=exact_digest(text, normalisation) if normalisation else None,
            signature=marks,
        )

    return sign


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def normalised_url(url: str) -> str:
    """Returns the form under which two URLs are the same page.

    Scheme and host in lower case, no port that is empty or the scheme's default, no fragment, a
    slash for an empty path (RFC 3986, sections 6.2.2.1 and 6.2.3, which also keeps a "?" with
    nothing after it), and https for http unless another port is named. All else stays as it is:
    user information, path and query. What is no absolute URL with a host stays as it is, too.
    Linear time; twice is as once.
    """
    match = _URL.fullmatch(url.partition("#")[0].strip())
    if not match:
        return url
    scheme, authority, rest = match.groups()
    scheme = scheme.lower()
    user, at, host = authority.rpartition("@")
    host, port = _without_default_port(host.lower(), scheme)
    if not host:
        return url
    if scheme == "http" and not port:
        scheme = "https"
    path = rest if rest.startswith("/") else f"/{rest}"
    return f"{scheme}://{user}{at}{host}{port}{path}"


def _without_default_port(host: str, scheme: str) -> tuple[str, str]:
    """Returns a host and its port with the colon; nothing for the port that the scheme implies."""
    bare, colon, port = host.rpartition(":")
    if not colon or "]" in port:  # the colons are those of an IPv6 address
        return host, ""
    implied = port in ("", _DEFAULT_PORTS.get(scheme))
    if implied and ":" not in bare.rpartition("]")[2]:  # or else it is no host and port
        return bare, ""
    return bare, f":{port}"


def signatures_schema(dedup: Dedup | None) -> pa.Schema:
    """Returns the schema of work/signatures/: what the match stage needs of each document."""
    if dedup is None:
        return pa.schema([])
    fields = [("url_digest", pa.binary(16))] if dedup.url else []
    fields += [("digest", pa.binary(16))] if dedup.exact else []
    if dedup.minhash:
        fields.append(("signature", pa.list_(pa.uint32(), dedup.minhash.places)))
    return pa.schema(fields)


def signatures_batch(rows: list[Marks], schema: pa.Schema) -> pa.RecordBatch:
    """Returns rows as a record batch of work/signatures/; what a document lacks is null."""
    arrays = []
    for name in schema.names:
        values = [getattr(row, name) for row in rows]
        if name == "signature":
            width = schema.field(name).type.list_size
            present = [np.zeros(width, np.uint32) if value is None else value for value in values]
            flat, absent = pa.array(np.concatenate(present)), pa.array([v is None for v in values])
            arrays.append(pa.FixedSizeListArray.from_arrays(flat, width, mask=absent))
        else:
            arrays.append(pa.array(values, pa.binary(16)))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
