"""The commands of the trainer: settings and errors in the form of the command line."""

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from model.config import PRESETS, TrainingConfig
from model.errors import TrainingError
from pipeline.errors import UsageError, UserError
from pipeline.settings import parse_overrides, validate


@contextmanager
def user_errors() -> Iterator[None]:
    """Turns the trainer's errors, which know nothing of the command line, into its own."""
    try:
        yield
    except TrainingError as error:
        raise UserError(error.message, error.hint) from None


def training_config(preset: str, overrides: Iterable[str]) -> TrainingConfig:
    """Returns a preset's settings with `dotted.key=value` overrides.

    Raises:
        UsageError: there is no such preset, or the settings have mistakes.
    """
    if preset not in PRESETS:
        raise UsageError(f"no preset named {preset}", f"There are: {', '.join(PRESETS)}.")
    return validate(
        TrainingConfig,
        PRESETS[preset].model_dump(),
        overrides=parse_overrides(overrides),
        origin=f"preset {preset}",
    )


def train(output: Path, run: Path, config: TrainingConfig, console: Console) -> dict[str, Any]:
    """Trains a decoder, showing progress, and returns the result's fields.

    Raises:
        UserError: the output or the run directory cannot be used.
        KeyboardInterrupt: after Ctrl-C, when a checkpoint is written.
    """
    # Threads that wait spin for microseconds, not milliseconds: as fast on idle cores, and a
    # quarter faster where others use the cores too. Read once, when torch is imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    from model.train import train as pretrain

    with user_errors():
        return dataclasses.asdict(pretrain(output, run, config, console=console))


def print_result(result: dict[str, Any], run: Path, console: Console, as_json: bool) -> None:
    """Prints the decoder's bits per byte beside those of the baselines."""
    if as_json:
        print(json.dumps({**result, "run": str(run)}))
        return
    table = Table("model", "validation bits per byte", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for name in ("unigram", "bigram", "validation"):
        label = "decoder" if name == "validation" else name
        table.add_row(label, f"{result[f'{name}_bits_per_byte']:.4f}")
    console.print(table)
    console.print(
        Text(
            f"{result['parameters']:,} parameters, {result['steps']:,} steps, "
            f"{result['tokens']:,} tokens in {result['seconds']:.0f} s"
        )
    )
    console.print(Text(f"checkpoints: {run}"))


def generated(
    run: Path, prompt: str, max_tokens: int, temperature: float, top_k: int | None, seed: int
) -> str:
    """Returns a prompt and the text that the run's last checkpoint adds to it.

    Raises:
        UserError: the run has no checkpoint.
    """
    from model.generate import generate

    with user_errors():
        return generate(
            run, prompt, max_tokens=max_tokens, temperature=temperature, top_k=top_k, seed=seed
        )
