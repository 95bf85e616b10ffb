"""Looking into an output: its rows, and whether it is what it says."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline import storage
from pipeline.errors import UsageError, UserError, VerificationError
from pipeline.evidence import check_evidence
from pipeline.output import FORMAT_VERSION
from pipeline.recipe import Recipe
from pipeline.repeats import times_in_shards
from pipeline.verdicts import VERDICTS
from pipeline.verify import MOST_PLACES, Scan, scan
from pipeline.visible import clipped

TABLES = {
    "documents": ("documents",),
    "ledger": ("ledger",),
    "pairs": ("pairs",),
    "duplicates": ("clusters",),
    "passages": ("passages",),
    "errors": ("errors",),
    "tokens": ("tokens/train", "tokens/validation"),
}
CLUSTERS = ("clusters", "suspicious")  # orders of `pipeline.cluster_list`
_IN_SHARDS = pa.schema([("id", pa.string()), ("partition", pa.string()), ("n_tokens", pa.int64())])


def read_manifest(root: str) -> dict[str, Any]:
    """Returns an output's manifest.

    Raises:
        UsageError: there is none, or another version of Gristmill made it.
    """
    url = f"{root}/manifest.json"
    if not storage.exists(url):
        hint = (
            "Finish it: the same `gristmill run` goes on from there."
            if storage.exists(f"{root}/work/run.json")
            else "Give the --output directory of a run."
        )
        raise UsageError(f"{root} is not a finished output: it has no manifest.json", hint)
    manifest: dict[str, Any] = json.loads(storage.read_bytes(url))
    found = manifest.get("format_version")
    if found != FORMAT_VERSION:
        raise UsageError(
            f"{root} was made in another format: {found}, not {FORMAT_VERSION}",
            "Make it anew, or look into it with the version of Gristmill that made it.",
        )
    return manifest


def _read(url: str) -> pa.Table:
    with storage.open_binary(url) as source:
        if url.endswith(".arrow"):
            return pa.ipc.open_file(source).read_all()
        return pq.read_table(source)


def rows(output: str, what: str, limit: int) -> list[dict[str, Any]]:
    """Returns the first rows of one of an output's tables.

    Raises:
        UsageError: there is no such table or it has no parts.
    """
    if what not in TABLES:
        names = ", ".join((*TABLES, *CLUSTERS))
        raise UsageError(f"no table named {what}", f"There are: {names}.")
    root = output.rstrip("/")
    urls = [file.url for folder in TABLES[what] for file in storage.list_files(f"{root}/{folder}")]
    if not urls:
        raise UsageError(f"{root} holds no {what}", "Give the --output directory of a run.")
    found: list[dict[str, Any]] = []
    for url in urls:
        found.extend(_read(url).slice(0, limit - len(found)).to_pylist())
        if len(found) >= limit:
            break
    return found


def print_rows(found: list[dict[str, Any]], console: Console, as_json: bool) -> None:
    """Prints rows as a table, long cells cut, or as JSON lines."""
    if as_json:
        for row in found:
            print(json.dumps(row, default=str, ensure_ascii=False))
        return
    table = Table(*(found[0] if found else ()))
    for row in found:
        table.add_row(*(_cell(value) for value in row.values()))
    console.print(table if found else "no rows")


def _cell(value: Any) -> Text:
    if value is None:
        return Text("")
    if isinstance(value, float):
        return Text(f"{value:.4g}")
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return Text(clipped(text))


def verify_output(output: str) -> str:
    """Checks counts, ids, checksums, duplicates, and that no personal data is in an output.

    Returns:
        What was checked, for the terminal.

    Raises:
        UsageError: the output is not finished.
        VerificationError: something differs, or a detector of the recipe finds something; the
            message names all files concerned.
    """
    root = output.rstrip("/")
    manifest = read_manifest(root)
    problems, again = [], set()
    counts: Counter[str] = Counter()
    for part in range(manifest["parts"]):
        tables = []
        for folder, stage, columns in (
            ("documents", "mill", ["id"]),
            ("ledger", "tokenize", ["id", "verdict"]),
        ):
            name = f"{folder}/part-{part:05d}.parquet"
            try:
                with storage.open_binary(f"{root}/{name}") as source:
                    tables.append(pq.read_table(source, columns=columns))
            except (UserError, pa.ArrowException, OSError):
                problems.append(f"{name} is missing or damaged")
                again.add(f"work/{stage}/part-{part:05d}.json")
        if len(tables) == 2:
            documents, ledger = tables
            verdicts = ledger["verdict"].to_pylist()
            counts.update(name if name in VERDICTS else "unknown" for name in verdicts)
            counts.update(read=len(documents))
            if documents["id"] != ledger["id"]:
                problems.append(f"part {part}: ledger/ does not speak of the rows of documents/")
                again |= {f"work/{stage}/part-{part:05d}.json" for stage in ("mill", "tokenize")}
    if not problems and counts != Counter(manifest["documents"]):
        problems.append(f"counted {dict(counts)}, but the manifest has {manifest['documents']}")
    for shard in manifest["shards"]:
        try:
            data = storage.read_bytes(f"{root}/{shard['path']}")
        except UserError:
            problems.append(f"{shard['path']} is missing")
        else:
            if hashlib.sha256(data).hexdigest() == shard["sha256"]:
                continue
            problems.append(f"{shard['path']} is not the file that the manifest names")
        again.add(f"work/tokenize/{_part(shard)}.json")
    if not problems:
        wrong = dict(_wrong_shards(root, manifest))
        problems += wrong.values()
        again |= {f"work/tokenize/{name}.json" for name in wrong}
    evidence = None
    if not problems and manifest["recipe"]["dedup"]:
        try:
            evidence = check_evidence(root, manifest["recipe"]["dedup"])
        except (UserError, pa.ArrowException, OSError):
            problems.append("clusters/ is missing or damaged")
            again.add("work/match/part-00000.json")
    looked = scan(root, manifest)
    if looked is not None:
        named = " ".join(problems)
        problems += [f"{name} is damaged" for name in looked.unreadable if name not in named]
        if looked.places:
            raise _leak(root, problems, looked)
    if evidence:  # it names ids, which are not shown where personal data was found
        problems += evidence.problems
    if problems:
        removed = "".join(f"\n  {name}" for name in ("manifest.json", *sorted(again)))
        raise VerificationError(
            f"{root} is not what its manifest says:\n  " + "\n  ".join(problems),
            "To have the damaged files made again, remove these, then run the same `gristmill run`:"
            + removed
            if again
            else "Make the output anew.",
        )
    return (
        f"{root}: {counts['read']:,} documents, each with one verdict; "
        f"{len(manifest['shards'])} shards with the right checksums, and each kept document in "
        "them as often as it should be\n"
        + (f"{evidence.told()}\n" if evidence else "")
        + (looked.told() if looked else "the recipe redacts nothing: no personal data looked for")
    )


def _wrong_shards(root: str, manifest: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields each part whose shards do not hold what the ledger keeps, and what differs."""
    repeat = Recipe.model_validate(manifest["recipe"]).tokens.repeat
    shards = defaultdict(list)
    for shard in manifest["shards"]:
        shards[_part(shard)].append(shard["path"])
    order = [(name, "ascending") for name in _IN_SHARDS.names]
    for number in range(manifest["parts"]):
        part = f"part-{number:05d}"
        ledger = _read(f"{root}/ledger/{part}.parquet")
        rows = np.repeat(np.arange(len(ledger)), times_in_shards(ledger, repeat))
        due = ledger.select(_IN_SHARDS.names).cast(_IN_SHARDS).take(rows).sort_by(order)
        tables = [_documents_of(root, path) for path in shards[part]]
        there = pa.concat_tables([_IN_SHARDS.empty_table(), *tables]).sort_by(order)
        if not due.equals(there):
            one, other = (Counter(map(str, table.to_pylist())) for table in (due, there))
            yield (
                part,
                f"the shards of {part} do not hold what the ledger keeps and the recipe repeats: "
                f"{(one - other).total():,} documents are missing, {(other - one).total():,} "
                "should not be there",
            )


def _part(shard: dict[str, Any]) -> str:
    return str(shard["path"]).rsplit("/", 1)[-1].split(".")[0]


def _documents_of(root: str, path: str) -> pa.Table:
    """Returns the id, partition and number of tokens of each document in a shard."""
    table = _read(f"{root}/{path}")
    partition = pa.repeat(path.split("/")[1], len(table))
    lengths = pc.list_value_length(table["tokens"])
    return pa.table([table["id"], partition, lengths], schema=_IN_SHARDS)


def _leak(root: str, problems: list[str], looked: Scan) -> VerificationError:
    """Returns the error of an output that holds personal data, and of what else is wrong."""
    shown = looked.places[:MOST_PLACES]
    if len(looked.places) > len(shown):
        shown.append(f"and {len(looked.places) - len(shown):,} more")
    return VerificationError(
        "\n  ".join([f"{root} holds personal data:", *shown, *problems]) + f"\n{looked.told()}",
        "Do not pass it on. The same `gristmill run` makes anew what an older version made; if "
        "this version made it, make it anew in another place and report the difference.",
    )
