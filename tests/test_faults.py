"""Runs that are killed, interrupted, or run out of disk, and what becomes of their outputs."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from command import (
    SMALL,
    Ended,
    committed,
    digests,
    end,
    gristmill,
    group,
    in_process,
    kill_group,
    start,
    temporary_files,
    times,
    wait_until,
    write_corpus,
)

DOCUMENTS = 160


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus") / "corpus.jsonl", DOCUMENTS)


@pytest.fixture(scope="module")
def undisturbed(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run that nothing happened to."""
    root = tmp_path_factory.mktemp("undisturbed") / "out"
    ended = gristmill(*command(corpus, root))
    assert (ended.code, ended.err.count("rror")) == (0, 0)
    assert len(digests(root)) > 100
    return root


def command(corpus: Path, root: Path, *more: object) -> tuple[object, ...]:
    return ("run", "gopher", "-i", corpus, "-o", root, *SMALL, *more)


def assert_failed(ended: Ended, code: int, *said: str) -> None:
    """What every failure has in common: it says what happened, and no more."""
    assert ended.code == code
    for words in said:
        assert words in ended.err.replace("\n", " ")
    assert ended.out == ""
    assert ended.err.lstrip().splitlines()[-1]
    for words in ("Traceback", "internal error", "WARNING", "INFO", "SECRET"):
        assert words not in ended.err


def assert_same(root: Path, undisturbed: Path) -> None:
    """The output is finished, byte for byte the one of the undisturbed run, and nothing else."""
    assert (root / "manifest.json").exists()
    assert digests(root) == digests(undisturbed)
    assert temporary_files(root) == []


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "workers"), [(1, 1), (2, 2)])
def test_killed_at_random_points_and_run_again(
    seed: int, workers: int, corpus: Path, undisturbed: Path, root: Path
) -> None:
    choice = random.Random(seed)
    total = committed(undisturbed)
    kills = 0
    for _ in range(4 - workers):
        already = committed(root)
        goal = choice.randint(already, min(already + total // 2, total - 2))
        process = start(*command(corpus, root, "--workers", workers))
        if wait_until(lambda: root.exists() and committed(root) >= goal, process):  # noqa: B023
            kills += 1
        kill_group(process)
        process.communicate()
        assert not (root / "manifest.json").exists() or kills == 0
    assert kills >= 4 - workers - 1
    # What is marked as finished is whole: the last run, of one process, starts from it.
    assert in_process(*command(corpus, root)).code == 0
    assert_same(root, undisturbed)


def test_killed_before_its_first_file_was_whole(
    corpus: Path, undisturbed: Path, root: Path
) -> None:
    (root / "work").mkdir(parents=True)
    (root / "work" / ".0123456789abcdef.tmp").write_bytes(b"{")
    (root / "documents").mkdir()
    (root / "documents" / ".fedcba9876543210.tmp").write_bytes(b"PAR1")
    assert in_process(*command(corpus, root)).code == 0
    assert_same(root, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["main", "worker", "worker at its start"])
def test_only_one_process_killed(whom: str, corpus: Path, undisturbed: Path, root: Path) -> None:
    process = start(*command(corpus, root, "--workers", 2))

    def workers() -> list[int]:
        return [pid for pid, words in group(process).items() if "worker(" in words]

    if whom == "worker at its start":
        assert wait_until(lambda: len(workers()) > 0, process)
    else:
        assert wait_until(lambda: committed(root) >= 3, process)
    victim = process.pid if whom == "main" else workers()[0]
    os.kill(victim, signal.SIGKILL)
    killed = time.monotonic()
    try:
        process.wait(timeout=60)
        while whom == "main" and group(process):  # the workers notice that they are alone
            assert time.monotonic() - killed < 30
            time.sleep(0.02)
        assert group(process) == {}
    finally:
        ended = end(process)
    if whom == "main":
        assert in_process(*command(corpus, root)).code == 0
        assert_same(root, undisturbed)
    else:
        killed_by = "a worker process was killed or crashed"
        assert_failed(ended, 1, killed_by, "the same command goes on from there")


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "to_all"), [(1, True), (2, True), (2, False)])
def test_interrupted(
    workers: int, to_all: bool, corpus: Path, undisturbed: Path, root: Path
) -> None:
    process = start(*command(corpus, root, "--workers", workers))
    assert wait_until(lambda: committed(root) >= 3, process)
    pressed = time.monotonic()
    if to_all:  # a terminal sends it to every process of the group
        os.killpg(process.pid, signal.SIGINT)
    else:
        os.kill(process.pid, signal.SIGINT)
    process.wait(timeout=30)
    assert time.monotonic() - pressed < 5
    while group(process):
        assert time.monotonic() - pressed < 5
    ended = end(process)
    assert_failed(ended, 130, "the same command goes on from there")
    assert not (root / "manifest.json").exists()
    kept = times(root / "work" / "mill")
    assert len(kept) >= 3
    if not to_all:
        return
    assert gristmill(*command(corpus, root, "--workers", workers)).code == 0
    assert_same(root, undisturbed)
    after = times(root / "work" / "mill")
    assert {name: after[name] for name in kept} == kept  # nothing was done twice


def test_interrupted_while_planning(corpus: Path, tmp_path: Path) -> None:
    code = (
        "import os, signal, pipeline.run, pipeline.cli\n"
        "pipeline.run.plan = lambda *_: os.kill(os.getpid(), signal.SIGINT)\n"
        "pipeline.cli.main()"
    )
    ended = python(code, *command(corpus, tmp_path / "out"))
    assert_failed(ended, 130, "the same command goes on from there")


def python(code: str, *words: object, **changes: str) -> Ended:
    """Runs code that changes something before it calls the command line."""
    ended = subprocess.run(
        [sys.executable, "-P", "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **changes},
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A file system of its own, where the tests may mount one."""
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("needs root and mount")
    made = subprocess.run(
        [mount, "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("file systems cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_full_disk(workers: int, corpus: Path, undisturbed: Path, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=600k") as disk:
        root = disk / "out"
        run = in_process if workers == 1 else gristmill
        ended = run(*command(corpus, root, "--workers", workers))
        assert_failed(ended, 1, "the disk is full", "Free some space", f"{root}/")
        assert 0 < committed(root) < committed(undisturbed)
        assert not (root / "manifest.json").exists()
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        assert in_process(*command(corpus, root)).code == 0
        assert_same(root, undisturbed)


def test_output_on_a_read_only_disk(corpus: Path, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=1m,ro") as disk:
        ended = gristmill(*command(corpus, disk / "out"))
        assert_failed(ended, 1, "the file system is read-only", f"{disk}/out")


@pytest.mark.parametrize(
    ("workers", "error", "said"),
    [(1, "EACCES", "permission is denied"), (2, "ENOSPC", "the disk is full")],
)
def test_write_that_fails_in_a_worker(
    workers: int, error: str, said: str, corpus: Path, tmp_path: Path, root: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import errno, os, pathlib\n"
        "plain = pathlib.Path.replace\n"
        "def replace(self, target):\n"
        "    if 'documents/part-00004' in str(target):\n"
        f"        raise OSError(errno.{error}, os.strerror(errno.{error}), str(target))\n"
        "    return plain(self, target)\n"
        "pathlib.Path.replace = replace\n"
    )
    words = command(corpus, root, "--workers", workers)
    ended = gristmill(*words, PYTHONPATH=str(tmp_path))
    assert_failed(ended, 1, f"cannot write {root}/documents/part-00004.parquet: {said}")
    assert workers > 1 or temporary_files(root) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_failure_in_a_worker_never_shows_text(workers: int, corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import pipeline.mill\n"
        "def measured(split, recipe, count, files):\n"
        "    for record in pipeline.mill.read(split, recipe.source.options()):\n"
        "        raise ValueError(record.text)\n"
        "pipeline.mill.measured = measured\n"
    )
    texts = corpus.read_text()
    words = command(corpus, tmp_path / "out", "--workers", workers)
    ended = gristmill(*words, PYTHONPATH=str(tmp_path))
    assert ended.code == 1
    # Named by its place only, here or in the worker.
    assert re.search(r"internal error: \w+Error in (sitecustomize:4|apache_beam\.)", ended.err)
    assert "--debug" in ended.err
    assert "Traceback" not in ended.err
    said = ended.out + ended.err
    assert not any(said[at : at + 20] in texts for at in range(max(len(said) - 20, 0)))


@pytest.mark.parametrize("over", ["mill", "bin", "tokenize"])
def test_other_settings_broken_off_do_not_spoil_what_was_finished(
    over: str,
    corpus: Path,
    undisturbed: Path,
    root: Path,
) -> None:
    # The output has finished parts; other settings overwrite some of their files and are broken
    # off before the markers change; then the first settings come back.
    other = {
        "mill": ("-s", "redaction.types=[]"),
        "bin": ("-s", "filters.gopher_quality.word_count.minimum=150"),
        "tokenize": ("-s", "tokenizer.vocab_size=350"),
    }[over]
    shutil.copytree(undisturbed, root)
    code = (
        "import os, pipeline.output, pipeline.cli\n"
        "plain = pipeline.output.Output.commit\n"
        "def commit(self, stage, part, *rest):\n"
        f"    if stage == '{over}' and part == 3: os._exit(9)\n"
        "    plain(self, stage, part, *rest)\n"
        "pipeline.output.Output.commit = commit\n"
        "pipeline.cli.main()"
    )
    assert python(code, *command(corpus, root, *other)).code == 9
    assert in_process(*command(corpus, root)).code == 0
    assert_same(root, undisturbed)


def test_too_many_errors_fail_at_the_end_and_keep_everything(corpus: Path, tmp_path: Path) -> None:
    lines = corpus.read_text().splitlines(keepends=True)[:30]
    lines[4] = '{"id": "x", "text": "SECRET of a person, cut off\n'
    lines[9] = '{"id": "y", "body": "SECRET of another person"}\n'
    lines[20] = '{"id": "z", "body": "SECRET of another person"}\n'
    bad = tmp_path / "bad.jsonl"
    bad.write_text("".join(lines))

    words = ("run", "raw", "-i", bad, "-o", tmp_path / "out", *SMALL)
    ended = in_process(*words)
    assert_failed(
        ended,
        1,
        "3 of 30 records could not be read (10.0%; allowed are 1.0%)",
        "no_text_field",
        "source.text_field",
        "max_error_rate",
    )
    before = times(tmp_path / "out" / "documents")
    assert len(before) > 1

    shown = in_process("inspect", tmp_path / "out", "errors", "--json")
    assert shown.code == 0
    assert shown.out.count("no_text_field") == 2
    assert shown.out.count("invalid_json") == 1

    allowed = in_process(*words, "-s", "max_error_rate=0.2")
    assert allowed.code == 0
    assert "3 records could not be read: " in allowed.out
    assert times(tmp_path / "out" / "documents") == before
    everything = b"".join(
        path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()
    )
    assert b"SECRET" not in everything


def test_no_text_field_in_any_record(tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"body": "SECRET"}\n' * 5)
    ended = gristmill("run", "raw", "-i", bad, "-o", tmp_path / "out")
    assert_failed(
        ended,
        1,
        "5 of 5 records could not be read",
        "The record has no text field; set source.text_field",
    )


def test_every_document_dropped(corpus: Path, root: Path) -> None:
    words = ("-s", "filters.gopher_quality.word_count.minimum=99999")
    ended = gristmill(*command(corpus, root, *words, "-s", "source.split_bytes=65536"))
    page = root / "report" / "report.html"
    assert_failed(ended, 1, f"no document was kept of {DOCUMENTS}", str(page))
    assert page.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--runner", "dask"), "pip install 'gristmill[dask]'"),
        (("--runner", "dataflow"), "Missing required option: project"),
        (("--", "--no_such_option=1"), "Beam has no option --no_such_option"),
        (("--", "--direct_num_workers=many"), "invalid int value: 'many'"),
        (("--workers", "2", "--", "--wrong=1", "--wronger"), "no option --wrong, --wronger"),
    ],
)
def test_runner_or_its_options_refused(
    words: tuple[str, ...], said: str, corpus: Path, tmp_path: Path
) -> None:
    if words[-1] == "dask" and find_spec("dask"):
        pytest.skip("dask is installed here")
    ended = gristmill(*command(corpus, tmp_path / "out"), *words)
    assert_failed(ended, 2, said)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("recipe", "made by another recipe: gopher, not raw"),
        ("inputs", "made from other inputs: "),
        ("folder", "made from other inputs: "),  # the same name means another file there
    ],
)
def test_output_of_something_else_is_left_alone(
    change: str, said: str, corpus: Path, undisturbed: Path, tmp_path: Path
) -> None:
    other = write_corpus(tmp_path / corpus.name, 20)
    before = times(undisturbed)
    recipe = "raw" if change == "recipe" else "gopher"
    source = {"recipe": corpus, "inputs": other, "folder": corpus.name}[change]
    ended = gristmill("run", recipe, "-i", source, "-o", undisturbed, *SMALL, cwd=tmp_path)
    assert_failed(ended, 2, said, "another --output")
    assert times(undisturbed) == before
