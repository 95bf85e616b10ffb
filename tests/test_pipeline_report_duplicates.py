"""The report page's section on duplicates."""

import pytest
from report_example import Page, found_duplicates

from pipeline.report_duplicates import MOST_SOURCES, duplicates
from pipeline.report_markup import join


def section(**changes: object) -> str:
    return join(*duplicates({"duplicates": {**found_duplicates(), **changes}}))


def test_the_numbers_are_those_of_the_report() -> None:
    written = section()
    page = Page(written)
    assert "1,234, of which 1,000 (81.0%) reach 0.8" in page.text
    assert "88 in 8 large buckets" in page.text
    assert page.tables["Cluster sizes"][1:] == [
        ["2", "", "200", "200"],
        ["3", "", "100", "200"],
        ["100–999", "", "1", "596"],
    ]
    for caption in ("By number of documents", "By number of barely similar members"):
        assert page.tables[caption][1] == (
            ["kept-id", "597", "0.812", "0.889", "77", "near-duplicates 590, equal texts 6"]
        )
    assert "web 512, books 85" in page.text
    assert "below 0.85, in the lowest quarter between the threshold 0.8 and 1" in page.text
    assert "0.8 to 1: 1,000 pairs" in page.text
    assert "0.8 to 1: 951 documents" in page.text
    assert "threshold 0.8" in page.text


def test_where_the_least_similar_member_differs() -> None:
    written = section()
    assert "How far differs from kept-id" in Page(written).text
    assert "14 words removed, 3 added. The first places:" in Page(written).text
    assert '<pre dir="auto">the same <del>gone</del> <ins>come</ins> </pre>' in written


def test_a_cluster_without_a_jaccard_or_texts() -> None:
    cluster = {**found_duplicates()["largest"][0], "reasons": {"dedup.url": 596}}
    cluster.update(lowest_jaccard=None, mean_jaccard=None)
    del cluster["diff"]
    written = section(largest=[cluster], suspicious=[])
    rows = Page(written).tables["By number of documents"]
    assert rows[1][2:4] == ["–", "–"]
    assert "by URL 596" in rows[1][-1]
    assert "There is none." in written
    assert "<pre" not in written


def test_only_white_space_differs() -> None:
    cluster = {**found_duplicates()["largest"][0], "diff": {"removed": 0, "added": 0, "hunks": []}}
    assert "No word differs, only white space." in section(largest=[cluster])


def test_many_sources_are_counted() -> None:
    cluster = found_duplicates()["largest"][0]
    cluster["sources"] = {f"s{n}": 1 for n in range(MOST_SOURCES + 3)}
    page = Page(section(largest=[cluster], suspicious=[]))
    assert "s3 1, 3 more" in page.text
    assert "s4 1" not in page.text


@pytest.mark.parametrize("poison", ["<script>alert(1)</script>", '"><img src=x onerror=a>', "<!--"])
def test_names_of_sources_are_only_text(poison: str) -> None:
    cluster = {**found_duplicates()["largest"][0], "sources": {poison: 3}}
    assert poison in Page(section(largest=[cluster])).text


def test_no_near_duplicates_are_looked_for() -> None:
    found = found_duplicates()
    for key in ("pairs_by_jaccard", "dropped_by_jaccard"):
        del found[key]
    found.update(threshold=None, barely_below=None, suspicious=[])
    page = Page(join(*duplicates({"duplicates": found})))
    assert "pairs compared" not in page.text
    assert "Suspicious" not in page.text


def test_nothing_was_found() -> None:
    assert "No duplicate was found." in section(largest=[], suspicious=[])
    assert "does not look for duplicates" in join(*duplicates({"duplicates": None}))


def test_repeated_passages_are_told() -> None:
    cut = {"documents": 12, "bytes": 3_450_000, "dropped": 7}
    assert "3.45 MB cut from 12 documents; 7 more dropped" in section(passages=cut)


def test_counts_can_include_filtered_documents() -> None:
    told = "Counted are also documents that a filter drops."
    assert told in section(over="all")
    assert told not in section()
