"""What the terminal shows of a finished output, of recipes, splits and filters."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from command import SMALL, in_process, write_corpus
from rich.console import Console

from filters.registry import FILTERS
from pipeline.errors import UsageError
from pipeline.output import Output
from pipeline.summary import open_report, print_filter, print_filters, print_splits, summary


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    corpus = write_corpus(folder / "corpus.jsonl", 60)
    with corpus.open("a") as file:
        file.write('{"id": "bad", "text": \n')
    words = ("run", "gopher", "-i", corpus, "-o", folder / "out", *SMALL)
    assert in_process(*words, "-s", "max_error_rate=0.5").code == 0
    return folder / "out"


def shown(show: Any, *arguments: Any) -> str:
    console = Console(file=StringIO(), width=160)
    show(*arguments, console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_summary_shows_what_the_ledger_counts(output: Path) -> None:
    ended = in_process("report", output)
    counts = json.loads((output / "manifest.json").read_text())["documents"]
    funnel = ended.out[: ended.out.index("reason")].splitlines()
    rows = {words[0]: words for line in funnel if len(words := line.split()) > 2}
    assert counts["error"] == 1
    assert int(rows["read"][1]) == counts["read"] == 61
    assert rows["readable"][1:3] == ["1", "60"]
    assert int(rows["dedup.minhash"][2]) == counts["kept"]
    dropped = [rows[name] for name in ("language", "gopher_quality", "gopher_repetition")]
    assert sum(int(row[1]) for row in dropped) == counts["filtered"]
    assert "1 records could not be read: invalid_json 1" in ended.out
    assert f"report: {output}/report/report.html" in ended.out


def test_summary_counts_tokens(output: Path) -> None:
    manifest = json.loads((output / "manifest.json").read_text())
    tokens = sum(shard["tokens"] for shard in manifest["shards"])
    held_out = sum(s["tokens"] for s in manifest["shards"] if "/validation/" in s["path"])
    line = f"{tokens:,} tokens in {len(manifest['shards'])} shards ({held_out:,} for validation)"
    assert line in in_process("report", output).out


def test_summary_tells_repeats_apart(output: Path, tmp_path: Path) -> None:
    report = json.loads((output / "report" / "report.json").read_text())
    once = report["funnel"][-1]
    tokens = sum(shard["tokens"] for shard in report["shards"])
    assert "repeats" not in in_process("report", output).out
    report["shards"][0]["tokens"] += 1_234
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.json").write_text(json.dumps(report))
    told = in_process("report", tmp_path).out.replace("\n", " ")
    assert f"{tokens + 1_234:,} tokens in" in told
    assert "for validation, 1,234 of repeats)" in told
    assert f"{once['bytes'] / once['tokens']:.2f} bytes a token" in told


def test_summary_for_programs(output: Path) -> None:
    data = summary(Output(str(output)))
    assert data["page"] == f"{output}/report/report.html"
    assert data["documents"]["read"] == 61


def test_no_report(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        summary(Output(str(tmp_path)))
    assert str(tmp_path) in raised.value.message
    assert "--output" in raised.value.hint


def split(part: int, url: str = "/a[b]/[red]x.jsonl") -> dict[str, Any]:
    return {"part": part, "format": "jsonl", "url": url, "start": 0, "end": 5, "size": 1_000_000}


def test_splits_are_listed_up_to_a_limit() -> None:
    few = shown(print_splits, [split(0), split(1)])
    assert few.count("/a[b]/[red]x.jsonl") == 2
    assert "2 splits, 2.00 MB; nothing was run." in few
    many = shown(print_splits, [split(part) for part in range(70)])
    assert many.count("x.jsonl") == 50
    assert "70 splits, 70.00 MB, 20 of them not shown; nothing was run." in many


def test_every_filter_is_listed() -> None:
    text = shown(print_filters)
    for name, module in FILTERS.items():
        assert name in text
        assert str(len(module.RULES)) in text


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_shows_every_rule(name: str) -> None:
    text = " ".join(shown(print_filter, name).split())
    for rule in FILTERS[name].RULES:
        assert rule.signal in text
        for bound in (rule.minimum, rule.maximum):
            assert bound is None or f"{bound:g}" in text


def test_unknown_filter() -> None:
    with pytest.raises(UsageError, match="no filter named gopher_qualiti"):
        shown(print_filter, "gopher_qualiti")


def test_only_a_local_report_is_opened(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    open_report(Output(str(output)))
    open_report(Output("memory://bucket/out"))
    assert opened == [(output / "report" / "report.html").as_uri()]
