"""Progress from committed parts: plain lines, or a live line where there is a terminal."""

import io
import json
import re
import threading
import time
from pathlib import Path

import pytest
from command import ROOT, in_process, write_corpus
from rich.console import Console

from pipeline.output import Job
from pipeline.progress import STAGES, Progress, shown
from pipeline.recipe import load_recipe
from pipeline.run import make_job

PARTS = 4


@pytest.fixture
def job(tmp_path: Path) -> Job:
    folder = tmp_path / "source"
    folder.mkdir()
    for part in range(PARTS):
        write_corpus(folder / f"{part}.jsonl", 20, seed=part)
    inputs = f"source.inputs={json.dumps([str(folder)])}"
    recipe = load_recipe("gopher", ROOT / "pipelines.yaml", [inputs])
    return make_job("gopher", recipe, str(tmp_path / "out"))


def commit_mill(job: Job, part: int, errors: dict[str, int] | None = None) -> None:
    job.output.commit(
        "mill",
        part,
        job.fingerprint("mill", part),
        {"documents": 1500, "bytes": 2_000_000, "errors": errors or {}},
    )


def test_line_of_a_run_that_begins(job: Job) -> None:
    line = Progress(job).line()
    assert line.startswith(f"reading, measuring, redacting: 0/{PARTS} parts · 0 documents")
    assert "left" not in line


def test_line_counts_what_was_committed_since(job: Job) -> None:
    progress = Progress(job, started=time.monotonic() - 10)
    commit_mill(job, 0)
    commit_mill(job, 2, {"invalid_json": 3})
    progress.refresh()
    assert progress.line() == (
        f"reading, measuring, redacting: 2/{PARTS} parts · 3,000 documents · 0.4 MB/s · 3 errors · "
        "10 s left"
    )


def test_speed_and_time_left_know_nothing_of_an_earlier_run(job: Job) -> None:
    for part in range(2):
        commit_mill(job, part)
    progress = Progress(job, started=time.monotonic() - 10)
    assert "2/4 parts · 3,000 documents · 0.0 MB/s" in progress.line()
    assert "left" not in progress.line()
    commit_mill(job, 2)
    progress.refresh()
    assert "3/4 parts · 4,500 documents · 0.2 MB/s · 10 s left" in progress.line()


def test_parts_of_other_settings_do_not_count(job: Job) -> None:
    job.output.commit("mill", 1, "another fingerprint", {"documents": 9, "bytes": 9, "errors": {}})
    job.output.commit("mill", PARTS + 3, "gone", {"documents": 9, "bytes": 9, "errors": {}})
    progress = Progress(job)
    assert f"0/{PARTS} parts" in progress.line()
    commit_mill(job, 1)  # the same file, now of these settings
    progress.refresh()
    assert f"1/{PARTS} parts" in progress.line()


def test_stages_follow_each_other(job: Job) -> None:
    progress = Progress(job)
    seen = []
    for stage, label in STAGES:
        assert progress.line().startswith(f"{label}: 0/")
        for part in range(progress.total(stage)):
            if stage == "mill":
                commit_mill(job, part)
            else:
                job.output.commit(stage, part, job.fingerprint(stage, part), {})
        progress.refresh()
        seen.append(progress.done(stage))
    assert seen == [PARTS, 1, PARTS, 1, PARTS]
    assert progress.line() == f"tokenizing: {PARTS}/{PARTS} parts"


def test_plain_lines_where_there_is_no_terminal(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), force_terminal=False, width=40, soft_wrap=True)
    quick = threading.Event.wait
    monkeypatch.setattr(threading.Event, "wait", lambda self, _=None: quick(self, 0.01))
    with shown(job, console):
        for part in range(PARTS):
            commit_mill(job, part)
            time.sleep(0.1)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) >= 3
    assert "\x1b" not in console.file.getvalue()
    parts = [int(m[1]) for line in lines if (m := re.search(r"redacting: (\d)/4 parts", line))]
    assert parts == sorted(parts)
    assert parts[-1] >= 2


def test_live_line_on_a_terminal(job: Job) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with shown(job, console):
        commit_mill(job, 0)
        time.sleep(0.8)
    assert isinstance(console.file, io.StringIO)
    assert "1/4 parts" in console.file.getvalue()
    assert "\x1b[" in console.file.getvalue()


def test_ends_with_its_block_also_by_an_error(job: Job) -> None:
    before = threading.active_count()
    with pytest.raises(KeyError), shown(job, Console(file=io.StringIO())):
        raise KeyError("x")
    assert threading.active_count() == before


def test_a_real_run_ends_with_every_part_counted(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus.jsonl", 30)
    words = ("run", "raw", "-i", corpus, "-o", tmp_path / "out", "-s", "source.split_bytes=4096")
    ended = in_process(*words)
    assert ended.code == 0
    assert "\x1b" not in ended.out + ended.err
    recipe = load_recipe(
        "raw",
        ROOT / "pipelines.yaml",
        [f"source.inputs={json.dumps([str(corpus)])}", "source.split_bytes=4096"],
    )
    progress = Progress(make_job("raw", recipe, str(tmp_path / "out")))
    assert progress.line() == f"tokenizing: {progress.job.n_parts}/{progress.job.n_parts} parts"
