"""The report's figures of duplicates are those of pairs/ and clusters/."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from conftest import changed, prose
from evidence_output import Document, similarity, write_output
from hypothesis import given
from hypothesis import strategies as st

from pipeline.duplicates.settings import Dedup
from pipeline.output import Job, Output
from pipeline.redaction import Redaction
from pipeline.report_clusters import LONGEST, MOST_HUNKS, MOST_PIECES, bin_edges, duplicates

A, B = prose(1, 150), prose(2, 150)
CARD = "4111111111111111"
DOCUMENTS = [
    Document("a", A),
    Document("a1", changed(A, 20), duplicate_of="a", reason="minhash"),
    Document("a2", changed(A, 20, 50, 80), duplicate_of="a", reason="minhash"),
    Document("b", B, url="u"),
    Document("b1", prose(9, 60) + f" {'x ' * 71}4{CARD}5", url="u", duplicate_of="b", reason="url"),
    Document("c", "One two three four five six."),
    Document("c1", "One two three four five  six.", duplicate_of="c", reason="exact"),
    Document("far", changed(A, *range(0, 140, 9))),
]
SUMMARY = {"fingerprint": "f", "pairs": 5, "uncompared": 0, "large_buckets": 0, "clusters": 3}


def found(root: Path, **settings: Any) -> dict[str, Any]:
    recipe = SimpleNamespace(dedup=Dedup(**settings), redaction=Redaction())
    job = SimpleNamespace(recipe=recipe, output=Output(str(root)), summaries=lambda _: [SUMMARY])
    result = duplicates(cast(Job, job))
    assert result is not None
    return result


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_output(tmp_path_factory.mktemp("report"), DOCUMENTS)


def test_figures(output: Path) -> None:
    told = found(output)
    assert (told["threshold"], told["barely_below"]) == (0.8, pytest.approx(0.85))
    assert told["sizes"] == [[2, 2], [3, 1]]
    assert "fingerprint" not in told
    assert [row["kept_id"] for row in told["largest"]] == ["a", "b", "c"]
    assert [row["kept_id"] for row in told["suspicious"]] == ["a"]
    assert told["largest"][0]["least_similar"] == "a2"


def test_histograms_count_every_pair_and_duplicate(output: Path) -> None:
    told = found(output)
    pairs, dropped = told["pairs_by_jaccard"], told["dropped_by_jaccard"]
    at = pairs["edges"].index(0.8)
    texts = [A, DOCUMENTS[1].text, DOCUMENTS[2].text, DOCUMENTS[7].text]
    every = [similarity(x, y) for n, x in enumerate(texts) for y in texts[n + 1 :]]
    every = [value for value in every if value > 0.2]
    assert sum(pairs["counts"]) == len(every)
    assert sum(pairs["counts"][at:]) == sum(value >= 0.8 for value in every)
    assert (sum(dropped["counts"]), sum(dropped["counts"][at:])) == (2, 2)


def test_what_differs_is_shown_and_bounded(output: Path) -> None:
    first, second, third = (row["diff"] for row in found(output)["largest"])
    assert first["removed"] >= first["added"] == 3
    kinds = {piece["kind"] for hunk in first["hunks"] for piece in hunk}
    assert kinds == {"same", "removed", "added"}
    for diff in (first, second):
        assert len(diff["hunks"]) <= MOST_HUNKS
        for hunk in diff["hunks"]:
            assert len(hunk) <= MOST_PIECES
            assert all(len(piece["text"]) <= LONGEST + 1 for piece in hunk)
    assert third == {"removed": 0, "added": 0, "hunks": []}


def test_a_cut_number_is_redacted_once_more(tmp_path: Path) -> None:
    # Cut at LONGEST characters, a longer number ends as that of a card.
    start = "y" * (LONGEST - len(CARD) - 1)
    texts = {"k": "one two", "d": f"{start} {CARD}77777"}
    documents = [
        Document("k", "one two"),
        Document("d", texts["d"], duplicate_of="k", reason="url"),
    ]
    told = found(write_output(tmp_path, documents))
    assert CARD not in str(told)


def test_a_kept_text_of_the_output_matched_against(output: Path, tmp_path: Path) -> None:
    new = [Document("a", changed(A, 7), duplicate_of="a", reason="minhash"), Document("z", "zz")]
    root = write_output(tmp_path, new, output, {"a": A}.items())
    assert found(root, against=str(output))["largest"][0]["diff"]["removed"] == 1
    assert "diff" not in found(root)["largest"][0]


def test_without_minhash(tmp_path: Path) -> None:
    documents = [Document("k", "one"), Document("d", "one", duplicate_of="k", reason="exact")]
    told = found(write_output(tmp_path, documents), minhash=None)
    assert (told["threshold"], told["suspicious"]) == (None, [])
    assert "pairs_by_jaccard" not in told


def test_without_deduplication() -> None:
    job = SimpleNamespace(recipe=SimpleNamespace(dedup=None), output=Output("/none"))
    assert duplicates(cast(Job, job)) is None


@given(st.floats(0.001, 1))
def test_the_threshold_is_an_edge(threshold: float) -> None:
    edges = bin_edges(threshold)
    assert threshold in edges.tolist()
    assert (edges[0], edges[-1]) == (0, 1)
    assert np.all(np.diff(edges) > 0)
