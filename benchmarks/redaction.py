"""Redaction: agreement with labelled spans, false positives, speed; Presidio's patterns beside it.

    .venv/bin/python benchmarks/redaction.py gold FILE [--peer peer/bin/python] [--json]
    .venv/bin/python benchmarks/redaction.py clean FILE-or-FOLDER ... [--show 5]
    .venv/bin/python benchmarks/redaction.py speed FILE ... [--peer peer/bin/python]
    .venv/bin/python benchmarks/redaction.py speed --hostile

docs/redaction.md has the results and says how to get the peer's environment and the texts.

`gold` measures precision, recall and F1 of each type on a file of labelled spans, of the form that
benchmarks/gold.py describes, matched by overlap and exactly, with 95 % confidence intervals.
Presidio has two rows: all that its recognizers return, which is its default; and, for each type,
whichever of its scores as threshold, with all hits or without those that overlap a better one, with
its own or our regions of phone numbers, gives it the highest F1 on this very file. That is more
than a user could choose.

`clean` counts the hits in text that has no personal data, and prints the most frequent ones with
digits as 9 and letters as a. A folder is read with all its text files, and HTML as text.

`speed` times find and redact in turn, all documents in each round. `--hostile` times 1 MB of each
of some texts that break patterns.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# A script's own folder comes first, where `filters` is another script.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import gold
from benchmarks.gold import Found, Text
from benchmarks.hostile_numbers import hostile_texts
from benchmarks.peer import Peer
from filters.redaction import DEFAULT_REGIONS, find, redact
from pipeline.sources.plan import plan
from pipeline.sources.read import read
from pipeline.sources.records import Record, SourceOptions

Hits = list[list[tuple[int, int, str, float]]]
READ_AS_TEXT = {".c", ".css", ".h", ".js", ".md", ".py", ".pyi", ".rst", ".toml", ".txt", ".yaml"}
CONTEXT = 40  # characters shown on both sides of a hit
MASK = {
    **dict.fromkeys(range(48, 58), "9"),
    **dict.fromkeys((*range(65, 91), *range(97, 123)), "a"),
}


@contextmanager
def redaction_peer(
    python: str, texts: Sequence[str], regions: Sequence[str] = ()
) -> Iterator[Peer]:
    """Gives peer_redaction.py in Presidio's own environment."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".jsonl") as file:
        file.writelines(f"{json.dumps(text)}\n" for text in texts)
        file.flush()
        with Peer(python, "peer_redaction.py", file.name, ",".join(regions)) as peer:
            yield peer


# --- gold -------------------------------------------------------------------------------------


def of_our_types(hits: Hits, labels: dict[str, str]) -> Hits:
    """Returns a peer's hits with our types; those of other types are left out."""
    return [
        [(start, end, labels[name], score) for start, end, name, score in each if name in labels]
        for each in hits
    ]


def as_given(hits: Hits) -> list[list[Found]]:
    """Returns all hits, overlapping ones too."""
    return [gold.by_score(each, 0, alone=False) for each in hits]


def best(texts: Sequence[Text], runs: Sequence[Hits], exactly: bool) -> dict[str, gold.Counts]:
    """Returns for each type the counts with the highest F1 of all runs and settings."""
    chosen: dict[str, tuple[float, gold.Counts]] = {}
    for hits in runs:
        thresholds = {0.0, *(score for each in hits for *_, score in each)}
        for threshold in sorted(thresholds):
            for alone in (False, True):
                found = [gold.by_score(each, threshold, alone) for each in hits]
                for name, counts in gold.count(texts, found, exactly).items():
                    spans = counts.gold.sum() + counts.found.sum()
                    f1 = 2 * counts.right.sum() / spans
                    if name not in chosen or f1 > chosen[name][0]:
                        chosen[name] = f1, counts
    return {name: counts for name, (_, counts) in chosen.items()}


def peer_runs(python: str, texts: Sequence[Text], labels: dict[str, str]) -> tuple[str, list[Hits]]:
    """Returns what the peer says of itself, and its hits with its and with our regions."""
    runs, about = [], ""
    for regions in ((), DEFAULT_REGIONS):
        with redaction_peer(python, [text.text for text in texts], regions) as peer:
            about = peer.ask("about")
            runs.append(of_our_types(peer.ask("find"), labels))
    return about, runs


def measure_gold(path: Path, labels: dict[str, str], peer_python: str | None) -> dict[str, Any]:
    """Returns all that `gold` prints."""
    texts = gold.read_gold(path, labels)
    ours = [[Found(*span) for span in find(text.text)] for text in texts]
    about, runs = peer_runs(peer_python, texts, labels) if peer_python else ("", [])
    spans = Counter(span.type for text in texts for span in text.spans)
    result: dict[str, Any] = {
        "file": path.name,
        "texts": len(texts),
        "spans": dict(spans),
        "not scored": dict(Counter(label for text in texts for label in text.others)),
        "hits of types without spans": {
            "Gristmill": without_spans(spans, ours),
            **({"Presidio": without_spans(spans, as_given(runs[0]))} if runs else {}),
        },
        "peer": about,
    }
    for how, exactly in (("by overlap", False), ("exactly", True)):
        counts = {"Gristmill": gold.count(texts, ours, exactly)}
        if runs:
            counts["Presidio, default"] = gold.count(texts, as_given(runs[0]), exactly)
            counts["Presidio, best settings"] = best(texts, runs, exactly)
        result[how] = {name: gold.scores(each, len(texts)) for name, each in counts.items()}
        result[f"mean F1 of Gristmill less, {how}"] = {
            name: gold.difference(counts["Gristmill"], each, len(texts))
            for name, each in counts.items()
            if name != "Gristmill"
        }
    return result


def without_spans(spans: Counter[str], found: Sequence[Sequence[Found]]) -> dict[str, int]:
    """Counts the hits of types that no span in the file has; they may be right all the same."""
    return dict(Counter(hit.type for each in found for hit in each if hit.type not in spans))


def print_gold(result: dict[str, Any], labels: dict[str, str]) -> None:
    """Prints the tables."""
    print(f"{result['file']}: {result['texts']} texts. Peer: {result['peer'] or 'none'}.\n")
    print("| type | labels | spans |\n|---|---|---|")
    for name, spans in sorted(result["spans"].items()):
        known = sorted(label for label, each in labels.items() if each == name)
        print(f"| {name} | {', '.join(known)} | {spans} |")
    print(f"\nNot scored: {listed(result['not scored'])}.")
    for name, hits in result["hits of types without spans"].items():
        print(f"Hits of types that no span has, {name}: {listed(hits)}.")
    for how in ("by overlap", "exactly"):
        print(f"\nSpans matched {how}. 95 % intervals: bootstrap of {gold.RESAMPLES} draws of the")
        print("texts, seed 0; without a mistake they have no width.\n")
        print("| type | spans | | precision | recall | F1 |\n|---|---|---|---|---|---|")
        for name in result[how]["Gristmill"]:
            for who, scores in result[how].items():
                cells = (name, result["spans"].get(name, ""), who, *map(str, scores[name]))
                print(f"| {' | '.join(map(str, cells))} |")
        for who, score in result[f"mean F1 of Gristmill less, {how}"].items():
            print(f"\nMean F1 of Gristmill less that of {who}: {score}.")


def listed(counts: dict[str, int]) -> str:
    """Returns counts in words, the largest first."""
    return ", ".join(f"{name} {n}" for name, n in Counter(counts).most_common()) or "none"


# --- clean ------------------------------------------------------------------------------------


def texts_of(path: str) -> Iterator[str]:
    """Yields the texts of a file, or of all files of a folder that hold text."""
    if Path(path).is_dir():
        for file in sorted(Path(path).rglob("*")):
            if file.suffix in READ_AS_TEXT and file.is_file():
                yield file.read_text(encoding="utf-8", errors="replace")
            elif file.suffix == ".html":
                from resiliparse.extract.html2text import extract_plain_text

                yield extract_plain_text(file.read_text(encoding="utf-8", errors="replace"))
        return
    options = SourceOptions()
    for split in plan(options, [path]):
        for item in read(split, options):
            if isinstance(item, Record):
                yield item.text


def masked(value: str) -> str:
    """Returns a value with digits as 9 and letters as a, so that like ones are counted together."""
    return value.translate(MASK)


def in_context(text: str, start: int, end: int) -> str:
    """Returns a hit in brackets with what stands around it, on one line."""
    before, after = text[max(0, start - CONTEXT) : start], text[end : end + CONTEXT]
    return " ".join(f"{before}[[{text[start:end]}]]{after}".split())


def print_clean(paths: Sequence[str], show: int, as_json: bool) -> None:
    """Prints hits per million characters for each input, and the most frequent ones."""
    results = {}
    for path in paths:
        characters, shapes, examples = 0, Counter[tuple[str, str]](), list[tuple[str, str]]()
        for text in texts_of(path):
            characters += len(text)
            for start, end, name in find(text):
                shapes[name, masked(text[start:end])] += 1
                examples.append((name, in_context(text, start, end)))
        hits = Counter(name for name, _ in examples)
        results[path] = {"characters": characters, "hits": dict(hits)}
        if as_json:
            continue
        print(f"\n## {path}\n\n{characters / 1e6:.2f} million characters\n")
        print("| type | hits | per million characters | most frequent |\n|---|---|---|---|")
        for name, n in sorted(hits.items()):
            of_type = Counter({shape: k for (each, shape), k in shapes.items() if each == name})
            frequent = ", ".join(f"`{shape}` {k}" for shape, k in of_type.most_common(3))
            print(f"| {name} | {n} | {n / characters * 1e6:.2f} | {frequent} |")
        rate = len(examples) / max(characters, 1) * 1e6
        print(f"| all | {len(examples)} | {rate:.2f} | |")
        for name in sorted(hits):
            chosen = [context for each, context in examples if each == name][:show]
            print("".join(f"\n* {name}: {context}" for context in chosen), end="")
    if as_json:
        print(json.dumps(results))


# --- speed ------------------------------------------------------------------------------------


def megabytes(texts: Sequence[str]) -> float:
    """Returns how many million bytes of UTF-8 there are."""
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts) / 1e6


def print_speed(paths: Sequence[str], rounds: int, peer_python: str | None) -> None:
    """Prints MB per CPU second of find and redact on each input, all inputs in each round."""
    inputs = {Path(path).name: list(texts_of(path)) for path in paths}
    functions: dict[str, Callable[[str], object]] = {"find": find, "redact": redact}
    seconds: dict[tuple[str, str], list[float]] = {}
    for number in range(rounds + 1):
        for name, texts in inputs.items():
            for what, function in functions.items():
                start = time.process_time()
                for text in texts:
                    function(text)
                if number:  # the first round warms up
                    seconds.setdefault((name, what), []).append(time.process_time() - start)
    print(f"MB per CPU second, {rounds} rounds.\n")
    print("| text | documents, MB | find: best, median | redact: best, median | Presidio |")
    print("|---|---|---|---|---|")
    for name, texts in inputs.items():
        size = megabytes(texts)
        cells = [name, f"{len(texts)}, {size:.1f}"]
        for what in functions:
            taken = seconds[name, what]
            cells.append(f"{size / min(taken):.1f}, {size / statistics.median(taken):.1f}")
        cells.append(peer_speed(peer_python, texts) if peer_python else "")
        print(f"| {' | '.join(cells)} |")


def peer_speed(python: str, texts: Sequence[str]) -> str:
    """Returns MB per CPU second of the peer on some of the documents, about 0.2 MB."""
    some = texts[:: max(1, round(megabytes(texts) / 0.2))]
    with redaction_peer(python, some) as peer:
        peer.ask("time")
        return f"{megabytes(some) / peer.ask('time'):.3f}"


def print_hostile(rounds: int) -> None:
    """Prints milliseconds of find for each hostile text, the best and the median."""
    print("| text | MB | find, ms: best, median | hits |\n|---|---|---|---|")
    find("compiles: +49 30 901820")
    for name, text in hostile_texts().items():
        taken, hits = [], 0
        for _ in range(rounds):
            start = time.perf_counter()
            hits = len(find(text))
            taken.append((time.perf_counter() - start) * 1000)
        times = f"{min(taken):.0f}, {statistics.median(taken):.0f}"
        shown = name.replace("|", r"\|")  # in a table
        print(f"| {shown} | {megabytes([text]):.2f} | {times} | {hits} |", flush=True)


def main() -> None:
    """Prints tables, or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    of_gold = commands.add_parser("gold", help="agreement with labelled spans")
    of_gold.add_argument("file", type=Path, metavar="FILE")
    of_gold.add_argument("--map", action="append", default=[], metavar="LABEL=TYPE")
    of_clean = commands.add_parser("clean", help="hits in text without personal data")
    of_clean.add_argument("inputs", nargs="+", metavar="FILE-or-FOLDER")
    of_clean.add_argument("--show", type=int, default=0, metavar="N", help="hits in context")
    of_speed = commands.add_parser("speed", help="MB per CPU second; milliseconds")
    of_speed.add_argument("inputs", nargs="*", metavar="FILE")
    of_speed.add_argument("--hostile", action="store_true")
    of_speed.add_argument("--rounds", type=int, default=5)
    for each in (of_gold, of_speed):
        each.add_argument("--peer", metavar="PYTHON", help="Python that has presidio-analyzer")
    for each in (of_gold, of_clean):
        each.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.command == "clean":
        print_clean(arguments.inputs, arguments.show, arguments.json)
    elif arguments.command == "speed":
        if arguments.inputs:
            print_speed(arguments.inputs, arguments.rounds, arguments.peer)
        if arguments.hostile:
            print_hostile(arguments.rounds)
    else:
        more = dict(each.upper().rsplit("=", 1) for each in arguments.map)
        labels = {**gold.LABELS, **{label: name.lower() for label, name in more.items()}}
        result = measure_gold(arguments.file, labels, arguments.peer)
        if arguments.json:
            print(json.dumps(result, default=str))
        else:
            print_gold(result, labels)


if __name__ == "__main__":
    main()
