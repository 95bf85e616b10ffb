"""A report with something in every section, and a parser that refuses what no page may hold."""

from html.parser import HTMLParser
from typing import Any

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
