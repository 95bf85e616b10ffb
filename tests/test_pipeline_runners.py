"""Beam's runners as they are set up here."""

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import apache_beam as beam
import pytest

from pipeline import runners
from pipeline.errors import UsageError, UserError, WorkerError
from pipeline.runners import RUNNERS, execute, silence, worker_command


def _triple(number: int) -> int:
    return 3 * number


def _note(number: int, folder: str) -> None:
    (Path(folder) / str(number)).write_text(str(os.getpid()))


def _refuse(number: int) -> int:
    raise WorkerError(UserError(f"number {number} is wrong", "Take another."))


@pytest.fixture(autouse=True)
def _workers_find_this_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_runs_a_graph(workers: int, tmp_path: Path) -> None:
    def build(pipeline: beam.Pipeline) -> None:
        numbers = pipeline | beam.Create(range(6)) | beam.Reshuffle() | beam.Map(_triple)
        _ = numbers | beam.Map(_note, str(tmp_path))

    execute(build, "local", workers, [])
    assert {file.name for file in tmp_path.iterdir()} == {"0", "3", "6", "9", "12", "15"}
    processes = {file.read_text() for file in tmp_path.iterdir()}
    assert (processes == {str(os.getpid())}) == (workers == 1)


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_error_of_a_worker_reaches_the_user(
    workers: int, capfd: pytest.CaptureFixture[str]
) -> None:
    def build(pipeline: beam.Pipeline) -> None:
        _ = pipeline | beam.Create([7]) | beam.Map(_refuse)

    with pytest.raises(UserError) as raised:
        execute(build, "local", workers, [])
    assert type(raised.value) is UserError
    assert (raised.value.message, raised.value.hint) == ("number 7 is wrong", "Take another.")
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


@pytest.mark.slow
def test_dask_runs_a_graph_on_the_cluster_that_is_named(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")

    def build(pipeline: beam.Pipeline) -> None:
        _ = pipeline | beam.Create(range(3)) | beam.Map(_note, str(tmp_path))

    def refused(pipeline: beam.Pipeline) -> None:
        _ = pipeline | beam.Create([7]) | beam.Map(_refuse)

    with distributed.LocalCluster(n_workers=1, dashboard_address=None) as cluster:
        address = cluster.scheduler_address.removeprefix("tcp://")
        named = [f"--dask_client_address={address}"]
        execute(build, "dask", 1, named)
        with pytest.raises(UserError, match="number 7 is wrong"):
            execute(refused, "dask", 1, named)
        workers = {str(worker.process.pid) for worker in cluster.workers.values()}
    assert {file.name for file in tmp_path.iterdir()} == {"0", "1", "2"}
    assert {file.read_text() for file in tmp_path.iterdir()} == workers


@pytest.mark.slow
@pytest.mark.parametrize("late", ["worker_0", "worker_1"])
def test_error_while_a_worker_is_still_starting_ends_the_run(
    late: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def command(port: int) -> str:
        return f'if [ "$WORKER_ID" = {late} ]; then sleep 6; fi; {worker_command(port)}'

    def build(pipeline: beam.Pipeline) -> None:
        _ = pipeline | beam.Create([7]) | beam.Map(_refuse)

    def run() -> None:
        try:
            execute(build, "local", 2, [])
        except UserError as error:
            raised.append(error)

    monkeypatch.setattr(runners, "worker_command", command)
    raised: list[UserError] = []
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    assert [error.message for error in raised] == ["number 7 is wrong"]


def _nothing(pipeline: beam.Pipeline) -> None:
    _ = pipeline | beam.Create([1])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--no_such_option=1"], "no option --no_such_option"),
        (["--job_nam=x"], "no option --job_nam"),
        (["--direct_num_workers=x"], "invalid int value: 'x'"),
    ],
)
def test_options_that_beam_does_not_know(
    arguments: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match=said):
        execute(_nothing, "local", 1, arguments)
    assert capfd.readouterr().err == ""  # argparse would print a page


def test_options_that_beam_knows() -> None:
    execute(_nothing, "local", 1, ["--job_name=x", "--experiments=a", "--no_auth"])


def test_threads_of_beam_that_fail_after_the_run_say_nothing() -> None:
    # An iterator of gRPC's fails like this when a worker is gone, whenever its thread gets to run.
    code = (
        "import threading\n"
        "from pipeline.runners import execute, silence\n"
        "execute(lambda pipeline: None, 'local', 1, [])\n"
        "hook = threading.excepthook\n"
        "silence()\n"
        "assert threading.excepthook is hook\n"
        "from apache_beam.runners.portability.fn_api_runner.worker_handlers import "
        "ControlConnection\n"
        "lost = ControlConnection()\n"
        "lost._input = iter([None])\n"
        "lost._read_thread.start(); lost._read_thread.join()\n"
        "mine = threading.Thread(target=lambda: 1 / 0, name='mine')\n"
        "mine.start(); mine.join()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "beam_control_read" not in ended.stderr
    assert "Exception in thread mine" in ended.stderr


def test_every_runner_is_known_by_name() -> None:
    assert RUNNERS == ("local", "dask", "dataflow")


def test_silence_keeps_a_handler_that_is_there() -> None:
    root = logging.getLogger()
    before = list(root.handlers)
    silence()
    assert root.handlers[: len(before)] == before
    assert root.handlers


def test_silenced_libraries_say_nothing() -> None:
    code = (
        "from pipeline.runners import silence; silence(); import logging, apache_beam.io\n"
        "logging.warning('SECRET'); logging.getLogger('apache_beam.x').error('SECRET')"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stderr == ended.stdout == ""


def test_command_of_a_worker_survives_a_blank_in_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "my programs" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\necho "$#|$1|$2|$3"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    ended = subprocess.run(
        worker_command(4321), shell=True, capture_output=True, text=True, check=True
    )
    assert ended.stdout == "3|-P|-c|from pipeline.runners import worker; worker(4321)\n"


def test_worker_ends_with_its_main_process() -> None:
    # The descriptor names a control service that is not there: the worker keeps trying.
    lifeline = socket.create_server(("127.0.0.1", 0))
    process = subprocess.Popen(
        worker_command(lifeline.getsockname()[1]),
        shell=True,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={
            **os.environ,
            "CONTROL_API_SERVICE_DESCRIPTOR": 'url: "localhost:9"',
            "PIPELINE_OPTIONS": "{}",
            "WORKER_ID": "w",
        },
    )
    try:
        time.sleep(0.5)
        assert process.poll() is None
        lifeline.close()
        assert process.wait(timeout=10) == 1
        assert process.communicate() == (b"", b"")
    finally:
        process.kill()
