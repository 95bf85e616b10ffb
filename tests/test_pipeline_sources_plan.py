import gzip
import subprocess
import sys
from dataclasses import replace
from uuid import uuid4

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import UserError
from pipeline.sources.plan import plan, with_user_info
from pipeline.sources.records import SourceOptions, Split

OPTIONS = SourceOptions(split_bytes=1000)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "b.jsonl").write_bytes(b'{"text":"x"}\n' * 200)
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(b'{"text":"x"}\n'))
    (tmp_path / "d.warc.gz").write_bytes(bytes(2500))
    (tmp_path / "e.warc").write_bytes(bytes(2500))
    (tmp_path / "empty.jsonl").write_bytes(b"")
    (tmp_path / "notes.csv").write_bytes(b"not read")
    for k in range(5):
        (tmp_path / f"t{k}.txt").write_bytes(b"z" * 400)
    pq.write_table(pa.table({"text": ["x" * 50] * 100}), tmp_path / "a.parquet", row_group_size=10)
    return tmp_path


def test_plan_of_every_kind_of_file(folder):
    splits = plan(OPTIONS, [str(folder)])
    shown = [
        (s.url.rsplit("/", 1)[-1], s.format, s.start, s.end, len(s.more)) for s in splits
    ]  # fmt: skip
    assert [row for row in shown if row[1] != "parquet"] == [
        ("b.jsonl", "jsonl", 0, 1000, 0),
        ("b.jsonl", "jsonl", 1000, 2000, 0),
        ("b.jsonl", "jsonl", 2000, 2600, 0),
        ("c.jsonl.gz", "jsonl", 0, (folder / "c.jsonl.gz").stat().st_size, 0),
        ("d.warc.gz", "warc", 0, 1000, 0),
        ("d.warc.gz", "warc", 1000, 2000, 0),
        ("d.warc.gz", "warc", 2000, 2500, 0),
        ("e.warc", "warc", 0, 2500, 0),
        ("t0.txt", "text", 0, 2, 1),
        ("t2.txt", "text", 0, 2, 1),
        ("t4.txt", "text", 0, 1, 0),
    ]
    groups = [(start, end) for _, format, start, end, _ in shown if format == "parquet"]
    assert len(groups) > 1
    assert [k for start, end in groups for k in range(start, end)] == list(range(10))
    assert [split.part for split in splits] == list(range(len(splits)))


def test_order_and_doubling_of_inputs_do_not_matter(folder):
    names = [str(folder / "b.jsonl"), str(folder / "t1.txt"), f"{folder}/*.warc.gz"]
    assert plan(OPTIONS, names) == plan(OPTIONS, names[::-1] * 2)


def test_damaged_parquet_is_left_to_the_reader(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"no parquet")
    (split,) = plan(OPTIONS, [str(tmp_path)])
    assert (split.start, split.end, split.size) == (0, 0, 10)


def test_many_small_texts_share_splits():
    root = f"memory://{uuid4().hex}"
    with fsspec.open_files([f"{root}/{k:04}.txt" for k in range(1200)], "wb") as files:
        for file in files:
            file.write(b"x")
    splits = plan(SourceOptions(), [root])
    assert [1 + len(split.more) for split in splits] == [1000, 200]
    assert len({split.version for split in splits}) == 2


def test_errors(folder):
    with pytest.raises(UserError, match="no input is given"):
        plan(OPTIONS, [])
    with pytest.raises(UserError, match="no input is given"):
        plan(replace(OPTIONS, format="jsonl"), [])
    with pytest.raises(UserError, match="the input is empty"):
        plan(OPTIONS, [str(folder / "empty.jsonl")])
    with pytest.raises(UserError, match="cannot tell the format"):
        plan(OPTIONS, [str(folder / "notes.csv")])
    with pytest.raises(UserError, match="no input file matches"):
        plan(replace(OPTIONS, format="wet"), [f"{folder}/t*.wet"])
    with pytest.raises(UserError, match="has no column 'body'"):
        plan(replace(OPTIONS, text_field="body"), [str(folder)])


def test_planning_loads_no_reader():
    code = (
        "import sys, pipeline.sources.plan, pipeline.sources.read\n"
        "heavy = {'pyarrow', 'resiliparse', 'datasets', 'apache_beam'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_names_and_passwords_come_back_for_reading():
    split = Split(
        0, "text", "https://a.org/x", 0, 1, 1, "v", ("https://b.org/y", "/z", "https://c.org")
    )
    inputs = ["https://u:v@a.org/*", "https://w:x@a.org/x", "https://token@b.org:80/y", "/z"]
    inputs += ["https://y:z@b.org/d/"]
    found = with_user_info(split, inputs)
    assert found.url == "https://w:x@a.org/x"
    assert found.more == ("https://y:z@b.org/y", "/z", "https://c.org")
    assert with_user_info(split, []) == split
