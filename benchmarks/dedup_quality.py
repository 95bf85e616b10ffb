"""Which near-duplicates deduplication finds and which documents it drops wrongly.

    .venv/bin/python benchmarks/dedup_quality.py made-up
    .venv/bin/python benchmarks/dedup_quality.py web crawl.warc.gz
    .venv/bin/python benchmarks/dedup_quality.py pages novels.jsonl.zst
    .venv/bin/python benchmarks/dedup_quality.py documents FILE ...
        [--datatrove PYTHON] [--text-dedup PYTHON] [-s KEY=VALUE ...]

`made-up` plants copies at Jaccard 0.5 to 1 in documents of made-up words; `web` takes every page by
both extractors and adds versions with other lines; `pages` cuts prose into pages and adds worse
scans and windows that overlap; `documents` takes files as they are. The truth is the exact Jaccard
of all pairs, by brute force.

Two tables: the pairs by similarity with the share of them that was compared, beside theory; and
what is kept by Gristmill, by bands that nobody verifies, and by other tools, each run with a Python
that has it. **Wrong**: documents that were dropped although no kept one is similar to them at 0.8.
**Missed**: pairs similar at 0.8 of which both documents are kept. Other tools make words of a text
by other rules; `own words` judges them by theirs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import numpy as np
from rich.console import Console

# A script's own folder comes first, where `filters` is another script.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dedup_oracle import AllPairs, Bools, all_pairs
from dedup_outcome import Outcome, curve, read_outcome
from dedup_sets import later_crawls, made_up, pages, read_texts

from dedup.minhash import band_hashes, permutations, signature
from dedup.shingles import shingle_hashes
from pipeline.recipe import load_recipe
from pipeline.run import make_job, run

ROOT = Path(__file__).resolve().parents[1]
THRESHOLD = 0.8
AT_LEAST = 0.3


def documents(kind: str, files: Sequence[Path], originals: int) -> list[str]:
    """Returns the texts of one of the four kinds of set."""
    if kind == "made-up":
        return made_up(originals)
    texts = [text for file in files for text in read_texts(file)]
    if kind == "web":
        other = [text for file in files for text in read_texts(file, "trafilatura")]
        return [*texts, *other, *later_crawls(texts)]
    return pages(texts) if kind == "pages" else texts


def deduplicated(work: Path, settings: Sequence[str]) -> Outcome:
    """Runs Gristmill over WORK/documents.jsonl without filters or redaction."""
    inputs = f"source.inputs={json.dumps([str(work / 'documents.jsonl')])}"
    cheap = ("redaction=null", "tokenizer.vocab_size=400", "tokenizer.sample_bytes=100000")
    config = ROOT / "pipelines.yaml"
    recipe = load_recipe("raw", config, [inputs, "dedup={}", *cheap, *settings])
    job = make_job("raw", recipe, str(work / "gristmill"))
    run(job, "local", 1, [], Console(file=StringIO()))
    return read_outcome(work / "gristmill")


def unverified(texts: Sequence[str], bands: int, rows: int) -> Bools:
    """Returns what stays if documents that share a band are one cluster, and its longest stays."""
    hashing = permutations(bands * rows, 1)
    shingles = [shingle_hashes(text, 5) for text in texts]
    signatures = np.array([signature(found, hashing) for found in shingles])
    parent = list(range(len(texts)))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    first: dict[int, int] = {}
    for number, hashes in enumerate(band_hashes(signatures, bands, rows).tolist()):
        if len(shingles[number]):
            for value in hashes:
                one, other = root(first.setdefault(value, number)), root(number)
                parent[max(one, other)] = min(one, other)
    kept = np.zeros(len(texts), dtype=bool)
    longest: dict[int, int] = {}
    for number in sorted(range(len(texts)), key=lambda number: -len(texts[number])):
        longest.setdefault(root(number), number)
    kept[list(longest.values())] = True
    return kept


def peer(tool: str, python: str, work: Path, options: Sequence[str]) -> tuple[Bools, list[str]]:
    """Returns what another tool keeps, and the words that it makes of each document."""
    folder = work / "-".join([tool, *options])
    folder.mkdir()
    (folder / "documents.jsonl").symlink_to(work / "documents.jsonl")
    script = str(Path(__file__).with_name("peer_dedup.py"))
    done = subprocess.run(
        [python, script, tool, str(folder), *options], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{tool} failed:\n{done.stderr[-3000:]}")
    answer = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
    kept = np.zeros(len(answer["words"]), dtype=bool)
    kept[answer["kept"]] = True
    return kept, answer["words"]


def show_curve(outcome: Outcome, truth: AllPairs) -> None:
    """Prints how many pairs of each similarity there are, and which share of them was compared."""
    print("| Jaccard | pairs | compared | share | theory |\n|---|---|---|---|---|")
    for step in curve(outcome, truth, 0.05):
        if step.pairs:
            name = f"{step.low:.2f} to {step.high:.2f}" if step.low < 1 else "1"
            shares = f"{step.found / step.pairs:.4f} | {step.expected / step.pairs:.4f}"
            print(f"| {name} | {step.pairs:,} | {step.found:,} | {shares} |")


def show(name: str, kept: Bools, truth: AllPairs, texts: Sequence[str]) -> None:
    """Prints a line of the second table."""
    collapsed = [" ".join(text.split()) for text in texts]
    equal = {text for text, stays in zip(collapsed, kept, strict=True) if stays}
    best = truth.best_kept(kept)
    best[[text in equal for text in collapsed]] = 1  # also texts without a word
    wrong = [int(np.sum(~kept & (best < bound))) for bound in (THRESHOLD, 0.7, 0.5)]
    dropped = int(np.sum(~kept))
    missed = len(truth.missed(kept, THRESHOLD))
    cells = [
        f"{kept.sum():,}",
        f"{dropped:,}",
        f"{wrong[0]:,} ({wrong[0] / max(1, dropped):.1%})",
        f"{wrong[1]:,}",
        f"{wrong[2]:,}",
        f"{missed:,}",
        f"{truth.recall(kept, THRESHOLD):.4f}",
    ]
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Makes the set, asks every tool, and prints both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("kind", choices=["made-up", "web", "pages", "documents"])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--originals", type=int, default=2_500, help="of the made-up set")
    parser.add_argument("--datatrove", metavar="PYTHON", help="a Python that has datatrove")
    parser.add_argument("--text-dedup", metavar="PYTHON", help="a Python that has text-dedup")
    parser.add_argument("-s", "--set", action="append", default=[], help="of the recipe")
    arguments = parser.parse_args()

    texts = documents(arguments.kind, arguments.files, arguments.originals)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        with (work / "documents.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(
                json.dumps({"id": str(number), "text": text}) + "\n"
                for number, text in enumerate(texts)
            )
        truth = all_pairs(texts, AT_LEAST)
        size = sum(len(text.encode()) for text in texts) / 1e6
        pairs = int(np.sum(truth.jaccard >= THRESHOLD))
        print(f"{len(texts):,} documents, {size:.1f} MB, {pairs:,} pairs similar at 0.8\n")
        outcome = deduplicated(work, arguments.set)
        show_curve(outcome, truth)
        print(
            "\n| | kept | dropped | wrong | of them below 0.7 | below 0.5 | missed | recall |\n"
            "|---|---|---|---|---|---|---|---|"
        )
        show("Gristmill, 20x5 verified", outcome.kept, truth, texts)
        for bands, rows in ((20, 5), (14, 8)):
            name = f"{bands}x{rows} unverified"
            show(name, unverified(texts, bands, rows), truth, texts)
        tools: list[tuple[str, str | None, tuple[str, ...]]] = [
            ("datatrove", arguments.datatrove, ()),
            ("text-dedup", arguments.text_dedup, ("--threshold", "0.7")),
            ("text-dedup", arguments.text_dedup, ("--threshold", "0.8")),
        ]
        for tool, python, options in tools:
            if python:
                kept, words = peer(tool, python, work, options)
                name = " ".join([tool, *options])
                show(name, kept, truth, texts)
                show(f"{name}, own words", kept, all_pairs(words, AT_LEAST), words)


if __name__ == "__main__":
    main()
