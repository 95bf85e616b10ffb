"""Runs a Beam graph on the runner that the user named."""

import logging
import os
import warnings
from collections.abc import Callable
from typing import Any

from pipeline.errors import UsageError, UserError, from_worker

RUNNERS = ("local", "dask", "dataflow")


def execute(build: Callable[[Any], None], runner: str, workers: int, arguments: list[str]) -> None:
    """Builds and runs a pipeline, and waits for its end.

    Args:
        build: Adds the steps to a `beam.Pipeline`.
        runner: One of RUNNERS.
        workers: Processes of the local runner; 1 stays in this process.
        arguments: Options for Beam's PipelineOptions.

    Raises:
        UserError: a worker failed in a way that the user can mend.
        UsageError: the runner's extra is not installed, or Beam refuses an option.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false" if workers > 1 else "true")
    logging.getLogger().setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="apache_beam")
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    try:
        options = PipelineOptions(_options(runner, workers) + arguments)
        chosen = _runner(runner, workers, options)
        pipeline = beam.Pipeline(runner=chosen, options=options)
        build(pipeline)
        pipeline.run().wait_until_finish()
    except SystemExit:  # argparse's answer to an option that it does not know
        raise UsageError(f"Beam refused the options {' '.join(arguments)}") from None
    except ImportError as error:
        raise UsageError(
            f"the runner {runner} is not installed ({error.name})",
            f"Install it: pip install 'gristmill[{'gcp' if runner == 'dataflow' else runner}]'",
        ) from None
    except UserError:
        raise
    except Exception as error:
        mended = from_worker(error)
        if mended is None:
            raise
        raise mended from None


def _options(runner: str, workers: int) -> list[str]:
    if runner == "local" and workers > 1:
        return [
            "--direct_running_mode=multi_processing",
            f"--direct_num_workers={workers}",
            "--default_sdk_harness_log_level=ERROR",
        ]
    if runner == "dataflow":
        return ["--runner=DataflowRunner"]
    return []


def _runner(runner: str, workers: int, options: Any) -> Any:
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
    # Without this the worker processes get no options, and log at INFO.
    from apache_beam.portability.api import beam_provision_api_pb2
    from apache_beam.runners.portability.portable_runner import JobServiceHandle

    encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options())
    info = beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
    return FnApiRunner(provision_info=ExtendedProvisionInfo(info))
