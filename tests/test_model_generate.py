from pathlib import Path

import pytest
import torch
from rich.console import Console
from test_model_data import VOCAB, documents, write_output

from model.config import ModelConfig, TrainingConfig
from model.decoder import Decoder
from model.errors import TrainingError
from model.generate import continue_tokens, draw, generate
from model.train import train

SHAPE = ModelConfig(layers=1, width=16, heads=2, kv_heads=1, hidden=24)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generate")
    output = write_output(folder / "out", [documents(80)], documents(3, 2))
    config = TrainingConfig(
        model=SHAPE,
        sequence_length=16,
        global_batch=4,
        micro_batch=4,
        steps=60,
        learning_rate=0.02,
        validate_every=60,
        checkpoint_every=60,
        threads=1,
    )
    train(output, folder / "run", config, console=Console(quiet=True))
    return folder / "run"


def test_text_begins_with_the_prompt_and_follows_the_seed(run: Path) -> None:
    texts = [generate(run, "ABC", max_tokens=30, seed=seed) for seed in (1, 1, 2)]
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]
    assert all(text.startswith("ABC") for text in texts)
    assert all(3 < len(text) <= 33 for text in texts)


def test_greedy_text_does_not_depend_on_the_seed(run: Path) -> None:
    a, b = (generate(run, "ABC", max_tokens=9, temperature=0.0, seed=seed) for seed in (1, 2))
    assert a == b
    assert a == generate(run, "ABC", max_tokens=9, temperature=5.0, top_k=1)
    # What it learned: most tokens follow the one below them.
    assert "CDE" in a


def test_an_empty_prompt_begins_a_document(run: Path) -> None:
    assert generate(run, "", max_tokens=5)


@pytest.mark.parametrize("arguments", [{"max_tokens": 0}, {"temperature": -1.0}, {"top_k": 0}])
def test_arguments_out_of_range(run: Path, arguments: dict[str, float]) -> None:
    with pytest.raises(TrainingError, match="must be at least 1"):
        generate(run, "A", **arguments)  # type: ignore[arg-type]


def test_a_run_without_a_checkpoint(run: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((run / "config.json").read_bytes())
    with pytest.raises(TrainingError, match="no checkpoint yet"):
        generate(tmp_path, "A")


@pytest.mark.parametrize("length", [5, 8, 100])
def test_cached_decoding_equals_reading_everything_anew(length: int) -> None:
    model = Decoder(SHAPE, VOCAB).double()
    with torch.no_grad():
        for p in model.parameters():
            p.normal_(0, 0.7, generator=torch.Generator().manual_seed(p.numel()))
    prompt = [3, 1, 4]
    added = continue_tokens(model, prompt, None, 20, length, 0.0, None, torch.Generator())
    assert len(added) == 20
    tokens, begin = list(prompt), 0
    for _ in range(20):
        if len(tokens) - begin > length:
            begin = len(tokens) - max(1, length // 2)
        tokens.append(int(model(torch.tensor([tokens[begin:]]))[0, -1].argmax()))
    assert tokens == prompt + added


def test_the_end_of_a_document_stops() -> None:
    model = Decoder(SHAPE, VOCAB)
    model.initialise(1)
    free = continue_tokens(model, [3], None, 9, 100, 0.0, None, torch.Generator())
    end = free[-1]
    stopped = continue_tokens(model, [3], end, 9, 100, 0.0, None, torch.Generator())
    assert stopped == free[: free.index(end)]


def test_draws_follow_the_probabilities() -> None:
    logits = torch.tensor([0.1, 0.2, 0.3, 0.4]).log()
    generator = torch.Generator().manual_seed(0)
    drawn = [draw(logits, 1.0, None, generator) for _ in range(4000)]
    shares = torch.tensor(drawn).bincount(minlength=4) / 4000
    torch.testing.assert_close(shares, logits.exp(), rtol=0, atol=0.03)
    hot = [draw(logits, 1.0, 2, generator) for _ in range(300)]
    assert set(hot) == {2, 3}
    cold = [draw(logits, 0.05, None, generator) for _ in range(300)]
    assert cold.count(3) > 290
