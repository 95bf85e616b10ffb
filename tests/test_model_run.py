import json
from pathlib import Path

import pytest
from test_model_data import documents, write_output

from model.config import PRESETS, TrainingConfig
from model.data import Corpus, open_corpus
from model.errors import TrainingError
from model.run import TrainingResult, prepare, read_description, read_result, write_result

CONFIG = PRESETS["tiny"]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return write_output(tmp_path / "out", [documents(9)], documents(4, 2))


@pytest.fixture
def corpus(output: Path) -> Corpus:
    return open_corpus(output)


def test_description_round_trip(output: Path, corpus: Corpus, tmp_path: Path) -> None:
    run = tmp_path / "deep" / "run"
    prepare(output, run, CONFIG, corpus)
    description = read_description(run)
    assert description.config == CONFIG
    assert description.vocab_size == corpus.vocab_size
    assert description.data_fingerprint == corpus.fingerprint
    tokenizer = (output / "tokenizer" / "tokenizer.json").read_bytes()
    assert (run / "tokenizer.json").read_bytes() == tokenizer


def test_the_same_run_may_go_on(output: Path, corpus: Corpus, tmp_path: Path) -> None:
    prepare(output, tmp_path / "run", CONFIG, corpus)
    changes = {"micro_batch": 2, "threads": 1, "validate_every": 3, "checkpoint_every": 3}
    allowed = CONFIG.model_copy(update=changes)
    prepare(output, tmp_path / "run", allowed, corpus)
    assert read_description(tmp_path / "run").config == allowed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": CONFIG.model.model_copy(update={"layers": 2})}, "model.layers was 4, is 2"),
        ({"steps": 3}, f"steps was {CONFIG.steps}, is 3"),
        ({"seed": 3}, "seed was 0, is 3"),
        ({"precision": "fp32"}, "precision was bf16, is fp32"),
    ],
)
def test_other_settings_are_refused(
    output: Path, corpus: Corpus, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    prepare(output, tmp_path / "run", CONFIG, corpus)
    with pytest.raises(TrainingError, match=message):
        prepare(output, tmp_path / "run", CONFIG.model_copy(update=changes), corpus)
    assert read_description(tmp_path / "run").config == CONFIG


def test_other_data_are_refused(output: Path, corpus: Corpus, tmp_path: Path) -> None:
    prepare(output, tmp_path / "run", CONFIG, corpus)
    other = write_output(tmp_path / "other", [documents(10)], documents(4, 2))
    with pytest.raises(TrainingError, match="the tokens are not those"):
        prepare(other, tmp_path / "run", CONFIG, open_corpus(other))


def test_a_directory_of_something_else_is_refused(
    output: Path, corpus: Corpus, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for run in (output, tmp_path / "file"):
        with pytest.raises(TrainingError, match="is not the directory of a training run"):
            prepare(output, run, CONFIG, corpus)
    (tmp_path / "empty").mkdir()
    prepare(output, tmp_path / "empty", CONFIG, corpus)


def test_another_tokenizer_is_refused(output: Path, corpus: Corpus, tmp_path: Path) -> None:
    (output / "tokenizer" / "tokenizer.json").write_text("{}")
    with pytest.raises(TrainingError, match="not the tokenizer that made the shards"):
        prepare(output, tmp_path / "run", CONFIG, corpus)
    (output / "tokenizer" / "tokenizer.json").unlink()
    with pytest.raises(TrainingError, match="cannot read the tokenizer"):
        prepare(output, tmp_path / "run", CONFIG, corpus)
    assert not (tmp_path / "run").exists()


def test_a_directory_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"has no config\.json"):
        read_description(tmp_path)


@pytest.mark.parametrize("content", ["", "{}", '{"format": 1, "config": {}}', "[]"])
def test_a_damaged_description(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(TrainingError, match="cannot be read"):
        read_description(tmp_path)


def test_a_description_of_another_version(output: Path, corpus: Corpus, tmp_path: Path) -> None:
    prepare(output, tmp_path / "run", CONFIG, corpus)
    fields = json.loads((tmp_path / "run" / "config.json").read_text())
    (tmp_path / "run" / "config.json").write_text(json.dumps(fields | {"format": 2}))
    with pytest.raises(TrainingError, match="another version of the trainer"):
        read_description(tmp_path / "run")


def test_result_round_trip(tmp_path: Path) -> None:
    assert read_result(tmp_path) is None
    result = TrainingResult(1.5, 2.5, 2.0, 100, 3.25, 7, 10)
    write_result(tmp_path, result)
    read = read_result(tmp_path)
    assert read is not None
    assert not read.trained_now
    assert vars(read) | {"trained_now": True} == vars(result)
    assert isinstance(CONFIG, TrainingConfig)
