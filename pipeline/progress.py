"""Progress of a run on any runner, read from the parts that are committed so far."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from pipeline import storage
from pipeline.output import Job

STAGES = (
    ("mill", "reading, measuring, redacting"),
    ("match", "matching duplicates"),
    ("bin", "deciding"),
    ("tokenizer", "training the tokenizer"),
    ("tokenize", "tokenizing"),
)


@dataclass
class Progress:
    """What has been committed since a run began, and how long the rest will take."""

    job: Job
    started: float = field(default_factory=time.monotonic)
    seen: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    before: dict[str, int] = field(default_factory=dict)
    bytes_before: int = 0

    def __post_init__(self) -> None:
        self.refresh()
        self.before = {stage: self.done(stage) for stage, _ in STAGES}
        self.bytes_before = self._sum("bytes")

    def refresh(self) -> None:
        """Reads the markers that are new since the last time."""
        for stage, _ in STAGES:
            for file in storage.list_files(self.job.output.path(f"work/{stage}")):
                name = file.url.rsplit("/", 1)[-1]
                if (stage, name) not in self.seen:
                    part = int(name.removeprefix("part-").removesuffix(".json"))
                    done = (
                        self.job.output.committed(stage, part, self.job.fingerprint(stage, part))
                        if part < self.job.n_parts
                        else None
                    )
                    if done:
                        self.seen[stage, name] = done

    def done(self, stage: str) -> int:
        """Returns how many parts of a stage are committed."""
        return sum(1 for known, _ in self.seen if known == stage)

    def total(self, stage: str) -> int:
        """Returns how many parts a stage has."""
        return 1 if stage in ("match", "tokenizer") else self.job.n_parts

    def _sum(self, what: str) -> int:
        return sum(done[what] for (stage, _), done in self.seen.items() if stage == "mill")

    def line(self) -> str:
        """Returns the state of the run in one line."""
        stages = [s for s in STAGES if not (s[0] == "match" and self.job.recipe.dedup is None)]
        stage, label = next(
            ((s, text) for s, text in stages if self.done(s) < self.total(s)), stages[-1]
        )
        seconds = time.monotonic() - self.started
        documents, size = self._sum("documents"), self._sum("bytes")
        errors = sum(
            sum(done["errors"].values()) for (s, _), done in self.seen.items() if s == "mill"
        )
        fields = [f"{label}: {self.done(stage)}/{self.total(stage)} parts"]
        if stage == "mill":
            fields.append(f"{documents:,} documents")
            fields.append(f"{(size - self.bytes_before) / 1e6 / max(seconds, 1e-9):.1f} MB/s")
        if errors:
            fields.append(f"{errors:,} errors")
        fresh = self.done(stage) - self.before[stage]
        if fresh and stage == "mill":
            left = (self.total(stage) - self.done(stage)) * seconds / fresh
            fields.append(f"{left:.0f} s left")
        return " · ".join(fields)


@contextmanager
def shown(job: Job, console: Console) -> Iterator[None]:
    """Shows progress until the block ends: a live line on a terminal, else a line now and then."""
    progress = Progress(job)
    end = threading.Event()
    live = Live(console=console, transient=True) if console.is_terminal else None
    every = 0.5 if live else 5.0
    if not storage.is_local(job.output.root):
        every = max(every, 10.0)

    def watch() -> None:
        last = ""
        while not end.wait(every):
            progress.refresh()
            line = progress.line()
            if live:
                live.update(Text(line))
            elif line != last:
                console.print(Text(line))
            last = line

    thread = threading.Thread(target=watch, daemon=True)
    if live:
        live.start()
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
        if live:
            live.stop()
