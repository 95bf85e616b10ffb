"""The real `gristmill` command for tests: a small corpus, a run, what it left behind."""

import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
TABLES = ("documents", "ledger", "errors", "pairs", "clusters", "tokenizer", "tokens")

# Small splits and a small vocabulary: many parts, little work.
SMALL = ("-s", "source.split_bytes=4096", "-s", "tokenizer.vocab_size=400")
SMALL += ("-s", "tokens.validation=0.1")

_ENGLISH = (
    "the of and a to in is was he for it with as his on be at by had not are but from or have an "
    "they which one you were her all she there would their we him been has when who will more no "
    "if out so said what up its about into than them can only other new some could time these two "
    "may then do first any my now such like our over man me even most made after also did many "
    "before must through back years where much your way well down should because each just those "
    "people mister how too little state good very make world still own see men work long get here"
)
_WORDS = _ENGLISH.split()


def sentences(choice: random.Random, count: int) -> str:
    """Returns random but well-formed English of `count` sentences."""
    drawn = (" ".join(choice.choices(_WORDS, k=choice.randint(6, 14))) for _ in range(count))
    return " ".join(f"{sentence.capitalize()}." for sentence in drawn)


def write_corpus(path: Path, documents: int = 60, seed: int = 1) -> Path:
    """Writes JSON lines that pass and fail rules, with exact and near duplicates."""
    choice = random.Random(seed)
    texts = [sentences(choice, choice.randint(8, 24)) for _ in range(documents)]
    texts[7] = texts[3]
    texts[documents // 2] = texts[5] + " One more sentence makes it nearly the same."
    texts[documents // 3] = "Too short."
    texts[documents // 4] += " Write to jane.roe@example.org or look at 203.0.113.77 instead."
    rows = [{"id": f"d{number:03}", "text": text} for number, text in enumerate(texts)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def environment(**changes: str) -> dict[str, str]:
    """Returns the environment of a user's shell: nothing that pytest or CI set for themselves."""
    ours = ("PYTEST", "COLUMNS", "TERM", "TOKENIZERS", "GRPC")
    return {**{k: v for k, v in os.environ.items() if not k.startswith(ours)}, **changes}


def start(*words: object, cwd: Path | None = None, **changes: str) -> subprocess.Popen[str]:
    """Starts `gristmill` with these words in a process group of its own."""
    return subprocess.Popen(
        [Path(sys.executable).with_name("gristmill"), *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=environment(**changes),
        start_new_session=True,
    )


def end(process: subprocess.Popen[str], timeout: float = 120) -> Ended:
    """Waits for a command; kills what is left of its process group."""
    try:
        out, err = process.communicate(timeout=timeout)
    finally:
        kill_group(process)
    return Ended(process.returncode, out, err)


def gristmill(*words: object, cwd: Path | None = None, **changes: str) -> Ended:
    """Runs `gristmill` with these words to its end."""
    return end(start(*words, cwd=cwd, **changes))


def in_process(*words: object) -> Ended:
    """Runs `gristmill` in this process: the same but for the seconds that importing takes."""
    from pipeline.cli import main

    out, err, code = io.StringIO(), io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(word) for word in words])
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Ended(code, out.getvalue(), err.getvalue())


def kill_group(process: subprocess.Popen[str]) -> None:
    """Kills every process that a command started and that is still there."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[str]) -> bool:
    """Waits for something; False if the process ended before."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return False
        if ready():
            return True
        time.sleep(0.002)
    raise AssertionError("nothing happened for two minutes")


def committed(root: Path) -> int:
    """Returns how many parts of all stages a run has finished so far."""
    return len(list(root.glob("work/*/part-*.json")))


def group(process: subprocess.Popen[str]) -> dict[int, str]:
    """Returns the living processes of a command's group, with their command lines (Linux)."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, _, pgrp = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            words = (entry / "cmdline").read_text().replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(pgrp) == process.pid and state != "Z":
            found[int(entry.name)] = words
    return found


def digests(root: Path) -> dict[str, str]:
    """Returns the SHA-256 of every file of the public tables of an output."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for table in TABLES
        for path in sorted((root / table).rglob("*"))
        if path.is_file()
    }


def times(root: Path) -> dict[str, int]:
    """Returns the time of change of every file of an output."""
    return {
        str(path.relative_to(root)): path.stat().st_mtime_ns
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def temporary_files(root: Path) -> list[Path]:
    """Returns what a broken-off write leaves behind."""
    return [path for path in root.rglob("*") if path.name.startswith(".")]


def said_by(path: Path) -> str:
    """Returns all that a file says: its bytes as they are, and the values of a table."""
    data = path.read_bytes()
    said = data.decode("utf-8", "replace")
    if path.suffix == ".parquet":
        said += repr(pq.read_table(path).to_pylist())
    elif path.suffix == ".arrow":
        said += repr(pa.ipc.open_file(data).read_all().to_pylist())
    return said
