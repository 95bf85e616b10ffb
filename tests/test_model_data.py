import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.data import TokenStream, Windows, open_corpus, permute, validation_batches
from model.errors import TrainingError
from pipeline.shards import ShardMetadata, TokenTable, write_shard

VOCAB = 32
END = 0


def documents(count: int, seed: int = 0, longest: int = 40) -> list[list[int]]:
    """Token ids that are a little predictable: each tends to follow the one below it."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        jumps = random.choice([1, 1, 1, 5], size=random.integers(1, longest))
        made.append((1 + (random.integers(VOCAB) + jumps.cumsum()) % (VOCAB - 1)).tolist())
    return made


def write_output(
    output: Path, train: Sequence[list[list[int]]], validation: list[list[int]]
) -> Path:
    """An output of the pipeline as far as the trainer reads it, one shard for each of `train`."""
    tokenizer = json.dumps(
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [],
            "normalizer": None,
            "pre_tokenizer": {
                "type": "Split",
                "pattern": {"String": ""},
                "behavior": "Isolated",
                "invert": False,
            },
            "post_processor": None,
            "decoder": {"type": "Fuse"},
            "model": {
                "type": "WordLevel",
                "vocab": {chr(64 + token): token for token in range(VOCAB)},
                "unk_token": "A",
            },
        }
    ).encode()
    (output / "tokenizer").mkdir(parents=True)
    (output / "tokenizer" / "tokenizer.json").write_bytes(tokenizer)
    metadata = ShardMetadata(hashlib.sha256(tokenizer).hexdigest(), VOCAB, END, "recipe")
    shards = []
    parts = [("train", part) for part in train] + [("validation", validation)]
    for number, (partition, part) in enumerate(parts):
        closed = [[*document, END] for document in part]
        table = TokenTable(
            tokens=np.array([t for d in closed for t in d], np.uint16),
            offsets=np.cumsum([0, *map(len, closed)], dtype=np.int64),
            ids=[f"{partition}-{number}-{k}" for k in range(len(part))],
            sources=["s"] * len(part),
            n_bytes=np.array([len(d) for d in part], np.uint32),
            metadata=metadata,
        )
        path = output / "tokens" / partition / f"part-{number:05d}.arrow"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_shard(path, table)
        shards.append(
            {
                "path": path.relative_to(output).as_posix(),
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "documents": len(part),
                "tokens": len(table.tokens),
            }
        )
    (output / "manifest.json").write_text(json.dumps({"shards": shards}))
    return output


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return write_output(tmp_path / "out", [documents(9), documents(5, 1)], documents(4, 2))


def flat(parts: Sequence[list[list[int]]]) -> list[int]:
    return [t for part in parts for document in part for t in (*document, END)]


def test_streams_hold_every_document_in_manifest_order(output: Path) -> None:
    corpus = open_corpus(output)
    expected = flat([documents(9), documents(5, 1)])
    assert corpus.train.read(0, len(corpus.train)).tolist() == expected
    assert corpus.validation.read(0, len(corpus.validation)).tolist() == flat([documents(4, 2)])
    assert corpus.validation.n_bytes == sum(map(len, documents(4, 2)))
    assert (corpus.vocab_size, corpus.end_of_document_id) == (VOCAB, END)


@settings(deadline=None)
@given(data=st.data())
def test_reading_across_shards(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lengths = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=6))
    everything = np.arange(sum(lengths))
    tables = []
    for part in np.split(everything, np.cumsum(lengths)[:-1]):
        metadata = ShardMetadata("", 100, 0, "")
        n_bytes = np.ones(1, np.uint32)
        tables.append(TokenTable(part.astype(np.uint32), np.array([0]), [], [], n_bytes, metadata))
    stream = TokenStream(tuple(tables))
    start = data.draw(st.integers(0, len(everything)))
    stop = data.draw(st.integers(start, len(everything)))
    read = stream.read(start, stop)
    assert read.dtype == np.int64
    assert read.tolist() == everything[start:stop].tolist()


def test_shards_outside_the_manifest_are_not_read(output: Path) -> None:
    before = open_corpus(output)
    extra = output / "tokens" / "train" / "part-00077.arrow"
    extra.write_bytes((output / "tokens" / "train" / "part-00000.arrow").read_bytes())
    after = open_corpus(output)
    assert len(after.train) == len(before.train)
    assert after.fingerprint == before.fingerprint


def test_fingerprint_follows_the_data(tmp_path: Path) -> None:
    train = [documents(9), documents(5, 1)]
    prints = [
        open_corpus(write_output(tmp_path / name, parts, documents(4, 2))).fingerprint
        for name, parts in (("a", train), ("b", train), ("c", train[::-1]), ("d", train[:1]))
    ]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


def edit_manifest(output: Path, key: str, value: object) -> None:
    content = json.loads((output / "manifest.json").read_text())
    content["shards"][0][key] = value
    (output / "manifest.json").write_text(json.dumps(content))


def test_an_unfinished_output_is_refused(output: Path) -> None:
    (output / "manifest.json").unlink()
    with pytest.raises(TrainingError, match="pipeline has not finished"):
        open_corpus(output)


@pytest.mark.parametrize("content", ["", "[]", '{"shards": [{"path": "x"}]}', '{"shards": 3}'])
def test_a_bad_manifest_is_refused(output: Path, content: str) -> None:
    (output / "manifest.json").write_text(content)
    with pytest.raises(TrainingError, match="is not a manifest"):
        open_corpus(output)


def test_a_missing_shard_is_refused(output: Path) -> None:
    (output / "tokens" / "train" / "part-00001.arrow").unlink()
    with pytest.raises(TrainingError, match=r"part-00001\.arrow does not exist"):
        open_corpus(output)


def test_a_damaged_shard_is_refused(output: Path) -> None:
    path = output / "tokens" / "train" / "part-00001.arrow"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(TrainingError, match="not an Arrow IPC file, or a damaged one"):
        open_corpus(output)


def test_a_shard_that_is_not_the_manifests_is_refused(output: Path) -> None:
    edit_manifest(output, "tokens", 5)
    with pytest.raises(TrainingError, match="the manifest says 5"):
        open_corpus(output)


def test_parquet_shards_are_refused(output: Path) -> None:
    edit_manifest(output, "path", "tokens/train/part-00000.parquet")
    with pytest.raises(TrainingError, match="not an Arrow shard"):
        open_corpus(output)


def test_an_empty_partition_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no validation tokens"):
        open_corpus(write_output(tmp_path / "out", [documents(3)], []))
    with pytest.raises(TrainingError, match="no train tokens"):
        open_corpus(write_output(tmp_path / "out2", [[]], documents(3)))


def test_two_tokenizers_are_refused(output: Path) -> None:
    path = output / "tokens" / "train" / "part-00000.arrow"
    table = TokenTable(
        tokens=np.array([1, END], np.uint16),
        offsets=np.array([0, 2]),
        ids=["x"],
        sources=["s"],
        n_bytes=np.ones(1, np.uint32),
        metadata=ShardMetadata("another", VOCAB, END, "recipe"),
    )
    write_shard(path, table)
    edit_manifest(output, "tokens", 2)
    with pytest.raises(TrainingError, match="not all made by one tokenizer"):
        open_corpus(output)


@given(size=st.integers(1, 3000), seed=st.integers(0, 2**63 - 1), epoch=st.integers(0, 2**40))
def test_permutation_is_one_to_one(size: int, seed: int, epoch: int) -> None:
    permuted = permute(np.arange(size), size, seed, epoch)
    assert np.array_equal(np.sort(permuted), np.arange(size))


@given(size=st.integers(2, 2**50), seed=st.integers(0, 2**63 - 1), data=st.data())
def test_permutation_needs_no_neighbours(size: int, seed: int, data: st.DataObject) -> None:
    index = np.array(data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=20)))
    epochs = np.array(
        data.draw(st.lists(st.integers(0, 5), min_size=len(index), max_size=len(index)))
    )
    together = permute(index, size, seed, epochs)
    apart = [permute(index[k : k + 1], size, seed, int(epochs[k]))[0] for k in range(len(index))]
    assert together.tolist() == apart
    assert (together < size).all()


def test_permutation_shuffles() -> None:
    size = 10_000
    orders = [permute(np.arange(size), size, seed, e) for seed, e in ((0, 0), (0, 1), (1, 0))]
    for order in orders:
        # A shuffle moves an index by a third of the size on average and keeps about one in place.
        assert abs(np.abs(order - np.arange(size)).mean() / size - 1 / 3) < 0.02
        assert (order == np.arange(size)).sum() < 8
        assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.04
    assert (orders[0] == orders[1]).sum() < 8
    assert (orders[0] == orders[2]).sum() < 8


def test_windows_cover_the_stream_once_an_epoch(output: Path) -> None:
    stream = open_corpus(output).train
    windows = Windows(stream, length=7, global_batch=4, seed=3)
    assert windows.count == (len(stream) - 1) // 7
    used = np.concatenate([windows.of_step(step) for step in range(3 * windows.count)])
    epochs = used[: 12 * windows.count].reshape(12, windows.count)
    assert all(sorted(epoch) == list(range(windows.count)) for epoch in epochs.tolist())
    assert len({tuple(epoch) for epoch in epochs.tolist()}) == 12
    tokens = windows.read(np.arange(windows.count))
    assert tokens.shape == (windows.count, 8)
    assert tokens[:, :-1].ravel().tolist() == stream.read(0, windows.count * 7).tolist()
    assert tokens[:, 1:].ravel().tolist() == stream.read(1, windows.count * 7 + 1).tolist()


def test_too_few_tokens_for_a_window(output: Path) -> None:
    stream = open_corpus(output).train
    assert Windows(stream, len(stream) - 1, 1, 0).count == 1
    with pytest.raises(TrainingError, match="do not fill one sequence"):
        Windows(stream, len(stream), 1, 0)


@pytest.mark.parametrize(("length", "batch"), [(1, 1), (5, 2), (7, 3), (1000, 2)])
def test_validation_predicts_every_token_once(output: Path, length: int, batch: int) -> None:
    stream = open_corpus(output).validation
    everything = [END, *stream.read(0, len(stream)).tolist()]
    predicted: list[int] = []
    pairs: Counter[tuple[int, int]] = Counter()
    for inputs, targets in validation_batches(stream, length, batch):
        assert inputs.shape == targets.shape
        assert inputs.shape[1] == length
        assert len(inputs) <= batch
        counted = targets >= 0
        predicted += targets[counted].tolist()
        pairs.update(zip(inputs[counted].tolist(), targets[counted].tolist(), strict=True))
    assert predicted == everything[1:]
    assert pairs == Counter(pairwise(everything))
