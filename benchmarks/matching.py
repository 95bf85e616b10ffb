"""The match stage from stored signatures: CPU, memory and shuffled bytes, beside datasketch's LSH.

    .venv/bin/python benchmarks/matching.py [--documents 100000 1000000] [--peer 100000]
        [--hashes-only 100000 1000000 10000000] [--work DIR]

The corpus is made up: texts of 60 to 300 words, drawn from 50,000 words by Zipf's law; of 100
documents, 20 belong to groups of near-duplicates (2 to 1,000 documents, up to 2.5 % of the words of
each changed), 5 to groups of equal texts. A process of its own writes it as mill would have:
documents/, errors/ and work/signatures/, in parts of 20,000 documents. Then the stage's part of the
Beam graph runs alone in another process, with one worker: order of priority, equal texts, bands,
candidates, shingles of the documents in pairs, exact Jaccard, leaders, survivors, pairs/,
clusters/. Its CPU is that of all threads; memory is the kernel's high-water mark of the process,
pages of mapped files included.

`--peer` inserts the same signatures into datasketch's MinHashLSH and queries it with each one: it
proposes documents, and verifies none.

`--hashes-only` leaves texts out: signatures are made up so that as many documents share bands, and
the Jaccard of a pair is a hash of its keys. All else runs as it is.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# A script's own folder comes first, where `filters` is another script.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.documents import ERRORS_SCHEMA, documents_schema
from pipeline.duplicates.signatures import signatures_schema, signer
from pipeline.output import Job
from pipeline.recipe import default_config, load_recipe
from pipeline.run import make_job

PART = 20_000
AT_ONCE = 2_000
VOCABULARY = 50_000
LONGEST = 300
BANDS, ROWS = 20, 5
NEAR, EQUAL = 0.20, 0.05
CHANGED = 0.025  # of the words of a near-duplicate, at most
CHANGED_PLACES = 0.1  # of the signature of one without text, at most

Hashes = NDArray[np.uint64]


def mixed(*numbers: Any) -> Hashes:
    """Returns hashes of tuples of numbers, which broadcast (splitmix64)."""
    value = np.uint64(0)
    for number in numbers:
        value = value ^ np.asarray(number).astype(np.uint64)
        value = value + np.uint64(0x9E3779B97F4A7C15)
        value = (value ^ value >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ value >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        value = value ^ value >> np.uint64(31)
    return value


def shares(hashes: Hashes) -> NDArray[np.float64]:
    """Returns the numbers from 0 to 1 that hashes stand for."""
    return hashes / 2.0**64


class Corpus:
    """Which documents are alike: the family of each, and how much of it is changed."""

    def __init__(self, count: int) -> None:
        random = np.random.default_rng(5)
        sizes = np.minimum(2 + random.pareto(1.5, count // 5).astype(np.int64), 1_000)
        near = sizes[np.cumsum(sizes) <= NEAR * count]
        equal = np.full(int(EQUAL * count) // 2, 2)
        single = np.ones(count - near.sum() - equal.sum(), np.int64)
        families = np.repeat(
            np.arange(near.size + equal.size + single.size), [*near, *equal, *single]
        )
        place = random.permutation(count)
        self.family = families[place]
        self.changed = np.where(self.family < near.size, random.random(count), 0.0)
        zipf = 1.0 / np.arange(1, VOCABULARY + 1)
        self.ranks = np.cumsum(zipf) / zipf.sum()
        letters = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz", "S1")
        lengths = 2 + np.minimum(np.log2(np.arange(1, VOCABULARY + 1)) / 2, 8).astype(int)
        self.words = pa.array(
            [b"".join(random.choice(letters, n).tolist()).decode() for n in lengths.tolist()]
        )

    def texts(self, start: int, end: int) -> pa.Array:
        """Returns the texts of some documents."""
        families, documents = self.family[start:end], np.arange(start, end)
        lengths = 60 + (mixed(families, 1) % np.uint64(LONGEST - 59)).astype(np.int64)
        place = np.arange(LONGEST)
        drawn = mixed(families[:, None], 2, place)
        other = mixed(documents[:, None], 3, place)
        changed = shares(mixed(other, 4)) < self.changed[start:end, None] * CHANGED
        used = place < lengths[:, None]
        ranks = np.searchsorted(self.ranks, shares(np.where(changed, other, drawn)[used]))
        ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        lists = pa.ListArray.from_arrays(ends, self.words.take(pa.array(ranks)))
        return pc.binary_join(lists, " ").cast(pa.large_string())

    def signatures(self, start: int, end: int) -> NDArray[np.uint32]:
        """Returns made-up signatures."""
        families, documents = self.family[start:end, None], np.arange(start, end)[:, None]
        place = np.arange(BANDS * ROWS)
        other = mixed(documents, 5, place)
        changed = shares(mixed(other, 6)) < self.changed[start:end, None] * CHANGED_PLACES
        chosen = np.where(changed, other, mixed(families, 7, place))
        return (chosen >> np.uint64(32)).astype(np.uint32)

    def digests(self, start: int, end: int) -> bytes:
        """Returns made-up digests, 16 bytes each; equal in a family where nothing is changed."""
        families, documents = self.family[start:end], np.arange(start, end)
        changed = self.changed[start:end] > 0
        half = np.where(changed, mixed(documents, 9), mixed(families, 8))
        return np.column_stack([half, half]).tobytes()


def job_in(root: Path) -> Job:
    """Returns the job whose output is in a folder."""
    settings = [f"source.inputs=[{root / 'inputs'}/*.jsonl]", "dedup={}"]
    return make_job("raw", load_recipe("raw", default_config(), settings), str(root / "out"))


def write(root: Path, count: int, hashes_only: bool) -> None:
    """Writes what mill would have written."""
    (root / "inputs").mkdir(parents=True)
    for part in range(-(-count // PART)):
        (root / "inputs" / f"{part:05d}.jsonl").write_text("{}\n", encoding="utf-8")
    job, corpus = job_in(root), Corpus(count)
    assert job.recipe.dedup
    sign = signer(job.recipe.dedup)
    for folder in ("documents", "errors", "work/signatures"):
        Path(job.output.path(folder)).mkdir(parents=True, exist_ok=True)
    documents, signatures = documents_schema(job.recipe), signatures_schema(job.recipe.dedup)
    for part in range(job.n_parts):
        pq.write_table(ERRORS_SCHEMA.empty_table(), job.output.part("errors", part, ".parquet"))
        with (
            pq.ParquetWriter(
                job.output.part("documents", part, ".parquet"), documents, compression="zstd"
            ) as to_documents,
            pa.ipc.new_file(
                job.output.part("work/signatures", part, ".arrow"), signatures
            ) as to_signatures,
        ):
            for start in range(part * PART, min((part + 1) * PART, count), AT_ONCE):
                end = min(start + AT_ONCE, count)
                if hashes_only:
                    texts = pa.array([""] * (end - start), pa.large_string())
                    digests = corpus.digests(start, end)
                    places = corpus.signatures(start, end)
                else:
                    texts = corpus.texts(start, end)
                    marks = [sign(text, None) for text in texts.to_pylist()]
                    digests = b"".join(mark.digest for mark in marks)
                    places = np.stack([mark.signature for mark in marks])
                to_documents.write_batch(documents_of(texts, start, documents))
                columns = [
                    pa.Array.from_buffers(
                        pa.binary(16), end - start, [None, pa.py_buffer(digests)]
                    ),
                    pa.FixedSizeListArray.from_arrays(pa.array(places.ravel()), BANDS * ROWS),
                ]
                to_signatures.write_batch(pa.record_batch(columns, schema=signatures))


def documents_of(texts: pa.Array, start: int, schema: pa.Schema) -> pa.RecordBatch:
    """Returns rows of documents/ with ids like those of web crawls."""
    count = len(texts)
    halves = mixed(np.arange(start, start + count), 10), mixed(np.arange(start, start + count), 11)
    given = {
        "id": [f"<urn:uuid:{a:016x}-{b:016x}>" for a, b in zip(*halves, strict=True)],
        "source": ["synthetic"] * count,
        "text": texts,
        "n_bytes": pc.binary_length(texts).cast(pa.uint32()),
        "redactions": [[]] * count,
    }
    columns = [
        column
        if isinstance(column := given.get(field.name), pa.Array)
        else pa.array(column or [None] * count, field.type)
        for field in schema
    ]
    return pa.record_batch(columns, schema=schema)


def memory() -> tuple[int, int]:
    """Returns the resident memory of this process and its high-water mark, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    fields = dict(line.split(":", 1) for line in status)
    return int(fields["VmRSS"].split()[0]) << 10, int(fields["VmHWM"].split()[0]) << 10


class Steps:
    """CPU, yields and memory of each step of the graph."""

    def __init__(self) -> None:
        self.cpu: dict[str, float] = {}
        self.calls: dict[str, int] = {}
        self.elements: dict[str, int] = {}
        self.bytes: dict[str, int] = {}
        self.resident: dict[str, int] = {}

    def watch(self) -> None:
        """Replaces `Call.process` by one that measures."""
        from pipeline.beam_steps import Call

        plain = Call.process

        def process(call: Any, element: Any) -> Iterator[Any]:
            name, results = name_of(call.function), plain(call, element)
            self.calls[name] = self.calls.get(name, 0) + 1
            while True:
                start = time.process_time()
                result = next(results, None)
                self.cpu[name] = self.cpu.get(name, 0) + time.process_time() - start
                if result is None:
                    self.resident[name] = max(self.resident.get(name, 0), memory()[0])
                    return
                if call.many:
                    self.elements[name] = self.elements.get(name, 0) + 1
                    self.bytes[name] = self.bytes.get(name, 0) + len(result[1])
                yield result

        Call.process = process  # type: ignore[method-assign]


def name_of(function: Any) -> str:
    """Returns a step's name with what it is made for."""
    if hasattr(function, "func"):
        return " ".join([function.func.__name__, *map(str, function.args)])
    return str(function.__name__)


def match(root: Path, hashes_only: bool) -> dict[str, Any]:
    """Runs the match stage and returns what it took."""
    from pipeline.duplicates import flow, sketches
    from pipeline.runners import execute, import_beam, silence

    if hashes_only:
        sketches.Sets.jaccards = made_up  # type: ignore[method-assign, assignment]
    silence()
    beam = import_beam()
    job, steps = job_in(root), Steps()
    for place in Path(job.output.path("work")).iterdir():
        if place.is_dir() and place.name != "signatures":  # what an earlier round has done
            shutil.rmtree(place)
    steps.watch()
    before, _ = memory()
    wall, cpu = time.perf_counter(), time.process_time()

    def build(pipeline: Any) -> None:
        flow.match(pipeline, pipeline | "ready" >> beam.Create([0]), job)

    execute(build, "local", 1, [])
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    summary = job.summaries("match")[0]
    del summary["fingerprint"]
    return {
        "cpu": cpu,
        "wall": wall,
        "before": before,
        "peak": memory()[1],
        "summary": summary,
        "steps": [
            [
                name,
                *(of.get(name, 0) for of in (steps.calls, steps.cpu, steps.elements, steps.bytes)),
                steps.resident[name],
            ]
            for name in steps.cpu
        ],
    }


def made_up(sets: Any, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Returns a Jaccard from 0.6 to 1 for each pair, whichever document comes first."""
    keys = np.sort(sets._keys[pairs], axis=1)
    return 0.6 + 0.4 * shares(mixed(keys[:, 0], keys[:, 1], 12))


def peer(root: Path) -> dict[str, Any]:
    """Inserts the signatures into datasketch's MinHashLSH and queries it with each."""
    from datasketch import MinHash, MinHashLSH

    job = job_in(root)
    before, _ = memory()
    wall, cpu = time.perf_counter(), time.process_time()
    index = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))
    found = 0
    for query in (False, True):
        for part in range(job.n_parts):
            with pa.ipc.open_file(job.output.part("work/signatures", part, ".arrow")) as file:
                column = file.read_all()["signature"].combine_chunks()
            rows = column.flatten().to_numpy().reshape(-1, BANDS * ROWS)
            for row, places in enumerate(rows):
                sketch = MinHash(hashvalues=places, seed=1, scheme="affine32")
                key = part << 32 | row
                if query:
                    found += len(index.query(sketch)) - 1
                else:
                    index.insert(key, sketch)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {
        "cpu": cpu,
        "wall": wall,
        "before": before,
        "peak": memory()[1],
        "summary": {"pairs": found // 2},
        "steps": [],
    }


def in_process(*arguments: Any) -> dict[str, Any]:
    """Runs one of the above in a process of its own."""
    command = [sys.executable, __file__, "--do", *map(str, arguments)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(json.loads(answer.splitlines()[-1]))


def show(name: str, count: int, taken: dict[str, Any], profile: bool) -> None:
    """Prints one row, and the profile by step."""
    cells = [
        name,
        f"{count:,}",
        f"{taken['cpu']:.1f}",
        f"{taken['cpu'] / count * 1e6:.1f}",
        f"{taken['wall']:.1f}",
        f"{taken['before'] / 1e6:.0f}",
        f"{taken['peak'] / 1e6:.0f}",
        f"{sum(step[4] for step in taken['steps']) / count:.0f}",
    ]
    counts = [taken["summary"].get(key, "") for key in SHOWN]
    print(f"| {' | '.join([*cells, *(f'{n:,}' if n != '' else '' for n in counts)])} |", flush=True)
    if profile:
        print("\n| step | calls | CPU, s | yields | bytes a document | resident, MB |")
        print("|---|---|---|---|---|---|")
        for name, calls, cpu, elements, size, resident in taken["steps"]:
            print(
                f"| {name} | {calls} | {cpu:.2f} | {elements} | {size / count:.1f} "
                f"| {resident / 1e6:.0f} |"
            )
        rest = taken["cpu"] - sum(step[2] for step in taken["steps"])
        print(f"| Beam and the rest | | {rest:.2f} | | | |\n", flush=True)


COLUMNS = ("what", "documents", "CPU, s", "µs a document", "wall, s", "MB before", "MB at most")
COLUMNS += ("shuffled bytes a document",)
SHOWN = ("pairs", "exact_duplicates", "near_duplicates", "large_buckets", "uncompared")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--documents", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--hashes-only", type=int, nargs="*", default=[], metavar="DOCUMENTS")
    parser.add_argument("--peer", type=int, nargs="*", default=[100_000], metavar="DOCUMENTS")
    parser.add_argument("--profile", action="store_true", help="also by step")
    parser.add_argument("--work", type=Path, help="where corpora are kept; else a temporary folder")
    parser.add_argument("--do", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.do:
        what, root, *more = given.do
        hashes_only = "hashes" in more
        if what == "write":
            write(Path(root), int(more[0]), hashes_only)
            print("{}")
        else:
            taken = peer(Path(root)) if what == "peer" else match(Path(root), hashes_only)
            print(json.dumps(taken))
        return
    with tempfile.TemporaryDirectory() as temporary:
        work = given.work or Path(temporary)
        print(f"| {' | '.join((*COLUMNS, *SHOWN))} |")
        print(f"|{'---|' * (len(COLUMNS) + len(SHOWN))}")
        for kind, counts in (("", given.documents), ("hashes", given.hashes_only)):
            for count in counts:
                root = work / f"{count}{kind}"
                if not root.exists():
                    in_process("write", root, count, kind)
                show(kind or "match", count, in_process("match", root, kind), given.profile)
                if not kind and count in given.peer:
                    show("datasketch", count, in_process("peer", root), False)


if __name__ == "__main__":
    main()
