"""Pretraining: from token shards to a decoder, in steps that a crash does not lose."""

import math
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from model import checkpoint
from model.baselines import Baselines, baselines
from model.checkpoint import RunState
from model.config import TrainingConfig
from model.data import Corpus, Windows, open_corpus
from model.decoder import Decoder, token_nats
from model.errors import TrainingError
from model.hardware import keep_freed_memory, matmul_peak, pick_device
from model.metrics import MetricsLog
from model.optimization import learning_rate, make_optimizer
from model.progress import ProgressLine, duration
from model.run import TrainingResult, prepare, read_result, write_result
from model.validation import autocast, bits_per_byte


def train(
    output: Path, run: Path, config: TrainingConfig, *, console: Console | None = None
) -> TrainingResult:
    """Trains a decoder on a pipeline output, or goes on with a run that was cut off.

    The same arguments resume the run from its last checkpoint; of a finished run the result is
    returned again. On one CPU with the same number of threads, a resumed run equals one that was
    never cut off, bit for bit.

    Args:
        output: A finished output of the pipeline.
        run: Directory for checkpoints, metrics and the tokenizer; made if absent.
        config: The settings.
        console: Where progress goes; standard error if absent.

    Raises:
        TrainingError: The output or the run cannot be used; the message says what to do.
        KeyboardInterrupt: After Ctrl-C, when the checkpoint is written.
    """
    console = console or Console(stderr=True)
    keep_freed_memory()
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    corpus = open_corpus(output)
    windows = Windows(corpus.train, config.sequence_length, config.global_batch, config.seed)
    prepare(output, run, config, corpus)
    finished = read_result(run)
    if finished is not None:
        console.print(
            f"The run in {run} is finished: {finished.steps} steps. Nothing to do.",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        return finished
    with _StopRequest() as stop:
        return _Session(run, config, corpus, windows, console, stop).train()


class _StopRequest:
    """Turns the first Ctrl-C into a request that is met between two micro-batches."""

    def __init__(self) -> None:
        self.made = False

    def __enter__(self) -> Self:
        self._before: Any = None
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._request)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _request(self, _number: int, _frame: FrameType | None) -> None:
        if self.made:  # the second time, at once
            raise KeyboardInterrupt
        self.made = True


class _Session:
    """One process's part of a run: from the last checkpoint to the end, or to a stop."""

    def __init__(
        self,
        run: Path,
        config: TrainingConfig,
        corpus: Corpus,
        windows: Windows,
        console: Console,
        stop: _StopRequest,
    ) -> None:
        self.run, self.config, self.corpus, self.windows = run, config, corpus, windows
        self.stop = stop
        self.device = pick_device()
        with torch.random.fork_rng(devices=[]):  # layers draw weights when they are made
            self.model = Decoder(config.model, corpus.vocab_size)
        self.state = RunState(0, 0.0, 0, math.nan, torch.get_num_threads())
        found = checkpoint.checkpoints(run)
        if found:
            checkpoint.load_weights(found[-1], self.model)
        else:
            self.model.initialise(config.seed)
        self.model.to(self.device)
        self.optimizer = make_optimizer(self.model, config)
        if found:
            self.state = checkpoint.load_state(found[-1], self.optimizer)
        self.begun = time.perf_counter() - self.state.seconds
        self.saved_step = self.state.step
        self.metrics = MetricsLog(run, self.state.step, self.state.metrics_bytes)
        self.progress = ProgressLine(console, config.steps, self.state.step)

    def train(self) -> TrainingResult:
        """Runs the steps that are left."""
        try:
            reference = baselines(self.corpus)
            self._announce(reference)
            dtype = torch.bfloat16 if self.config.precision == "bf16" else torch.float32
            peak = matmul_peak(self.device, dtype)
            self.begun = time.perf_counter() - self.state.seconds
            for step in range(self.state.step, self.config.steps):
                if not self._step(step, peak):
                    self._interrupt()
            return self._finish(reference)
        finally:
            self.progress.close()
            self.metrics.close()

    def _step(self, step: int, peak: float) -> bool:
        """Trains, records, validates and saves; False if a stop was asked for before the end."""
        config = self.config
        begin = time.perf_counter()
        rate = learning_rate(step, config)
        batch = self.windows.read(self.windows.of_step(step))
        outcome = train_step(
            self.model, self.optimizer, batch, rate, config, lambda: self.stop.made
        )
        if outcome is None:
            return False
        loss, norm = outcome
        seconds = time.perf_counter() - begin
        done = step + 1
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss} at step {done}: training has diverged",
                "Start a new run with a lower learning_rate or a longer warm-up.",
            )
        flops = config.model.flops_per_token(self.corpus.vocab_size, config.sequence_length)
        share = flops * config.tokens_per_step / seconds / peak
        record = {
            "loss": loss,
            "learning_rate": rate,
            "gradient_norm": norm,
            "tokens": done * config.tokens_per_step,
            "tokens_per_second": round(config.tokens_per_step / seconds, 1),
            "peak_share": round(share, 4),
        }
        self.metrics.write(done, record)
        self.progress.update(done, loss, seconds, config.tokens_per_step, share)
        validation = self.state.validation
        if done % config.validate_every == 0 or done == config.steps:
            validation = self._validate(done)
        self.state = RunState(
            done,
            time.perf_counter() - self.begun,
            self.state.metrics_bytes,
            validation,
            torch.get_num_threads(),
        )
        if done % config.checkpoint_every == 0 or done == config.steps:
            self._save()
        return True

    def _validate(self, done: int) -> float:
        config = self.config
        value = bits_per_byte(
            self.model,
            self.corpus.validation,
            config.sequence_length,
            config.micro_batch,
            config.precision,
        )
        self.metrics.write(done, {"validation_bits_per_byte": value})
        self.progress.note(f"step {done}/{config.steps} · validation {value:.4f} bits per byte")
        return value

    def _save(self) -> None:
        self.state = RunState(**{**vars(self.state), "metrics_bytes": self.metrics.sync()})
        checkpoint.save(self.run, self.model, self.optimizer, self.state)
        self.saved_step = self.state.step

    def _interrupt(self) -> None:
        if self.state.step > self.saved_step:
            self._save()
        self.progress.close()
        self.progress.note(
            f"Stopped after step {self.state.step} of {self.config.steps}, which is saved in "
            f"{self.run}. Run the same command again to go on."
        )
        raise KeyboardInterrupt

    def _announce(self, reference: Baselines) -> None:
        config, corpus = self.config, self.corpus
        epochs = config.steps * config.global_batch / self.windows.count
        counted = (
            "" if reference.tokens == len(corpus.train) else f" of {reference.tokens:,} tokens"
        )
        self.progress.note(
            f"{config.model.parameters(corpus.vocab_size):,} parameters, "
            f"{len(corpus.train):,} training tokens, {config.steps} steps of "
            f"{config.tokens_per_step:,} tokens ({epochs:.2f} epochs), {self.device.type}\n"
            f"validation bits per byte: unigram{counted} {reference.unigram:.4f}, "
            f"bigram{counted} {reference.bigram:.4f}"
        )
        if self.state.step:
            self.progress.note(f"Going on after step {self.state.step}.")
            if self.state.threads != torch.get_num_threads():
                self.progress.note(
                    f"It ran with {self.state.threads} threads and goes on with "
                    f"{torch.get_num_threads()}: sums are rounded differently, about 1e-7."
                )

    def _finish(self, reference: Baselines) -> TrainingResult:
        config, state = self.config, self.state
        result = TrainingResult(
            validation_bits_per_byte=state.validation,
            unigram_bits_per_byte=reference.unigram,
            bigram_bits_per_byte=reference.bigram,
            tokens=config.steps * config.tokens_per_step,
            seconds=state.seconds,
            parameters=config.model.parameters(self.corpus.vocab_size),
            steps=config.steps,
        )
        write_result(self.run, result)
        self.progress.note(f"{config.steps} steps in {duration(state.seconds)}.")
        return result


def train_step(
    model: Decoder,
    optimizer: torch.optim.Optimizer,
    batch: NDArray[np.int64],
    rate: float,
    config: TrainingConfig,
    stop: Callable[[], bool],
) -> tuple[float, float] | None:
    """Makes one optimizer step on a global batch, a micro-batch at a time.

    Args:
        model: The decoder.
        optimizer: Its optimizer.
        batch: Tokens, [global_batch, sequence_length + 1].
        rate: Learning rate of the step.
        config: The settings.
        stop: Asked before each micro-batch; if it says True, the weights stay as they are.

    Returns:
        Loss in nats per token and norm of the gradient before clipping, or None if stopped.
    """
    device = next(model.parameters()).device
    optimizer.zero_grad(set_to_none=True)
    targets_in_all = batch.shape[0] * (batch.shape[1] - 1)
    nats = torch.zeros((), dtype=torch.float64, device=device)
    for start in range(0, len(batch), config.micro_batch):
        if stop():
            return None
        tokens = torch.from_numpy(batch[start : start + config.micro_batch]).to(device)
        with autocast(device, config.precision):
            micro_nats = token_nats(model(tokens[:, :-1]), tokens[:, 1:]).sum()
        # Every token counts the same, also where the last micro-batch is smaller.
        (micro_nats / targets_in_all).backward()
        nats += micro_nats.detach()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    return nats.item() / targets_in_all, norm.item()
