"""Hostile input for the match stage: its seconds and peak memory on buckets of any size.

    .venv/bin/python benchmarks/buckets.py [identical near chain] [--documents N]

Makes each set in a temporary folder, mills it in one process and matches it in another, by the
local runner with one worker. Prints the seconds and the peak resident memory of the second.

* identical: copies of one text, with exact matching off, so that all of them share every band
* near: copies of one text of 100 to 300 words, each with 1 to 3 words changed
* chain: each document is 0.85 similar to the next one, and the ends are unrelated
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SIZES = {"identical": 200_000, "near": 50_000, "chain": 20_000}
SETTINGS = {"identical": "dedup={exact: null}", "near": "dedup={}", "chain": "dedup={}"}
WORDS = 200  # of a text, in the middle of 100 to 300


def _words(rng: random.Random, count: int) -> list[str]:
    return [f"w{rng.randrange(10_000)}" for _ in range(count)]


def identical(count: int) -> Iterator[str]:
    """Yields copies of one text."""
    text = " ".join(_words(random.Random(1), WORDS))
    for _ in range(count):
        yield text


def near(count: int) -> Iterator[str]:
    """Yields copies of one text, each with 1 to 3 words changed."""
    rng = random.Random(2)
    template = _words(rng, WORDS)
    for number in range(count):
        words = list(template)
        for place in rng.sample(range(WORDS), rng.randint(1, 3)):
            words[place] = f"new{number}"
        yield " ".join(words)


def chain(count: int, step: int = 16) -> Iterator[str]:
    """Yields windows of 200 words over one sequence, each moved on by `step`.

    Neighbours share 180 of the 212 5-grams that they have together: 0.849.
    """
    sequence = _words(random.Random(3), count * step + WORDS)
    for number in range(count):
        yield " ".join(sequence[number * step : number * step + WORDS])


MAKERS: dict[str, Callable[[int], Iterator[str]]] = {
    "identical": identical,
    "near": near,
    "chain": chain,
}


def write(path: Path, texts: Iterator[str]) -> None:
    """Writes texts as JSON lines."""
    with path.open("w") as file:
        for number, text in enumerate(texts):
            file.write(json.dumps({"id": f"d{number}", "text": text}) + "\n")


def run_stage(folder: Path, kind: str, stage: str) -> None:
    """Does one stage in this process; prints what the match stage found."""
    from pipeline.mill import mill
    from pipeline.recipe import load_recipe
    from pipeline.run import make_job
    from pipeline.runners import execute

    inputs = json.dumps([str(folder / "in.jsonl")])
    settings = [f"source.inputs={inputs}", SETTINGS[kind]]
    job = make_job("raw", load_recipe("raw", ROOT / "pipelines.yaml", settings), f"{folder}/out")
    if stage == "mill":
        for part in range(job.n_parts):
            mill(job, part)
        return

    def build(pipeline: Any) -> None:
        from pipeline.duplicates.flow import match

        match(pipeline, (), job)

    execute(build, "local", 1, [])
    print(json.dumps(job.summaries("match")[0]))


def measure(kind: str, count: int) -> None:
    """Prints one row."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "in.jsonl", MAKERS[kind](count))
        peaks, found, seconds, processor = [], {}, 0.0, 0.0
        for stage in ("mill", "match"):
            start, before = time.perf_counter(), os.times()
            # -P: a module here has the name of a package.
            command = [sys.executable, "-P", __file__, kind, "--folder", name, "--stage", stage]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT)
            seconds, after = time.perf_counter() - start, os.times()
            processor = sum(after[2:4]) - sum(before[2:4])
            peaks.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
            found = json.loads(done.stdout or b"{}")
    # The system tells the largest peak of all children, so only one above the mill's is known.
    peak = f"{peaks[1]:.0f}" if peaks[1] > peaks[0] else f"at most {peaks[0]:.0f}"
    print(
        f"| {kind} | {count:,} | {seconds:.0f} | {processor:.0f} | {peak} | {found['pairs']:,} "
        f"| {found['uncompared']:,} | {found['near_duplicates']:,} |"
    )


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--documents", type=int, help="instead of the size of each set")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.folder:
        run_stage(arguments.folder, arguments.kinds[0], arguments.stage)
        return
    print(
        "| documents | how many | seconds | CPU-seconds | peak, MB | pairs | uncompared | dropped |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for kind in arguments.kinds:
        measure(kind, arguments.documents or SIZES[kind])


if __name__ == "__main__":
    main()
