"""Candidates in files: pairs, and large buckets pass by pass."""

import numpy as np

from pipeline.duplicates.bands import BUCKET_PACKS, CANDIDATE_PACKS, PAIR_PACKS
from pipeline.duplicates.candidates import (
    Bucket,
    read_buckets,
    read_candidates,
    write_buckets,
    write_candidates,
)
from pipeline.duplicates.packs import packed

DEDUP = ["dedup={}"]


def test_candidates_in_files(job_of):
    """Pairs and large buckets that several packs gave are there once, in order."""
    job = job_of([{"id": "a", "text": "a"}], "raw", DEDUP)
    pairs = np.array([[1, 5], [0, 7]], "<u8")
    rows = list(write_candidates(job, 3, [b"", packed(pairs), packed(pairs[:1])]))
    assert read_candidates(job, 3).tolist() == [[0, 7], [1, 5]]
    assert [(part, np.frombuffer(data, "<u4").tolist()) for part, data in rows] == [
        (0, [0, 1, 5, 7])
    ]
    one, other = np.arange(3, dtype="<u8"), np.array([2, 2**32], "<u8")
    chunks = [other.tobytes(), one.tobytes(), b"", other.tobytes()]
    rows = list(write_candidates(job, PAIR_PACKS + 2, chunks))
    assert [
        (bucket.documents.tolist(), bucket.left_out, bucket.kept)
        for bucket in read_buckets(job, 0, 2)
    ] == [(documents.tolist(), 0, b"") for documents in (one, other)]
    assert [part for part, _ in rows] == [0, 1]


def test_no_candidates_have_files_too(job_of):
    job = job_of([{"id": "a", "text": "a"}], "raw", DEDUP)
    for pack in range(CANDIDATE_PACKS):
        assert list(write_candidates(job, pack, [b""])) == []
    assert [read_candidates(job, pack).shape for pack in range(PAIR_PACKS)] == [(0, 2)] * PAIR_PACKS
    assert all(len(read_buckets(job, 0, pack)) == 0 for pack in range(BUCKET_PACKS))


def test_buckets_of_each_pass(job_of):
    job = job_of([{"id": "a", "text": "a"}], "raw", DEDUP)
    written = [Bucket(np.array([n, n + 1], np.uint64), n, bytes([n])) for n in range(3)]
    write_buckets(job, 1, 4, written)
    write_buckets(job, 2, 4, written[:1])
    assert [
        [(bucket.documents.tolist(), *bucket[1:]) for bucket in read_buckets(job, again, 4)]
        for again in (1, 2)
    ] == [[([n, n + 1], n, bytes([n])) for n in range(3)], [([0, 1], 0, b"\0")]]
