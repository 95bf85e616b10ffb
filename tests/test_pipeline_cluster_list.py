"""Clusters: the largest and the most suspicious first, with sources and least similar member."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from command import in_process
from conftest import changed, prose
from evidence_output import Document, similarity, write_output
from rich.console import Console

from pipeline.cluster_list import barely_below, clusters, first_clusters, print_clusters
from pipeline.errors import UsageError

A, B, C = prose(1, 150), prose(2, 150), prose(3, 150)
BARELY = (20, 50, 80)  # changes that leave a Jaccard similarity a little above 0.8
DOCUMENTS = [
    Document("large", A, "books"),
    *(
        Document(
            f"l{n}",
            changed(A, 10 + n),
            "web" if n % 3 else "\x1b[2Jcopies",
            None,
            "large",
            "minhash",
        )
        for n in range(6)
    ),
    Document("odd", B),
    *(
        Document(
            f"o{n}", changed(B, *(place + n for place in BARELY)), "web", None, "odd", "minhash"
        )
        for n in range(3)
    ),
    Document("plain", C, url="u"),
    Document("p0", C, duplicate_of="plain", reason="exact"),
    Document("p1", prose(9, 60), url="u", duplicate_of="plain", reason="url"),
    Document("p2", changed(C, *BARELY), duplicate_of="plain", reason="minhash"),
    Document("by-url", prose(11, 60), url="v"),
    Document("by-url-2", prose(12, 60), url="v", duplicate_of="by-url", reason="url"),
    Document("alone", prose(4, 90)),
]


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_output(tmp_path_factory.mktemp("clusters"), DOCUMENTS)


def test_the_largest_first(output: Path) -> None:
    found, threshold = clusters(f"{output}/", "clusters", 10)
    assert threshold == 0.8
    assert [(c["kept_id"], c["cluster_size"]) for c in found] == [
        ("large", 7),
        ("odd", 4),
        ("plain", 4),
        ("by-url", 2),
    ]
    assert found[0]["sources"] == {"web": 4, "\x1b[2Jcopies": 2, "books": 1}
    assert found[0]["reasons"] == {"dedup.minhash": 6}
    values = {d.id: similarity(A, d.text) for d in DOCUMENTS if d.duplicate_of == "large"}
    assert found[0]["lowest_jaccard"] == min(values.values())
    assert values[found[0]["least_similar"]] == min(values.values())
    assert found[0]["mean_jaccard"] == pytest.approx(sum(values.values()) / 6)
    assert found[2]["reasons"] == {"dedup.exact": 1, "dedup.minhash": 1, "dedup.url": 1}
    assert found[2]["least_similar"] == "p2"
    assert (found[3]["lowest_jaccard"], found[3]["least_similar"]) == (None, "by-url-2")


def test_the_most_suspicious_first(output: Path) -> None:
    found, _ = clusters(str(output), "suspicious", 10)
    assert [(c["kept_id"], c["barely_similar"]) for c in found] == [("odd", 3), ("plain", 1)]
    for one in found:
        assert 0.8 <= one["lowest_jaccard"] < barely_below(0.8)


@pytest.mark.parametrize("order", ["clusters", "suspicious"])
def test_a_limit_takes_the_first(order: str, output: Path) -> None:
    whole = first_clusters(str(output), 0.8, order, 100)
    for limit in (1, 2, 3):
        assert first_clusters(str(output), 0.8, order, limit) == whole[:limit]


def test_barely_similar_is_the_lowest_quarter() -> None:
    assert barely_below(0.8) == pytest.approx(0.85)
    assert barely_below(1.0) == 1.0


def test_without_minhash_nothing_is_suspicious(output: Path) -> None:
    assert first_clusters(str(output), None, "suspicious", 10) == []


def test_a_kept_document_of_another_output_has_no_source_here(tmp_path: Path) -> None:
    documents = [Document("a", A, "new", None, "old", "exact"), Document("b", B)]
    write_output(tmp_path, documents, tmp_path / "other", {"old": A}.items())
    (one,) = clusters(str(tmp_path), "clusters", 10)[0]
    assert (one["kept_id"], one["sources"]) == ("old", {"new": 1})


def test_what_is_printed_says_what_it_measures(output: Path) -> None:
    stream = StringIO()
    console = Console(file=stream, soft_wrap=True, width=40)
    print_clusters(*clusters(str(output), "suspicious", 10), console, False)
    shown = stream.getvalue()
    assert "odd: 4 documents\n  from web 4\n  by dedup.minhash 3; Jaccard from 0.8" in shown
    assert "; 3 barely similar\n  least similar: o" in shown
    assert "below 0.85, the lowest quarter between the threshold 0.8 and 1." in shown
    assert shown.index("odd") < shown.index("plain")
    print_clusters(*clusters(str(output), "clusters", 10), console, False)
    assert "by-url: 2 documents\n  from web 2\n  by dedup.url 1; 0 barely" in stream.getvalue()
    assert "␛[2Jcopies 2" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_many_sources_are_counted() -> None:
    stream = StringIO()
    print_clusters([of_sources(7)], 0.8, Console(file=stream, soft_wrap=True), False)
    assert "from s0 1, s1 1, s2 1, s3 1, 3 more\n" in stream.getvalue()


def of_sources(count: int) -> dict[str, Any]:
    return {
        "kept_id": "k",
        "cluster_size": 2,
        "reasons": {"dedup.url": 1},
        "lowest_jaccard": None,
        "mean_jaccard": None,
        "barely_similar": 0,
        "least_similar": "m",
        "sources": {f"s{n}": 1 for n in range(count)},
    }


def test_the_command(output: Path) -> None:
    ended = in_process("inspect", output, "clusters", "--json", "--limit", "2")
    assert [json.loads(line)["kept_id"] for line in ended.out.splitlines()] == ["large", "odd"]
    assert "odd" in in_process("inspect", output, "suspicious").out
    rows = in_process("inspect", output, "duplicates", "--json", "--limit", "100").out.splitlines()
    assert len(rows) == sum(d.duplicate_of is not None for d in DOCUMENTS)
    assert set(json.loads(rows[0])) == {"id", "kept_id", "jaccard", "cluster_size", "reason"}


def test_an_output_without_deduplication(output: Path, tmp_path: Path) -> None:
    manifest = json.loads((output / "manifest.json").read_text())
    manifest["recipe"]["dedup"] = None
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UsageError) as raised:
        clusters(str(tmp_path), "clusters", 1)
    assert "looks for no duplicates" in raised.value.message


def test_no_cluster_is_said_to_be_none(tmp_path: Path) -> None:
    write_output(tmp_path, [Document("a", A), Document("b", B)])
    assert in_process("inspect", tmp_path, "clusters").out == "no such cluster\n"
