"""How large buckets are compared."""

import random

import pytest
from conftest import changed, prose, run_stages
from duplicates_rows import brute_force, pairs_of

from pipeline import storage
from pipeline.duplicates import bands, leaders
from pipeline.duplicates.compare import PASSES


def unlike(count: int) -> list[dict]:
    """Returns documents in one large bucket of which each is near one other and unlike the rest.

    With a single band of a single row, a shingle that all have is enough for the same bucket.
    """
    return [
        {"id": f"{side}{n:02}", "text": f"{prose(n, words=60)} {side}"}
        for n in range(count)
        for side in ("one", "two")
    ]


def test_pairs_of_a_large_bucket_are_found_or_counted(job_of, monkeypatch):
    """Every bucket of four is large; among unlike documents leaders are few, so some are left."""
    monkeypatch.setattr(bands, "ALL_PAIRS_UP_TO", 3)
    monkeypatch.setattr(leaders, "REST_UP_TO", 1)
    rows = unlike(20)
    truth = brute_force(rows)
    similar = {pair for pair, jaccard in truth.items() if jaccard >= 0.8}
    assert len(similar) == 20
    left = []
    for most in (1, 100):
        settings = ["dedup.minhash={bands: 40, rows: 1}", f"dedup.minhash.leaders={most}"]
        job = job_of(rows, "raw", settings, out=f"out-{most}")
        run_stages(job)
        found = pairs_of(job)
        assert found == {pair: truth[pair] for pair in found}
        summary = job.summaries("match")[0]
        assert summary["large_buckets"] > 0
        left.append(summary["uncompared"])
        if most == 100:
            assert similar <= found.keys()
            assert summary["near_duplicates"] == 20
    assert left[0] > left[1] == 0


def near_copies(count: int) -> list[dict]:
    """Returns documents in a large bucket, of which many stand for others only for a while."""
    rng, text = random.Random(3), prose(1, words=200)
    return [
        {"id": f"d{n:03}", "text": changed(text, *rng.sample(range(200), rng.choice([1, 2, 3, 9])))}
        for n in range(count)
    ]


@pytest.mark.parametrize("most", [8, 64])
def test_a_bucket_that_keeps_what_it_kept_is_not_gone_through_again(most, job_of, monkeypatch):
    """Which changes no byte."""
    led, plain = [], leaders._led
    monkeypatch.setattr(leaders, "REST_UP_TO", 16)
    monkeypatch.setattr(leaders, "_led", lambda *given: led.append(1) or plain(*given))
    files, count = [], []
    for name in ("skipped", "always"):
        if name == "always":
            monkeypatch.setattr(leaders, "_digest", lambda _: random.randbytes(16))
        job = job_of(near_copies(300), "raw", [f"dedup={{minhash: {{leaders: {most}}}}}"], out=name)
        led.clear()
        run_stages(job)
        count.append(len(led))
        files.append(
            {
                file.url.removeprefix(job.output.root): storage.read_bytes(file.url)
                for folder in ("pairs", "clusters")
                for file in storage.list_files(job.output.path(folder))
            }
        )
    assert files[0] == files[1]
    buckets = job.summaries("match")[0]["large_buckets"]
    assert buckets < count[0] < count[1] == buckets * (PASSES - 1)
