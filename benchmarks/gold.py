"""Spans that someone labelled in texts, and how well found spans agree with them.

A gold file is JSON, a list or one object a line: `full_text` and `spans` of `start_position`,
`end_position` and `entity_type`, as presidio-research writes it, or `text` and `spans` of `start`,
`end` and `type`. Offsets count code points.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from filters.redaction import TYPES

LABELS = {
    **{name.upper(): name for name in TYPES},
    "EMAIL_ADDRESS": "email",
    "IBAN_CODE": "iban",
    "CREDIT_CARD": "card",
    "US_SSN": "ssn",
    "MAC_ADDRESS": "mac",
    "IP_ADDRESS": "ip",
    "IPV4": "ip",
    "IPV6": "ip",
    "PHONE_NUMBER": "phone",
    **dict.fromkeys(
        (
            *("AU_MEDICARE", "AU_TFN", "CA_SIN", "DE_TAX_ID", "ES_NIE", "ES_NIF", "IN_AADHAAR"),
            *("FI_PERSONAL_IDENTITY_CODE", "IN_PAN", "IT_FISCAL_CODE", "KR_RRN", "PL_PESEL"),
            *("SE_PERSONNUMMER", "SG_NRIC_FIN", "TH_TNIN", "TR_NATIONAL_ID", "UK_NHS", "UK_NINO"),
            *("US_ITIN", "ZA_ID_NUMBER"),
        ),
        "national_id",
    ),
}
"""Gristmill's type for the labels of gold files and of Presidio. Others are not scored."""

RESAMPLES = 2000


class Found(NamedTuple):
    """A span of a type, labelled or found."""

    start: int
    end: int
    type: str


class Text(NamedTuple):
    """A text, the spans labelled in it, and the labels that no type stands for."""

    text: str
    spans: list[Found]
    others: list[str]


def read_gold(path: Path, labels: Mapping[str, str]) -> list[Text]:
    """Reads a gold file.

    Args:
        path: The file.
        labels: Gristmill's type for each label, in capitals.

    Raises:
        ValueError: A span does not lie in its text.
    """
    content = path.read_text(encoding="utf-8")
    rows = (
        json.loads(content)
        if content.lstrip().startswith("[")
        else [json.loads(line) for line in content.split("\n") if line.strip()]
    )
    return [_text(row, labels, number) for number, row in enumerate(rows, 1)]


def _text(row: Mapping[str, Any], labels: Mapping[str, str], number: int) -> Text:
    text = row["full_text"] if "full_text" in row else row["text"]
    spans, others = [], []
    for span in row["spans"]:
        start = span["start_position"] if "start_position" in span else span["start"]
        end = span["end_position"] if "end_position" in span else span["end"]
        label = span["entity_type"] if "entity_type" in span else span["type"]
        if not 0 <= start < end <= len(text):
            raise ValueError(f"text {number}: no span of it is {start} to {end}")
        if label.upper() in labels:
            spans.append(Found(start, end, labels[label.upper()]))
        else:
            others.append(label)
    return Text(text, sorted(spans), others)


def overlapping(gold: Sequence[Found], found: Sequence[Found]) -> int:
    """Returns how many pairs of spans overlap, each span in one pair at most.

    Greedy, from left to right: a labelled span takes the first span that overlaps it and that no
    other took.
    """
    pairs, free = 0, sorted(found)
    for span in sorted(gold):
        for other in free:
            if other.start < span.end and span.start < other.end:
                free.remove(other)
                pairs += 1
                break
    return pairs


def equal(gold: Sequence[Found], found: Sequence[Found]) -> int:
    """Returns how many labelled spans were found from the first to the last character."""
    return (Counter(gold) & Counter(found)).total()


@dataclass(frozen=True)
class Counts:
    """For each text: spans labelled, found, and found where labelled."""

    gold: NDArray[np.int64]
    found: NDArray[np.int64]
    right: NDArray[np.int64]


def count(
    texts: Sequence[Text], found: Sequence[Sequence[Found]], exactly: bool
) -> dict[str, Counts]:
    """Returns the counts of each type that is labelled anywhere."""
    match = equal if exactly else overlapping
    rows: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for name in sorted({span.type for text in texts for span in text.spans}):
        for text, spans in zip(texts, found, strict=True):
            gold = [span for span in text.spans if span.type == name]
            ours = [span for span in spans if span.type == name]
            rows[name].append((len(gold), len(ours), match(gold, ours) if gold and ours else 0))
    return {name: Counts(*np.array(values).T) for name, values in rows.items()}


class Score(NamedTuple):
    """A share with the bounds between which 95 % of the resamples lie."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


class Scores(NamedTuple):
    """Precision, recall and F1 of a type, or of the mean of the types."""

    precision: Score
    recall: Score
    f1: Score


def scores(counts: Mapping[str, Counts], texts: int) -> dict[str, Scores]:
    """Returns the scores of each type and, as `mean`, the mean of them with equal weights.

    The confidence intervals are of a bootstrap: the texts are drawn anew with replacement, with a
    fixed seed, so two sets of spans on the same texts are measured on the same draws.

    Args:
        counts: From `count`.
        texts: How many there are.
    """
    measured = {name: _shares(each, texts) for name, each in counts.items()}
    if measured:
        measured["mean"] = np.mean(list(measured.values()), axis=0)
    return {name: Scores(*map(_score, shares)) for name, shares in measured.items()}


def difference(ours: Mapping[str, Counts], theirs: Mapping[str, Counts], texts: int) -> Score:
    """Returns our mean F1 less theirs, on the same draws."""
    means = [
        np.mean([_shares(each, texts)[2] for each in counts.values()], axis=0)
        for counts in (ours, theirs)
    ]
    return _score(means[0] - means[1])


def _score(draws: NDArray[np.float64]) -> Score:
    low, high = np.percentile(draws[1:], (2.5, 97.5))
    return Score(float(draws[0]), float(low), float(high))


def _shares(counts: Counts, texts: int) -> NDArray[np.float64]:
    """Returns precision, recall and F1, by row; the first column is of the texts themselves.

    What is 0 of 0 counts as 1 for recall and precision alike: nothing was missed, nothing wrong.
    """
    drawn = np.random.default_rng(0).multinomial(texts, np.full(texts, 1 / texts), RESAMPLES)
    weights = np.vstack([np.ones(texts, np.int64), drawn])
    gold, found, right = (weights @ each for each in (counts.gold, counts.found, counts.right))
    precision = np.where(found > 0, right / np.maximum(found, 1), 1.0)
    recall = np.where(gold > 0, right / np.maximum(gold, 1), 1.0)
    f1 = np.where(gold + found > 0, 2 * right / np.maximum(gold + found, 1), 1.0)
    return np.stack([precision, recall, f1])


def by_score(
    hits: Iterable[tuple[int, int, str, float]], threshold: float, alone: bool
) -> list[Found]:
    """Returns the hits of a score at least as high as a threshold.

    Args:
        hits: Start, end, type and score.
        threshold: The lowest score.
        alone: Whether of hits that overlap only the one of the highest score stays, the longest of
            those with the same, the first of those with the same length.
    """
    kept: list[Found] = []
    for start, end, name, score in sorted(
        hits, key=lambda hit: (-hit[3], hit[0] - hit[1], hit[0], hit[2])
    ):
        if score < threshold:
            break
        if not alone or all(end <= other.start or other.end <= start for other in kept):
            kept.append(Found(start, end, name))
    return sorted(set(kept))
