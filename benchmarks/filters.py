"""The filters: MB of text per CPU second beside datatrove's, hostile texts, cold start.

    .venv/bin/python benchmarks/filters.py [--peer peer/bin/python] [--rounds 5] INPUT [INPUT ...]
    .venv/bin/python benchmarks/filters.py --hostile
    .venv/bin/python benchmarks/filters.py --cold-start

INPUTs and the peer's environment are those of benchmarks/parity.py, which compares the decisions.
Every round measures the plain definitions, the compiled ones with both word splitters, and
datatrove, in turn; a round before them warms everything up. Every filter sees every document. CPU
time counts, of all threads. Of an input, `--megabytes` are timed, whole documents evenly picked.

`--hostile` mills 1 MB of each of some texts that break filters, with every filter that there is,
redaction and signature, each in a fresh process that has milled another document before.
`--cold-start` measures from the start of a worker process to the end of its first document.
"""

import argparse
import dataclasses
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import Any

# A script's own folder comes first, where `filters` is this very file.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.decisions import FOUR, LISTS, Step, filters_peer, make_steps, run
from benchmarks.parity import document, planted_lists, prepare, read_records
from filters.compiled.language import identify
from filters.document import Document
from filters.registry import FILTERS
from pipeline.filter_chain import FilterChain
from pipeline.mill import Count, measured
from pipeline.recipe import Recipe, default_config, default_of, load_recipe
from pipeline.sources.plan import plan
from pipeline.sources.records import Record

# What is compiled, and the word splitter; the last one is what is compared with datatrove.
VARIANTS = {
    "plain, unicode": (False, "unicode"),
    "compiled, unicode": (True, "unicode"),
    "compiled, spacy": (True, "spacy"),
}
HEURISTICS = (
    *("gopher_repetition", "gopher_quality", "c4_paragraph", "length"),
    *("refinedweb_lines", "c4_quality", "fineweb_quality"),
)
MEASURED: dict[str, tuple[str, ...]] = {
    "all heuristics": HEURISTICS,
    "the same, url and bad_words": ("url", "bad_words", *HEURISTICS),
    "four": FOUR,
    **{name: (name,) for name in (*HEURISTICS, "url", "bad_words", "language")},
}
# The slow ones are measured for these alone.
PLAIN = ("all heuristics", "four")
PEER = ("four", "language")


# --- speed ------------------------------------------------------------------------------------


def cpu_seconds(
    records: Sequence[Record], languages: Sequence[str], chain: Sequence[Step], words: str
) -> float:
    """Returns the CPU seconds of filters over all documents.

    As in the pipeline, a document's language is known: `bad_words` looks for those of that one.
    """
    start = time.process_time()
    for record, language in zip(records, languages, strict=True):
        measured = document(record, words)
        measured.language = language
        run(chain, measured)
    return time.process_time() - start


def print_speed(path: str, megabytes: float, rounds: int, peer_python: str | None) -> None:
    """Prints MB of text per CPU second for an input, by filter and variant."""
    records = read_records(path)
    size = sum(len(record.text.encode()) for record in records) / 1e6
    every = max(1, round(size / megabytes))
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        prepare(work, records, None)
        records = records[::every]
        languages = [identify(record.text)[0] for record in records]
        size = sum(len(record.text.encode()) for record in records) / 1e6
        print(f"\n{Path(path).name}: {len(records)} documents, {size:.2f} MB. MB per CPU second,")
        print(f"median (lowest to highest) of {rounds} rounds.\n", flush=True)
        seconds: dict[str, dict[str, list[float]]] = {name: {} for name in MEASURED}
        steps = {compiled: make_steps(work, ["en"], compiled) for compiled in (False, True)}
        peer = stack.enter_context(filters_peer(peer_python, work, ["en"])) if peer_python else None
        for number in range(rounds + 1):
            for name, names in MEASURED.items():
                for variant, (compiled, words) in VARIANTS.items():
                    if not compiled and name not in PLAIN:
                        continue
                    chain = [steps[compiled][each] for each in names]
                    taken = cpu_seconds(records, languages, chain, words)
                    seconds[name].setdefault(variant, []).append(taken)
                if peer and name in PEER:
                    taken = peer.ask(f"time {name} {every}")
                    seconds[name].setdefault("datatrove", []).append(taken)
            print(f"round {number} of {rounds}", file=sys.stderr)
    # The first round warmed up.
    print_speeds(size, {name: drop_first(row) for name, row in seconds.items()})


def drop_first(row: dict[str, list[float]]) -> dict[str, list[float]]:
    """Returns the figures without those of the first round."""
    return {variant: taken[1:] for variant, taken in row.items()}


def print_speeds(size: float, seconds: dict[str, dict[str, list[float]]]) -> None:
    """Prints a table of MB per CPU second; times faster is the median of the rounds' ratios."""
    columns = [*VARIANTS, "datatrove"]
    print(f"| filter | {' | '.join(columns)} | times faster |\n|---|{'---|' * (len(columns) + 1)}")
    for name, row in seconds.items():
        cells = [middle([size / taken for taken in row.get(key, [])]) for key in columns]
        pairs = zip(row.get("datatrove", []), row["compiled, spacy"], strict=False)
        cells.append(middle([theirs / ours for theirs, ours in pairs]))
        print(f"| {name} | {' | '.join(cells)} |")


def middle(values: Sequence[float]) -> str:
    """Returns the median, lowest and highest of some figures, "" of none."""
    if not values:
        return ""
    return f"{statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"


# --- hostile texts ----------------------------------------------------------------------------


def hostile_texts() -> dict[str, str]:
    """Returns texts of 1 MB or more, by name."""
    rng = random.Random(0)
    letters = [chr(code) for code in range(32, 0x2FFF) if chr(code).isprintable()]
    return {
        "a": "a" * 10**6,
        "spaces": " " * 10**6,
        "newlines": "\n" * 10**6,
        "one repeated word": "word " * 200_000,
        "500,000 different words": " ".join(f"w{number}" for number in range(500_000)),
        "500,000 words with marks": " ".join(f'"({number})."' for number in range(500_000)),
        "emoji": "😀" * 250_000,
        "right to left": "שלום עולם " * 60_000,
        "right to left, different words": " ".join(map(hebrew, range(100_000))),
        "lone surrogates": "\ud800" * 333_333,
        "brackets": "[" * 10**6,
        "full stops": "." * 10**6,
        "quotation marks": '"' * 10**6,
        "apostrophes": "'" * 10**6,
        "digits": "1" * 10**6,
        "URLs": "http://a.b/" * 90_000,
        "e-mail addresses": "a.b@example.org " * 62_500,
        "short lines": "a b.\n" * 200_000,
        "random characters": "".join(rng.choices(letters, k=500_000)),
        "Chinese": "".join(map(chr, rng.choices(range(0x4E00, 0x9FFF), k=333_333))),
    }


def hebrew(number: int) -> str:
    """Returns a word of five letters that no other number has."""
    return "".join(chr(0x5D0 + number // 22**place % 22) for place in range(5))


def all_filters(words: str, work: Path) -> tuple[Recipe, list[str]]:
    """Returns a recipe of all filters, and the names of those that need what is not here."""
    lists = {name: str(work / f"{name}.txt") for name in LISTS}
    settings: dict[str, dict[str, Any]] = {
        "url": {name: [file] for name, file in lists.items() if name != "bad_words"},
        "bad_words": {"lists": {"en": lists["bad_words"]}},
        "regex": {"patterns": [r"\w+@\w+", r"(?i)(a|b)*c"]},
        "classifier": {"model": str(work / "classifier.bin")},
        "decontamination": {"benchmarks": {"benchmark": str(work / "benchmark.jsonl")}},
    }
    chosen, left_out = {}, []
    for name, module in FILTERS.items():
        defaults = [default_of(field) for field in dataclasses.fields(module.Parameters)]
        if name in settings or ... not in defaults:
            chosen[name] = settings.get(name, {})
        else:
            left_out.append(name)
    return Recipe.model_validate({"words": words, "filters": chosen}), left_out


def write_settings(work: Path, records: Sequence[Record]) -> None:
    """Writes lists, a benchmark and a classifier; what they say of a text is of no matter.

    The classifier is of 10 MB, where one with fastText's default of 2,000,000 buckets has 800.
    """
    import fasttext

    for name, entries in planted_lists(records).items():
        (work / f"{name}.txt").write_text("".join(f"{entry}\n" for entry in entries))
    items = [{"query": record.text[:500], "choices": [], "gold": 0} for record in records]
    (work / "benchmark.jsonl").write_text("".join(f"{json.dumps(item)}\n" for item in items))
    lines = [
        " ".join(["__label__hq" if number % 2 else "__label__lq", *record.text.split()])
        for number, record in enumerate(records)
    ]
    (work / "train.txt").write_text("\n".join(lines))
    settings = {"wordNgrams": 2, "bucket": 100_000, "dim": 16, "thread": 1, "verbose": 0}
    model = fasttext.train_supervised(str(work / "train.txt"), **settings)
    model.save_model(str(work / "classifier.bin"))


def mill(recipe_json: str, file: str) -> None:
    """Mills a file as a worker does: reading, filters, redaction, signature."""
    recipe = Recipe.model_validate_json(recipe_json)
    for split in plan(recipe.source.options(), [file]):
        for row in measured(split, recipe, Count()):
            if row.error:
                raise RuntimeError(row.error)


def peak_bytes() -> int:
    """Returns the most memory that this process has had."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def slowest_filter(recipe_json: str, file: str) -> str:
    """Returns the filter that takes longest on a file, and its CPU seconds.

    Filters share what they read; the first one that needs the words splits the text.
    """
    recipe = Recipe.model_validate_json(recipe_json)
    chain = FilterChain(recipe, {})
    text = json.loads(Path(file).read_text())["text"].encode("utf-16", "surrogatepass")
    shared = Document(text.decode("utf-16", "replace"), "https://example.com/page", recipe.words)
    seconds = {}
    for name, apply_filter in chain.filters.items():
        start = time.process_time()
        apply_filter(shared, chain.parameters[name])
        seconds[name] = time.process_time() - start
    name = max(seconds, key=lambda each: seconds[each])
    return f"{name} {seconds[name]:.2f}"


def mill_after(recipe_json: str, first: str, file: str) -> list[str]:
    """Returns, for a file after another one: CPU seconds, MB of memory, the slowest filter."""
    mill(recipe_json, first)
    before, start = peak_bytes(), time.process_time()
    mill(recipe_json, file)
    seconds, peak = time.process_time() - start, peak_bytes()
    memory = f"{peak / 1e6:.0f} (+{(peak - before) / 1e6:.0f})"
    return [f"{seconds:.2f}", memory, slowest_filter(recipe_json, file)]


def fresh_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function in a new process that shares nothing with this one."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def write_texts(path: Path, texts: Sequence[str]) -> str:
    """Writes texts as JSON lines, lone surrogates as JSON has them, and returns the file's name."""
    rows = (json.dumps({"text": text, "url": "https://example.com/page"}) for text in texts)
    path.write_text("".join(f"{row}\n" for row in rows))
    return str(path)


def print_hostile(work: Path, warm: str) -> None:
    """Prints seconds and peak memory (and how much the text added) for each hostile text."""
    print("| text | MB | `unicode`: CPU s | peak, MB | slowest ", end="")
    print("| `spacy`: CPU s | peak, MB | slowest |\n|---|---|---|---|---|---|---|---|")
    for name, text in hostile_texts().items():
        file = write_texts(work / "hostile.jsonl", [text])
        cells = [name, f"{len(text.encode('utf-8', 'surrogatepass')) / 1e6:.1f}"]
        for words in ("unicode", "spacy"):
            recipe, left_out = all_filters(words, work)
            cells += fresh_process(mill_after, recipe.model_dump_json(), warm, file)
        print(f"| {' | '.join(cells)} |", flush=True)
    print(f"\nFilters: {', '.join(recipe.filters.names)}; not {', '.join(left_out) or 'left out'}.")


# --- cold start -------------------------------------------------------------------------------


WORKER = """
import sys, time
recipe_json, file, beam = sys.argv[1:]
if beam:
    from pipeline.runners import import_beam
    import_beam()
    import pipeline.flow
from pipeline.mill import Count, measured
from pipeline.recipe import Recipe
from pipeline.sources.plan import plan
recipe = Recipe.model_validate_json(recipe_json)
for split in plan(recipe.source.options(), [file]):
    for row in measured(split, recipe, Count()):
        assert not row.error
print(time.monotonic(), time.process_time())
"""


def start_worker(recipe_json: str, file: str, beam: bool) -> tuple[float, float]:
    """Mills a file in a new process, in which Beam is loaded first or not, as in a worker.

    Returns:
        Wall and CPU seconds from the start of the process to the end of the document.
    """
    command = [sys.executable, "-c", WORKER, recipe_json, file, "beam" if beam else ""]
    root = Path(__file__).resolve().parents[1]
    start = time.monotonic()
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    end, cpu = map(float, done.stdout.split())
    return end - start, cpu


def print_cold_start(work: Path, file: str, rounds: int) -> None:
    """Prints seconds from the start of a process to the end of its first document."""
    print("| words | compiled kernels | Beam | wall, s | CPU, s |\n|---|---|---|---|---|")
    for words in ("unicode", "spacy"):
        recipe = load_recipe("fineweb", default_config(), [f"words={words}"]).model_dump_json()
        for beam in (False, True):
            start_worker(recipe, file, beam)  # compiles what is not compiled yet
            taken = [start_worker(recipe, file, beam) for _ in range(rounds)]
            cells = [middle(seconds) for seconds in zip(*taken, strict=True)]
            loaded = "loaded" if beam else "not"
            print(f"| {words} | on disk | {loaded} | {' | '.join(cells)} |", flush=True)
        os.environ["NUMBA_CACHE_DIR"] = str(work / words)
        wall, cpu = start_worker(recipe, file, True)
        del os.environ["NUMBA_CACHE_DIR"]
        print(f"| {words} | none | loaded | {wall:.1f} | {cpu:.1f} |", flush=True)


def main() -> None:
    """Prints tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("inputs", nargs="*", metavar="INPUT", default=["environment"])
    parser.add_argument("--peer", metavar="PYTHON", help="Python that has datatrove")
    parser.add_argument("--megabytes", type=float, default=1.0, help="how much text is timed")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--hostile", action="store_true")
    parser.add_argument("--cold-start", action="store_true")
    arguments = parser.parse_args()
    if not (arguments.hostile or arguments.cold_start):
        for path in arguments.inputs:
            print_speed(path, arguments.megabytes, arguments.rounds, arguments.peer)
        return
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        records = read_records(arguments.inputs[0])[:100]
        warm = write_texts(work / "warm.jsonl", [records[0].text])
        if arguments.hostile:
            write_settings(work, records)
            print_hostile(work, warm)
        if arguments.cold_start:
            print_cold_start(work, warm, arguments.rounds)


if __name__ == "__main__":
    main()
