import json
import math
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.numpy import load_file
from test_model_data import VOCAB, documents, write_output

import model.train
from model.config import ModelConfig, TrainingConfig
from model.data import Windows, open_corpus
from model.decoder import Decoder, token_nats
from model.errors import TrainingError
from model.optimization import make_optimizer
from model.run import TrainingResult
from model.train import train, train_step

SHAPE = ModelConfig(layers=2, width=16, heads=2, kv_heads=1, hidden=24)
CONFIG = TrainingConfig(
    model=SHAPE,
    sequence_length=16,
    global_batch=6,
    micro_batch=4,
    steps=12,
    learning_rate=0.02,
    validate_every=5,
    checkpoint_every=4,
    threads=1,
)
MEASURED = ("tokens_per_second", "peak_share")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return write_output(tmp_path / "out", [documents(60), documents(40, 1)], documents(8, 2))


def quiet_train(output: Path, run: Path, config: TrainingConfig = CONFIG) -> TrainingResult:
    return train(output, run, config, console=Console(quiet=True))


def changed(**changes: object) -> TrainingConfig:
    return TrainingConfig.model_validate(CONFIG.model_dump() | changes)


def metrics(run: Path) -> list[dict[str, float]]:
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in record.items() if k not in MEASURED} for record in records]


def assert_same_run(a: Path, b: Path) -> None:
    """Weights, moments, metrics and results are equal bit for bit."""
    names = [[path.name for path in sorted((run / "checkpoints").iterdir())] for run in (a, b)]
    assert names[0] == names[1]
    for name in names[0]:
        left, right = (run / "checkpoints" / name / "model.safetensors" for run in (a, b))
        assert left.read_bytes() == right.read_bytes()
        states = [
            torch.load(run / "checkpoints" / name / "state.pt", weights_only=True)["optimizer"]
            for run in (a, b)
        ]
        assert states[0]["param_groups"] == states[1]["param_groups"]
        assert states[0]["state"].keys() == states[1]["state"].keys()
        for key, moments in states[0]["state"].items():
            for moment, value in moments.items():
                assert torch.equal(value, states[1]["state"][key][moment])
    assert metrics(a) == metrics(b)
    results = [json.loads((run / "result.json").read_text()) for run in (a, b)]
    assert results[0].pop("seconds") != results[1].pop("seconds")
    assert results[0] == results[1]


def test_a_run_learns_and_says_what_it_did(output: Path, tmp_path: Path) -> None:
    screen = StringIO()
    console = Console(file=screen, width=200)
    config = changed(steps=150, validate_every=50, checkpoint_every=60)
    result = train(output, tmp_path / "run", config, console=console)
    assert result.validation_bits_per_byte < 0.75 * result.unigram_bits_per_byte
    assert 0 < result.bigram_bits_per_byte < result.unigram_bits_per_byte
    assert result.tokens == 150 * 6 * 16
    assert result.parameters == SHAPE.parameters(VOCAB)
    assert result.trained_now
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "checkpoints",
        "config.json",
        "metrics.jsonl",
        "result.json",
        "tensorboard",
        "tokenizer.json",
    ]
    kept = sorted(p.name for p in (tmp_path / "run" / "checkpoints").iterdir())
    assert kept == ["step-00000120", "step-00000150"]
    records = metrics(tmp_path / "run")
    assert [r["step"] for r in records if "loss" in r] == list(range(1, 151))
    validated = {r["step"]: r["validation_bits_per_byte"] for r in records if "loss" not in r}
    assert list(validated) == [50, 100, 150]
    assert validated[150] == result.validation_bits_per_byte
    assert math.log(VOCAB) < records[0]["loss"] < math.log(VOCAB) + 1
    text = screen.getvalue()
    assert f"unigram {result.unigram_bits_per_byte:.4f}" in text
    assert "step 150/150 · loss" in text
    assert "tokens/s" in text
    assert "of peak" in text
    assert "0 s left" in text
    assert "step 100/150 · validation" in text


def test_a_finished_run_is_left_alone(output: Path, tmp_path: Path) -> None:
    result = quiet_train(output, tmp_path / "run")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*step*/*")}
    screen = StringIO()
    again = train(output, tmp_path / "run", CONFIG, console=Console(file=screen, width=200))
    assert "is finished: 12 steps. Nothing to do." in screen.getvalue()
    assert not again.trained_now
    assert vars(again) | {"trained_now": True} == vars(result)
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*step*/*")}


@pytest.mark.parametrize("at", [1, 3, 9, 11])
@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_interrupted_and_resumed_equals_uninterrupted(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, precision: str
) -> None:
    config = changed(precision=precision)
    quiet_train(output, tmp_path / "a", config)
    screen = StringIO()
    with monkeypatch.context() as patch:

        def ctrl_c(step: int, config: TrainingConfig) -> float:
            if step == at:
                signal.raise_signal(signal.SIGINT)
            return learning_rate(step, config)

        learning_rate = model.train.learning_rate
        patch.setattr(model.train, "learning_rate", ctrl_c)
        with pytest.raises(KeyboardInterrupt):
            train(output, tmp_path / "b", config, console=Console(file=screen, width=300))
    assert f"Stopped after step {at} of 12" in screen.getvalue()
    assert "Run the same command again" in screen.getvalue()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not (tmp_path / "b" / "result.json").exists()
    quiet_train(output, tmp_path / "b", config)
    for name in ("step-00000008", "step-00000012"):  # a stop adds a checkpoint of its own
        left, right = (tmp_path / run / "checkpoints" / name / "model.safetensors" for run in "ab")
        if right.exists() or name.endswith("12"):
            assert left.read_bytes() == right.read_bytes()
    assert metrics(tmp_path / "a") == metrics(tmp_path / "b")


_SLOW_RUN = """
import sys, time
from pathlib import Path
from rich.console import Console
import model.train
from model.config import TrainingConfig

step = model.train.train_step
def slow_step(*arguments):
    time.sleep(0.1)
    return step(*arguments)
model.train.train_step = slow_step
config = TrainingConfig.model_validate_json(sys.argv[3])
model.train.train(Path(sys.argv[1]), Path(sys.argv[2]), config, console=Console(quiet=True))
"""


@pytest.mark.slow
def test_killed_and_resumed_equals_uninterrupted(output: Path, tmp_path: Path) -> None:
    run = tmp_path / "b"
    process = subprocess.Popen(
        [sys.executable, "-c", _SLOW_RUN, output, run, CONFIG.model_dump_json()]
    )
    try:
        deadline = time.monotonic() + 120
        while len(metrics(run) if (run / "metrics.jsonl").exists() else []) < 8:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == -signal.SIGKILL
    assert not (run / "result.json").exists()
    # More was recorded than the checkpoint holds, so resuming has steps to do again.
    assert [p.name for p in (run / "checkpoints").iterdir()] == ["step-00000004"]
    quiet_train(output, run)
    quiet_train(output, tmp_path / "a")
    assert_same_run(tmp_path / "a", run)


def test_two_runs_are_the_same_and_leave_torchs_random_numbers_alone(
    output: Path, tmp_path: Path
) -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    quiet_train(output, tmp_path / "a")
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    quiet_train(output, tmp_path / "b")
    assert_same_run(tmp_path / "a", tmp_path / "b")


def test_seed_decides_weights_and_order(output: Path, tmp_path: Path) -> None:
    results = [
        quiet_train(output, tmp_path / str(seed), changed(seed=seed)).validation_bits_per_byte
        for seed in (1, 2)
    ]
    assert results[0] != results[1]


@pytest.mark.parametrize("micro_batch", [1, 2, 4, 5, 7])
def test_accumulated_gradients_equal_those_of_one_batch(output: Path, micro_batch: int) -> None:
    corpus = open_corpus(output)
    batch = Windows(corpus.train, 16, 7, 0).read(np.arange(7))
    config = changed(global_batch=7, micro_batch=micro_batch, precision="fp32", clip=0.1)
    decoder = Decoder(SHAPE, VOCAB)
    decoder.initialise(3)
    decoder.double()
    tokens = torch.from_numpy(batch)
    loss = token_nats(decoder(tokens[:, :-1]), tokens[:, 1:]).mean()
    expected = torch.autograd.grad(loss, list(decoder.parameters()))
    norm = torch.stack([g.norm() for g in expected]).norm()
    outcome = train_step(
        decoder, make_optimizer(decoder, config), batch, 0.01, config, lambda: False
    )
    assert outcome == pytest.approx((loss.item(), norm.item()), rel=1e-12)
    assert norm > 0.1
    for parameter, gradient in zip(decoder.parameters(), expected, strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(
            parameter.grad, gradient * 0.1 / (norm + 1e-6), rtol=1e-9, atol=1e-12
        )


def test_micro_batches_do_not_change_what_is_read(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[list[np.ndarray]] = [[], []]
    step = model.train.train_step
    for k, micro_batch in enumerate((1, 6)):
        monkeypatch.setattr(
            model.train, "train_step", lambda *a, k=k: read[k].append(a[2]) or step(*a)
        )
        config = changed(micro_batch=micro_batch, precision="fp32")
        quiet_train(output, tmp_path / str(micro_batch), config)
    assert len(read[0]) == 12
    np.testing.assert_array_equal(np.stack(read[0]), np.stack(read[1]))
    a, b = (
        load_file(tmp_path / run / "checkpoints" / "step-00000012" / "model.safetensors")
        for run in ("1", "6")
    )
    for name, weight in a.items():
        np.testing.assert_allclose(weight, b[name], rtol=0, atol=2e-3)


def test_a_stop_between_micro_batches_leaves_the_weights(output: Path) -> None:
    batch = Windows(open_corpus(output).train, 16, 6, 0).read(np.arange(6))
    decoder = Decoder(SHAPE, VOCAB)
    decoder.initialise(3)
    before = [p.detach().clone() for p in decoder.parameters()]
    answers = iter((False, True))
    optimizer = make_optimizer(decoder, CONFIG)
    outcome = train_step(decoder, optimizer, batch, 0.01, CONFIG, lambda: next(answers))
    assert outcome is None
    assert all(torch.equal(a, b) for a, b in zip(before, decoder.parameters(), strict=True))


def test_a_diverging_run_says_so(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model.train, "train_step", lambda *_: (math.nan, 1.0))
    with pytest.raises(TrainingError, match="loss is nan at step 1") as caught:
        quiet_train(output, tmp_path / "run")
    assert "learning_rate" in caught.value.hint


def test_too_few_tokens_leave_no_run_behind(output: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="do not fill one sequence"):
        quiet_train(output, tmp_path / "run", changed(sequence_length=100_000))
    assert not (tmp_path / "run").exists()
