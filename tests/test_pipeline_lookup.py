"""Documents are found by id, and only their row groups are read."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from evidence_output import Document, write_output

from pipeline.lookup import documents, places, stands, stories

DOCUMENTS = [Document(f"d{n}", f"text {n}") for n in range(9)]
DOCUMENTS += [Document("twin", "one"), Document("twin", "two", duplicate_of="d0", reason="exact")]


@pytest.fixture
def output(tmp_path: Path) -> str:
    return str(write_output(tmp_path, DOCUMENTS))


def test_places_of_ids(output: str) -> None:
    found = {file: rows.tolist() for file, rows in places(output, ["d0", "d3", "twin", "nobody"])}
    assert found == {"part-00000.parquet": [0, 5], "part-00001.parquet": [1, 4]}
    assert list(places(output, ["nobody"])) == list(places(output, [])) == []


def test_documents_are_those_of_the_file(output: str) -> None:
    found = list(documents(output, ["d8", "d1", "twin"], ["id", "text"]))
    assert sorted((row["id"], row["text"]) for row in found) == [
        ("d1", "text 1"),
        ("d8", "text 8"),
        ("twin", "one"),
        ("twin", "two"),
    ]


def test_a_story_joins_what_the_ledger_says(output: str) -> None:
    found = {row["text"]: row for row in stories(output, ["twin"])}
    assert (found["one"]["verdict"], found["two"]["verdict"]) == ("kept", "duplicate")
    assert found["two"]["duplicate_of"] == "d0"


def test_other_row_groups_are_not_read(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    whole = pq.ParquetFile.read_row_group
    monkeypatch.setattr(
        pq.ParquetFile,
        "read_row_group",
        lambda self, group, **more: read.append(group) or whole(self, group, **more),
    )
    list(stories(output, ["d4"]))
    assert read == [1, 1]  # of documents/ and of ledger/


def test_others_can_be_duplicates_of_a_kept_document_or_one_cut_to_nothing() -> None:
    assert stands({"verdict": "kept", "reason": None})
    assert stands({"verdict": "duplicate", "reason": "dedup.passages"})
    assert not stands({"verdict": "duplicate", "reason": "dedup.exact"})
    assert not stands({"verdict": "filtered", "reason": "length.words"})


def test_a_part_without_documents(tmp_path: Path) -> None:
    assert pq.read_table(write_output(tmp_path, []) / "documents")["id"].to_pylist() == []
    assert list(places(str(tmp_path), ["d0"])) == []
