import dataclasses
import random
from collections import defaultdict
from functools import partial

import numpy as np
import pyarrow as pa
import pytest
from conftest import make_test_job, prose, run_stages
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.arrow_files import write_arrow
from pipeline.duplicates.exact import _REPEAT, digest_packs, group, repeats, write_repeats
from pipeline.duplicates.priority import ORDER_SCHEMA, write_order
from pipeline.duplicates.signatures import Marks, signatures_batch, signatures_schema

BOTH = ["dedup={url: true, minhash: null}"]


def plant(folder, parts, settings=BOTH):
    """Plans a run and writes its marks and order, without any text."""
    job = make_test_job(folder, {"in.jsonl": [{"id": "a", "text": "a"}]}, "raw", settings)
    job = dataclasses.replace(job, n_parts=len(parts))
    schema = signatures_schema(job.recipe.dedup)
    for part, documents in enumerate(parts):
        marks = [Marks(d.get("url"), d.get("text")) for d in documents]
        signatures = pa.Table.from_batches([signatures_batch(marks, schema)])
        write_arrow(job.output.part("work/signatures", part, ".arrow"), signatures)
        order = {
            "matched": [d.get("matched", True) for d in documents],
            "priority": [d["priority"] for d in documents],
            "scope": [d.get("scope", 0) for d in documents],
        }
        table = pa.table(order, schema=ORDER_SCHEMA)
        write_arrow(job.output.part("work/order", part, ".arrow"), table)
    return job


@pytest.fixture
def planted(tmp_path):
    """Returns a function that does so."""
    return partial(plant, tmp_path)


def found(job, parts, kind):
    """Returns the repeats, part by part, that a shuffle in any order finds, and writes them."""
    rng = random.Random(1)
    packs, by_part = defaultdict(list), defaultdict(list)
    for part in range(parts):
        for pack, data in digest_packs(job, part, kind):
            packs[pack].append(data)
    for pack, chunks in packs.items():
        rng.shuffle(chunks)
        for part, data in group(job, pack, chunks):
            by_part[part].append(data)
    for part in range(parts):
        assert write_repeats(job, part, [b"", *by_part[part]], kind) == part
    rows = [repeats(job, part, [kind]) for part in range(parts)]
    return [dict(zip(each["row"].tolist(), each["kept"].tolist(), strict=True)) for each in rows]


def digest(name: int) -> bytes:
    """Returns 16 bytes, of which some differ only in their second half."""
    return (name // 2).to_bytes(8, "little") + (name % 2).to_bytes(8, "little")


DOCUMENT = st.fixed_dictionaries(
    {
        "text": st.one_of(st.none(), st.integers(0, 5).map(digest)),
        "priority": st.binary(max_size=2),
        "scope": st.sampled_from([0, 2, 2**64 - 2]),
        "matched": st.sampled_from([True, True, False]),
    }
)


@settings(max_examples=50)
@given(parts=st.lists(st.lists(DOCUMENT, max_size=8), min_size=1, max_size=3))
def test_of_each_group_the_preferred_document_stays(tmp_path_factory, parts):
    job = plant(tmp_path_factory.mktemp("exact"), parts, ["dedup={minhash: null}"])
    groups = defaultdict(list)
    for part, documents in enumerate(parts):
        for row, d in enumerate(documents):
            if d["matched"] and d["text"] is not None:
                groups[d["text"], d["scope"]].append((d["priority"], part << 32 | row))
    expected = [{} for _ in parts]
    for members in groups.values():
        (_, first), *rest = sorted(members)
        for _, key in rest:
            expected[key >> 32][key & 2**32 - 1] = first
    assert found(job, len(parts), "exact") == expected


def test_texts_of_documents_with_a_repeated_url_are_not_matched(planted):
    """What stands for them by URL is what they are like."""
    parts = [
        [
            {"url": digest(1), "text": digest(3), "priority": b"b"},
            {"url": digest(1), "text": digest(4), "priority": b"a"},
            {"url": digest(2), "text": digest(3), "priority": b"c"},
        ]
    ]
    job = planted(parts)
    assert found(job, 1, "url") == [{0: 1}]
    assert found(job, 1, "exact") == [{}]
    both = repeats(job, 0, ["url", "exact"])
    assert (both["row"].tolist(), both["kept"].tolist()) == ([0], [1])


def test_a_part_without_digests_yields_nothing(planted):
    job = planted([[], [{"priority": b"a"}]])
    assert [list(digest_packs(job, part, "url")) for part in range(2)] == [[], []]
    assert found(job, 2, "url") == [{}, {}]


def test_what_the_recipe_does_not_look_for_has_no_repeats(planted):
    job = planted([], ["dedup={exact: null}"])
    none = repeats(job, 0, ["url", "exact"])
    assert len(none["row"]) == len(none["kept"]) == 0
    assert (none["row"].dtype, none["kept"].dtype) == (np.uint32, np.uint64)


def test_repeats_are_written_by_ascending_row(planted):
    job = planted([[]])
    records = np.array([(5, 1), (3, 2), (4, 1)], _REPEAT)
    write_repeats(job, 0, [records[:2].tobytes(), b"", records[2:].tobytes()], "url")
    assert repeats(job, 0, ["url"])["row"].tolist() == [3, 4, 5]


def test_packs_hold_no_text(job_of):
    secret = "unmistakable phrase"
    rows = [{"id": f"{secret} {n}", "text": f"{secret} {prose(n)}"} for n in range(20)]
    job = job_of(rows, "raw", ["dedup={minhash: null}"])
    run_stages(job, until="mill")

    write_order(job, 0)
    packs = list(digest_packs(job, 0, "exact"))
    assert sum(pa.ipc.open_stream(data).read_all().num_rows for _, data in packs) == 20
    assert not any(secret.encode() in data for _, data in packs)
