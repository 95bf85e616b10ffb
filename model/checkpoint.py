"""Checkpoints: what they hold, and how they appear all at once or not at all.

RUN/checkpoints/step-00000100/ holds `model.safetensors` (the weights, readable by anything) and
`state.pt` (AdamW's moments and the counters of the run, loadable with `weights_only=True`). There
is no random state in it: data order is a function of the step, and nothing is drawn after
initialisation.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from model.decoder import Decoder
from model.errors import TrainingError

KEPT = 2
_NAME = re.compile(r"step-(\d{8,})")


@dataclass(frozen=True)
class RunState:
    """Where a run stands.

    Args:
        step: Optimizer steps done.
        seconds: Time spent on them, validation and checkpoints included, in all its sessions.
        metrics_bytes: Length of the metrics file then; what follows it is done again.
        validation: Last validation bits per byte; NaN before the first.
        threads: CPU threads in use.
    """

    step: int
    seconds: float
    metrics_bytes: int
    validation: float
    threads: int


def checkpoints(run: Path) -> list[Path]:
    """Returns the complete checkpoints of a run, oldest first."""
    if not (run / "checkpoints").is_dir():
        return []
    found = [path for path in (run / "checkpoints").iterdir() if _NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: int(path.name.removeprefix("step-")))


def save(run: Path, model: Decoder, optimizer: torch.optim.Optimizer, state: RunState) -> Path:
    """Writes a checkpoint under a temporary name, renames it, and deletes all but the last two.

    Raises:
        TrainingError: It cannot be written, for lack of space for example; earlier ones are kept.
    """
    final = run / "checkpoints" / f"step-{state.step:08d}"
    partial = final.with_name(f".{final.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        # Tied weights are one parameter with one name here.
        weights = {name: w.detach().contiguous() for name, w in model.named_parameters()}
        save_file(weights, partial / "model.safetensors", metadata={"format": "pt"})
        torch.save(
            {"run": asdict(state), "optimizer": optimizer.state_dict()}, partial / "state.pt"
        )
        for path in (*partial.iterdir(), partial):
            _flush(path)
        if final.exists():
            shutil.rmtree(final)
        partial.rename(final)
        _flush(final.parent)
    except (OSError, RuntimeError, SafetensorError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise TrainingError(
            f"cannot write the checkpoint {final}: {error}",
            "Make space or mend the cause, then run the same command again; it goes on from the "
            "last checkpoint.",
        ) from error
    for old in checkpoints(run)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def load_weights(path: Path, model: Decoder) -> None:
    """Sets a model's weights from a checkpoint, on whichever device the model is.

    Raises:
        TrainingError: The file is damaged or belongs to another model.
    """
    with _damage(path):
        weights = load_file(path / "model.safetensors")
    parameters = dict(model.named_parameters())
    shapes = {name: weight.shape for name, weight in weights.items()}
    if shapes != {name: parameter.shape for name, parameter in parameters.items()}:
        raise TrainingError(f"{path}: the weights are those of a model of another shape")
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(weights[name])


def load_state(path: Path, optimizer: torch.optim.Optimizer) -> RunState:
    """Sets an optimizer's moments from a checkpoint and returns where the run stood.

    Raises:
        TrainingError: The file is damaged.
    """
    with _damage(path):
        saved = torch.load(path / "state.pt", map_location="cpu", weights_only=True)
        optimizer.load_state_dict(saved["optimizer"])
        return RunState(**saved["run"])


@contextlib.contextmanager
def _damage(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # a damaged file raises whatever the unpickler trips over
        raise TrainingError(
            f"cannot read the checkpoint {path}: {error}",
            "Delete that directory to go on from the checkpoint before it.",
        ) from error


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
