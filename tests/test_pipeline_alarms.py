"""What a run warns of loudly."""

import json
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from command import SMALL, in_process
from conftest import changed, prose
from evidence_output import Document, write_output
from rich.console import Console

from pipeline.accounts import Accounts, Tally
from pipeline.alarms import FEWEST, MOST_SOURCES, alarms, print_alarms, told
from pipeline.duplicates.settings import Dedup
from pipeline.output import Job, Output

BASE = prose(1, 120)


def copies(count: int, sources: int = 1) -> list[Document]:
    """Returns a document and its near-copies, spread over some sources."""
    first = Document("c0", BASE, "copies 0")
    return [first] + [
        Document(f"c{n}", changed(BASE, n), f"copies {n % sources}", None, "c0", "minhash")
        for n in range(1, count)
    ]


def others(count: int) -> list[Document]:
    return [Document(f"o{n}", f"text {n}", "others") for n in range(count)]


def raised(root: Path, documents: list[Document], **settings: Any) -> list[dict[str, Any]]:
    """Returns the alarms of a run that ended with these documents."""
    write_output(root, documents)
    uncompared = settings.pop("uncompared", 0)
    summary = {"uncompared": uncompared, "large_buckets": 3}
    accounts = Accounts(len(documents))
    for document in documents:
        verdict = "duplicate" if document.duplicate_of else "kept"
        cell = (document.source, verdict, document.reason)
        accounts.cells.setdefault(cell, Tally()).add(Tally(1))
    for _ in range(settings.pop("filtered", 0)):
        accounts.cells.setdefault(("others", "filtered", "f.r"), Tally()).add(Tally(1))
    job = SimpleNamespace(
        recipe=SimpleNamespace(dedup=Dedup(**settings)),
        output=Output(str(root)),
        n_parts=3,
        summaries=lambda stage: [summary],
    )
    return alarms(cast(Job, job), accounts)


def test_a_source_that_is_mostly_duplicates(tmp_path: Path) -> None:
    (alarm,) = raised(tmp_path, copies(30) + others(300))
    assert alarm["kind"] == "source"
    assert (alarm["source"], alarm["duplicates"], alarm["matched"]) == ("copies 0", 29, 30)
    assert (alarm["kept_id"], alarm["cluster_size"], alarm["by_this_one"]) == ("c0", 30, 29)
    assert alarm["text"] == (
        "Source copies 0 loses 29 of 30 documents (96.7%) as duplicates. Most often they repeat "
        "c0 (29 of them). Look at them before you trust this: gristmill inspect OUT clusters"
    )


@pytest.mark.parametrize(("share", "alarmed"), [(0.96, True), (0.97, False), (1.0, False)])
def test_the_share_is_the_recipes(share: float, alarmed: bool, tmp_path: Path) -> None:
    assert bool(raised(tmp_path, copies(30) + others(300), alarm=share)) == alarmed


def test_a_small_source_is_no_alarm(tmp_path: Path) -> None:
    assert raised(tmp_path, copies(FEWEST - 1) + others(FEWEST * 9)) == []


def test_one_document_for_a_large_share_of_all(tmp_path: Path) -> None:
    (alarm,) = raised(tmp_path, copies(30, 5) + others(100))
    assert (alarm["kind"], alarm["kept_id"]) == ("document", "c0")
    assert (alarm["cluster_size"], alarm["matched"]) == (30, 130)
    assert "stands for 30 of all 130 (23.1%)" in alarm["text"]


def test_filtered_documents_count_where_they_are_matched(tmp_path: Path) -> None:
    documents = copies(30, 5) + others(100)
    assert raised(tmp_path, documents, over="all", filtered=1000) == []
    assert raised(tmp_path, documents, filtered=1000) != []


def test_uncompared_pairs(tmp_path: Path) -> None:
    (alarm,) = raised(tmp_path, others(3), uncompared=12_345, minhash={"leaders": 16})
    assert alarm["text"] == (
        "12,345 pairs in 3 large buckets were not compared, so near-duplicates may be left. To "
        "compare more of them: -s dedup.minhash.leaders=32"
    )


def test_documents_without_the_snapshot_by_which_they_are_matched(tmp_path: Path) -> None:
    named = [Document(f"n{n}", f"text {n}", snapshot="2024") for n in range(5)]
    (alarm,) = raised(tmp_path, others(3) + named, scope="snapshot")
    assert alarm["text"] == (
        "3 of 8 documents have no snapshot and were matched with each other as if they were of "
        "one. If a field of the records names it: -s source.snapshot_field=FIELD"
    )
    assert raised(tmp_path, named, scope="snapshot") == []
    assert raised(tmp_path, others(3), scope="source") == []


def test_the_source_that_loses_most_comes_first(tmp_path: Path) -> None:
    few = [Document(f"x{n}", "text 0", "few", None, "o0", "exact") for n in range(25)]
    found = raised(tmp_path, copies(40) + few + others(400))
    assert [alarm["source"] for alarm in found] == ["copies 0", "few"]


def test_nothing_to_warn_of(tmp_path: Path) -> None:
    assert raised(tmp_path, others(40)) == []
    job = SimpleNamespace(recipe=SimpleNamespace(dedup=None))
    assert alarms(cast(Job, job), Accounts()) == []


SOURCE = {"kind": "source", "source": "\x1b[2J[bold]", "duplicates": 90, "matched": 100}


def test_the_terminal_is_told_in_red_and_not_steered() -> None:
    stream = StringIO()
    console = Console(file=stream, force_terminal=True, color_system="standard", soft_wrap=True)
    print_alarms([SOURCE], "/out", console)
    shown = stream.getvalue()
    assert "\x1b[1;37;41m WARNING \x1b[0m" in shown
    assert "␛[2J[bold]" in shown
    assert "gristmill inspect /out clusters" in shown
    assert "are said to repeat" not in told(SOURCE, "OUT")


def test_only_the_first_of_many_are_printed() -> None:
    console = Console(file=StringIO(), soft_wrap=True)
    print_alarms([SOURCE] * (MOST_SOURCES + 7), "/out", console)
    assert isinstance(console.file, StringIO)
    shown = console.file.getvalue()
    assert shown.count("WARNING") == MOST_SOURCES
    assert "and 7 more warnings: see the report" in shown


def test_the_command_warns_at_its_end(tmp_path: Path) -> None:
    corpus, root = tmp_path / "in.jsonl", tmp_path / "out"
    rows = [{"id": d.id, "text": d.text, "source": "copies"} for d in copies(30)]
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows))
    ended = in_process("run", "gopher", "-i", corpus, "-o", root, *SMALL, "--json")
    assert ended.code == 0
    assert "Source copies loses 29 of 30 documents" in ended.err.splitlines()[-2]
    assert "One document" in ended.err.splitlines()[-1]
    warnings = json.loads(ended.out)["warnings"]
    assert [warning["kind"] for warning in warnings] == ["source", "document"]
    assert warnings == json.loads((root / "report" / "report.json").read_text())["warnings"]
    page = (root / "report" / "report.html").read_text()
    assert '<p class="banner loud">Source copies loses 29 of 30' in page
    again = in_process("report", root)
    assert "Source copies loses" in again.err
    assert "WARNING" not in again.out
