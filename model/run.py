"""The directory of a run: what it says of itself, and whether a run may go on in it."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from model.config import CHANGEABLE, TrainingConfig
from model.data import Corpus
from model.errors import TrainingError

_FORMAT = 1


@dataclass(frozen=True)
class TrainingResult:
    """The outcome of a run.

    Args:
        validation_bits_per_byte: Of the decoder, after the last step.
        unigram_bits_per_byte: Of a unigram model of the same tokens.
        bigram_bits_per_byte: Of a bigram model of the same tokens.
        tokens: Training tokens seen, repetitions included.
        seconds: Time spent on the steps, in all sessions of the run.
        parameters: Parameters of the decoder.
        steps: Optimizer steps.
        trained_now: False if the run had been finished before.
    """

    validation_bits_per_byte: float
    unigram_bits_per_byte: float
    bigram_bits_per_byte: float
    tokens: int
    seconds: float
    parameters: int
    steps: int
    trained_now: bool = True


@dataclass(frozen=True)
class RunDescription:
    """What RUN/config.json says.

    Args:
        config: The settings.
        vocab_size: Number of token ids.
        end_of_document_id: The id that ends every document.
        data_fingerprint: Of the corpus.
    """

    config: TrainingConfig
    vocab_size: int
    end_of_document_id: int
    data_fingerprint: str


def read_description(run: Path) -> RunDescription:
    """Returns what a run's config.json says.

    Raises:
        TrainingError: The directory is not that of a run.
    """
    path = run / "config.json"
    try:
        fields = json.loads(path.read_bytes())
        if fields.pop("format") != _FORMAT:
            raise TrainingError(f"{path} was written by another version of the trainer")
        return RunDescription(
            **{**fields, "config": TrainingConfig.model_validate_json(json.dumps(fields["config"]))}
        )
    except FileNotFoundError:
        raise TrainingError(
            f"{run} is not the directory of a training run: it has no config.json",
            "`gristmill train OUT --output RUN` makes one.",
        ) from None
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise TrainingError(f"{path} cannot be read: {error}") from error


def prepare(output: Path, run: Path, config: TrainingConfig, corpus: Corpus) -> None:
    """Makes the directory of a run, or makes sure that the run in it is this one.

    Raises:
        TrainingError: The directory holds something else, or a run with other settings or data.
    """
    wanted = RunDescription(
        config, corpus.vocab_size, corpus.end_of_document_id, corpus.fingerprint
    )
    if (run / "config.json").exists():
        _refuse_changes(run, read_description(run), wanted)
    elif run.exists() and (not run.is_dir() or any(run.iterdir())):
        raise TrainingError(
            f"{run} exists and is not the directory of a training run",
            "Give --output a directory that is empty or does not exist.",
        )
    tokenizer = _tokenizer(output, corpus)
    try:
        run.mkdir(parents=True, exist_ok=True)
        (run / "tokenizer.json").write_bytes(tokenizer)
        description = {"format": _FORMAT, **vars(wanted), "config": config.model_dump()}
        write_json(run / "config.json", description)
    except OSError as error:
        raise TrainingError(f"cannot write to {run}: {error}") from error


def read_result(run: Path) -> TrainingResult | None:
    """Returns the result of a finished run, None if it is not finished."""
    path = run / "result.json"
    if not path.exists():
        return None
    return TrainingResult(**json.loads(path.read_bytes()), trained_now=False)


def write_result(run: Path, result: TrainingResult) -> None:
    """Writes RUN/result.json, whose presence says that the run is finished."""
    fields = asdict(result)
    del fields["trained_now"]
    write_json(run / "result.json", fields)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes a file by a temporary name and a rename."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)


def _tokenizer(output: Path, corpus: Corpus) -> bytes:
    path = output / "tokenizer" / "tokenizer.json"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TrainingError(f"cannot read the tokenizer of the tokens: {error}") from error
    if hashlib.sha256(content).hexdigest() != corpus.train.metadata.tokenizer_sha256:
        raise TrainingError(
            f"{path} is not the tokenizer that made the shards",
            "Run the pipeline again into an empty output directory.",
        )
    return content


def _refuse_changes(run: Path, old: RunDescription, new: RunDescription) -> None:
    if old.data_fingerprint != new.data_fingerprint:
        raise TrainingError(
            f"the tokens are not those that the run in {run} was started with",
            "Train on the output it was started with, or give --output a new directory.",
        )
    before, after = _flat(old.config), _flat(new.config)
    changed = [
        f"{key} was {before[key]}, is {after[key]}"
        for key in after
        if key not in CHANGEABLE and before[key] != after[key]
    ]
    if changed:
        raise TrainingError(
            f"the run in {run} was started with other settings: {'; '.join(changed)}",
            "Use its settings to go on with it, or give --output a new directory. Only "
            f"{', '.join(sorted(CHANGEABLE))} may change within a run.",
        )


def _flat(config: TrainingConfig) -> dict[str, Any]:
    fields = config.model_dump()
    shape = fields.pop("model")
    return {**{f"model.{name}": value for name, value in shape.items()}, **fields}
