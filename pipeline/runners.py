"""Runs a Beam graph on the runner that the user named."""

import io
import logging
import os
import shlex
import socket
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from contextlib import ExitStack, closing, nullcontext, redirect_stderr, suppress
from importlib import import_module
from types import TracebackType
from typing import Any

from filters.imports import without
from pipeline.errors import UsageError, UserError, from_worker

RUNNERS = ("local", "dask", "dataflow")
_GRACE = 0.5  # seconds that a broken-off run gets to end its threads


def execute(build: Callable[[Any], None], runner: str, workers: int, arguments: list[str]) -> None:
    """Builds and runs a pipeline, and waits for its end.

    The runner works in a thread of its own, so that Ctrl-C is answered at once, whatever the
    runner or the compiled code below it is doing.

    Args:
        build: Adds the steps to a `beam.Pipeline`.
        runner: One of RUNNERS.
        workers: Processes of the local runner; 1 stays in this process.
        arguments: Options for Beam's PipelineOptions.

    Raises:
        UserError: a worker failed in a way that the user can mend.
        InternalError: a worker failed in a way that nobody foresaw.
        UsageError: the runner's extra is not installed, or Beam refuses an option.
    """
    # Training the tokenizer is one step, which has all cores. Worker processes are started, not
    # forked, so that nothing can hang.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    silence()
    beam = import_beam()
    quietly = threading.excepthook
    failures: list[BaseException] = []
    ended = threading.Event()

    def work(options: Any, chosen: Any) -> None:
        try:
            try:
                pipeline = beam.Pipeline(runner=chosen, options=options)
            except ValueError as error:  # such as an option that Dataflow cannot do without
                raise UsageError(f"Beam refused its options. {error}", _OPTIONS_HINT) from None
            build(pipeline)
            result = pipeline.run()
            with closing(result.client) if runner == "dask" else nullcontext():
                result.wait_until_finish()
        except BaseException as error:  # raised again below, in the main thread
            failures.append(error)
        finally:
            ended.set()

    def thread_failed(failed: threading.ExceptHookArgs) -> None:
        # Without this the runner would wait for that worker for ever.
        if failed.thread and failed.thread.name == "run_worker":
            failures.append(_WORKER_DIED)
            ended.set()
        else:
            quietly(failed)

    try:
        options = _options(runner, workers, arguments)
        with ExitStack() as last, ExitStack() as stack:
            last.callback(setattr, threading, "excepthook", quietly)
            threading.excepthook = thread_failed
            chosen = _runner(runner, workers, options, stack)
            thread = threading.Thread(target=work, args=(options, chosen), daemon=True)
            thread.start()
            last.callback(thread.join, _GRACE)
            ended.wait()
        if failures:
            raise failures[0]
    except ImportError as error:
        raise UsageError(
            f"the runner {runner} is not installed ({error.name})",
            f"Install it: pip install 'gristmill[{'gcp' if runner == 'dataflow' else runner}]'",
        ) from None
    except UserError:
        raise
    except Exception as error:
        carried = from_worker(error)
        if carried is None:
            raise
        raise carried from None


_WORKER_DIED = UserError(
    "a worker process was killed or crashed",
    "Most often the memory ran out; fewer --workers need less. All finished parts are kept; the "
    "same command goes on from there.",
)


def import_beam() -> Any:
    """Imports Beam without pandas, which it loads where it is installed; 0.3 s for every worker."""
    with without("pandas"):
        import apache_beam
    return apache_beam


def silence() -> None:
    """Keeps what libraries log from the terminal; call it before Beam is imported.

    What matters to the user comes as an exception. Beam logs whole tracebacks, which can hold
    text of documents.
    """
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.NullHandler())
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    warnings.filterwarnings("ignore", module="apache_beam")
    before = threading.excepthook
    if before.__module__ == __name__:  # silenced by an earlier run
        return

    def thread_failed(failed: threading.ExceptHookArgs) -> None:
        if not _is_beams(failed.exc_traceback):
            before(failed)

    threading.excepthook = thread_failed


def _is_beams(trace: TracebackType | None) -> bool:
    """Tells whether an exception went through Beam's code.

    Its threads fail whenever a run is broken off, each when it gets to run: on a busy machine that
    can be after the run has given them up.
    """
    places = (str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(trace))
    return any(place.startswith("apache_beam.") for place in places)


def _options(runner: str, workers: int, arguments: list[str]) -> Any:
    """Returns Beam's options.

    Raises:
        UsageError: Beam does not know an option, or not this value of it.
    """
    from apache_beam.options.pipeline_options import PipelineOptions, TypeOptions

    if runner == "dask":  # only then its options are known
        import_module("apache_beam.runners.dask.dask_runner")
    own = {"local": [f"--direct_num_workers={workers}"], "dataflow": ["--runner=DataflowRunner"]}
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            options = PipelineOptions([*own.get(runner, []), *arguments])
            every = options.get_all_options(retain_unknown_options=True)
            unknown = set(every) - set(options.get_all_options())
    except SystemExit:  # argparse has printed its usage and one line about the mistake
        reason = said.getvalue().strip().rsplit("error: ", 1)[-1]
        raise UsageError(
            f"Beam refused the options {' '.join(arguments)}: {reason}", _OPTIONS_HINT
        ) from None
    if unknown:
        names = ", ".join(f"--{name}" for name in sorted(unknown))
        raise UsageError(f"Beam has no option {names}", _OPTIONS_HINT)
    # The graph is always ours; to check its types takes a tenth of the time of a small run.
    options.view_as(TypeOptions).pipeline_type_check = False
    return options


_OPTIONS_HINT = (
    "What follows -- goes to Beam as --name=value; its options are listed at "
    "https://beam.apache.org/documentation/runners/."
)


def _runner(runner: str, workers: int, options: Any, stack: ExitStack) -> Any:
    if runner == "dataflow":
        return "DataflowRunner"
    if runner == "dask":
        from apache_beam.runners.dask.dask_runner import DaskRunner

        return DaskRunner()
    from apache_beam.runners.portability.fn_api_runner.fn_runner import (
        ExtendedProvisionInfo,
        FnApiRunner,
    )

    if workers == 1:
        return FnApiRunner()
    # Without this the worker processes get no options.
    from apache_beam.portability.api import beam_provision_api_pb2
    from apache_beam.runners.portability.portable_runner import JobServiceHandle
    from apache_beam.transforms.environments import SubprocessSDKEnvironment

    _let_late_workers_go()
    encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options())
    info = beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
    lifeline = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=workers + 1))
    return FnApiRunner(
        default_environment=SubprocessSDKEnvironment(worker_command(lifeline.getsockname()[1])),
        provision_info=ExtendedProvisionInfo(info),
    )


def _let_late_workers_go() -> None:
    """Ends workers also that are still starting when the run ends, as a failed one can.

    Beam tells only connected workers that there is no more work, and waits for the end of all: one
    that connects later would wait for work, and the run for it, for ever.
    """
    from apache_beam.portability import python_urns
    from apache_beam.runners.portability.fn_api_runner.worker_handlers import (
        BeamFnControlServicer,
        SubprocessSdkWorkerHandler,
        WorkerHandler,
    )

    class Handler(SubprocessSdkWorkerHandler):
        def close(self) -> None:
            self.control_conn.push(BeamFnControlServicer._DONE_MARKER)  # kept until it connects
            super().close()

    WorkerHandler.register_environment(python_urns.SUBPROCESS_SDK, bytes)(Handler)


def worker_command(port: int) -> str:
    """Returns the shell command of a worker process.

    Beam's own starts `python -m`, which finds a user's `filters.py` before ours, and breaks on
    a blank in Python's path. Ctrl-C reaches all processes of a terminal, but only the main one
    shall answer it.
    """
    code = f"from pipeline.runners import worker; worker({port})"
    return f"trap '' INT; exec {shlex.quote(sys.executable)} -P -c {shlex.quote(code)}"


def worker(port: int) -> None:
    """Works for the local runner until that ends or lets go.

    Args:
        port: Where the main process listens, without ever accepting a connection. The end of
            the connection is the end of the run, also if the main process was killed.
    """
    sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115 - until the process ends
    lifeline = socket.create_connection(("127.0.0.1", port))

    def watch() -> None:
        with suppress(OSError):
            lifeline.recv(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    silence()
    import_beam()
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(sys.argv)
