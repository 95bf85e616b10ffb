"""Text of an HTML page, by resiliparse or trafilatura."""

import codecs
from collections.abc import Callable

# resiliparse's search for the main content takes time that grows with the square of the depth:
# 10,000 nested elements take 1.7 s, 100,000 take minutes. Real pages stay far below this depth.
_DEEPEST = 256
_DEEPER = ">".join(["*"] * (_DEEPEST + 1))

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16le"),
    (codecs.BOM_UTF16_BE, "utf-16be"),
)


def decode(page: bytes, charset: str | None, markup: bool) -> str:
    """Decodes a page in the order of the HTML standard (section 13.2.3.2).

    That is: byte order mark, the charset of the HTTP response, the page's meta element, a guess.
    Bytes that do not fit the encoding are read as UTF-8 or Windows-1252.

    Args:
        page: The page.
        charset: From the HTTP response, or None.
        markup: Whether a meta element may name the charset.
    """
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding, map_encoding_to_html5

    encoding = next((name for bom, name in _BOMS if page.startswith(bom)), None)
    if encoding is None and charset:
        encoding = map_encoding_to_html5(charset, fallback_utf8=False)
    if encoding is None:
        encoding = detect_encoding(page, from_html_meta=markup)
    text: str = bytes_to_str(page, encoding or "utf-8")
    return text


def extractor(tool: str) -> Callable[[str], str]:
    """Returns the function that makes text of HTML.

    Args:
        tool: ``resiliparse`` or ``trafilatura``.
    """
    return _with_trafilatura if tool == "trafilatura" else _with_resiliparse


def _with_resiliparse(html: str) -> str:
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree

    tree = HTMLTree.parse(html)
    root = tree.document
    deep = html.count("<") > _DEEPEST and root and root.query_selector(_DEEPER) is not None
    # Without the search for the main content the time is linear.
    text: str = extract_plain_text(tree, main_content=not deep, alt_texts=False)
    return text


def _with_trafilatura(html: str) -> str:
    import trafilatura

    # `deduplicate` stays off: it remembers earlier documents, so a text would depend on which
    # other pages the worker has read.
    return trafilatura.extract(html, favor_precision=True, include_comments=False) or ""
