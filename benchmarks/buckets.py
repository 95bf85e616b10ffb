"""Hostile input for the match stage: its seconds and peak memory on buckets of any size.

    .venv/bin/python benchmarks/buckets.py [identical near chain] [--documents N]

Makes each set in a temporary folder, mills it in one process and matches it in another, by the
local runner with one worker. Prints time and peak resident memory of the second process.

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
        import apache_beam as beam

        from pipeline.duplicates.flow import match

        match(pipeline, pipeline | "ready" >> beam.Create([0]), job)

    execute(build, "local", 1, [])
    print(json.dumps(job.summaries("match")[0]))


def measure(kind: str, count: int) -> None:
    """Prints one row."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "in.jsonl", MAKERS[kind](count))
        run_in_child(name, kind, "mill")
        start = time.perf_counter()
        found, usage = run_in_child(name, kind, "match")
        seconds = time.perf_counter() - start
    print(
        f"| {kind} | {count:,} | {seconds:.0f} | {usage.ru_utime + usage.ru_stime:.0f} "
        f"| {usage.ru_maxrss / 1024:.0f} | {found['pairs']:,} | {found['uncompared']:,} "
        f"| {found['near_duplicates']:,} |"
    )


def run_in_child(folder: str, kind: str, stage: str) -> tuple[Any, resource.struct_rusage]:
    """Does one stage in a process of its own; returns what it printed, and what it used."""
    # -P: a module here has the name of a package.
    command = [sys.executable, "-P", __file__, kind, "--folder", folder, "--stage", stage]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as child:
        assert child.stdout is not None
        said = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"the stage {stage} failed")
    return json.loads(said or b"{}"), usage


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(SIZES)}; else all")
    parser.add_argument("--documents", type=int, help="instead of the size of each set")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    unknown = set(arguments.kinds) - set(SIZES)
    if unknown:
        parser.error(f"no such kind: {', '.join(sorted(unknown))}")
    if arguments.folder:
        run_stage(arguments.folder, arguments.kinds[0], arguments.stage)
        return
    print(
        "| documents | how many | seconds | CPU-seconds | peak, MB | pairs | uncompared | dropped |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for kind in arguments.kinds or SIZES:
        measure(kind, arguments.documents or SIZES[kind])


if __name__ == "__main__":
    main()
