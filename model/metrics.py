"""The record of a run: JSON lines, and TensorBoard where it is installed."""

import json
import os
from pathlib import Path
from typing import Any


class MetricsLog:
    """Appends records to RUN/metrics.jsonl and, as scalars, to RUN/tensorboard.

    Args:
        run: The run's directory.
        step: Steps done; TensorBoard forgets what it has beyond.
        size: Length of metrics.jsonl at that step; what follows is cut off, since those steps
            are done again.
    """

    def __init__(self, run: Path, step: int, size: int) -> None:
        self._file = (run / "metrics.jsonl").open("ab")
        self._file.truncate(min(size, self._file.tell()))
        self._board = _tensorboard(run / "tensorboard", step + 1)

    def write(self, step: int, values: dict[str, float]) -> None:
        """Appends one record, `{"step": step, **values}`."""
        self._file.write(json.dumps({"step": step, **values}).encode() + b"\n")
        self._file.flush()
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def sync(self) -> int:
        """Waits until the disk has everything and returns the length of metrics.jsonl."""
        os.fsync(self._file.fileno())
        return self._file.seek(0, os.SEEK_END)

    def close(self) -> None:
        """Closes the files."""
        self._file.close()
        if self._board is not None:
            self._board.close()


def _tensorboard(directory: Path, purge_step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(directory, purge_step=purge_step)
