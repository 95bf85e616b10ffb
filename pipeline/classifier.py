"""Training of quality classifiers: `gristmill classifier train`.

The recipe is DCLM's (Li et al., 2024, section 4.4, https://arxiv.org/abs/2406.11794): a supervised
fastText model of words and bigrams, all else fastText's defaults. Two things differ, and
docs/classifier.md has the figures:

* Documents are cut into passages of equal length, because 5 epochs, the default, are made for
  DCLM's 400,000 documents, and some thousand of them teach next to nothing.
* The model is stored with one number for each word instead of 100, which changes no score.
"""

import hashlib
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from filters.errors import FilterUnavailable
from pipeline import storage
from pipeline.classifier_card import measurements
from pipeline.classifier_examples import (
    COUNTS,
    LABELS,
    PASSAGE_WORDS,
    Corpus,
    Examples,
    read_corpus,
    write_examples,
)
from pipeline.classifier_page import RECIPE, render
from pipeline.errors import UsageError, UserError, without_user_info
from pipeline.output import Output
from pipeline.recipe import Source, digest
from pipeline.settings import Section, parse_overrides, validate
from pipeline.sources.plan import plan
from pipeline.sources.records import SourceOptions, Split

WORD_NGRAMS = 2
MODEL, CARD, PAGE = "model.bin", "card.json", "card.html"
_WAIT_SECONDS = 0.2


@dataclass(frozen=True)
class Training:
    """What to train.

    Attributes:
        inputs: What to read for each of `LABELS`, as `pipeline.sources.plan` takes it.
        source: How to read it.
        seed: Another one holds out and samples other documents, and starts from other numbers.
        threads: With one, the same inputs give the same bytes; with more, training is faster.
    """

    inputs: dict[str, list[str]]
    source: SourceOptions
    seed: int = 0
    threads: int = 1

    @property
    def settings(self) -> dict[str, Any]:
        """All but the inputs that decides what comes out."""
        return {
            "seed": self.seed,
            "threads": self.threads,
            "word_ngrams": WORD_NGRAMS,
            "passage_words": PASSAGE_WORDS,
            "source": asdict(self.source),
        }


class _Settings(Section):
    source: Source = Source()


def source_options(overrides: Iterable[str]) -> SourceOptions:
    """Returns how to read the inputs, from `source.KEY=VALUE` options.

    Raises:
        UsageError: An option is none of a source.
    """
    source = validate(_Settings, {}, overrides=parse_overrides(overrides)).source
    if source.inputs:
        raise UsageError(
            "--set source.inputs: a classifier has inputs of two kinds",
            "Name them with --positive and --negative.",
        )
    return source.options()


def train(training: Training, folder: Path, console: Console) -> dict[str, Any]:
    """Trains a classifier, and writes model.bin, card.json and card.html.

    All text that touches the disk is redacted, in a temporary folder that only the user can read.

    Args:
        training: What to train.
        folder: Gets the three files, all at once; must be empty or not there.
        console: Gets the progress.

    Returns:
        The card.

    Raises:
        UserError: The inputs cannot be read or are too few, or the output cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"{folder} exists and is not an empty folder",
            "Choose another --output, or remove this one.",
        )
    splits = _planned(training)
    with _new_folder(folder.resolve()) as (work, result):
        corpora = [_read(training, name, splits[name], work / name, console) for name in LABELS]
        text, model_path = work / "examples.txt", result / MODEL
        examples = write_examples(corpora, training.seed, text)
        console.print(Text(f"training on {examples.passages:,} passages of each class"))
        with console.status("training"):
            model = _fitted(training, text)
            _collapse(model)
            model.save_model(str(model_path))
        with console.status("measuring on the held-out documents"):
            measured = _measured(model, model_path, examples, text)
        card = {**_provenance(training, corpora, examples, model_path), **measured}
        Output(str(result)).write_json(CARD, card)
        storage.write_bytes(str(result / PAGE), render(card).encode())
    return card


@contextmanager
def _new_folder(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Makes a folder that is there when all went well, and of which nothing is there if not.

    Yields:
        A temporary folder, and a folder in it that becomes the new one.
    """
    place = next(parent for parent in folder.parents if parent.exists())
    with (
        storage.explained("write", str(folder)),
        tempfile.TemporaryDirectory(dir=place, prefix=".", suffix=".tmp") as name,
    ):
        result = Path(name) / "result"
        result.mkdir()
        yield Path(name), result
        folder.parent.mkdir(parents=True, exist_ok=True)
        result.replace(folder)


def _planned(training: Training) -> dict[str, list[Split]]:
    """Plans both classes, which may have no file in common."""
    splits = {name: plan(training.source, training.inputs[name]) for name in LABELS}
    positive, negative = ({u for s in part for u in (s.url, *s.more)} for part in splits.values())
    if positive & negative:
        raise UsageError(
            f"{min(positive & negative)} is on both sides",
            "A file holds examples of --positive or of --negative text.",
        )
    return splits


def _read(
    training: Training, name: str, splits: list[Split], path: Path, console: Console
) -> Corpus:
    with console.status(f"reading {name} documents") as status:
        corpus = read_corpus(
            name,
            splits,
            training.source,
            path,
            training.seed,
            lambda count: status.update(f"reading {name} documents: {count:,}"),
        )
    console.print(Text(f"read {corpus.counts['read']:,} {name} documents"))
    return corpus


def _fitted(training: Training, examples: Path) -> Any:
    """Trains fastText in a thread, so that Ctrl-C is heard meanwhile."""
    import fasttext

    def fit() -> Any:
        return fasttext.train_supervised(
            str(examples),
            wordNgrams=WORD_NGRAMS,
            thread=training.threads,
            seed=training.seed,
            verbose=0,
        )

    try:
        return _in_thread(fit)
    except MemoryError:
        raise UserError(
            "there is not enough memory to train the classifier",
            "fastText takes 0.9 GB and 500 bytes for each different word; give fewer documents.",
        ) from None


def _in_thread(work: Callable[[], Any]) -> Any:
    results: list[Any] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # raised again by who waits
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_WAIT_SECONDS)
    if failures:
        raise failures[0]
    return results[0]


def _collapse(model: Any) -> None:
    """Makes the vectors of a model with two labels one number long, with the same scores.

    A text's log odds are (u - v)·x, where x is the mean of the vectors w of its words and bigrams,
    and u and v are the vectors of the two labels. That is the mean of the numbers (u - v)·w; with
    these in place of the vectors, and 1/2 and -1/2 for the labels, the model is 80 times smaller.
    """
    rows = {label: row for row, label in enumerate(model.labels)}
    positive, negative = rows[LABELS["positive"]], rows[LABELS["negative"]]
    labels = np.asarray(model.f.getOutputMatrix())
    difference = labels[positive] - labels[negative]
    # Not `@`: BLAS adds up in another order with another number of cores.
    numbers = np.einsum("ij,j->i", np.asarray(model.f.getInputMatrix()), difference)
    halves = np.zeros((2, 1), np.float32)
    halves[positive], halves[negative] = 0.5, -0.5
    model.set_matrices(numbers[:, None], halves)


def _measured(model: Any, path: Path, examples: Examples, text: Path) -> dict[str, Any]:
    try:
        return measurements(model, path, LABELS, examples.held_out, text, examples.documents)
    except FilterUnavailable:  # fastText says nothing when it cannot write
        raise UserError(
            f"cannot write {path.name}: the file is not whole",
            "Most likely the disk is full. Free some space or choose another output directory.",
        ) from None


def _provenance(
    training: Training, corpora: list[Corpus], examples: Examples, model: Path
) -> dict[str, Any]:
    """Returns what the classifier was made of; without dates, so that the same is the same."""
    return {
        "model": {
            "sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
            "bytes": model.stat().st_size,
            "labels": LABELS,
        },
        "training_sha256": digest([examples.sha256, training.settings]),
        "settings": training.settings,
        "versions": {name: version(name) for name in ("gristmill", "fasttext-community", "numpy")},
        "classes": {
            corpus.name: {
                "inputs": without_user_info(training.inputs[corpus.name]),
                **{count: corpus.counts[count] for count in COUNTS},
            }
            for corpus in corpora
        },
        "passages": examples.passages,
        "held_out": len(examples.held_out["positive"]),
    }


def print_card(card: dict[str, Any], folder: Path, console: Console) -> None:
    """Prints what was trained and how good it is, and how to use it."""
    table = Table("documents", *LABELS, box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for count in COUNTS:
        values = [card["classes"][name][count] for name in LABELS]
        if any(values):
            table.add_row(count.replace("_", " "), *(f"{value:,}" for value in values))
    console.print(table)
    auc, even = card["roc"], card["thresholds"][0]
    lines = (
        f"ROC AUC {auc['auc']:.4f} (95% interval {auc['low']:.4f} to {auc['high']:.4f})",
        f"at a score of 0.5: precision {even['precision'] or 0:.3f}, recall {even['recall']:.3f}",
        f"card: {folder / PAGE}",
        "in a recipe:",
        "",
        RECIPE.format(model=folder / MODEL),
    )
    console.print(Text("\n".join(lines)))
