"""Our filters beside datatrove's, on the same documents: how many decisions are equal, which not.

    .venv/bin/python benchmarks/parity.py --peer peer/bin/python INPUT [INPUT ...]
    .venv/bin/python benchmarks/parity.py --peer peer/bin/python --golden

An INPUT is what Gristmill reads (JSON lines, WARC, Parquet, text), or a .tsv of lines
`language<TAB>sentence`, of which 20 of one language make a document. HTML goes through the
extractor of the recipe `fineweb`. docs/parity.md has the results, and says how to make the peer's
environment.

Every filter decides alone, then two chains: Gopher, C4 and FineWeb together (`four`), and all of
FineWeb. Equal is a document that both keep or both drop; an equal reason is the same first rule,
or the same text where a kept document was rewritten. `--lists FOLDER` names lists for both sides,
domains.txt and so on; a list that is not there is made of the documents' own URLs and words, so
that the rule finds something. `--golden` writes anew what tests/test_parity.py compares with.
"""

import argparse
import json
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.decisions import (
    CHAINS,
    FOUR,
    GOLDEN,
    LISTS,
    Outcome,
    Step,
    decide,
    filters_peer,
    make_steps,
    peer_outcome,
)
from filters.document import Document
from filters.language import identify
from pipeline.recipe import default_config, load_recipe
from pipeline.sources.plan import plan
from pipeline.sources.read import read
from pipeline.sources.records import Record

SENTENCES = 20


# --- documents --------------------------------------------------------------------------------


def read_records(path: str) -> list[Record]:
    """Returns the documents of an input; datatrove's readers leave out empty ones, so do we."""
    if path.endswith(".tsv"):
        return list(read_sentences(Path(path)))
    options = load_recipe("fineweb", default_config()).source.options()
    records = (record for split in plan(options, [path]) for record in read(split, options))
    return [record for record in records if isinstance(record, Record) and record.text]


def read_sentences(path: Path) -> Iterator[Record]:
    """Makes documents of sentences of one language, a line each."""
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    for language, group in groupby(rows, key=lambda row: row[0]):
        sentences = [sentence for _, sentence in group]
        for first in range(0, len(sentences), SENTENCES):
            place = f"{language}-{first}"
            yield Record(place, "\n".join(sentences[first : first + SENTENCES]), id=place)


def document(record: Record, words: str) -> Document:
    """Returns a document that nobody has split into words yet."""
    return Document(record.text, url=record.url, words=words, id=record.id or record.place)


def prepare(work: Path, records: Sequence[Record], lists: Path | None) -> None:
    """Writes what peer_filters.py reads."""
    with (work / "documents.jsonl").open("w", encoding="utf-8") as file:
        for record in records:
            language = identify(record.text)[0]
            row = {"text": record.text, "url": record.url, "own_language": language}
            file.write(json.dumps(row) + "\n")
    for name, entries in planted_lists(records).items():
        if lists and (lists / f"{name}.txt").exists():
            shutil.copy(lists / f"{name}.txt", work)
        else:
            (work / f"{name}.txt").write_text("".join(f"{entry}\n" for entry in sorted(entries)))


def planted_lists(records: Sequence[Record]) -> dict[str, set[str]]:
    """Makes lists of pieces of the documents' own URLs and texts."""
    urls = sorted({record.url for record in records if record.url})
    hosts = [urlsplit(url).hostname or "localhost" for url in urls]
    words = sorted({word for url in urls for word in re.split("[^a-zA-Z0-9]+", url)} - {""})
    rare = [word for word in words if len(word) > 7]
    texts = [record.text.lower().split() for record in records[::50]]
    entries = {
        "domains": {".".join(host.split(".")[-2:]) for host in hosts[::31]} | {*hosts[5::31]},
        "urls": {*urls[3::31]},
        "banned_words": {*rare[::97]},
        "banned_subwords": {word.lower() for word in rare[5::97]},
        "soft_banned_words": {*words[::23]},
        "bad_words": {word for text in texts for word in text[30:60] if len(word) > 8}
        | {" ".join(text[40:42]) for text in texts if len(text) > 41},
    }
    return {
        name: {entry for entry in found if entry[0] != "#"} or {"nothing-to-find"}
        for name, found in entries.items()
    }


# --- tables -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Compared:
    """One document by one filter or chain: datatrove's outcome, and ours with both words."""

    id: str
    english: bool
    peer: Outcome
    ours: dict[str, Outcome]


def compare(
    name: str, steps: Sequence[Step], records: Sequence[Record], answers: list[Any]
) -> list[Compared]:
    """Lets a filter or chain decide on every document for which there is datatrove's answer."""
    return [
        Compared(
            id=record.id or record.place,
            english=identify(record.text)[0] == "en",
            peer=peer_outcome(answer),
            ours={words: decide(steps, document(record, words)) for words in ("spacy", "unicode")},
        )
        for record, answer in zip(records, answers, strict=True)
        if answer and (name != "url" or record.url)
    ]


def print_agreement(compared: dict[str, list[Compared]]) -> None:
    """Prints how many documents get the same decision, the same reason too, by filter."""
    print("| filter | documents | kept by datatrove | `spacy`: decision | and reason ", end="")
    print("| `unicode`: decision | and reason |\n|---|---|---|---|---|---|---|")
    for name, every in compared.items():
        for group, english in (("English", True), ("others", False)):
            chosen = [one for one in every if one.english == english]
            if not chosen:
                continue
            cells = [name, f"{len(chosen)} {group}", str(sum(one.peer.kept for one in chosen))]
            for words in ("spacy", "unicode"):
                pairs = [(one.ours[words], one.peer) for one in chosen]
                decided = sum(ours.kept == peer.kept for ours, peer in pairs)
                reasons = sum(ours.same_reason(peer) for ours, peer in pairs)
                cells += [share(decided, len(pairs)), share(reasons, len(pairs))]
            print(f"| {' | '.join(cells)} |")


def share(part: int, whole: int) -> str:
    """Returns a share in percent, and how many are missing."""
    return "all" if part == whole else f"{part / whole:.2%} ({whole - part} not)"


def print_differences(compared: dict[str, list[Compared]]) -> None:
    """Prints every document that differs with spaCy's words, and counts those with `unicode`."""
    print("\nWith `spacy`, every document whose decision or reason differs:\n")
    nothing = True
    for name, every in compared.items():
        for one in every:
            ours = one.ours["spacy"]
            if not ours.same_reason(one.peer):
                nothing = False
                print(f"* {name}, {one.id}: {told(one.peer, ours)}; {told(ours, ours)} for us")
    if nothing:
        print("None.")
    print("\nWith `unicode`, by filter and reasons:\n")
    print("| filter | datatrove | ours | documents | for example |\n|---|---|---|---|---|")
    for name, every in compared.items():
        if name in CHAINS:
            continue
        different = [one for one in every if not one.ours["unicode"].same_reason(one.peer)]
        kinds = Counter((one.peer.signal, one.ours["unicode"].signal) for one in different)
        for (theirs, ours), count in kinds.most_common():
            example = next(
                one
                for one in different
                if (one.peer.signal, one.ours["unicode"].signal) == (theirs, ours)
            )
            values = f"{example.id}: {told(example.peer, example.ours['spacy'])}; "
            values += told(example.ours["unicode"], example.ours["unicode"])
            cells = (name, theirs or "kept", ours or "kept", str(count), values)
            print(f"| {' | '.join(cells)} |")


def told(outcome: Outcome, measured: Outcome) -> str:
    """Says what dropped a document, with the value of that signal as measured by us."""
    if outcome.kept:
        return f"kept {outcome.text}".strip()
    value = measured.signals.get(outcome.filter, {}).get(outcome.signal, "not measured")
    shown = f"{value:.4g}" if isinstance(value, float | int) else value
    return f"{outcome.signal} {shown}"


def print_own_words(
    records: Sequence[Record], steps: dict[str, Step], answers: dict[str, list[Any]]
) -> None:
    """Prints, by language but English, how many decisions datatrove's words of it leave equal.

    The rule on English stop words is passed over on both sides.
    """
    print("\nBy datatrove's words of the language, as many decisions are equal with `spacy`, with")
    print("`unicode`:")
    print(f"\n| language | documents | {' | '.join(FOUR)} |\n|---|---|{'---|' * len(FOUR)}")
    by_language: dict[str, list[int]] = {}
    for number, record in enumerate(records):
        by_language.setdefault(identify(record.text)[0], []).append(number)
    by_language.pop("en", None)
    for language, numbers in sorted(by_language.items()):
        answered = [number for number in numbers if answers[FOUR[0]][number]]
        cells = [language, str(len(numbers))]
        for name in FOUR:
            equal = Counter(
                words
                for number in answered
                for words in ("spacy", "unicode")
                if decide([steps[name]], document(records[number], words), "stop_word_count").kept
                == peer_outcome(answers[name][number]).kept
            )
            cells.append(f"{equal['spacy']}, {equal['unicode']}" if answered else "not installed")
        print(f"| {' | '.join(cells)} |")


def print_input(path: str, peer_python: str, lists: Path | None, languages: list[str]) -> None:
    """Prints all tables of one input."""
    records = read_records(path)
    size = sum(len(record.text.encode()) for record in records) / 1e6
    print(f"\n## {Path(path).name}\n\n{len(records)} documents, {size:.1f} MB of text.\n")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        prepare(work, records, lists)
        steps = make_steps(work, languages)
        with filters_peer(peer_python, work, languages) as peer:
            compared = {
                name: compare(
                    name, [steps[each] for each in CHAINS.get(name, (name,))], records, answers
                )
                for name, answers in peer.ask("decide").items()
            }
            print_agreement(compared)
            print_differences(compared)
            if own := peer.ask("decide own"):
                print_own_words(records, steps, own)


def write_golden(peer_python: str) -> None:
    """Writes datatrove's decisions on the golden documents."""
    with filters_peer(peer_python, GOLDEN, ["en"]) as peer:
        decisions = peer.ask("decide")
    lines = (f"{json.dumps(name)}: {json.dumps(rows)}" for name, rows in decisions.items())
    text = ",\n".join(lines)
    (GOLDEN / "decisions.json").write_text(f"{{\n{text}\n}}\n")


def main() -> None:
    """Prints tables, or writes the golden decisions."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("inputs", nargs="*", metavar="INPUT")
    parser.add_argument("--peer", required=True, metavar="PYTHON", help="Python that has datatrove")
    parser.add_argument("--lists", type=Path, metavar="FOLDER", help=f"of {', '.join(LISTS)}: .txt")
    parser.add_argument("--languages", default="en", help="kept languages, with commas; '' is any")
    parser.add_argument("--golden", action="store_true")
    arguments = parser.parse_args()
    if arguments.golden:
        write_golden(arguments.peer)
    languages = [language for language in arguments.languages.split(",") if language]
    for path in arguments.inputs:
        print_input(path, arguments.peer, arguments.lists, languages)


if __name__ == "__main__":
    main()
