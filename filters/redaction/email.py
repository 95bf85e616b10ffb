"""E-mail addresses, also with %40 for the at-sign, and spelled out as `name [at] domain`."""

from collections.abc import Iterator
from functools import cache, lru_cache

from filters.redaction.options import Options
from filters.redaction.patterns import compiled

# Of the marks that RFC 5322 allows, those that stand in front of addresses in URLs and code
# (= / ? { and the like) are left out.
_NARROW = r"0-9\p{Latin}\p{Greek}\p{Cyrillic}\p{M}"
_WIDE = r"0-9\p{L}\p{M}"
_ESCAPED = r"%(?:2[BDEbde]|27|5[Ff]|[89A-Fa-f][0-9A-Fa-f])"  # of what may stand in an address
_ATOM = rf"(?:[{_WIDE}_+&'~-]|{_ESCAPED})+"
_LABEL = rf"[{_WIDE}](?:[{_WIDE}-]*[{_WIDE}])?"
_TOP = r"(?:[Xx][Nn]--[0-9A-Za-z-]+|[\p{L}\p{M}]{2,})"
_EMAIL = compiled(
    rf'(?:{_ATOM}(?:\.{{1,2}}{_ATOM})*\.?|"[^"\\@%\x00-\x1F]+")(?:@|%40)(?:{_LABEL}\.)+{_TOP}'
)
_NARROW_TAIL = compiled(rf"(?:[{_NARROW}_+&'~.-]|{_ESCAPED})*\z")
_LETTERS = compiled(r"\p{L}")
_HEX = compiled("[0-9A-Fa-f]{2}")
_VERSION = compiled(r"v?[0-9]+(?:\.[0-9]+)+\.|[1-9](?:\.[0-9])?x\.")  # lib@1.2.dev, icon@2x.ai
_FILE_NAME = compiled(r"[^.]+\.(?:py|zip|mov)")  # rarely, if ever, domains of e-mail
_STAND_IN = compiled(r"person[0-9]+@example\.com")
_PASSWORD = compiled(r"://[^\x00-\x20/?#]*:[^\x00-\x20/?#]*\z")
_PASSWORD_END = compiled(r"[^\x00-\x20/?#@]{0,128}@")
_LONGEST_URL_USER = 128

_GAP = r"[ \x{A0}]{0,2}"
_DOT_IN_BRACKETS = rf"{_GAP}[\[({{<]{_GAP}(?:dot|punkt|punto|ponto|point|\.){_GAP}[\])}}>]{_GAP}"
_DOT = rf"(?:{_DOT_IN_BRACKETS}| dot )"
_AT_IN_BRACKETS = (
    rf"{_GAP}[\[({{<]{_GAP}(?:at|\x{{E4}}t|arroba|arobase|chiocciola|@){_GAP}[\])}}>]{_GAP}"
)
_WORD = rf"[{_NARROW}_+-]+"
_HOST = rf"[{_NARROW}](?:[{_NARROW}-]*[{_NARROW}])?"
_SPELLED_OUT = compiled(
    rf"(?i){_WORD}(?:(?:\.|{_DOT}){_WORD})*(?:{_AT_IN_BRACKETS}{_HOST}(?:(?:\.|{_DOT}){_HOST})+"
    rf"|(?: at | ?@ ?){_HOST}(?:\.{_HOST})*{_DOT}{_HOST}(?:(?:\.|{_DOT}){_HOST})*)"
)
_LAST_LABEL = compiled(rf"{_HOST}\z")

_SHORTEST = len("a@b.de")
_LONGEST_LOCAL_PART, _LONGEST_DOMAIN, _LONGEST_LABEL = 64, 255, 63
"""Bytes: RFC 5321, 4.5.3.1, and RFC 1035, 2.3.4."""

_RESERVED = ("example", "test", "invalid", "local", "internal", "onion")
"""Top-level domains that are no public suffixes: RFC 2606, 6762 and 7686; ICANN for internal."""


def hits(data: bytes, first: int, last: int, options: Options) -> Iterator[tuple[int, int]]:
    """Yields the hits that begin in data[first:last].

    The domain must end in a top-level domain that exists, by the snapshot of the public suffix
    list in tldextract, and be no longer than RFC 5321 allows; a local part that is too long is
    cut. What stands before an at-sign and is a password in a URL is no local part. The addresses
    of repositories (git@github.com:owner/name) and the stand-in `person1@example.com` are no hits.
    """
    position = first
    while last - position >= _SHORTEST and (match := _EMAIL.search(data, position, last)):
        start, end = match.span()
        at = data.find(b"@", start, end)
        after = at + 1
        if at < 0:
            at = data.rindex(b"%40", start, end)
            after = at + 3
        end = _domain_end(data, after, end)
        position = end or after  # what is no domain may be the next local part
        if not end:
            continue
        start = _local_part_start(data, start, at, data[after:end].isascii())
        if (
            start < at
            and not (data[start:at] == b"git" and data[end : end + 1] in (b":", b"/"))
            and not (data.startswith(b"person", start) and _STAND_IN.fullmatch(data, start, end))
            and not _is_password(data, start, at, end)
        ):
            yield start, end
    if options.spelled_out_emails:
        for match in _SPELLED_OUT.finditer(data, first, last):
            start, end = match.span()
            label = _LAST_LABEL.search(data[start:end])
            if label is not None and _is_top(label.group()):
                yield start, end


def _local_part_start(data: bytes, start: int, at: int, is_ascii_domain: bool) -> int:
    """Returns where the local part begins; `at` if there is none.

    Scripts without spaces would let it swallow the words in front: with letters of such a script
    in it, only what follows them counts, unless they are all there is.
    """
    if data[start] == ord('"'):
        return start if at - start <= _LONGEST_LOCAL_PART else at
    if data[start - 1 : start] == b"%" and _HEX.match(data, start, at):
        start += 2  # %3Cname: an escaped character in front
    if not data[start:at].isascii():
        tail = at - len(_NARROW_TAIL.search(data[start:at]).group())
        if tail < at and (is_ascii_domain or _LETTERS.search(data, tail, at)):
            start = tail
    if at - start > _LONGEST_LOCAL_PART:
        start = at - _LONGEST_LOCAL_PART
        while data[start] & 0xC0 == 0x80:  # inside a character
            start += 1
    while data[start] in b"'+&~.-":  # in front of an address, these are punctuation
        start += 1
    return start


def _domain_end(data: bytes, start: int, end: int) -> int:
    """Returns where the domain that begins at `start` ends, or 0 if there is none.

    Labels behind the top-level domain are left off: the next sentence, or a file name.
    """
    if data[start] in b"v0123456789" and _VERSION.match(data, start, end):
        return 0
    labels = data[start:end].split(b".")
    if data[end : end + 1].isdigit():
        end -= len(labels.pop()) + 1
    while len(labels) > 1:
        length = _top_length(labels[-1])
        if length:
            if len(labels) == 2 and _FILE_NAME.fullmatch(data, start, end):
                return 0
            end += length - len(labels[-1])
            too_long = end - start > _LONGEST_DOMAIN or len(max(labels, key=len)) > _LONGEST_LABEL
            return 0 if too_long else end
        end -= len(labels.pop()) + 1
    return 0


def _top_length(label: bytes) -> int:
    """Returns how many bytes of a label are a top-level domain.

    That is all of them or none; but where other letters than ASCII's follow without a space, the
    longest beginning that is one.
    """
    if _is_top(label):
        return len(label)
    if not label.isascii():
        text = label.decode("utf-8")
        for length in range(min(len(text), _LONGEST_LABEL) - 1, 1, -1):
            if _is_top(part := text[:length].encode()):
                return len(part)
    return 0


@lru_cache(maxsize=4096)
def _is_top(label: bytes) -> bool:
    """Returns whether a label is a top-level domain, whatever its case."""
    try:
        name = label.decode("utf-8").lower()
        if name.startswith("xn--"):
            name = name[4:].encode().decode("punycode")
    except UnicodeError:
        return False
    return name in _top_level_domains()


@cache
def _top_level_domains() -> frozenset[str]:
    from tldextract import TLDExtract  # slow to import

    suffixes = TLDExtract(suffix_list_urls=(), cache_dir=None).tlds  # the list in the package
    return frozenset(suffix.rsplit(".", 1)[-1] for suffix in suffixes).union(_RESERVED)


def _is_password(data: bytes, start: int, at: int, end: int) -> bool:
    """Returns whether what begins at `start` is a password in a URL: scheme://user:here@host."""
    before = data[max(0, start - _LONGEST_URL_USER) : start]
    if b"://" not in before or not _PASSWORD.search(before):
        return False
    return data[at : at + 1] == b"@" or _PASSWORD_END.match(data, end) is not None
