"""What a run decided about duplicates, read from its output, and its curve of found pairs."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from dedup_oracle import AllPairs, Bools, Floats, Ints

from dedup.minhash import collision_probability


@dataclass(frozen=True)
class Outcome:
    """A run's documents by number, in the order of documents/.

    Attributes:
        texts: as they stand in documents/, so redacted if the recipe says so.
        kept: which documents are kept.
        dropped: int64[d], the documents that are duplicates.
        dropped_for: int64[d], the kept document that clusters/ names for each.
        jaccard: float64[d], the similarity that clusters/ gives.
        reasons: for each duplicate what the ledger says.
        pairs: int64[k, 2], the compared pairs.
        compared: float64[k], their similarity in pairs/.
    """

    texts: list[str]
    kept: Bools
    dropped: Ints
    dropped_for: Ints
    jaccard: Floats
    reasons: list[str]
    pairs: Ints
    compared: Floats


def read_outcome(root: Path) -> Outcome:
    """Reads the output of a run whose documents have different ids."""
    documents, ledger = _table(root, "documents"), _table(root, "ledger")
    numbers = {name: number for number, name in enumerate(documents["id"].to_pylist())}
    assert len(numbers) == len(documents) == len(ledger)
    assert ledger["id"] == documents["id"]
    verdicts = np.array(ledger["verdict"].to_pylist())
    reasons = ledger["reason"].to_pylist()
    duplicates = np.flatnonzero(verdicts == "duplicate")
    clusters = {row["id"]: row for row in _table(root, "clusters").to_pylist()}
    names = [documents["id"][int(number)].as_py() for number in duplicates]
    assert clusters.keys() == set(names)
    pairs = _table(root, "pairs")
    sides = [[numbers[name] for name in pairs[side].to_pylist()] for side in ("a", "b")]
    return Outcome(
        texts=documents["text"].to_pylist(),
        kept=verdicts == "kept",
        dropped=duplicates,
        dropped_for=np.array([numbers[clusters[name]["kept_id"]] for name in names], np.int64),
        jaccard=np.array([clusters[name]["jaccard"] for name in names]),
        reasons=[reasons[number] for number in duplicates],
        pairs=np.array(sides, np.int64).T.reshape(-1, 2),
        compared=pairs["jaccard"].to_numpy(),
    )


def _table(root: Path, name: str) -> pa.Table:
    return pa.concat_tables(pq.read_table(path) for path in sorted((root / name).glob("*.parquet")))


@dataclass(frozen=True)
class Step:
    """The pairs of texts whose similarity is in [low, high): how many, and how many were compared.

    Attributes:
        low: the lower bound.
        high: the upper bound; that of the last step is above 1.
        pairs: how many there are.
        found: how many of them were compared.
        expected: how many of them share a band, by theory.
        deviation: the standard deviation of that.
    """

    low: float
    high: float
    pairs: int
    found: int
    expected: float
    deviation: float


def curve(
    outcome: Outcome, truth: AllPairs, width: float, bands: int = 20, rows: int = 5
) -> list[Step]:
    """Returns the steps of similarity from the oracle's bound to 1, with what the run found.

    Texts that are equal up to white space count once: only one of them is compared with others.
    """
    collapsed = [" ".join(text.split()) for text in outcome.texts]
    group = np.unique(collapsed, return_inverse=True)[1].astype(np.int64)

    def codes(one: Ints, other: Ints) -> Ints:
        low, high = np.minimum(group[one], group[other]), np.maximum(group[one], group[other])
        return low * len(group) + high

    different = group[truth.a] != group[truth.b]
    true, first = np.unique(codes(truth.a[different], truth.b[different]), return_index=True)
    jaccard = truth.jaccard[different][first]
    found = np.isin(true, codes(outcome.pairs[:, 0], outcome.pairs[:, 1]))
    chance = collision_probability(jaccard, bands, rows)
    # The nearest multiple of the width, not below: 0.8 belongs to the step that begins there.
    number = np.floor((jaccard - truth.at_least) / width + 1e-9).astype(np.int64)
    steps = []
    for step in range(round((1 - truth.at_least) / width) + 1):
        inside = number == step
        spread = float(np.sqrt(np.sum(chance[inside] * (1 - chance[inside]))))
        steps.append(
            Step(
                low=round(truth.at_least + step * width, 6),
                high=round(truth.at_least + (step + 1) * width, 6),
                pairs=int(inside.sum()),
                found=int(found[inside].sum()),
                expected=float(chance[inside].sum()),
                deviation=spread,
            )
        )
    return steps
