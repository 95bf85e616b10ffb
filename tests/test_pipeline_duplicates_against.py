from pathlib import Path

import numpy as np
import pytest
from conftest import make_test_job, prose, run_stages

from pipeline.arrow_files import read_arrow
from pipeline.duplicates import against
from pipeline.duplicates.against import reference_of, write_reference
from pipeline.duplicates.priority import REFERENCE, read_order
from pipeline.duplicates.signatures import signer
from pipeline.errors import UsageError, UserError
from pipeline.run import planned, write_manifest

ROWS = [{"id": f"old-{n}", "text": prose(n), "url": f"http://e.org/{n}"} for n in range(5)]
ROWS += [{"id": "old-equal", "text": prose(0)}, {"id": "old-long", "text": prose(9, words=300)}]
FILES = {"one.jsonl": ROWS[:4], "other.jsonl": ROWS[4:]}
MADE = ["dedup={minhash: null}", "filters.length.words.maximum=200", "tokenizer.vocab_size=300"]


@pytest.fixture
def earlier(tmp_path):
    (tmp_path / "old").mkdir()
    job = make_test_job(tmp_path / "old", FILES, "raw", MADE)
    write_manifest(job, run_stages(job))
    return job


@pytest.fixture
def job(job_of, earlier):
    return job_of(
        [{"id": "new", "text": prose(1)}],
        "raw",
        [f"dedup={{against: {earlier.output.root}/, url: true, prefer: first_url}}"],
    )


def test_a_run_knows_its_reference(job, earlier):
    assert job.reference_parts == 2
    assert reference_of(job.recipe) == (job.reference, 2)
    assert job.documents(0) == job.output.part("documents", 0, ".parquet")
    assert job.documents(job.n_parts + 1) == earlier.output.part("documents", 1, ".parquet")


def test_without_a_reference_there_are_no_parts(earlier):
    assert reference_of(earlier.recipe) == ("", 0)


@pytest.mark.parametrize("batch", [1, 2_000])
def test_the_kept_documents_are_signed_anew_and_come_first(job, monkeypatch, batch):
    monkeypatch.setattr(against, "BATCH_ROWS", batch)
    sign = signer(job.recipe.dedup)
    for part, rows in enumerate(FILES.values()):
        number = job.n_parts + part
        assert write_reference(job, number) == number
        order = read_order(job, number)
        stays = [row["id"] not in ("old-long", "old-equal", "old-0") for row in rows]
        matched = order["matched"].to_pylist()
        if part == 0:  # one of the two equal texts was kept
            stays[0] = matched[0]
        else:
            stays[1] = matched[1]
        assert matched == stays
        assert {priority[0] for priority in order["priority"].to_pylist()} == {REFERENCE}
        table = read_arrow(job.output.part("work/signatures", number, ".arrow"))
        for row, wanted, found in zip(rows, stays, table.to_pylist(), strict=True):
            if not wanted:
                assert set(found.values()) == {None}
                continue
            marks = sign(row["text"], row.get("url"))
            assert (found["url_digest"], found["digest"]) == marks[:2]
            assert np.array_equal(found["signature"], marks.signature)


def test_another_reference_is_another_match(job, earlier):
    with Path(earlier.output.path("manifest.json")).open("a") as manifest:
        manifest.write("\n")
    again, _, _ = planned(job.recipe, job.output.root)
    assert again.fingerprint("mill") == job.fingerprint("mill")
    assert again.fingerprint("match") != job.fingerprint("match")


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (None, "is not a finished output"),
        ('{"format_version": 1, "parts": 2}', "was made in another format"),
        ("{}", "damaged"),
        ("{", "damaged"),
        ("[]", "damaged"),
    ],
)
def test_what_is_no_finished_output_is_refused(job_of, tmp_path, manifest, message):
    root = tmp_path / "else"
    root.mkdir()
    if manifest is not None:
        (root / "manifest.json").write_text(manifest)
    with pytest.raises(UsageError, match=message) as raised:
        job_of([{"id": "a", "text": "a"}], "raw", [f"dedup={{against: {root}}}"])
    assert raised.value.message.startswith(f"dedup.against: {root} ")


def test_an_output_is_not_matched_against_itself(job):
    dedup = job.recipe.dedup.model_copy(update={"against": f"{job.output.root}/"})
    with pytest.raises(UsageError, match="is the output of this run"):
        planned(job.recipe.model_copy(update={"dedup": dedup}), job.output.root)


def test_a_reference_means_the_same_in_every_folder(job_of, earlier, monkeypatch):
    root = Path(earlier.output.root)
    monkeypatch.chdir(root.parent)
    job = job_of([{"id": "new", "text": "new"}], "raw", [f"dedup={{against: {root.name}}}"])
    assert job.recipe.dedup.against == str(root.resolve())


@pytest.mark.parametrize("folder", ["documents", "ledger"])
@pytest.mark.parametrize("share", [0, 0.5])
def test_a_damaged_part_of_the_reference_is_named(job, earlier, folder, share):
    path = Path(earlier.output.part(folder, 1, ".parquet"))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(UserError, match=r"part-00001\.parquet or its part of ledger/ is damaged"):
        write_reference(job, job.n_parts + 1)


def test_a_damaged_page_of_the_reference_is_named(job, earlier):
    path = Path(earlier.output.part("documents", 1, ".parquet"))
    data = bytearray(path.read_bytes())
    data[4 : len(data) // 2] = bytes(len(data) // 2 - 4)
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"^dedup\.against: .*part-00001\.parquet or"):
        write_reference(job, job.n_parts + 1)
