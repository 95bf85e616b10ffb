import math
from itertools import pairwise

import pytest
import torch

from model.config import PRESETS, ModelConfig, TrainingConfig
from model.decoder import Decoder
from model.optimization import learning_rate, make_optimizer


def schedule(**changes: float) -> TrainingConfig:
    fields = {"steps": 101, "learning_rate": 2.0, "warmup_ratio": 0.1, "min_ratio": 0.1}
    return TrainingConfig.model_validate(PRESETS["tiny"].model_dump() | fields | changes)


def test_schedule_values() -> None:
    config = schedule()
    assert config.warmup_steps == 10
    rates = [learning_rate(step, config) for step in range(101)]
    assert rates[:10] == pytest.approx([0.2 * (k + 1) for k in range(10)])
    assert rates[10] == 2.0
    assert rates[55] == pytest.approx(0.2 + 1.8 * 0.5)  # half way from step 10 to step 100
    assert rates[100] == pytest.approx(0.2)
    assert all(a > b for a, b in pairwise(rates[10:]))


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("warmup_ratio", [0.0, 0.5, 0.99])
def test_short_runs_have_a_schedule(steps: int, warmup_ratio: float) -> None:
    config = schedule(steps=steps, warmup_ratio=warmup_ratio)
    for step in range(steps):
        assert 0 < learning_rate(step, config) <= 2.0


def test_matrices_decay_and_gains_do_not() -> None:
    model = Decoder(ModelConfig(layers=2, width=8, heads=2, kv_heads=1, hidden=4), 16)
    config = schedule(weight_decay=0.3)
    decaying, free = make_optimizer(model, config).param_groups
    assert (decaying["weight_decay"], free["weight_decay"]) == (0.3, 0.0)
    assert len(decaying["params"]) == 1 + 2 * 7  # the tied embedding once
    assert len(free["params"]) == 1 + 2 * 2
    assert {p.ndim for p in decaying["params"]} == {2}
    assert {p.ndim for p in free["params"]} == {1}


def test_a_step_is_adamws() -> None:
    """Loshchilov & Hutter, 2019, algorithm 2, first step: the moments' bias cancels."""
    model = torch.nn.Linear(3, 2)
    config = schedule(weight_decay=0.5, learning_rate=0.01)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = torch.full_like(p, -3.0)
    make_optimizer(model, config).step()
    torch.testing.assert_close(model.weight, before["weight"] * (1 - 0.01 * 0.5) + 0.01)
    torch.testing.assert_close(model.bias, before["bias"] + 0.01)
    assert math.isclose(config.betas[1], 0.95)
