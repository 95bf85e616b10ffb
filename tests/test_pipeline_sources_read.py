import gzip
import os
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import UserError
from pipeline.sources.plan import plan
from pipeline.sources.read import read
from pipeline.sources.records import ERRORS, Record, SourceOptions, Unreadable

OPTIONS = SourceOptions()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b'{"text":"one","source":"own"}\n{"text":"two"}\nbad\n')
    pq.write_table(pa.table({"text": ["three"]}), tmp_path / "b.parquet")
    for name in ("c.txt", "d.txt"):
        (tmp_path / name).write_bytes(b"four")
    warc = b"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: 4\r\n\r\nfive\r\n\r\n"
    (tmp_path / "e.warc.wet.gz").write_bytes(gzip.compress(warc))
    return tmp_path


def everything(options, inputs):
    return [item for split in plan(options, inputs) for item in read(split, options)]


def test_source_and_file_are_filled_in(folder):
    items = everything(OPTIONS, [str(folder)])
    assert [
        (item.file.rsplit("/", 1)[-1], item.source, item.text)
        for item in items
        if isinstance(item, Record)
    ] == [
        ("a.jsonl", "own", "one"),
        ("a.jsonl", "a", "two"),
        ("b.parquet", "b", "three"),
        ("c.txt", "c", "four"),
        ("d.txt", "d", "four"),
        ("e.warc.wet.gz", "e", "five"),
    ]
    (bad,) = [item for item in items if isinstance(item, Unreadable)]
    assert (bad.file, bad.error) == (str(folder / "a.jsonl"), "invalid_json")
    assert bad.error in ERRORS


def test_the_snapshot_is_the_field_or_the_crawl_in_the_path(folder):
    crawl = folder / "CC-MAIN-2024-10" / "warc"
    crawl.mkdir(parents=True)
    for path in list(folder.iterdir()):
        if path.is_file():
            (crawl / path.name).write_bytes(path.read_bytes())
    (crawl / "a.jsonl").write_bytes(b'{"text":"one","snapshot":"2023"}\n{"text":"two"}\n')
    found = {item.text: item.snapshot for item in everything(OPTIONS, [str(crawl)])}
    assert found == {"one": "2023"} | dict.fromkeys(
        ("two", "three", "four", "five"), "CC-MAIN-2024-10"
    )
    outside = everything(OPTIONS, [str(folder / "*.*")])
    assert len(outside) == 7
    assert {item.snapshot for item in outside if isinstance(item, Record)} == {None}


@pytest.mark.parametrize("size", [1, 20, 1000])
def test_split_size_does_not_change_the_records(folder, size):
    small = replace(OPTIONS, split_bytes=size)
    assert everything(small, [str(folder)]) == everything(OPTIONS, [str(folder)])


def test_file_changed_since_planning(folder):
    (split,) = plan(OPTIONS, [str(folder / "a.jsonl")])
    os.utime(folder / "a.jsonl", (1, 1))
    with pytest.raises(UserError, match="has changed"):
        list(read(split, OPTIONS))
    (folder / "a.jsonl").unlink()
    with pytest.raises(UserError, match="no such file"):
        list(read(split, OPTIONS))


def test_one_text_file_of_several_gone(folder):
    (split,) = plan(OPTIONS, [str(folder / "*.txt")])
    (folder / "d.txt").unlink()
    with pytest.raises(UserError, match="no such file"):
        list(read(split, OPTIONS))
