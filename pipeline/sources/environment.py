"""The embedded corpus: the documentation of the Python environment that runs the program.

Real text that needs no download, in this order:

* ``reference``: the topics of the language reference (`pydoc_data`);
* ``stdlib``: docstrings of the standard library, one document for each module;
* for every installed package, by name: ``descriptions`` (the body of its METADATA),
  ``licences``, and ``packages``, docstrings of its modules, those nearest to the top first.

Modules are parsed, never imported. Tests are left out, and so is Gristmill itself, whose own
changes should not change its test corpus. The same environment gives the same corpus.

An item is named by its source and its place: ``stdlib:json/decoder.py``,
``licences:numpy-2.4.6.dist-info/LICENSE.txt``. Items travel in `Split.more`, so that a worker
reads what was planned, whatever it would find by itself.
"""

import ast
import email
import sysconfig
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from inspect import cleandoc
from pathlib import Path, PurePosixPath

from pipeline.sources.plan import fingerprint
from pipeline.sources.records import Record, SourceOptions, Split, Unreadable

SPLIT_BYTES = 1 << 20
TOTAL_BYTES = 10 << 20
"""Bytes of text, as estimated when planning: no package begins after this much."""
MODULE_BYTES = 240_000
"""Bytes of source files of one package."""
LICENCE_BYTES = 40_000
"""Bytes of licence files of one package."""

# Docstrings are about a sixth of the bytes of a source file, in the standard library and in the
# packages measured.
_DOCSTRING_SHARE = 6
_SKIPPED = frozenset(
    {
        "test",
        "tests",
        "testing",
        "idle_test",
        "idlelib",
        "lib2to3",
        "turtledemo",
        "site-packages",
        "__pycache__",
        "_vendor",
        "vendored",
    }
)
_LICENCE_NAMES = ("licen", "copying", "notice", "authors")

Item = tuple[str, int]
"""An item's name, and the bytes of text it is expected to give."""


def plan(options: SourceOptions) -> list[Split]:
    """Plans splits of about a megabyte of text; `part` is left at 0. Parses nothing."""
    size_limit = min(options.split_bytes, SPLIT_BYTES)
    splits: list[Split] = []
    group: list[Item] = []
    first = 0
    for item in [*_items(), None]:
        size = sum(bytes_ for _, bytes_ in group)
        if group and (item is None or size + item[1] > size_limit):
            splits.append(
                Split(
                    0,
                    "environment",
                    "environment",
                    first,
                    first + len(group),
                    size,
                    fingerprint(group),
                    tuple(name for name, _ in group),
                )
            )
            first += len(group)
            group = []
        if item is not None:
            group.append(item)
    return splits


def read(split: Split, options: SourceOptions) -> Iterator[Record | Unreadable]:
    """Reads the split's items; a module without docstrings or an empty description is no document.

    Places and ids are the same, such as ``stdlib/json/decoder.py`` or ``numpy/LICENSE.txt``.
    """
    for item in split.more:
        source, _, path = item.partition(":")
        place = _place(source, path)
        try:
            text = _text(source, path)
        except (OSError, KeyError):
            yield Unreadable(place, "missing_file", 0)
        except UnicodeDecodeError:
            yield Unreadable(place, "invalid_utf8", 0)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            yield Unreadable(place, "invalid_python", 0)
        else:
            if len(text.encode()) > options.max_document_bytes:
                yield Unreadable(place, "too_large", len(text.encode()))
            elif text.strip():
                yield Record(place, text, id=place, source=source)


def docstrings(code: bytes, module: str) -> str:
    """Returns a module's docstrings as one text, each headed by what it belongs to.

    Args:
        code: The module's source.
        module: Its name, as a title.

    Returns:
        The text; empty if there is no docstring.

    Raises:
        SyntaxError: It is not Python. Also ValueError, RecursionError and MemoryError.
    """
    tree = ast.parse(code)
    parts = [doc] if (doc := _docstring(tree)) else []
    parts.extend(_members(tree, ""))
    return "\n\n".join([module, *parts]) + "\n" if parts else ""


def _members(node: ast.Module | ast.ClassDef, prefix: str) -> Iterator[str]:
    for child in node.body:
        if not isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        doc = _docstring(child)
        if isinstance(child, ast.ClassDef):
            bases = ", ".join(map(ast.unparse, child.bases))
            head = f"class {prefix}{child.name}" + (f"({bases})" if bases else "")
        else:
            head = f"{prefix}{child.name}({ast.unparse(child.args)})"
        if doc:
            yield f"{head}\n\n{doc}"
        if isinstance(child, ast.ClassDef):
            yield from _members(child, f"{prefix}{child.name}.")


def _docstring(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
) -> str:
    doc = ast.get_docstring(node, clean=False)
    if doc is None:
        return ""
    # Source code can hold escapes of lone surrogates, which no text file can.
    return cleandoc(doc).encode("utf-8", "replace").decode().strip()


def _items() -> Iterator[Item]:
    total = 0
    for topic, text in sorted(_topics().items()):
        total += len(text)
        yield f"reference:{topic}", len(text)
    stdlib = _folder("stdlib")
    for path in sorted(_python_files(stdlib, stdlib)):
        size = (stdlib / path).stat().st_size // _DOCSTRING_SHARE
        total += size
        yield f"stdlib:{path}", size
    for package in _packages():
        if total > TOTAL_BYTES:
            return
        for item in _package_items(package):
            total += item[1]
            yield item


def _python_files(folder: Path, root: Path) -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.is_dir():
            if entry.name not in _SKIPPED and not entry.name.startswith("config-"):
                yield from _python_files(entry, root)
        elif entry.suffix == ".py":
            yield entry.relative_to(root).as_posix()


def _packages() -> list[metadata.Distribution]:
    """Returns the installed packages by name, each once."""
    found = metadata.distributions(path=[str(_folder("purelib"))])
    named = {package.metadata["Name"].lower(): package for package in found}
    named.pop("gristmill", None)
    return [named[name] for name in sorted(named)]


def _package_items(package: metadata.Distribution) -> Iterator[Item]:
    files = sorted(
        (PurePosixPath(file) for file in package.files or ()),
        key=lambda file: (len(file.parts), file.as_posix()),
    )
    root = Path(str(package.locate_file("")))
    licence_bytes = module_bytes = 0
    for file in files:
        inside = file.parts[0].endswith(".dist-info")
        if ".." in file.parts or file.is_absolute() or not _SKIPPED.isdisjoint(file.parts):
            continue
        if inside and file.name == "METADATA":
            yield f"descriptions:{file}", _size(root / file)
        elif inside and any(name in file.name.lower() for name in _LICENCE_NAMES):
            size = _size(root / file)
            if size and licence_bytes + size <= LICENCE_BYTES:
                licence_bytes += size
                yield f"licences:{file}", size
        elif file.suffix == ".py":
            size = _size(root / file)
            if size and module_bytes + size <= MODULE_BYTES:
                module_bytes += size
                yield f"packages:{file}", size // _DOCSTRING_SHARE


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


@cache
def _folder(name: str) -> Path:
    return Path(sysconfig.get_path(name))


def _topics() -> dict[str, str]:
    from pydoc_data.topics import topics  # one dictionary of strings

    return topics


def _place(source: str, path: str) -> str:
    if source in ("reference", "stdlib"):
        return f"{source}/{path}"
    if source == "packages":
        return path
    folder, _, rest = path.partition("/")
    name = folder.removesuffix(".dist-info").rsplit("-", 1)[0]
    return f"{name}/{'description' if source == 'descriptions' else rest}"


def _text(source: str, path: str) -> str:
    if source == "reference":
        return _topics()[path]
    data = (_folder("stdlib" if source == "stdlib" else "purelib") / path).read_bytes()
    if source in ("stdlib", "packages"):
        module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        return docstrings(data, module)
    if source == "descriptions":
        message = email.message_from_string(data.decode())
        return str(message.get_payload()) or str(message.get("Description", ""))
    return data.decode()
