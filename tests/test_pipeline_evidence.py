"""What an output says of its duplicates is checked, and lies are named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import changed, prose
from evidence_output import CLUSTERS, DEDUP, LEDGER, TEXTS, Document, similarity, write_output
from hypothesis import given
from hypothesis import strategies as st

from pipeline import evidence
from pipeline.evidence import check_evidence, shared_shingles

A, B = prose(1, 150), prose(2, 150)
DOCUMENTS = [
    Document("a", A, url="u"),
    Document("near", changed(A, 20), duplicate_of="a", reason="minhash"),
    Document("nearer", changed(A, 0), duplicate_of="a", reason="minhash"),
    Document("copy", A.replace(" ", "  ", 3), duplicate_of="a", reason="exact"),
    Document("b", B, url="v"),
    Document("page", prose(9, 60), url="v", duplicate_of="b", reason="url"),
    Document("alone", prose(4, 90)),
    Document("twin", "", duplicate_of="empty", reason="exact"),
    Document("empty", ""),
    Document("twin", prose(6, 90)),
    Document("of the twin", changed(prose(6, 90), 40), duplicate_of="twin", reason="minhash"),
]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return write_output(tmp_path / "out", DOCUMENTS)


def check(root: Path, **settings: Any) -> evidence.Evidence:
    recipe = json.loads((root / "manifest.json").read_text())["recipe"]["dedup"]
    return check_evidence(str(root), {**recipe, **settings})


def rewrite(
    root: Path, table: str, change: Callable[[dict[str, Any]], dict[str, Any] | None]
) -> None:
    """Changes or removes rows of a table."""
    for path in (root / table).iterdir():
        rows = map(change, pq.read_table(path).to_pylist())
        schema = {"documents": TEXTS, "ledger": LEDGER, "clusters": CLUSTERS}[table]
        pq.write_table(pa.Table.from_pylist([row for row in rows if row], schema), path)


def test_true_evidence_is_believed(output: Path) -> None:
    found = check(output)
    assert found.problems == []
    assert (found.duplicates, found.compared, found.again) == (6, 5, 5)
    assert found.told() == (
        "6 duplicates, each of a kept document and with its evidence in clusters/; "
        "5 of 5 pairs of texts compared again"
    )


@pytest.mark.parametrize(
    ("table", "identifier", "changes", "said"),
    [
        ("clusters", "near", None, "the ledger has near as a duplicate of a by dedup.minhash"),
        ("ledger", "near", {"duplicate_of": None}, "clusters/ has near as a duplicate of a"),
        ("ledger", "near", {"duplicate_of": "b"}, "clusters/ has near as a duplicate of a"),
        ("clusters", "near", {"reason": "dedup.exact"}, "the ledger has near as a duplicate"),
        ("clusters", "near", {"jaccard": 0.99}, "value 0.9"),
        ("clusters", "near", {"cluster_size": 3}, "not 4 less one"),
        ("ledger", "a", {"cluster_size": 7}, "a stands for 7 documents, clusters/ does not"),
        ("ledger", "a", {"verdict": "filtered"}, "near is a duplicate of a, which is not kept"),
        ("ledger", "near", {"threshold": 0.99}, "near is a duplicate of a by dedup.minhash, but"),
        ("documents", "near", {"text": A}, "the Jaccard similarity of near and a is not 0.9"),
        ("documents", "copy", {"text": B}, "the texts of copy and a are not equal"),
        ("documents", "twin", {"text": B}, "the texts of twin and empty are not equal"),
    ],
)
def test_a_lie_is_named(
    table: str, identifier: str, changes: dict[str, Any] | None, said: str, output: Path
) -> None:
    rewrite(
        output,
        table,
        lambda row: row if row["id"] != identifier else changes and {**row, **changes},
    )
    assert any(said in problem for problem in check(output).problems)


@pytest.mark.parametrize(("reason", "value"), [("minhash", 0.79), ("exact", 0.999), ("url", 0.5)])
def test_a_value_on_the_wrong_side(reason: str, value: float, output: Path) -> None:
    def lie(row: dict[str, Any]) -> dict[str, Any]:
        column = "value" if "value" in row else "jaccard"
        return {**row, column: value} if row["reason"] == f"dedup.{reason}" else row

    rewrite(output, "ledger", lie)
    rewrite(output, "clusters", lie)
    assert all(f"but its value is {value}" in problem for problem in check(output).problems)
    assert check(output).problems


def test_many_lies_are_counted(output: Path) -> None:
    many = [Document(f"n{n}", A, duplicate_of="a", reason="exact") for n in range(20)]
    root = write_output(output.parent / "many", [*DOCUMENTS, *many])
    rewrite(root, "clusters", lambda row: row if row["reason"] != "dedup.exact" else None)
    problems = check(root).problems
    assert "and 17 more such" in problems


def test_names_of_documents_cannot_steer_the_terminal(tmp_path: Path) -> None:
    evil = Document("\x1b[2J", A, duplicate_of="a", reason="exact")
    root = write_output(tmp_path / "evil", [DOCUMENTS[0], evil])
    shutil.rmtree(root / "clusters")
    pq.write_table(CLUSTERS.empty_table(), _made(root / "clusters") / "part-00000.parquet")
    assert "␛[2J" in check(root).problems[0]


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_a_filtered_document_can_be_in_clusters_if_all_are_matched(output: Path) -> None:
    change = {"verdict": "filtered", "duplicate_of": None, "reason": "length.words"}
    rewrite(output, "ledger", lambda row: {**row, **change} if row["id"] == "near" else row)
    assert check(output, over="all").problems == []
    assert check(output).problems != []


def test_a_document_cut_to_nothing_can_stand_for_others(output: Path) -> None:
    cut = {
        "verdict": "duplicate",
        "reason": "dedup.passages",
        "value": 3.0,
        "threshold": 5.0,
        "duplicate_of": "alone",
        "cluster_size": None,
    }
    rewrite(output, "ledger", lambda row: {**row, **cut} if row["id"] == "a" else row)
    assert check(output).problems == []


@pytest.fixture
def against(output: Path) -> tuple[Path, Path]:
    new = [
        Document("a", changed(A, 7), duplicate_of="a", reason="minhash"),
        Document("c", B, duplicate_of="b", reason="exact"),
    ]
    return output, write_output(output.parent / "new", new, output, {"a": A, "b": B}.items())


def test_kept_documents_of_another_output(against: tuple[Path, Path]) -> None:
    old, new = against
    found = check(new)
    assert (found.problems, found.again) == ([], 2)
    rewrite(old, "ledger", lambda row: {**row, "verdict": "filtered"} if row["id"] == "b" else row)
    assert check(new).problems == ["c is a duplicate of b, which is not kept"]
    shutil.rmtree(old)
    found = check(new)
    assert (found.problems, found.unreachable) == ([], str(old))
    assert f"{old}, which was matched against, cannot be read" in found.told()


def test_a_bound_of_memory_leaves_pairs_out(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MOST_BYTES", 2_500)
    assert 0 < check(output).again < 5
    monkeypatch.setattr(evidence, "MOST_PAIRS", 1)
    assert check(output).again == 1


@given(*[st.lists(st.sampled_from(["one", "two", "three"])).map(" ".join)] * 2)
def test_shared_shingles_are_those_of_the_definition(one: str, other: str) -> None:
    shared = shared_shingles(DEDUP["minhash"], one, other)
    assert shared["jaccard"] == similarity(one, other)
    swapped = shared_shingles(DEDUP["minhash"], other, one)
    assert shared == swapped
    assert 0 <= shared["both"] <= shared["either"]


def test_shared_shingles_of_characters() -> None:
    settings = {"unit": "characters", "shingle": 2}
    shared = shared_shingles(settings, "abcd", "abce")
    assert (shared["both"], shared["either"]) == (2, 4)


SHARED = prose(900, 60)
PASSAGES = pa.schema(
    [("id", pa.string()), ("start", pa.uint32()), ("end", pa.uint32()), ("kept_id", pa.string())]
)


def with_passages(root: Path, *rows: tuple[str, int, int, str]) -> evidence.Evidence:
    """Checks an output of three documents that share a passage, given what was cut of them."""
    write_output(
        root,
        [
            Document("long", f"{prose(1, 150)} {SHARED}"),
            Document("middle", f"{prose(2, 100)} {SHARED}"),
            Document("short", f"{SHARED} {prose(3, 60)}"),
        ],
    )
    (root / "passages").mkdir()
    table = pa.Table.from_pylist(
        [dict(zip(PASSAGES.names, row, strict=True)) for row in rows], PASSAGES
    )
    pq.write_table(table, root / "passages" / "part-00000.parquet")
    return check(root, passages={"unit": "sentences", "length": 3, "min_words": 50})


AT = len(prose(2, 100)) + 1
MIDDLE = ("middle", AT, AT + len(SHARED), "long")
SHORT = ("short", 0, len(SHARED), "long")


def test_passages_are_found_again_where_they_stay(tmp_path: Path) -> None:
    found = with_passages(tmp_path, MIDDLE, SHORT)
    assert found.problems == []
    assert found.told().endswith(
        "2 of 2 repeated passages found again in the documents that keep them"
    )


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        (("short", 0, len(SHARED) + 40, "long"), f"characters 0 to {len(SHARED) + 40} of short"),
        (("short", 0, len(SHARED), "middle"), "do not stand in middle"),  # cut there, too
        (("short", 0, len(SHARED), "short"), "do not stand in short"),
        (("short", 0, 0, "long"), "characters 0 to 0 of short"),
    ],
)
def test_passages_that_do_not_stay_are_named(
    tmp_path: Path, lie: tuple[str, int, int, str], said: str
) -> None:
    (problem,) = with_passages(tmp_path, MIDDLE, lie).problems
    assert said in problem
