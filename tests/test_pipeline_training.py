from pathlib import Path

import pytest

from model.config import PRESETS
from model.errors import TrainingError
from pipeline.errors import UsageError, UserError
from pipeline.training import generated, training_config, user_errors


def test_overrides_reach_both_levels() -> None:
    config = training_config("tiny", ["steps=7", "model.layers=2"])
    assert (config.steps, config.model.layers) == (7, 2)
    assert config.model.width == PRESETS["tiny"].model.width
    assert PRESETS["tiny"].steps != 7


def test_unknown_preset_lists_what_there_is() -> None:
    with pytest.raises(UsageError, match="no preset named tny") as caught:
        training_config("tny", [])
    assert "tiny, small" in caught.value.hint


def test_all_mistakes_are_listed_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        training_config("tiny", ["stepz=3", "model.layer=1", "clip=0", "precision=fp8"])
    lines = caught.value.message.splitlines()
    assert sorted(lines) == [
        "--set clip: expected greater than 0",
        "--set model.layer: unknown key; did you mean layers?",
        "--set precision: expected 'bf16' or 'fp32'",
        "--set stepz: unknown key; did you mean steps?",
    ]


def test_heads_that_do_not_divide_the_width() -> None:
    with pytest.raises(UsageError, match="must be a multiple of twice the heads"):
        training_config("small", ["model.heads=5"])


def test_the_trainers_errors_keep_message_and_hint() -> None:
    with pytest.raises(UserError) as caught, user_errors():
        raise TrainingError("what is wrong", "what to do")
    assert (caught.value.message, caught.value.hint) == ("what is wrong", "what to do")


def test_generating_without_a_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=str(tmp_path)):
        generated(tmp_path, "x", 5, 0.0, None, 0)
