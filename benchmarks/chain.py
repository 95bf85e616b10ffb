"""The whole chain: MB of text a second and core, and peak memory, at 1 and 2 workers.

    .venv/bin/python benchmarks/chain.py [--input GLOB] [--megabytes 32] [--runs 3]

Mills JSON lines of the wanted size with the recipe `gopher` (language, both Gopher filters,
redaction, exact and near-duplicates, tokenizer, shards, ledger, report), in a process of its own
for each run, 1 and 2 workers in turn. Then the same with ten times the input, for the memory.

The text comes from `--input` (any source that Gristmill reads), by default the documentation of
this Python environment. Where more is wanted than there is, copies with their words shuffled are
added: they keep the statistics of words and are no near-duplicates.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from pipeline.sources.plan import plan
from pipeline.sources.read import read
from pipeline.sources.records import Record, SourceOptions

GRISTMILL = [sys.executable, "-m", "pipeline.cli"]


def texts(inputs: list[str]) -> list[str]:
    """Returns the texts of an input, without the very short ones."""
    options = SourceOptions()
    records = (record for split in plan(options, inputs) for record in read(split, options))
    return [r.text for r in records if isinstance(r, Record) and len(r.text) > 500]


def endless(originals: list[str]) -> Iterator[str]:
    """Yields the texts, then shuffled copies of them without an end."""
    yield from originals
    shuffle = random.Random(0)
    while True:
        for text in originals:
            lines = [line.split() for line in text.split("\n")]
            for words in lines:
                shuffle.shuffle(words)
            yield "\n".join(" ".join(words) for words in lines)


def write_corpus(path: Path, originals: list[str], size: int) -> int:
    """Writes JSON lines with about `size` bytes of text and returns the exact number."""
    written = 0
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(endless(originals)):
            if written >= size:
                break
            file.write(json.dumps({"id": str(number), "text": text}) + "\n")
            written += len(text.encode())
    return written


class PeakMemory:
    """The largest VmHWM of any process of a session, read from /proc while it runs."""

    def __init__(self, session: int) -> None:
        self.session, self.peak, self.end = session, 0, threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()

    def _watch(self) -> None:
        while not self.end.wait(0.1):
            for folder in Path("/proc").iterdir():
                if folder.name.isdigit():
                    self._look(folder)

    def _look(self, folder: Path) -> None:
        try:
            if os.getsid(int(folder.name)) != self.session:
                return
            status = (folder / "status").read_text()
        except OSError:
            return
        for line in status.splitlines():
            if line.startswith("VmHWM:"):
                self.peak = max(self.peak, int(line.split()[1]) * 1024)

    def stop(self) -> int:
        """Returns the peak in bytes."""
        self.end.set()
        self.thread.join()
        return self.peak


def measure(corpus: Path, workers: int) -> tuple[float, float, int]:
    """Runs the chain once: wall seconds, CPU seconds of all processes, peak bytes of one."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*GRISTMILL, "run", "gopher", "--input", str(corpus), "--workers", str(workers)]
        before, start = os.times(), time.perf_counter()
        process = subprocess.Popen(
            [*command, "--output", f"{folder}/out", "-s", "tokenizer.sample_bytes=8000000"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        memory = PeakMemory(process.pid)
        _, errors = process.communicate()
        wall, after, peak = time.perf_counter() - start, os.times(), memory.stop()
        if process.returncode:
            sys.exit(errors.decode())
    cpu = after.children_user + after.children_system - before.children_user
    return wall, cpu - before.children_system, peak


def main() -> None:
    """Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", action="append", help="default: environment")
    parser.add_argument("--megabytes", type=int, default=32)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    originals = texts(arguments.input or ["environment"])
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "small.jsonl", Path(folder) / "large.jsonl"
        size = write_corpus(small, originals, arguments.megabytes * 10**6)
        measure(small, 1)  # compiles kernels, fills the page cache
        results: dict[int, list[tuple[float, float, int]]] = {1: [], 2: []}
        for _ in range(arguments.runs):
            for workers, runs in results.items():
                runs.append(measure(small, workers))
        print(f"{size / 1e6:.1f} MB of text, {arguments.runs} runs, median (min to max)")
        print("| workers | wall, s | CPU, s | MB/s | MB/s a CPU-second | peak of one process, MB |")
        print("|---|---|---|---|---|---|")
        for workers, runs in results.items():
            walls, cpus, peaks = zip(*runs, strict=True)
            wall, cpu = statistics.median(walls), statistics.median(cpus)
            print(
                f"| {workers} | {wall:.1f} ({min(walls):.1f} to {max(walls):.1f}) | {cpu:.1f} "
                f"| {size / 1e6 / wall:.2f} | {size / 1e6 / cpu:.2f} | {max(peaks) / 1e6:.0f} |"
            )
        ten = write_corpus(large, originals, arguments.megabytes * 10**7)
        for workers in (1, 2):
            wall, cpu, peak = measure(large, workers)
            base = max(run[2] for run in results[workers])
            print(
                f"\n10 times the input ({ten / 1e6:.0f} MB), {workers} workers: {wall:.0f} s, "
                f"{ten / 1e6 / cpu:.2f} MB/s a CPU-second, peak {peak / 1e6:.0f} MB, "
                f"{peak / base:.2f} times"
            )


if __name__ == "__main__":
    main()
