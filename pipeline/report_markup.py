"""The pieces of the report's page: escaped HTML, tables, numbers, the style sheet.

Crawled text is hostile. `element` escapes whatever is not `Markup`, so forgetting to escape shows
tags to the reader instead of obeying them; and it clips whatever it escapes, so no document can
make the page large.
"""

import html
import math
from collections.abc import Sequence

LONGEST = 1_600  # bytes of one escaped value
# Control characters, overrides of the reading direction, surrogates.
UNSHOWN = ((0x7F, 0x9F), (0x202A, 0x202E), (0x2066, 0x2069), (0xD800, 0xDFFF))
CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
NAME = 160  # bytes of a document's, source's or file's name


class Markup(str):
    """HTML that is safe to put into the page as it is."""

    __slots__ = ()


def text(value: object, limit: int = LONGEST) -> Markup:
    """Escapes a value for use between tags or in a quoted attribute.

    Args:
        value: Anything; its `str` is shown, with visible symbols for control characters.
        limit: Most bytes of the result, an ellipsis aside.
    """
    escaped, size = [], 0
    for character in str(value):
        code = ord(character)
        if code < 32 and character not in "\n\t":
            character = chr(0x2400 + code)
        elif any(low <= code <= high for low, high in UNSHOWN):
            character = "\ufffd"
        piece = html.escape(character)
        size += len(piece.encode())
        if size > limit:
            escaped.append("…")
            break
        escaped.append(piece)
    return Markup("".join(escaped))


def element(name: str, *children: object, **attributes: object) -> Markup:
    """Returns an element; children that are not Markup, and all attributes, are escaped.

    Args:
        name: The tag.
        children: Its contents.
        attributes: A trailing underscore is dropped, others become hyphens; None is left out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>{join(*children)}</{name}>")


def join(*children: object) -> Markup:
    """Puts pieces next to each other, escaping those that are not Markup."""
    return Markup("".join(c if isinstance(c, Markup) else text(c) for c in children))


def name(value: object) -> Markup:
    """Shows a name that came with the data, apart from the words around it.

    It may be broken after the characters that names are made of; copied, it is unchanged.
    """
    written = text(value, NAME)
    for character in "_./":
        written = Markup(written.replace(character, f"{character}<wbr>"))
    return element("bdi", written, class_="name")


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Markup:
    """Returns a table that scrolls sideways by itself; the first cell of a row is its header.

    Args:
        caption: What the table shows; also read out by screen readers.
        columns: Headings; one that begins with "#" is for a column of numbers.
        rows: Cells. A row of one cell is a heading over those that follow.
    """
    kinds = ["number" if column.startswith("#") else None for column in columns]
    head = [
        element("th", column.lstrip("#"), scope="col", class_=kind)
        for column, kind in zip(columns, kinds, strict=True)
    ]
    body = []
    for row in rows:
        if len(row) == 1:
            group = element("th", row[0], scope="rowgroup", colspan=len(columns))
            body.append(element("tr", group, class_="group"))
            continue
        cells = [element("th", row[0], scope="row")]
        cells += [
            element("td", cell, class_=kind) for cell, kind in zip(row[1:], kinds[1:], strict=True)
        ]
        body.append(element("tr", *cells))
    whole = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *head)),
        element("tbody", *body),
    )
    return element("div", whole, class_="scroll", role="region", tabindex=0, aria_label=caption)


def paragraph(*children: object, class_: str | None = None) -> Markup:
    """Returns a paragraph."""
    return element("p", *children, class_=class_)


def definitions(pairs: list[tuple[str, object]]) -> Markup:
    """Returns terms and what they are."""
    rows = [element("div", element("dt", term), element("dd", value)) for term, value in pairs]
    return element("dl", *rows)


def number(value: float) -> str:
    """Writes a count or measured value: 2,177 or 0.214."""
    if math.isfinite(value) and (value == int(value) or abs(value) >= 10_000):
        return f"{value:,.0f}"
    return f"{value:.4g}"


def apart(value: float, bound: float) -> tuple[str, str]:
    """Writes two values with as many digits as it takes to tell them apart."""
    for digits in range(3, 18):
        written = f"{value:.{digits}g}", f"{bound:.{digits}g}"
        if written[0] != written[1] or value == bound:
            break
    grouped = tuple(
        number(exact) if abs(exact) >= 1000 else short
        for exact, short in zip((value, bound), written, strict=True)
    )
    return written if grouped[0] == grouped[1] and value != bound else (grouped[0], grouped[1])


def share(part: float, whole: float) -> str:
    """Writes a part of a whole as a percentage; a part is never rounded to none or to all."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    if 0 < percent < 0.05:
        return "<0.1%"
    if 99.95 <= percent < 100:
        return ">99.9%"
    return f"{percent:.1f}%"


def megabytes(count: float) -> str:
    """Writes bytes as MB."""
    return f"{count / 1e6:,.2f}"


STYLE = """
:root{color-scheme:light dark;--paper:#fcfbf8;--ink:#1d2226;--muted:#5a626a;--line:#dedbd3;
--soft:#f2f0ea;--kept:#1c7c74;--filtered:#c65d1b;--faint:#f0c9a8;--duplicate:#7a5fb0;--error:#b3182e;
--dropped:#f7e6da;--warn:#fff3d6;--removed:#f8d7cf;--added:#d3ecd8;--loud:#b3182e;--on-loud:#fff}
@media (prefers-color-scheme:dark){:root{--paper:#15181b;--ink:#e6e4df;--muted:#a3abb3;
--line:#343a40;--soft:#1d2125;--kept:#4fb3a9;--filtered:#e58a4b;--faint:#6b4630;--duplicate:#a892dd;
--error:#ff7082;--dropped:#33261d;--warn:#3a3018;--removed:#56261f;--added:#1f4a30;--loud:#8c1426}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:70rem;padding:2.5rem 1.25rem 5rem;background:var(--paper);
color:var(--ink);overflow-wrap:break-word;
font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:2rem;line-height:1.2;margin:0;letter-spacing:-.01em}
h2{font-size:1.4rem;margin:0 0 .6rem;letter-spacing:-.005em}
h3{font-size:1rem;margin:2rem 0 .6rem}
h4{font-size:.9rem;margin:0 0 .3rem}
p{margin:0 0 1rem;max-width:44rem}
a{color:inherit;text-underline-offset:.2em}
section{margin-top:3.5rem;scroll-margin-top:1rem}
.lead{color:var(--muted);font-size:1.15rem}
small{font-size:.8125rem;color:var(--muted);font-weight:400}
code,pre,.name{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;
font-size:.85em}
.name{overflow-wrap:anywhere;unicode-bidi:isolate}
nav{display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;margin-top:2rem;padding:.7rem 0;
border-block:1px solid var(--line);font-size:.9rem}
.figures{list-style:none;margin:1.5rem 0 1.25rem;padding:0;display:grid;gap:1rem;
grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr))}
.figures li{border-top:4px solid;padding-top:.5rem;display:flex;flex-direction:column}
.figures strong{font-size:1.75rem;line-height:1.2;color:var(--ink);
font-variant-numeric:tabular-nums}
.figures span{color:var(--ink)}
li.kept{border-color:var(--kept)}li.filtered{border-color:var(--filtered)}
li.duplicate{border-color:var(--duplicate)}li.error{border-color:var(--error)}
.overview{display:grid;grid-template-columns:max-content 1fr;gap:.4rem 1rem;align-items:center;
font-size:.875rem;color:var(--muted)}
.overview .bar{height:1.4rem}
.banner{margin-top:2rem;padding:1rem 1.25rem;background:var(--warn);border-left:5px solid
var(--filtered);max-width:none}
.banner p:last-child{margin:0}
.banner.loud{background:var(--loud);color:var(--on-loud);border-color:var(--ink);font-size:1.1rem}
.loud caption,.loud small,.loud thead th{color:inherit}
.scroll{overflow-x:auto;margin:0 0 1.5rem}
table{border-collapse:collapse;width:100%;font-size:.875rem;line-height:1.4}
caption{text-align:left;color:var(--muted);font-size:.8125rem;padding-bottom:.4rem}
th,td{text-align:left;vertical-align:top;padding:.4rem .9rem .4rem 0;
border-bottom:1px solid var(--line);font-weight:400}
thead th{color:var(--muted);font-size:.8125rem;vertical-align:bottom;white-space:nowrap}
tbody th{min-width:9rem;max-width:26rem}
tbody th small,td small{display:block}
th:last-child,td:last-child{padding-right:0}
.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.group th{font-weight:650;padding-top:1.3rem}
td>.bar{min-width:7rem;width:100%;margin-top:.3rem}
.bar{display:block;height:.75rem;width:100%;background:var(--soft)}
.kept{fill:var(--kept)}.filtered{fill:var(--filtered)}.faint{fill:var(--faint)}
.duplicate{fill:var(--duplicate)}
del{background:var(--removed)}ins{background:var(--added);text-decoration:none;font-weight:600}
.error{fill:var(--error)}
.grid{display:grid;gap:1.75rem 2rem;
grid-template-columns:repeat(auto-fill,minmax(min(19rem,100%),1fr))}
figure{margin:0;display:flex;flex-direction:column}
figcaption{margin-bottom:.35rem;flex:1;line-height:1.35}
figcaption *{display:block;overflow-wrap:anywhere}
figcaption strong{font-size:.9rem;font-weight:600}
.histogram{width:100%;height:auto;display:block}
.histogram .dropped{fill:var(--dropped)}
.axis{stroke:var(--muted);stroke-width:1}
.bound{stroke:var(--ink);stroke-width:1.25;stroke-dasharray:3 2}
.histogram text{font-size:11px;fill:var(--muted);font-variant-numeric:tabular-nums}
.histogram .bound-label{fill:var(--ink)}
dl{margin:0 0 1.5rem;font-size:.875rem}
dl div{display:grid;grid-template-columns:11rem 1fr;gap:0 1rem;padding:.2rem 0}
dt{color:var(--muted)}
dd{margin:0;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
dd ul{margin:0;padding:0;list-style:none}
details{border-bottom:1px solid var(--line)}
summary{cursor:pointer;padding:.55rem 0}
summary small{margin-left:.8rem}
article{margin:.75rem 0 1.75rem;padding-left:1rem;border-left:3px solid var(--line)}
article dl{margin-bottom:.5rem}
article dl div{grid-template-columns:6.5rem 1fr}
pre{margin:0;padding:.8rem 1rem;background:var(--soft);white-space:pre-wrap;overflow-wrap:anywhere;
unicode-bidi:isolate;max-height:24rem;overflow-y:auto;line-height:1.5;tab-size:4}
:focus-visible{outline:2px solid var(--kept);outline-offset:2px}
@media (max-width:34rem){tbody th{min-width:10.5rem}td>.bar{min-width:4rem}
body{padding-top:1.5rem}dl div{grid-template-columns:1fr}
.overview{grid-template-columns:1fr;gap:.2rem}.overview .bar{margin-bottom:.5rem}}
@media print{nav{display:none}.scroll{overflow:visible}pre{max-height:none}}
"""


def page(title: str, *parts: Markup, style: str = "") -> str:
    """Returns a whole page that has no script and fetches nothing.

    Args:
        title: Shown by the browser.
        parts: The body.
        style: Rules to add to the style sheet.
    """
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{CSP}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{text(title)}</title>
<style>{STYLE}{style}</style>
</head>
<body>
{join(*parts)}
</body>
</html>
"""
