"""A lost, doubled or swapped document, planted at every place, must fail the run."""

import itertools

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import run_stages

from pipeline import mill, tokens, verdicts
from pipeline.accounts import Accounts, Tally, take_accounts
from pipeline.errors import UserError, VerificationError

ROWS = [{"id": f"d{number}", "text": f"text number {number}"} for number in range(6)]


def rewrite(job, folder: str, part: int, change) -> None:
    path = job.output.part(folder, part, ".parquet")
    pq.write_table(change(pq.read_table(path)), path)


def lose(table: pa.Table) -> pa.Table:
    return table.slice(1)


def double(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table, table.slice(0, 1)])


def replace_by_neighbour(table: pa.Table) -> pa.Table:
    return table.take([1, *range(1, len(table))])


def swap(table: pa.Table) -> pa.Table:
    return table.take([1, 0, *range(2, len(table))])


def test_the_accounts_of_a_finished_run(finished, corpus):
    accounts = take_accounts(finished)
    assert accounts.read == sum(len(lines) for lines in corpus.values())
    verdicts_found = {name: accounts.verdict(name).documents for name in verdicts.VERDICTS}
    assert sum(verdicts_found.values()) == accounts.read
    assert verdicts_found["error"] == sum(accounts.errors.values()) == 5
    assert accounts.error_rate == 5 / accounts.read
    assert verdicts_found["duplicate"] == 4
    ledgers = [
        row
        for part in range(finished.n_parts)
        for row in pq.read_table(finished.output.part("ledger", part, ".parquet")).to_pylist()
    ]
    assert accounts.verdict("kept").tokens == sum(row["n_tokens"] or 0 for row in ledgers)
    assert accounts.by("reason")[("gopher_quality.word_count",)].documents == 2
    per_source = accounts.by("source", "verdict")
    assert sum(tally.documents for tally in per_source.values()) == accounts.read
    assert per_source[("stories", "kept")].documents == 10
    assert per_source[("copies", "duplicate")] == Tally(
        1, per_source[("copies", "duplicate")].bytes
    )


@pytest.mark.parametrize("part", [0, 2])
@pytest.mark.parametrize("folder", ["documents", "ledger"])
@pytest.mark.parametrize("change", [lose, double, replace_by_neighbour, swap])
def test_a_row_that_vanishes_doubles_or_moves_is_noticed(copied, folder, change, part):
    rewrite(copied, folder, part, change)
    with pytest.raises(VerificationError, match=f"do not add up: part {part} has ") as caught:
        take_accounts(copied)
    assert caught.value.exit_code == 3
    assert "Remove it and run again" in caught.value.hint


@pytest.mark.parametrize("change", [lose, double])
def test_a_row_that_vanishes_from_both_tables_is_noticed(copied, change):
    rewrite(copied, "documents", 1, change)
    rewrite(copied, "ledger", 1, change)
    with pytest.raises(VerificationError, match="part 1 has 5 documents read"):
        take_accounts(copied)


@pytest.mark.parametrize("verdict", [None, "lost"])
def test_a_document_without_a_verdict_is_noticed(copied, verdict):
    def change(table: pa.Table) -> pa.Table:
        values = table["verdict"].cast("string").to_pylist()
        values[1] = verdict
        return table.set_column(1, "verdict", pa.array(values, pa.string()))

    rewrite(copied, "ledger", 0, change)
    with pytest.raises(VerificationError, match="part 0 has a document without a verdict"):
        take_accounts(copied)


@pytest.mark.parametrize(("verdict", "part"), [("error", 0), ("kept", 2), ("filtered", 2)])
def test_errors_and_error_verdicts_must_be_as_many(copied, verdict, part):
    def change(table: pa.Table) -> pa.Table:
        values = table["verdict"].cast("string").to_pylist()
        # A duplicate, whose change leaves the count of kept documents alone; else an error row.
        place = values.index("duplicate") if verdict == "error" else values.index("error")
        values[place] = verdict
        return table.set_column(1, "verdict", pa.array(values, pa.string()))

    rewrite(copied, "ledger", part, change)
    with pytest.raises(VerificationError):
        take_accounts(copied)


@pytest.mark.parametrize("stage", ["mill", "tokenize"])
def test_a_part_that_was_not_done_is_noticed(copied, stage):
    copied.output.commit(stage, 4, "another fingerprint", {})
    with pytest.raises(UserError, match=f"part 4 of the stage {stage} is not finished"):
        take_accounts(copied)


# --- planted in the code of each stage -----------------------------------------------------------


def run_with_a_loss(job) -> None:
    with pytest.raises(VerificationError, match="do not add up"):
        run_stages(job)


def test_without_a_loss_the_run_passes(job_of):
    assert run_stages(job_of(ROWS)).read == len(ROWS)


def test_a_row_lost_between_reading_and_writing_documents(job_of, monkeypatch):
    measured = mill.measured
    monkeypatch.setattr(mill, "measured", lambda *a: itertools.islice(measured(*a), 1, None))
    run_with_a_loss(job_of(ROWS))


def test_a_row_doubled_between_reading_and_writing_documents(job_of, monkeypatch):
    measured = mill.measured

    def doubled(*arguments):
        for row in measured(*arguments):
            yield row
            if row.id == "d3":
                yield row

    monkeypatch.setattr(mill, "measured", doubled)
    run_with_a_loss(job_of(ROWS))


def test_a_batch_lost_in_binning(job_of, monkeypatch):
    judged = verdicts.judged_batches
    monkeypatch.setattr(verdicts, "BATCH_ROWS", 2)
    monkeypatch.setattr(
        verdicts, "judged_batches", lambda *a: (b for n, b in enumerate(judged(*a)) if n != 1)
    )
    run_with_a_loss(job_of(ROWS))


def test_a_document_lost_in_tokenizing(job_of, monkeypatch):
    add = tokens._Shards.add

    def forgetful(self, ids, identifier, *rest):
        if identifier != "d4":
            add(self, ids, identifier, *rest)

    monkeypatch.setattr(tokens._Shards, "add", forgetful)
    run_with_a_loss(job_of(ROWS))


def test_a_repeat_lost_in_tokenizing(job_of, monkeypatch):
    rows = [{"id": f"d{number}", "text": f"text {number // 2}"} for number in range(6)]
    settings = ["dedup={}", "tokens.repeat={2: 3}", "tokens.validation=0"]
    job = job_of(rows, "raw", settings, out="whole")
    assert run_stages(job).verdict("kept").documents == 3
    shards = job.summaries("tokenize")[0]["shards"]
    assert [shard["documents"] for shard in shards] == [9]
    add, seen = tokens._Shards.add, []

    def forgetful(self, ids, identifier, *rest):
        seen.append(identifier)
        if len(seen) != 5:
            add(self, ids, identifier, *rest)

    monkeypatch.setattr(tokens._Shards, "add", forgetful)
    with pytest.raises(VerificationError, match=r"with repeats, 9 documents of .* hold\s8"):
        run_stages(job_of(rows, "raw", settings))


def test_a_shard_lost_in_tokenizing(job_of, monkeypatch):
    monkeypatch.setattr(tokens._Shards, "write", lambda self: None)
    run_with_a_loss(job_of(ROWS))


def test_tokens_cut_off_in_tokenizing(job_of, monkeypatch):
    add = tokens._Shards.add
    monkeypatch.setattr(tokens._Shards, "add", lambda self, ids, *rest: add(self, ids[-1:], *rest))
    run_with_a_loss(job_of(ROWS))


def test_a_kept_document_that_is_never_read_again(job_of, monkeypatch):
    texts = tokens.texts
    monkeypatch.setattr(tokens, "texts", lambda *a: itertools.islice(texts(*a), 2, None))
    run_with_a_loss(job_of(ROWS))


# --- sums ----------------------------------------------------------------------------------------


def test_sums_over_cells():
    accounts = Accounts(
        read=6,
        cells={
            ("a", "kept", None): Tally(1, 10, 5),
            ("b", "kept", None): Tally(2, 20, 6),
            ("a", "filtered", "r"): Tally(3, 30, 0),
        },
    )
    assert accounts.by("verdict") == {("kept",): Tally(3, 30, 11), ("filtered",): Tally(3, 30, 0)}
    assert accounts.by("source")[("a",)] == Tally(4, 40, 5)
    assert accounts.by() == {(): Tally(6, 60, 11)}
    assert accounts.verdict("error") == Tally()
    assert accounts.cells[("a", "kept", None)] == Tally(1, 10, 5)


def test_nothing_read_is_no_division_by_zero():
    assert Accounts().error_rate == 0.0
