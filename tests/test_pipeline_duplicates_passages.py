import json
import random
from collections import defaultdict
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import make_test_job, prose
from real_texts import needs_data, real_texts
from rich.console import Console

from dedup.passages import cut, reference_removed, reference_units
from dedup.shingles import words
from pipeline.arrow_files import read_arrow, write_arrow
from pipeline.duplicates import passages
from pipeline.duplicates.cuts import ranges_of
from pipeline.duplicates.outcome import SURVIVORS_SCHEMA
from pipeline.duplicates.passages import Cut
from pipeline.duplicates.priority import write_order
from pipeline.mill import mill
from pipeline.run import run
from pipeline.tokens import make_tokenizer, texts, tokenize_part
from pipeline.verdicts import bin_documents, id_hashes

ALONE = ("dedup.exact=null", "dedup.minhash=null", "tokenizer.vocab_size=400")
Rows = list[dict[str, Any]]


def cut_out(job: Any, shuffle: int = 0) -> list[Cut]:
    """Runs a job up to the passages, without Beam and with no duplicates among whole documents."""
    rng = random.Random(shuffle)

    def grouped(keyed: Iterator[tuple[int, bytes]]) -> list[tuple[int, list[bytes]]]:
        groups: dict[int, list[bytes]] = defaultdict(list)
        found = list(keyed)
        rng.shuffle(found)
        for key, chunk in found:
            groups[key].append(chunk)
        return list(groups.items())

    parts = range(job.n_parts)
    for part in parts:
        mill(job, part)
        write_order(job, part)
        write_arrow(
            job.output.part("work/survivors", part, ".arrow"), SURVIVORS_SCHEMA.empty_table()
        )
    spans = grouped(each for part in parts for each in passages.span_packs(job, part))
    links = grouped(each for pack in spans for each in passages.group_spans(job, *pack))
    copies = dict(grouped(each for part in links for each in passages.name_spans(job, *part)))
    return [passages.write_passages(job, part, copies.get(part, [b""])) for part in parts]


def finish(job: Any) -> list[dict[str, Any]]:
    """Runs the stages behind; returns the ledger."""
    nobody = pa.table({"row": pa.array([], pa.uint32()), "cluster_size": pa.array([], pa.uint32())})
    for part in range(job.n_parts):
        write_arrow(job.output.part("work/stands", part, ".arrow"), nobody)
        bin_documents(job, part)
    make_tokenizer(job)
    for part in range(job.n_parts):
        tokenize_part(job, part)
    return table(job, "ledger").to_pylist()


def table(job: Any, folder: str) -> pa.Table:
    files = sorted(Path(job.output.root, folder).glob("*.parquet"))
    return pa.concat_tables([pq.read_table(file) for file in files])


def remaining(job: Any) -> dict[str, str]:
    """Returns the text that is left of every document, by id."""
    found = {}
    for part in range(job.n_parts):
        whole = pq.read_table(job.output.part("documents", part, ".parquet"))
        ranges = ranges_of(job, part)
        for row, document in enumerate(whole.to_pylist()):
            found[document["id"]] = cut(document["text"], ranges.get(row, []))
    return found


def mixed_corpus(seed: int, documents: int = 24) -> Rows:
    """Documents that share passages: whole, in part, overlapping, and twice in themselves."""
    rng = random.Random(seed)
    shared = [prose(1000 + n, 100).split(". ") for n in range(4)]
    rows: Rows = []
    for number in range(documents):
        pieces = [*prose(number, rng.randint(40, 90)).split(". ")]
        for _ in range(rng.randint(1, 3)):
            passage = rng.choice(shared)
            start = rng.randrange(len(passage))
            some = passage[start : start + rng.randint(3, 8)]
            place = rng.randrange(len(pieces) + 1)
            pieces[place:place] = some
        text = ". ".join(piece.rstrip(".") for piece in pieces) + "."
        rows.append({"id": f"d{number}", "text": text.replace(". We", ".\n\nWe")})
    return rows


def expected_cuts(rows: Rows, length: int = 3) -> dict[str, list[list[str]]]:
    """Returns the words of the units that each document keeps, by the definition."""
    hashes = id_hashes(pa.array([row["id"] for row in rows]))
    order = sorted(range(len(rows)), key=lambda n: (-len(rows[n]["text"].encode()), int(hashes[n])))
    units = [reference_units(rows[n]["text"], "sentences") for n in order]
    removed = reference_removed(units, length)
    return {
        rows[n]["id"]: [words(u) for u, gone in zip(mine, lost, strict=True) if not gone]
        for n, mine, lost in zip(order, units, removed, strict=True)
    }


@pytest.mark.parametrize("seed", range(3))
def test_documents_lose_what_the_definition_says(tmp_path: Path, seed: int) -> None:
    rows = mixed_corpus(seed)
    files = {f"{n}.jsonl": rows[n::4] for n in range(4)}
    job = make_test_job(tmp_path, files, "raw", [*ALONE, "dedup.passages={}"])
    lost = cut_out(job, seed)
    left = {
        name: [words(unit) for unit in reference_units(text, "sentences")]
        for name, text in remaining(job).items()
    }
    expected = expected_cuts(rows)
    assert left == expected
    touched = sum(
        len(expected[row["id"]]) < len(reference_units(row["text"], "sentences")) for row in rows
    )
    assert sum(each.documents + each.dropped for each in lost) == touched > 5


@pytest.mark.parametrize("seed", range(3))
def test_every_passage_stands_whole_in_the_document_that_it_names(
    tmp_path: Path, seed: int
) -> None:
    rows = mixed_corpus(seed)
    job = make_test_job(tmp_path, {"a.jsonl": rows}, "raw", [*ALONE, "dedup.passages={}"])
    cut_out(job)
    verdicts = {row["id"]: row["verdict"] for row in finish(job)}
    whole, left = {row["id"]: row["text"] for row in rows}, remaining(job)
    evidence = table(job, "passages").to_pylist()
    gone: dict[str, list[list[str]]] = defaultdict(list)
    for row in evidence:
        units = list(
            map(words, reference_units(whole[row["id"]][row["start"] : row["end"]], "sentences"))
        )
        gone[row["id"]] += units
        stays = list(map(words, reference_units(left[row["kept_id"]], "sentences")))
        places = range(len(stays) - len(units) + 1)
        assert any(stays[place : place + len(units)] == units for place in places)
        assert verdicts[row["kept_id"]] == "kept"
    expected = expected_cuts(rows)
    for row in rows:  # and the passages are all that is gone
        before = list(map(words, reference_units(row["text"], "sentences")))
        assert sorted(gone[row["id"]] + expected[row["id"]]) == sorted(before)


def test_what_the_ledger_and_the_shards_say(tmp_path: Path) -> None:
    shared = prose(900, 60)
    rows: Rows = [
        {"id": "long", "text": f"{prose(1, 200)}\n\n{shared}"},
        {"id": "middle", "text": f"{prose(2, 100)} {shared}\n\nThe end of it."},
        {"id": "short", "text": f"{shared} Three words more."},
        {"id": "only", "text": f"{prose(3, 100)} {shared.split('. ')[0]}."},
    ]
    settings = [*ALONE, "dedup.passages={}", "tokens.validation=0"]
    job = make_test_job(tmp_path, {"a.jsonl": rows}, "raw", settings)
    assert cut_out(job) == [Cut(1, len(f" {shared}".encode()), 1)]
    ledger = {row["id"]: row for row in finish(job)}
    assert ledger["long"]["n_removed"] == ledger["only"]["n_removed"] == 0
    assert ledger["middle"]["n_removed"] == len(f" {shared}".encode())
    short = ledger["short"]
    assert (short["verdict"], short["reason"]) == ("duplicate", "dedup.passages")
    assert (short["value"], short["threshold"], short["duplicate_of"]) == (3, 50, "long")
    assert short["n_removed"] is None
    assert ledger["only"]["verdict"] == "kept"  # one sentence is no span
    shard = read_arrow(job.output.path("tokens/train/part-00000.arrow"))
    sizes = dict(zip(shard["id"].to_pylist(), shard["n_bytes"].to_pylist(), strict=True))
    rest = f"{prose(2, 100)}\n\nThe end of it."
    assert sizes == {
        row["id"]: len(row["text"]) for row in rows if row["id"] in ("long", "only")
    } | {"middle": len(rest)}
    found = {row: text for row, _, text, _ in texts(job, 0, np.ones(4, bool))}
    assert found[1] == rest
    assert table(job, "documents")["text"].to_pylist() == [row["text"] for row in rows]
    bins = job.summaries("bin")
    assert bins[0]["kept_bytes"] == sum(sizes.values())


def test_a_document_in_which_a_passage_stays_is_not_dropped(tmp_path: Path) -> None:
    one, two = prose(900, 60), "This one is short. It has few words. They stay."
    rows: Rows = [
        {"id": "first", "text": f"{prose(1, 200)} {one}"},
        {"id": "keeper", "text": f"{one} {two} {'Some more. ' * 2}"},
        {"id": "third", "text": two},
    ]
    job = make_test_job(tmp_path, {"a.jsonl": rows}, "raw", [*ALONE, "dedup.passages={}"])
    cut_out(job)
    verdicts = {row["id"]: row["verdict"] for row in finish(job)}
    assert verdicts == {"first": "kept", "keeper": "kept", "third": "duplicate"}
    assert remaining(job)["keeper"].startswith(two)


def test_what_a_filter_drops_keeps_no_passage(tmp_path: Path) -> None:
    shared = prose(900, 60)
    rows: Rows = [
        {"id": "dropped", "text": f"{prose(1, 400)} {shared}"},
        {"id": "kept", "text": f"{prose(2, 100)} {shared}"},
    ]
    settings = [*ALONE, "dedup.passages={}", "filters.length.words.maximum=300", "dedup.over=all"]
    job = make_test_job(tmp_path, {"a.jsonl": rows}, "raw", settings)
    assert cut_out(job) == [Cut()]
    assert [row["verdict"] for row in finish(job)] == ["filtered", "kept"]


def test_documents_of_other_scopes_keep_theirs(tmp_path: Path) -> None:
    shared = prose(900, 60)
    rows: Rows = [
        {"id": str(n), "source": "even" if n % 2 == 0 else "odd", "text": f"{prose(n)} {shared}"}
        for n in range(4)
    ]
    settings = [*ALONE, "dedup.passages={}", "dedup.scope=source"]
    job = make_test_job(tmp_path, {"a.jsonl": rows}, "raw", settings)
    cut_out(job)
    evidence = table(job, "passages").to_pylist()
    assert len(evidence) == 2
    assert all(int(row["id"]) % 2 == int(row["kept_id"]) % 2 for row in evidence)


def test_what_comes_side_by_side_is_redacted_anew(tmp_path: Path) -> None:
    shared = "The line that stands between and comes twice"
    rows: Rows = [
        {"id": "long", "text": f"{prose(1)}\n{shared}"},
        {"id": "cut", "text": f"{prose(2)}\nPhone:\n{shared}\n2530000 is all that is said."},
    ]
    settings = [*ALONE, "dedup.passages={unit: lines, length: 1}"]
    job = make_test_job(tmp_path, {"a.jsonl": rows}, "raw", settings)
    cut_out(job)
    found = {row: (text, size) for row, _, text, size in texts(job, 0, np.ones(2, bool))}
    assert found[1][0].endswith("Phone:\n<|phone|> is all that is said.")
    assert found[1][1] == len(found[1][0])


def test_rows_of_evidence_end_where_another_document_keeps_what_follows() -> None:
    from dedup.passages import split_units

    text = "\n".join("abcdefgh")
    copies = pa.table(
        {
            "row": pa.array([0] * 5, pa.uint32()),
            "place": pa.array([0, 1, 3, 5, 6], pa.uint32()),
            "kept": pa.array([7, 7, 7, 9, None], pa.uint64()),
            "kept_place": pa.array([4, 5, 9, 1, None], pa.uint32()),
            "kept_id": ["x", "x", "x", "y", None],
        }
    )
    loss = passages._loss(split_units(text, "lines"), copies, 2)
    # Units a to c stand in x from 4 on, d in x at 9, e behind it; g stays, others repeat it.
    assert loss.removed.tolist() == [True] * 6 + [False] * 2
    assert loss.passages == [(0, 5, "x"), (6, 9, "x"), (10, 11, "y")]
    assert loss.kept_id == "x"


def published(folder: Path, rows: Rows, files: int, workers: int) -> tuple[Any, ...]:
    """Runs all with Beam; returns evidence, ledger, what remains and what the stage counts."""
    folder.mkdir()
    cuts = {f"{n}.jsonl": rows[n::files] for n in range(files)}
    settings = ["dedup.passages={}", "tokenizer.vocab_size=400", "tokenizer.sample_bytes=100000000"]
    job = make_test_job(folder, cuts, "raw", settings)
    run(job, "local", workers, [], Console(file=StringIO()))
    evidence = table(job, "passages").sort_by([("id", "ascending"), ("start", "ascending")])
    counts = {k: v for k, v in job.summaries("match")[0].items() if k != "fingerprint"}
    ledger = table(job, "ledger").sort_by("id").drop_columns("n_tokens")
    return evidence, ledger, remaining(job), counts


def left_bytes(folder: Path) -> int:
    """Returns what the funnel of the report has at its end."""
    report = json.loads((folder / "out" / "report" / "report.json").read_text())
    return int(report["funnel"][-1]["bytes"])


@pytest.mark.slow
def test_files_and_workers_change_nothing(tmp_path: Path) -> None:
    rows = mixed_corpus(7, 40)
    rows += [{"id": f"copy-{n}", "text": rows[n]["text"]} for n in (1, 5)]
    one = published(tmp_path / "one", rows, 1, 1)
    other = published(tmp_path / "other", rows[::-1], 3, 2)
    assert one == other
    evidence, ledger, _, counts = one
    assert len(evidence) > 10
    assert counts["exact_duplicates"] == 2
    assert counts["passages"]["documents"] == sum(bool(n) for n in ledger["n_removed"].to_pylist())
    assert left_bytes(tmp_path / "one") == sum(
        len(one[2][row["id"]].encode()) for row in ledger.to_pylist() if row["verdict"] == "kept"
    )
    copies = {row["id"]: row["duplicate_of"] for row in ledger.to_pylist() if row["duplicate_of"]}
    assert not set(copies) & set(evidence["id"].to_pylist()) - {
        row["id"] for row in ledger.to_pylist() if row["reason"] == "dedup.passages"
    }


@pytest.mark.slow
def test_passages_that_a_reference_keeps(tmp_path: Path) -> None:
    shared = prose(900, 60)
    old: Rows = [{"id": "old", "text": f"{prose(1, 100)} {shared}"}]
    old += [{"id": "old twin", "text": f"{prose(2, 80)} {shared}"}]
    first = make_test_job(tmp_path, {"old.jsonl": old}, "raw", ["tokenizer.vocab_size=400"], "old")
    run(first, "local", 1, [], Console(file=StringIO()))
    new: Rows = [{"id": "new", "text": f"{prose(3, 300)} {shared}"}]
    settings = [*ALONE, "dedup.passages={}", f"dedup.against={first.output.root}"]
    job = make_test_job(tmp_path, {"new.jsonl": new}, "raw", settings, "new")
    run(job, "local", 1, [], Console(file=StringIO()))
    (evidence,) = table(job, "passages").to_pylist()
    assert evidence["id"] == "new"
    assert evidence["kept_id"] in ("old", "old twin")
    assert remaining(job)["new"] == prose(3, 300)


@pytest.mark.slow
@needs_data
def test_real_pages(tmp_path: Path) -> None:
    rows: Rows = [{"id": str(n), "text": text} for n, text in enumerate(real_texts()[:60])]
    job = make_test_job(
        tmp_path, {"a.jsonl": rows}, "raw", [*ALONE, "dedup.passages={}", "redaction=null"]
    )
    lost = cut_out(job)
    left = {
        name: [words(unit) for unit in reference_units(text, "sentences")]
        for name, text in remaining(job).items()
    }
    assert left == expected_cuts(rows)
    assert lost[0].documents
