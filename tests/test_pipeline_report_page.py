import copy
import json
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.redaction import TYPES
from pipeline.report_clusters import LONGEST, MOST_CLUSTERS, MOST_HUNKS, MOST_PIECES
from pipeline.report_markup import CSP
from pipeline.report_page import MOST_INPUTS, MOST_ROWS, PLAIN_TYPES, render

VOID = {"meta", "wbr"}
KNOWN_TAGS = (
    "html head title style body header nav main section h1 h2 h3 h4 p ul li dl dt dd div span a b "
    "strong small bdi code pre table caption thead tbody tr th td details summary article figure "
    "figcaption svg rect line text del ins"
)
TAGS = VOID | set(KNOWN_TAGS.split())
KNOWN_ATTRIBUTES = (
    "lang charset http-equiv content name href id class role tabindex aria-label aria-hidden dir "
    "scope colspan viewbox preserveaspectratio x x1 x2 y y1 y2 width height text-anchor"
)
ATTRIBUTES = set(KNOWN_ATTRIBUTES.split())
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


class Page(HTMLParser):
    """Parses a page and refuses whatever the report never writes."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.words: list[str] = []
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.count = 0
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        for key, value in attrs:
            assert key in ATTRIBUTES, key
            assert value is not None
            if key == "href":
                assert value.startswith("#")
                self.links.add(value[1:])
            if key == "id":
                assert value not in self.ids
                self.ids.add(value)
        if tag not in VOID:
            self.count += 1
            self.open.append(tag)
        if tag == "caption":
            self.rows: list[list[str]] = []
            self.caption = ""
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "table":
            self.tables[self.caption] = self.rows

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            return
        self.words.append(data)
        if "caption" in self.open:
            self.caption += data
        elif "tr" in self.open and "small" not in self.open:
            self.rows[-1][-1] += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment")

    def handle_decl(self, decl: str) -> None:
        assert decl == "doctype html"

    unknown_decl = handle_pi = handle_comment

    @property
    def text(self) -> str:
        return "".join(self.words)


def rule(name: str, minimum: float | None, maximum: float | None, failed: int) -> dict[str, Any]:
    return {
        "rule": name,
        "minimum": minimum,
        "maximum": maximum,
        "strict": False,
        "unit": "words",
        "description": f"what {name} measures",
        "failed": failed,
        "first": failed - 1,
        "alone": failed - 2,
    }


def found_duplicates() -> dict[str, Any]:
    """What a report says of duplicates; its numbers are all different."""
    cluster = {
        "kept_id": "kept-id",
        "cluster_size": 597,
        "reasons": {"dedup.minhash": 590, "dedup.exact": 6},
        "lowest_jaccard": 0.8125,
        "mean_jaccard": 0.8891,
        "barely_similar": 77,
        "least_similar": "far",
        "sources": {"web": 512, "books": 85},
        "diff": {
            "removed": 14,
            "added": 3,
            "hunks": [
                [
                    {"kind": "same", "text": "the same "},
                    {"kind": "removed", "text": "gone "},
                    {"kind": "added", "text": "come "},
                ]
            ],
        },
    }
    return {
        "pairs": 1_234,
        "large_buckets": 8,
        "uncompared": 88,
        "url_duplicates": 0,
        "exact_duplicates": 45,
        "near_duplicates": 951,
        "clusters": 301,
        "over": "kept",
        "threshold": 0.8,
        "barely_below": 0.85,
        "sizes": [[2, 200], [3, 100], [597, 1]],
        "largest": [cluster, {**cluster, "kept_id": "other-id", "cluster_size": 33}],
        "suspicious": [cluster],
        "pairs_by_jaccard": {"edges": [0.0, 0.8, 1.0], "counts": [234, 1_000]},
        "dropped_by_jaccard": {"edges": [0.0, 0.8, 1.0], "counts": [0, 951]},
    }


def example() -> dict[str, Any]:
    """A report with something in every section; its numbers are all different."""
    sample = {
        "id": "sample-id",
        "verdict": "filtered",
        "reason": "gopher_quality.word_count",
        "value": 7.0,
        "threshold": 50.0,
        "duplicate_of": None,
        "source": "sample-source",
        "url": "https://example.org/page",
        "language": "en",
        "excerpt": "Some words of a document.",
        "characters": 4_321,
    }
    duplicate = {"reason": "dedup.minhash", "verdict": "duplicate", "duplicate_of": "kept-id"}
    return {
        "run": {
            "recipe": "demo",
            "gristmill": "0.1.0",
            "code": "c" * 64,
            "python": "3.11.7",
            "parts": 17,
            "input_bytes": 98_760_000,
        },
        "recipe": {
            "description": "What it is for.",
            "seed": 5,
            "max_error_rate": 0.01,
            "source": {"inputs": ["data/in.jsonl"], "format": "auto"},
            "redaction": {"types": ["email", "ip", "name"], "replace": "tag"},
            "filters": {},
        },
        "recipe_hash": "a" * 64,
        "documents": {"read": 10_000, "kept": 6_001, "filtered": 3_003, "duplicate": 996}
        | {"error": 0},
        "error_rate": 0.0,
        "errors": {},
        "funnel": [
            {"stage": "read", "dropped": 0, "documents": 10_000, "bytes": 50_000_000, "tokens": 0},
            {
                "stage": "readable",
                "dropped": 0,
                "documents": 10_000,
                "bytes": 50_000_000,
                "tokens": 0,
            },
            {
                "stage": "gopher_quality",
                "dropped": 3_003,
                "documents": 6_997,
                "bytes": 41_000_000,
                "tokens": 0,
            },
            {
                "stage": "dedup.minhash",
                "dropped": 996,
                "documents": 6_001,
                "bytes": 38_000_000,
                "tokens": 9_500_000,
            },
        ],
        "reasons": [
            {
                "reason": "gopher_quality.word_count",
                "verdict": "filtered",
                "documents": 3_003,
                "bytes": 9_000_000,
                "tokens": 0,
            },
            {
                "reason": "dedup.minhash",
                "verdict": "duplicate",
                "documents": 996,
                "bytes": 3_000_000,
                "tokens": 0,
            },
        ],
        "rules": [
            rule("gopher_quality.word_count", 50, 100_000, 2_004),
            rule("gopher_quality.mean_word_length", 3, None, 1_001),
        ],
        "histograms": [
            {
                "rule": "gopher_quality.word_count",
                "scale": "log",
                "edges": [5.0, 50.0, 5_000.0, 100_001.0, 150_000.0],
                "counts": [2_000, 7_000, 990, 4],
                "smallest": 1.0,
                "largest": 200_000.0,
            },
            {
                "rule": "gopher_quality.mean_word_length",
                "scale": "linear",
                "edges": [2.0, 3.0, 4.0],
                "counts": [1_001, 8_990],
                "smallest": 2.0,
                "largest": 4.0,
            },
        ],
        "sources": [
            {
                "source": "web",
                "read": 10_000,
                "kept": 6_001,
                "filtered": 3_003,
                "duplicate": 996,
                "error": 0,
            }
            | {"bytes": 50_000_000, "kept_bytes": 38_000_000, "tokens": 9_500_000},
        ],
        "samples": [sample, sample | duplicate, sample | {"reason": None, "verdict": "kept"}],
        "warnings": [{"kind": "source", "text": "Source web loses 996 of 6,997 documents."}],
        "duplicates": found_duplicates(),
        "redactions": {
            "email": {"replaced": 77, "documents": "fewer than 10"},
            "ip": {"replaced": "fewer than 10", "documents": "fewer than 10"},
            "name": {"replaced": 0, "documents": 0},
        },
        "tokenizer": {
            "kept": True,
            "vocab_size": 4_096,
            "sha256": "b" * 64,
            "engine": "tiktoken",
            "sample_bytes": 4_000_000,
        },
        "shards": [
            {
                "path": "tokens/train/part-00000.arrow",
                "sha256": "d" * 64,
                "documents": 5_900,
                "tokens": 9_000_000,
                "bytes": 19_000_000,
            },
            {
                "path": "tokens/validation/part-00000.arrow",
                "sha256": "e" * 64,
                "documents": 101,
                "tokens": 500_000,
                "bytes": 1_100_000,
            },
        ],
    }


def empty() -> dict[str, Any]:
    """What a recipe without filters or deduplication gives for an input without documents."""
    return example() | {
        "documents": dict.fromkeys(("read", "kept", "filtered", "duplicate", "error"), 0),
        "funnel": [
            {"stage": stage, "dropped": 0, "documents": 0, "bytes": 0, "tokens": 0}
            for stage in ("read", "readable")
        ],
        **{key: [] for key in ("reasons", "rules", "histograms", "sources", "samples", "shards")},
        "duplicates": None,
        "warnings": [],
        "redactions": {},
        "tokenizer": None,
    }


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
