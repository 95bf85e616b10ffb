import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_example import Page, empty, example, rule

from filters.redaction import TYPES
from pipeline.report_clusters import LONGEST, MOST_CLUSTERS, MOST_HUNKS, MOST_PIECES
from pipeline.report_markup import CSP
from pipeline.report_page import MOST_INPUTS, MOST_ROWS, PLAIN_TYPES, render

HOSTILE = [
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title><svg onload=alert(1)>",
    "<!--",
    "]]><x>",
    "&lt;script&gt;&#x3c;b&#x3e;",
    "javascript:alert(1)",
    "\u2028\u2029\u202e\u2066\x00\x1b[31m\x7f\ud800",
    "W" * 100_000,
    "<" * 100_000,
    "汉" * 100_000,
]


def poisoned(value: Any, poison: str) -> Any:
    """Puts a text before every text of a report that a file name, a document or a user gives."""
    if isinstance(value, dict):
        fixed = (
            "kind",
            "types",
            "replace",
            "verdict",
            "rule",
            "reason",
            "stage",
            "scale",
            "sha256",
            "code",
            "path",
        )
        return {
            key: entry if key in fixed else poisoned(entry, poison) for key, entry in value.items()
        }
    if isinstance(value, list):
        return [poisoned(entry, poison) for entry in value]
    return poison + value if isinstance(value, str) else value


def test_the_numbers_are_those_of_the_report():
    report = example()
    page = Page(render(report))
    funnel = page.tables["Documents and text left after each stage"][1:]
    assert [row[0] for row in funnel] == [stage["stage"] for stage in report["funnel"]]
    assert [row[4:] for row in funnel] == [
        ["10,000", "100.0%", "50.00"],
        ["10,000", "100.0%", "50.00"],
        ["6,997", "70.0%", "41.00"],
        ["6,001", "60.0%", "38.00"],
    ]
    assert [row[2:4] for row in funnel] == [
        ["", ""],
        ["0", "0.00"],
        ["3,003", "9.00"],
        ["996", "3.00"],
    ]
    assert page.tables["Dropped documents by reason"][1:] == [
        ["gopher_quality.word_count", "", "3,003", "30.0%", "9.00"],
        ["dedup.minhash", "", "996", "10.0%", "3.00"],
    ]
    assert page.tables["Sources, in and out"][1] == (
        ["web", "", "10,000", "6,001", "60.0%", "3,003", "996", "0", "50.00", "38.00", "9,500,000"]
    )
    rules = page.tables["What each rule keeps and drops"][1:]
    assert rules == [
        ["gopher_quality"],
        ["word_count", "at least 50 and at most 100,000", "", "2,004", "20.0%", "2,003", "2,002"],
        ["mean_word_length", "at least 3", "", "1,001", "10.0%", "1,000", "999"],
    ]
    assert page.tables["Shards"][1] == (
        ["tokens/train/part-00000.arrow", "5,900", "9,000,000", "19.00", "d" * 16]
    )
    for words in ("1,234", "500,000 (5.3%)", "4.00", "98.76 MB", "a" * 16):
        assert words in page.text
    assert "https://example.org/page" in page.text
    assert "7 words; the threshold is 50" in page.text


def test_repeats_are_told_apart_from_documents():
    report = example()
    assert "of them repeats" not in Page(render(report)).text
    report["shards"][0] |= {"documents": 6_900, "tokens": 10_000_000}
    text = Page(render(report)).text
    for words in (
        "of them repeats",
        "1,000,000 (9.5%)",
        "with 9,500,000 tokens",
        "10,500,000",
        "4.00",
    ):
        assert words in text


def test_the_page_is_complete_and_fetches_nothing():
    page = render(example())
    parsed = Page(page)
    assert parsed.links <= parsed.ids
    assert len(parsed.links) == 10
    assert f'<meta http-equiv="Content-Security-Policy" content="{CSP}">' in page
    assert page.index("Content-Security-Policy") < page.index("<style>")
    assert CSP.startswith("default-src 'none';")
    for forbidden in ("<script", "<link", "@import", "url("):
        assert forbidden not in page


@pytest.mark.parametrize("poison", HOSTILE)
def test_hostile_text_is_only_text(poison):
    plain = Page(render(example()))
    page = render(poisoned(example(), poison))
    assert Page(page).count == plain.count  # `Page` refuses every unknown tag and attribute
    page.encode()
    assert len(page.encode()) < 100_000
    assert not set(page) & {"\x00", "\x1b", "\x7f", "\ud800", "\u202e", "\u2066"}


@settings(max_examples=30)
@given(st.text(alphabet=st.sampled_from("<>&\"'/=! -\n\x00\u2028ax;#"), max_size=40))
def test_any_text_is_only_text(poison):
    Page(render(poisoned(example(), poison)))


def test_the_text_is_shown_as_it_is():
    report = example()
    report["samples"][0]["excerpt"] = '\t5 < 6 & "so" on\nnext line \x07'
    assert '\t5 < 6 & "so" on\nnext line ␇' in Page(render(report)).text


def test_an_empty_report_is_a_page():
    page = Page(render(empty()))
    assert "The input held no document." in page.text
    assert "The recipe has no rule." in page.text
    assert "does not look for duplicates" in page.text
    assert "there are no tokens" in page.text
    nothing_kept = example()
    nothing_kept["documents"] |= {"kept": 0, "filtered": 9_004}
    nothing_kept |= {"tokenizer": {"kept": False}, "shards": []}
    nothing_kept["recipe"]["redaction"] = None
    page = Page(render(nothing_kept))
    assert "No document was kept." in page.text
    assert "redacts nothing" in page.text


def test_redactions_have_plain_names_and_no_small_numbers():
    report = example()
    page = Page(render(report))
    few = "fewer than 10"
    assert page.tables["Redactions by type"][1:] == [
        ["e-mail addresses", "77", few],
        ["IP addresses", few, few],
        ["name", "0", "0"],
    ]
    assert "replaced by tags, in all documents" in page.text
    report["recipe"]["redaction"]["replace"] = "stand_in"
    assert "replaced by stand-ins" in Page(render(report)).text


def test_every_type_has_a_plain_name():
    assert set(PLAIN_TYPES) == set(TYPES)


def test_a_report_read_back_from_json_gives_the_same_page():
    assert render(json.loads(json.dumps(example()))) == render(example())


def test_warnings_come_first_and_loud():
    report = example()
    report["warnings"] += [{"kind": "uncompared", "text": "Some pairs."}]
    page = render(report)
    assert '<p class="banner loud">Source web loses 996 of 6,997 documents.</p>' in page
    assert '<p class="banner">Some pairs.</p>' in page
    assert page.index("banner loud") < page.index('id="funnel"')


@pytest.mark.parametrize(("errors", "loud"), [(0, None), (100, False), (101, True)])
def test_the_banner_is_loud_when_there_are_more_errors_than_allowed(errors, loud):
    report = example() | {"error_rate": errors / 10_000, "warnings": []}
    report["documents"]["error"] = errors
    report["errors"] = {"invalid_json": errors - 7, "truncated": 7} if errors else {}
    page = render(report)
    assert ('class="banner loud"' in page) is bool(loud)
    assert ('class="banner"' in page) is (loud is False)
    if errors:
        parsed = Page(page)
        assert f"{errors} of 10,000 records could not be read (1.0%)" in parsed.text
        assert parsed.tables["Errors by class"][1:] == [
            ["invalid_json", str(errors - 7)],
            ["truncated", "7"],
        ]
        assert ("the run failed" in parsed.text) is loud


def test_the_size_has_a_bound():
    report = example()
    report["sources"] = [report["sources"][0] | {"source": f"s{n}" * 500} for n in range(5_000)]
    report["shards"] = [report["shards"][0] for _ in range(5_000)]
    report["recipe"]["source"]["inputs"] = [f"in-{n}" * 500 for n in range(5_000)]
    report["recipe"]["filters"] = {f"key-{n}": "v" * 500 for n in range(5_000)}
    report["duplicates"]["sizes"] = [[size, 1] for size in range(2, 5_000)]
    report["warnings"] = [{"kind": "source", "text": "&" * 9_000} for _ in range(5_000)]
    cluster = report["duplicates"]["largest"][0] | {"kept_id": "&" * 9_000}
    cluster["sources"] = {f"{n}" + "&" * 9_000: 1 for n in range(50)}
    pieces = [{"kind": "added", "text": "&" * LONGEST}] * MOST_PIECES
    cluster["diff"] = {"removed": 9, "added": 9, "hunks": [pieces] * MOST_HUNKS}
    for order in ("largest", "suspicious"):
        report["duplicates"][order] = [cluster] * MOST_CLUSTERS
    sample = report["samples"][0] | {"excerpt": "<" * 600, "id": "&" * 9_000, "url": "&" * 9_000}
    names = [f"filter.rule_{n}" for n in range(40)]
    report["samples"] = [sample | {"reason": name} for name in names for _ in range(5)]
    report["rules"] = [rule(name, 0.5, None, 9) for name in names]
    bins = {"edges": [n / 40 for n in range(41)], "counts": list(range(40)), "scale": "linear"}
    ends = {"smallest": -1.0, "largest": 2.0}
    report["histograms"] = [{"rule": name, **bins, **ends} for name in names]
    page = render(report)
    assert len(page.encode()) < 1_200_000
    parsed = Page(page)
    assert len(parsed.tables["Sources, in and out"]) == 1 + MOST_ROWS
    assert len(parsed.tables["Shards"]) == 1 + MOST_ROWS
    assert "4,950 more sources." in parsed.text
    assert "4,990 more warnings: in report.json." in parsed.text
    assert "4,950 more shards." in parsed.text
    assert f"and {5_000 - MOST_INPUTS:,} more" in parsed.text


def test_rendering_changes_nothing():
    report = example()
    before = copy.deepcopy(report)
    assert render(report) == render(report)
    assert report == before
