import math
import subprocess
import sys

import pytest
import torch
from pydantic import ValidationError

from model.config import PRESETS, ModelConfig
from model.decoder import Decoder


@pytest.mark.parametrize(
    ("preset", "vocab_size", "millions"),
    [
        ("tiny", 4096, 1.3),
        ("small", 4096, 11.0),
        ("125m", 50_257, 121.2),
        ("350m", 50_257, 340.9),
        ("1b", 50_257, 1076.1),
    ],
)
@pytest.mark.parametrize("tied", [True, False])
def test_parameters_are_those_of_the_decoder(
    preset: str, vocab_size: int, millions: float, tied: bool
) -> None:
    config = PRESETS[preset].model.model_copy(update={"tied_embeddings": tied})
    with torch.device("meta"):
        model = Decoder(config, vocab_size)
    assert config.parameters(vocab_size) == sum(p.numel() for p in model.parameters())
    untied = 0 if tied else vocab_size * config.width / 1e6
    assert math.isclose(config.parameters(vocab_size) / 1e6, millions + untied, abs_tol=0.06)


def test_every_preset_is_described() -> None:
    assert list(PRESETS) == ["tiny", "small", "125m", "350m", "1b"]
    for config in PRESETS.values():
        assert config.global_batch % config.micro_batch == 0


def test_flops_count_the_matrices_that_tokens_meet() -> None:
    tied = ModelConfig(layers=1, width=4, heads=1, kv_heads=1, hidden=8)
    untied = tied.model_copy(update={"tied_embeddings": False})
    # Attention 4 * 4 * 4, SwiGLU 3 * 4 * 8, three norms of 4, output 10 * 4; then the scores.
    assert tied.flops_per_token(10, 16) == 6 * (64 + 96 + 12 + 40) + 12 * 4 * 16
    assert untied.flops_per_token(10, 16) == tied.flops_per_token(10, 16)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": 5}, "width 384 must be a multiple of twice the heads"),
        ({"kv_heads": 4}, "heads 6 must be a multiple of kv_heads 4"),
    ],
)
def test_heads_must_divide(changes: dict[str, int], message: str) -> None:
    shape = PRESETS["small"].model.model_dump()
    with pytest.raises(ValidationError, match=message):
        ModelConfig.model_validate(shape | changes)


def test_import_does_not_load_torch() -> None:
    code = "import sys, model, model.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
