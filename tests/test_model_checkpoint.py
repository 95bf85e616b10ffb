import errno
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from model import checkpoint
from model.checkpoint import RunState, checkpoints, load_state, load_weights, save
from model.config import PRESETS, ModelConfig
from model.decoder import Decoder
from model.errors import TrainingError
from model.optimization import make_optimizer

SHAPE = ModelConfig(layers=1, width=8, heads=2, kv_heads=1, hidden=4)


def trained(shape: ModelConfig = SHAPE) -> tuple[Decoder, torch.optim.Optimizer]:
    model = Decoder(shape, 16)
    model.initialise(1)
    optimizer = make_optimizer(model, PRESETS["tiny"])
    model(torch.arange(6)[None]).square().sum().backward()
    optimizer.step()
    return model, optimizer


def state(step: int) -> RunState:
    return RunState(step, 1.5, 77, 2.25, 1)


def test_round_trip_is_exact(tmp_path: Path) -> None:
    model, optimizer = trained()
    path = save(tmp_path, model, optimizer, state(3))
    assert path == tmp_path / "checkpoints" / "step-00000003"
    other = Decoder(SHAPE, 16)
    other_optimizer = make_optimizer(other, PRESETS["tiny"])
    load_weights(path, other)
    assert load_state(path, other_optimizer) == state(3)
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        for name, moment in optimizer.state[a].items():
            assert torch.equal(moment, other_optimizer.state[b][name])
            assert moment.abs().sum() > 0


@pytest.mark.parametrize("tied", [True, False])
def test_weights_are_plain_safetensors(tmp_path: Path, tied: bool) -> None:
    model, optimizer = trained(SHAPE.model_copy(update={"tied_embeddings": tied}))
    path = save(tmp_path, model, optimizer, state(1))
    with safe_open(path / "model.safetensors", "pt") as file:
        assert set(file.keys()) == {name for name, _ in model.named_parameters()}
        assert ("output.weight" in file.keys()) is not tied  # noqa: SIM118  (not a dict)
        assert file.metadata() == {"format": "pt"}


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    model, optimizer = trained()
    for step in (1, 2, 99_999_999, 100_000_000):
        save(tmp_path, model, optimizer, state(step))
    names = [path.name for path in checkpoints(tmp_path)]
    assert names == ["step-99999999", "step-100000000"]
    assert len(list((tmp_path / "checkpoints").iterdir())) == 2


def test_an_unfinished_checkpoint_is_not_one(tmp_path: Path) -> None:
    assert checkpoints(tmp_path) == []
    (tmp_path / "checkpoints" / ".step-00000009.partial").mkdir(parents=True)
    assert checkpoints(tmp_path) == []
    model, optimizer = trained()
    assert checkpoints(tmp_path) == []
    save(tmp_path, model, optimizer, state(9))
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000009"]


def test_a_full_disk_keeps_the_earlier_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, optimizer = trained()
    save(tmp_path, model, optimizer, state(1))

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint.torch, "save", full)
    with pytest.raises(TrainingError, match="No space left on device"):
        save(tmp_path, model, optimizer, state(2))
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000001"]


@pytest.mark.parametrize(
    ("name", "load"), [("model.safetensors", load_weights), ("state.pt", load_state)]
)
def test_a_damaged_checkpoint_is_named(
    tmp_path: Path, name: str, load: Callable[[Path, object], object]
) -> None:
    model, optimizer = trained()
    path = save(tmp_path, model, optimizer, state(1))
    (path / name).write_bytes((path / name).read_bytes()[:-100])
    with pytest.raises(TrainingError, match="step-00000001") as caught:
        load(path, optimizer if name == "state.pt" else model)
    assert "Delete that directory" in caught.value.hint


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    model, optimizer = trained()
    path = save(tmp_path, model, optimizer, state(1))
    torch.save({"run": print, "optimizer": optimizer.state_dict()}, path / "state.pt")
    with pytest.raises(TrainingError, match="cannot read the checkpoint"):
        load_state(path, optimizer)


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path, *trained(), state(1))
    other = Decoder(SHAPE.model_copy(update={"hidden": 5}), 16)
    with pytest.raises(TrainingError, match="another shape"):
        load_weights(path, other)
