"""Examples for a quality classifier: read, redacted, deduplicated, held out, balanced."""

import hashlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from dedup.digests import exact_digest
from filters.classifier import one_line
from filters.redaction import redact
from pipeline import storage
from pipeline.errors import UserError
from pipeline.sources.fields import valid_unicode
from pipeline.sources.read import read
from pipeline.sources.records import ERRORS, SourceOptions, Split, Unreadable

LABELS = {"positive": "__label__hq", "negative": "__label__cc"}  # DCLM's own names
COUNTS = (
    "read",
    "unreadable",
    "empty",
    "duplicate",
    "in_both_classes",
    "left_out",
    "trained_on",
    "held_out",
)
PASSAGE_WORDS = 100
HELD_OUT = 0.1
FEWEST_HELD_OUT = 20
T = TypeVar("T")
_LABEL_PREFIX = b"__label__"  # fastText would take such a word for a label of its text


@dataclass
class Corpus:
    """The documents of one class, redacted and each once.

    Attributes:
        name: A key of `LABELS`.
        path: A file that holds a passage a line, of the documents to train on.
        ends: For each passage, the byte after its line.
        passages: For each document to train on, by the digest of its text, its passages' numbers.
        held_out: The texts of the other documents, by digest.
        counts: By `COUNTS`, what became of the records that were read.
    """

    name: str
    path: Path
    ends: "array[int]" = field(default_factory=lambda: array("Q"))
    passages: dict[bytes, range] = field(default_factory=dict)
    held_out: dict[bytes, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Examples:
    """What is trained on and what is measured on, as much of both classes.

    Attributes:
        sha256: Of fastText's training file.
        passages: How many of each class are trained on.
        documents: For each line of that file the number of its document, 0 for the first to come.
        held_out: The held-out texts of each class.
    """

    sha256: str
    passages: int
    documents: list[int]
    held_out: dict[str, list[str]]


def read_corpus(
    name: str,
    splits: Iterable[Split],
    options: SourceOptions,
    path: Path,
    seed: int,
    tell: Callable[[int], None],
) -> Corpus:
    """Reads the documents of a class; those to train on go into a file.

    Args:
        name: A key of `LABELS`.
        splits: What to read.
        options: How to read it.
        path: The file.
        seed: Another one holds out other documents.
        tell: Called with the number of records read, now and then.

    Raises:
        UserError: There is no document with any text, or an input cannot be read.
    """
    corpus, errors = Corpus(name, path), Counter[str]()
    with storage.atomic(str(path)) as file:
        for split in splits:
            for record in read(split, options):
                corpus.counts["read"] += 1
                if corpus.counts["read"] % 100 == 0:
                    tell(corpus.counts["read"])
                if isinstance(record, Unreadable):
                    corpus.counts["unreadable"] += 1
                    errors[record.error] += 1
                else:
                    _add(corpus, file, record.text, seed)
    if not corpus.passages and not corpus.held_out:
        remedies = [ERRORS[error] for error, _ in errors.most_common(1)]
        raise UserError(
            f"there is no {name} document with any text among {corpus.counts['read']:,} records",
            *remedies or (f"Name other inputs with --{name}.",),
        )
    return corpus


def _add(corpus: Corpus, file: BinaryIO, text: str, seed: int) -> None:
    text = redact(valid_unicode(text)).text
    words, digest = _words(text), exact_digest(text)
    if not words:
        corpus.counts["empty"] += 1
    elif digest in corpus.passages or digest in corpus.held_out:
        corpus.counts["duplicate"] += 1
    elif _key(seed, digest) < HELD_OUT * 2**64:
        corpus.held_out[digest] = text
    else:
        first = len(corpus.ends)
        for passage in _passages(words):
            line = b" ".join(passage) + b"\n"
            file.write(line)
            corpus.ends.append(len(line) + (corpus.ends[-1] if corpus.ends else 0))
        corpus.passages[digest] = range(first, len(corpus.ends))


def _words(text: str) -> list[bytes]:
    """Returns the words as fastText separates them, without those that it takes for labels."""
    words = one_line(text).replace("\0", " ").encode().split()
    return [word for word in words if not word.startswith(_LABEL_PREFIX)]


def _passages(words: list[bytes]) -> Iterator[list[bytes]]:
    """Cuts a document into passages of nearly the wanted size, all of the same length.

    A short rest at the end of each document would be more frequent in the class with the shorter
    documents, and its length would give it away.
    """
    count = max(1, round(len(words) / PASSAGE_WORDS))
    bounds = [len(words) * number // count for number in range(count + 1)]
    return (words[start:end] for start, end in pairwise(bounds))


def _key(seed: int, digest: bytes) -> int:
    """Returns a hash of 64 bits."""
    key = seed.to_bytes(8, "little")
    return int.from_bytes(hashlib.blake2b(digest, digest_size=8, key=key).digest(), "little")


def write_examples(corpora: Sequence[Corpus], seed: int, path: Path) -> Examples:
    """Drops what both classes hold, balances them, and writes fastText's training file.

    Of the class with more held-out documents, those with the smallest hashes are taken; of the
    class with more passages, a random sample. Which these are depends on the texts and the seed,
    not on the order of the inputs.

    Args:
        corpora: The two classes; their counts are completed.
        seed: Another one samples others.
        path: Gets an example a line, both classes mixed.

    Raises:
        UserError: There are too few documents to train or to measure the classifier.
    """
    one, two = (corpus.passages.keys() | corpus.held_out.keys() for corpus in corpora)
    shared, rng = one & two, np.random.default_rng(seed)
    held_out = [_in_order(corpus.held_out, shared, seed) for corpus in corpora]
    ranges = [_in_order(corpus.passages, shared, seed) for corpus in corpora]
    _check(corpora, held_out, ranges)
    passages = [rng.permutation(np.concatenate([np.asarray(r) for r in some])) for some in ranges]
    n_held_out, n_passages = min(map(len, held_out)), min(map(len, passages))
    chosen = [some[:n_passages] for some in passages]
    for corpus, numbers in zip(corpora, chosen, strict=True):
        _count(corpus, numbers, n_held_out, len(shared))
    order = rng.permutation(2 * n_passages)
    return Examples(
        sha256=_write(corpora, chosen, order, path),
        passages=n_passages,
        documents=_numbered(corpora, chosen, order),
        held_out={c.name: texts[:n_held_out] for c, texts in zip(corpora, held_out, strict=True)},
    )


def _in_order(documents: dict[bytes, T], shared: set[bytes], seed: int) -> list[T]:
    digests = sorted(documents.keys() - shared, key=lambda digest: _key(seed, digest))
    return [documents[digest] for digest in digests]


def _check(
    corpora: Sequence[Corpus],
    held_out: Sequence[Sequence[str]],
    passages: Sequence[Sequence[range]],
) -> None:
    for corpus, held, trained in zip(corpora, held_out, passages, strict=True):
        if len(held) < FEWEST_HELD_OUT or not trained:
            raise UserError(
                f"{len(held) + len(trained):,} different {corpus.name} documents are too few: "
                f"{len(held)} are held out to measure the classifier, and {FEWEST_HELD_OUT} "
                "is the least that says anything",
                f"Give 300 or more with --{corpus.name}.",
            )


def _count(corpus: Corpus, chosen: NDArray[np.int64], held_out: int, shared: int) -> None:
    """Counts the documents of a class by what they serve for, so that all records add up."""
    trained_on = len(np.unique(_documents(corpus, chosen)))
    documents = len(corpus.passages) + len(corpus.held_out)
    corpus.counts.update(
        in_both_classes=shared,
        held_out=held_out,
        trained_on=trained_on,
        left_out=documents - shared - held_out - trained_on,
    )


def _documents(corpus: Corpus, passages: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns int64[n]: for each passage a number of its document, from 1 on."""
    firsts = [numbers.start for numbers in corpus.passages.values()]
    return np.searchsorted(firsts, passages, side="right")


def _numbered(
    corpora: Sequence[Corpus], chosen: Sequence[NDArray[np.int64]], order: NDArray[np.int64]
) -> list[int]:
    """Returns for each example the number of its document; for the arguments see `_write`."""
    one, two = (_documents(c, passages) for c, passages in zip(corpora, chosen, strict=True))
    known: dict[int, int] = {}
    documents = np.concatenate([one, -two])[order].tolist()
    return [known.setdefault(document, len(known)) for document in documents]


def _write(
    corpora: Sequence[Corpus],
    chosen: Sequence[NDArray[np.int64]],
    order: NDArray[np.int64],
    path: Path,
) -> str:
    """Writes the chosen passages with their labels; returns the file's SHA-256.

    Args:
        corpora: The two classes.
        chosen: Numbers of passages, as many of each class.
        order: The order of all of them, first those of the one class and then of the other.
        path: The file.
    """
    labels = [LABELS[corpus.name].encode() for corpus in corpora]
    digest = hashlib.sha256()
    with ExitStack() as stack:
        files = [stack.enter_context(corpus.path.open("rb")) for corpus in corpora]
        sink = stack.enter_context(storage.atomic(str(path)))
        for place in order.tolist():
            side, number = divmod(place, len(chosen[0]))
            passage = int(chosen[side][number])
            start = corpora[side].ends[passage - 1] if passage else 0
            files[side].seek(start)
            line = files[side].read(corpora[side].ends[passage] - start)
            example = b"%s %s" % (labels[side], line)
            digest.update(example)
            sink.write(example)
    return digest.hexdigest()
