"""The optimizer's parameter groups and the learning rate."""

import math

import torch
from torch import nn

from model.config import TrainingConfig


def learning_rate(step: int, config: TrainingConfig) -> float:
    """Returns the learning rate of a step, counted from 0.

    It rises linearly over the warm-up, so that step 0 moves too, and falls as half a cosine from
    the highest rate to `min_ratio` of it, which the last step has.
    """
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    falling = max(1, config.steps - 1 - config.warmup_steps)
    progress = (step - config.warmup_steps) / falling
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return config.learning_rate * (config.min_ratio + (1 - config.min_ratio) * cosine)


def make_optimizer(model: nn.Module, config: TrainingConfig) -> torch.optim.AdamW:
    """Returns AdamW in which matrices decay, the embedding among them, and gains do not."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=True)
