"""Whether an output holds what its recipe's detectors find, in anything that was written.

Everything that comes from documents must be clean: every string of every table, the report, the
vocabulary, the token shards turned back into text, and any other file. What the user typed, the
recipe and the names of the inputs in work/, is looked at too, but is the user's own: it is only
counted. Numbers (counts, measures, hashes) hold no text and are not looked at. Names are looked
for in the documents and shards alone: of Gristmill's own words a model takes some for names.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.redaction import Options, Span, find, redact
from pipeline import storage
from pipeline.arrow_files import read_arrow
from pipeline.bpe import Encoder, definition_of
from pipeline.errors import UserError
from pipeline.recipe import Recipe
from pipeline.redacting import find_model, options_of

PIECE = 1 << 20  # bytes of a file of no known kind that are looked at together
OVERLAP = 1 << 12  # of a piece and the one after it
MOST_PLACES = 50
BATCH_ROWS = 1_000
HEXADECIMAL = "0123456789abcdef"
HASH_LENGTHS = (32, 64)

# Values that Gristmill and the systems below it make up themselves, such as the version 1.2.3.4.
OURS = frozenset({"code", "fingerprint", "gristmill", "libraries", "python", "version"})
GIVEN_FILES = frozenset({"recipe.yaml", "work/run.json", "work/plan.json"})
WITH_NAMES = ("documents/", "tokens/")
GIVEN_KEYS = frozenset({"recipe", "files"})
GEOMETRY = frozenset({"d", "height", "points", "style", "transform", "viewbox", "width", "x", "y"})

Decode = Callable[[list[int]], str]


@dataclass(frozen=True, slots=True)
class Written:
    """A text somewhere in a file.

    Attributes:
        place: Where, such as `row 7, column text`.
        text: The text.
        given: Whether the user typed it.
    """

    place: str
    text: str
    given: bool = False


@dataclass
class Group:
    """What was looked at in a folder of the output, or in a file beside them."""

    files: int = 0
    texts: int = 0
    bytes: int = 0
    hits: Counter[str] = field(default_factory=Counter)


@dataclass
class Scan:
    """What was looked at and found.

    Attributes:
        options: What is looked for.
        groups: By folder or file.
        places: Where something was found, and of which type; never what.
        given: Hits in what the user typed.
        skipped: Files that a recipe names, copied for the workers and known by their hashes.
        unreadable: Files that are damaged.
    """

    options: Options
    groups: dict[str, Group] = field(default_factory=dict)
    places: list[str] = field(default_factory=list)
    given: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    unreadable: list[str] = field(default_factory=list)

    @property
    def hits(self) -> Counter[str]:
        """How many hits of each type there are in all."""
        return sum((group.hits for group in self.groups.values()), Counter[str]())

    @property
    def patterns(self) -> Options:
        """What is looked for without a model."""
        return replace(self.options, names=())

    def told(self) -> str:
        """Returns what was looked at, in lines for the terminal."""
        types = ", ".join(self.options.types)
        width = max((len(name) for name in self.groups), default=0)
        names = ", ".join(self.options.names)
        for_names = f", for names ({names}) in documents and tokens" if names else ""
        lines = [f"looked for personal data ({types}) in everything written{for_names}:"]
        for name, group in sorted(self.groups.items()):
            found = _counts(group.hits) or "none"
            size = f"{group.texts:,} strings, {group.bytes / 1e6:,.2f} MB"
            lines.append(f"  {name:{width}}  {group.files:,} files, {size}: {found}")
        if self.given:
            lines.append(f"  what the recipe says and names, not counted: {_counts(self.given)}")
        if self.skipped:
            lines.append(f"  {self.skipped:,} files of the recipe's filters: not looked at")
        return "\n".join(lines)


def _counts(hits: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(hits.items()))


def scan(root: str, manifest: dict[str, Any]) -> Scan | None:
    """Looks at every file of an output.

    Args:
        root: The output.
        manifest: Its manifest.

    Returns:
        What was found; None if the recipe redacts nothing.

    Raises:
        UserError: the model that finds the recipe's names, or what it needs, is missing.
    """
    recipe = Recipe.model_validate(manifest["recipe"])
    if recipe.redaction is None:
        return None
    if recipe.redaction.names:
        find_model(recipe.redaction)
    result = Scan(options_of(recipe.redaction))
    copied = {f"work/files/{file['sha256']}" for file in manifest["files"]}
    given = set(_values(manifest["recipe"], result.patterns))
    for name in storage.names_below(root):
        if name in copied:
            result.skipped += 1
            continue
        group = result.groups.setdefault(name.split("/", 1)[0], Group())
        group.files += 1
        try:
            for written in _texts(root, name, recipe):
                _look(written, name, group, given, result)
        except (UserError, pa.ArrowException, OSError, ValueError, KeyError):
            result.unreadable.append(name)
    return result


def _values(recipe: dict[str, Any], options: Options) -> Iterator[str]:
    """Yields what the detectors find in a recipe."""
    for written in _json(recipe, "", True):
        for span in find(written.text, options):
            yield written.text[span.start : span.end]


def _look(written: Written, name: str, group: Group, given: set[str], result: Scan) -> None:
    text = written.text
    group.texts += 1
    group.bytes += len(text.encode("utf-8", "surrogatepass"))
    if len(text) in HASH_LENGTHS and not text.strip(HEXADECIMAL):
        return
    spans = find(text, result.options if name.startswith(WITH_NAMES) else result.patterns)
    if name.endswith(".html"):
        spans = [span for span in spans if not _is_shown_elsewhere(text, span, given)]
    hits = Counter(span.type for span in spans)
    if not hits:
        return
    if written.given:
        result.given.update(hits)
        return
    group.hits.update(hits)
    place = redact(f"{name}, {written.place}", result.patterns).text
    result.places.append(f"{place}: {_counts(hits)}")


def _is_shown_elsewhere(text: str, span: Span, given: set[str]) -> bool:
    """Tells whether a hit in the page is the recipe's, or only the beginning of something longer.

    All that the page shows of documents stands whole in report.json.
    """
    return text[span.start : span.end] in given or text[span.end :] == "…"


def _texts(root: str, name: str, recipe: Recipe) -> Iterator[Written]:
    """Yields every text in a file."""
    url, given = f"{root}/{name}", name in GIVEN_FILES
    if name.endswith((".parquet", ".arrow")):
        decode = _decoder(root, recipe) if name.startswith("tokens/") else None
        yield from _table(url, decode)
    elif name == "tokenizer/tokenizer.json" or name == "work/given_tokenizer.json":
        yield from _vocabulary(storage.read_bytes(url), recipe)
    elif name.endswith(".json"):
        yield from _json(json.loads(storage.read_bytes(url)), "", given)
    elif name.endswith(".html"):
        page = _Page()
        page.feed(storage.read_bytes(url).decode())
        page.close()
        yield from page.written
    else:
        with storage.open_binary(url) as file:
            yield from _pieces(file, given)


def _decoder(root: str, recipe: Recipe) -> Decode:
    definition = definition_of(storage.read_bytes(f"{root}/tokenizer/tokenizer.json"))
    encoder = Encoder(definition, recipe.tokenizer.end_of_document)
    fast = encoder.fast
    if fast is not None:
        return lambda ids: fast.decode_bytes(ids).decode("utf-8", "replace")
    return lambda ids: str(encoder.reference.decode(ids, skip_special_tokens=False))


def _vocabulary(data: bytes, recipe: Recipe) -> Iterator[Written]:
    """Yields a tokenizer's tokens as text, and its settings."""
    given = recipe.tokenizer.path is not None
    reference = Encoder(definition_of(data), recipe.tokenizer.end_of_document).reference
    for number in sorted(reference.get_vocab(with_added_tokens=True).values()):
        token = reference.decode([number], skip_special_tokens=False)
        yield Written(f"token {number}", str(token), given)
    definition = json.loads(data)
    for key in ("vocab", "merges"):  # the same tokens once more, and their halves
        definition.get("model", {}).pop(key, None)
    yield from _json(definition, "", given)


def _table(url: str, decode: Decode | None) -> Iterator[Written]:
    """Yields all strings of a Parquet or Arrow file.

    Args:
        url: The file.
        decode: For token shards, turns a document's tokens into text.
    """
    row = 0
    for batch in _batches(url):
        if row == 0:
            for key, value in (batch.schema.metadata or {}).items():
                yield Written("metadata", f"{key.decode()} {value.decode()}")
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            rows = list(range(row, row + len(batch)))
            for at, text in _strings(column, rows, decode if name == "tokens" else None):
                yield Written(f"row {at}, column {name}", text)
        row += len(batch)


def _batches(url: str) -> Iterator[pa.RecordBatch]:
    if url.endswith(".arrow"):
        yield from read_arrow(url).to_batches(BATCH_ROWS)
        return
    with storage.open_binary(url) as source:
        yield from pq.ParquetFile(source).iter_batches(BATCH_ROWS, use_threads=False)


def _strings(column: Any, rows: list[int], decode: Decode | None) -> Iterator[tuple[int, str]]:
    """Yields the row and text of every string in a column, at any depth."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        yield from _strings(column.dictionary_decode(), rows, decode)
    elif pa.types.is_map(kind):
        inner = pa.struct([("key", kind.key_type), ("value", kind.item_type)])
        yield from _strings(column.cast(pa.list_(inner)), rows, decode)
    elif pa.types.is_struct(kind):
        for child in column.flatten():
            yield from _strings(child, rows, decode)
    elif pa.types.is_large_list(kind) and decode:
        for row, tokens in zip(rows, column, strict=True):
            yield row, decode(tokens.as_py()[:-1])  # the last one ends the document
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        parents = pc.list_parent_indices(column).to_pylist()
        yield from _strings(pc.list_flatten(column), [rows[parent] for parent in parents], None)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        for row, text in zip(rows, column.to_pylist(), strict=True):
            if text is not None:
                yield row, text


def _json(value: Any, place: str, given: bool) -> Iterator[Written]:
    """Yields all strings of a JSON value, keys as well, but those that are Gristmill's own."""
    if isinstance(value, str):
        yield Written(place, value, given)
    elif isinstance(value, dict):
        for key, entry in value.items():
            if key not in OURS:
                below = f"{place}.{key}".lstrip(".")
                yield Written(f"{place}, a key" if place else "a key", key, given)
                yield from _json(entry, below, given or key in GIVEN_KEYS)
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _json(entry, f"{place}[{number}]", given)


class _Page(HTMLParser):
    """Collects the texts of a page, each as its reader sees it, and its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[Written] = []
        self._parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Takes attributes; only a place to break a line goes on with the text before it."""
        if tag != "wbr":
            self._end()
        for name, value in attrs:
            if value and name not in GEOMETRY:
                self._add(f"attribute {name}", value)

    def handle_endtag(self, tag: str) -> None:
        """Ends a text."""
        if tag != "wbr":
            self._end()

    def handle_data(self, data: str) -> None:
        """Takes a part of a text."""
        self._parts.append(data)

    def close(self) -> None:
        """Ends the last text."""
        super().close()
        self._end()

    def _end(self) -> None:
        if text := "".join(self._parts).strip():
            self._add("text", text)
        self._parts = []

    def _add(self, what: str, text: str) -> None:
        self.written.append(Written(f"{what} before line {self.getpos()[0]}", text))


def _pieces(file: BinaryIO, given: bool) -> Iterator[Written]:
    """Yields a file's bytes as text, in pieces that overlap, so that no hit is cut everywhere."""
    offset, held = 0, b""
    while piece := file.read(PIECE):
        held += piece
        text = held.decode("utf-8", "replace")
        yield Written(f"bytes {offset} to {offset + len(held)}", text, given)
        offset += max(0, len(held) - OVERLAP)
        held = held[-OVERLAP:]
