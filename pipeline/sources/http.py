"""The HTTP response inside a WARC record: status, fields, decoded body.

Crawlers often store the body decoded and keep the fields that said how it was encoded, so a body
that is not encoded as its fields say is taken as it is. Decoding stops at a limit: fastwarc's own
decoding inflates 256 KB to 256 MiB before the first byte can be read.
"""

import io
import zlib
from dataclasses import dataclass

from pipeline.sources.compression import DamagedError, chunks

_CODECS = {"gzip": "gzip", "x-gzip": "gzip", "zstd": "zstd", "br": "brotli"}
_MAGIC = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}


class InvalidHTTPError(Exception):
    """The message is no HTTP response, or its body cannot be decoded."""


class BodyTooLargeError(Exception):
    """The decoded body is larger than the limit."""


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response.

    Attributes:
        status: Status code.
        fields: Header fields by lower-case name; of repeated ones the first.
        body: Still encoded.
    """

    status: int
    fields: dict[str, str]
    body: bytes


def parse(message: bytes) -> Response:
    """Takes an HTTP response apart.

    Raises:
        InvalidHTTPError: There is no status line.
    """
    head, body = _split_head(message)
    status_line, *lines = head.decode("latin-1").splitlines() or [""]
    protocol, _, rest = status_line.partition(" ")
    code = rest.strip()[:3]
    if not protocol.upper().startswith("HTTP/") or not (code.isascii() and code.isdecimal()):
        raise InvalidHTTPError
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    return Response(int(code), fields, body)


def media_type(content_type: str | None) -> tuple[str, str | None]:
    """Takes a Content-Type apart: the media type in lower case, and the charset or None."""
    kind, *parameters = (content_type or "").split(";")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return kind.strip().lower(), value.strip(" \t\"'") or None
    return kind.strip().lower(), None


def decode_body(response: Response, limit: int) -> bytes:
    """Undoes the transfer and content encodings of a response's body.

    Raises:
        InvalidHTTPError: An encoding is damaged or unknown.
        BodyTooLargeError: The body has more than `limit` bytes.
    """
    body = response.body
    if "chunked" in response.fields.get("transfer-encoding", "").lower():
        body = _unchunk(body)
    for name in reversed(response.fields.get("content-encoding", "").lower().split(",")):
        body = _decode(body, name.strip(), limit)
    if len(body) > limit:
        raise BodyTooLargeError
    return body


def _split_head(message: bytes) -> tuple[bytes, bytes]:
    ends = [(at, mark) for mark in (b"\r\n\r\n", b"\n\n") if (at := message.find(mark)) >= 0]
    if not ends:
        return message, b""
    at, mark = min(ends)
    return message[:at], message[at + len(mark) :]


def _unchunk(body: bytes) -> bytes:
    """Joins the chunks of RFC 9112 section 7.1; a body without chunks is returned as it is."""
    parts: list[bytes] = []
    at = 0
    while True:
        stop = body.find(b"\n", at, at + 1024)
        digits = body[at:stop].split(b";")[0].strip() if stop >= 0 else b""
        try:
            size = int(digits, 16) if digits.isalnum() else -1
        except ValueError:
            size = -1
        if size < 0 or stop + 1 + size > len(body):
            return body
        if size == 0:
            return b"".join(parts)
        parts.append(body[stop + 1 : stop + 1 + size])
        at = stop + 1 + size
        if body[at : at + 2] == b"\r\n":
            at += 2
        elif body[at : at + 1] == b"\n":
            at += 1


def _decode(body: bytes, encoding: str, limit: int) -> bytes:
    if encoding in ("", "identity", "none", "utf-8") or not body:
        return body
    if encoding == "deflate":
        return _inflate(body, limit)
    codec = _CODECS.get(encoding)
    if codec is None:
        raise InvalidHTTPError
    if not body.startswith(_MAGIC.get(codec, b"")) or (codec == "brotli" and _is_markup(body)):
        return body
    parts: list[bytes] = []
    size = 0
    try:
        for piece in chunks(io.BytesIO(body), codec):
            parts.append(piece)
            size += len(piece)
            if size > limit:
                raise BodyTooLargeError
    except DamagedError:
        raise InvalidHTTPError from None
    return b"".join(parts)


def _inflate(body: bytes, limit: int) -> bytes:
    """Undoes ``deflate``, which servers send with a zlib header (as specified) or without."""
    if _is_markup(body):
        return body
    for window in (15, -15):
        inflator = zlib.decompressobj(window)
        try:
            data = inflator.decompress(body, limit + 1)
        except zlib.error:
            continue
        if len(data) > limit:
            raise BodyTooLargeError
        if inflator.eof:
            return data
    raise InvalidHTTPError


def _is_markup(body: bytes) -> bool:
    return body[:256].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
