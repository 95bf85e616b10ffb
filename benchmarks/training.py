"""Measures training speed: tokens per second, and its share of a matrix product's.

    python benchmarks/training.py [--presets tiny small] [--seconds 10] [--threads N]

Every preset trains on random tokens with a vocabulary of 4,096 for some seconds, after a warm-up;
the best and the median step are shown. The peak is the best matrix product of the same machine in
the same precision, so the share can be compared between machines; the rate cannot. Other work on
the machine shows as a median far from the best.
"""

import argparse
import statistics
import time

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from model.config import PRESETS, TrainingConfig
from model.decoder import Decoder
from model.hardware import keep_freed_memory, matmul_peak, pick_device
from model.optimization import make_optimizer
from model.train import train_step

VOCAB_SIZE = 4096


def step_seconds(config: TrainingConfig, seconds: float) -> list[float]:
    """Returns the time of each step that was made within `seconds`, three at least."""
    device = pick_device()
    model = Decoder(config.model, VOCAB_SIZE)
    model.initialise(config.seed)
    model.to(device)
    optimizer = make_optimizer(model, config)
    shape = (config.global_batch, config.sequence_length + 1)
    batch = np.random.default_rng(0).integers(VOCAB_SIZE, size=shape)
    times: list[float] = []
    for _ in range(3):
        train_step(model, optimizer, batch, config.learning_rate, config, lambda: False)
    while sum(times) < seconds or len(times) < 3:
        begin = time.perf_counter()
        # The loss is fetched at the end of a step, so a GPU has finished it.
        train_step(model, optimizer, batch, config.learning_rate, config, lambda: False)
        times.append(time.perf_counter() - begin)
    return times


def main() -> None:
    """Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=["tiny", "small"])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    keep_freed_memory()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = pick_device()
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    table = Table(title=f"{name}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    for column in ("preset", "precision", "parameters", "tokens/s, best", "median", "of peak"):
        table.add_column(column, justify="right")
    table.add_column("peak, GFLOP/s", justify="right")
    for preset in arguments.presets:
        for precision, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
            config = PRESETS[preset].model_copy(update={"precision": precision})
            peak = matmul_peak(device, dtype)
            times = step_seconds(config, arguments.seconds)
            best, median = (
                config.tokens_per_step / t for t in (min(times), statistics.median(times))
            )
            flops = config.model.flops_per_token(VOCAB_SIZE, config.sequence_length)
            table.add_row(
                preset,
                precision,
                f"{config.model.parameters(VOCAB_SIZE):,}",
                f"{best:,.0f}",
                f"{median:,.0f}",
                f"{best * flops / peak:.0%}",
                f"{peak / 1e9:,.0f}",
            )
    Console().print(table)


if __name__ == "__main__":
    main()
