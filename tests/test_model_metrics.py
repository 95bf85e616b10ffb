import json
from pathlib import Path

import pytest

from model.metrics import MetricsLog


def read(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_what_follows_the_checkpoint_is_cut_off(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path, 0, 0)
    log.write(1, {"loss": 3.0})
    size = log.sync()
    log.write(2, {"loss": 2.0})
    log.close()
    assert (tmp_path / "metrics.jsonl").stat().st_size > size
    log = MetricsLog(tmp_path, 1, size)
    log.write(2, {"loss": 2.5})
    log.close()
    assert read(tmp_path) == [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.5}]


def test_a_lost_file_begins_anew(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path, 7, 5000)
    log.write(8, {"loss": 2.0})
    log.close()
    assert read(tmp_path) == [{"step": 8, "loss": 2.0}]


def test_records_are_there_at_once(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path, 0, 0)
    log.write(1, {"loss": 3.0})
    assert read(tmp_path) == [{"step": 1, "loss": 3.0}]
    log.close()


def test_tensorboard_has_the_scalars(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    log = MetricsLog(tmp_path, 0, 0)
    for step in (1, 2):
        log.write(step, {"loss": step / 2})
    log.close()
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(1, 0.5), (2, 1.0)]


def test_tensorboard_is_optional(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    log = MetricsLog(tmp_path, 0, 0)
    log.write(1, {"loss": 3.0})
    log.close()
    assert read(tmp_path) == [{"step": 1, "loss": 3.0}]
    assert not (tmp_path / "tensorboard").exists()
