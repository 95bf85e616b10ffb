import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.shards import (
    ShardError,
    ShardMetadata,
    TokenTable,
    read_shard,
    token_dtype,
    write_parquet_shard,
    write_shard,
)


def table_of(
    documents: list[list[int]], vocab_size: int = 100, sources: list[str] | None = None
) -> TokenTable:
    """A table in which each document gets the end-of-document id 0."""
    closed = [[*document, 0] for document in documents]
    return TokenTable(
        tokens=np.array([t for d in closed for t in d], dtype=token_dtype(vocab_size)),
        offsets=np.cumsum([0, *(len(d) for d in closed)], dtype=np.int64),
        ids=[f"id-{k}" for k in range(len(documents))],
        sources=sources or ["s"] * len(documents),
        n_bytes=np.array([3 * len(d) for d in documents], dtype=np.uint32),
        metadata=ShardMetadata("ab" * 32, vocab_size, 0, "cd" * 32),
    )


def write_stream(path: Path, batches: list[pa.RecordBatch]) -> Path:
    with pa.ipc.new_file(str(path), batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return path


@settings(deadline=None)
@given(
    documents=st.lists(st.lists(st.integers(1, 99_999), max_size=9), max_size=9),
    vocab_size=st.sampled_from([1 << 17, 100_000]),
)
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory, documents: list[list[int]], vocab_size: int
) -> None:
    path = tmp_path_factory.mktemp("shards") / "part.arrow"
    table = table_of(documents, vocab_size)
    write_shard(path, table)
    read = read_shard(path)
    assert read.metadata == table.metadata
    assert read.tokens.dtype == np.uint32
    np.testing.assert_array_equal(read.tokens, table.tokens)
    np.testing.assert_array_equal(read.offsets, table.offsets)
    np.testing.assert_array_equal(read.n_bytes, table.n_bytes)
    assert pa.array(read.ids).to_pylist() == table.ids
    assert read.sources.to_pylist() == table.sources


@pytest.mark.parametrize(
    ("vocab_size", "dtype"), [(2, np.uint16), (65_536, np.uint16), (65_537, np.uint32)]
)
def test_token_type_follows_the_vocabulary(tmp_path: Path, vocab_size: int, dtype: type) -> None:
    write_shard(tmp_path / "a.arrow", table_of([[1]], vocab_size))
    assert read_shard(tmp_path / "a.arrow").tokens.dtype == dtype


def test_reading_copies_nothing_and_outlives_the_reader(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.arrow", table_of([[1, 2], [3]]))
    allocated = pa.total_allocated_bytes()
    read = read_shard(tmp_path / "a.arrow")
    assert pa.total_allocated_bytes() == allocated
    assert not read.tokens.flags.owndata
    assert not read.tokens.flags.writeable
    (tmp_path / "a.arrow").unlink()
    assert read.tokens.tolist() == [1, 2, 0, 3, 0]


def test_schema_is_the_public_contract(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.arrow", table_of([[1], [2]], sources=["x", "y"]))
    with pa.ipc.open_file(str(tmp_path / "a.arrow")) as reader:
        assert reader.num_record_batches == 1
        schema = reader.schema
    assert schema.field("tokens").type == pa.large_list(pa.field("item", pa.uint16(), False))
    assert schema.field("id").type == pa.string()
    assert schema.field("source").type == pa.dictionary(pa.int32(), pa.string())
    assert schema.field("n_bytes").type == pa.uint32()
    assert schema.metadata == {
        b"tokenizer_sha256": b"ab" * 32,
        b"vocab_size": b"100",
        b"end_of_document_id": b"0",
        b"recipe_hash": b"cd" * 32,
    }


def test_bytes_are_the_same_to_path_and_file_and_after_reading(tmp_path: Path) -> None:
    table = table_of([[5, 6, 7], [], [8]], sources=["b", "a", "b"])
    memory = io.BytesIO()
    write_shard(memory, table)
    write_shard(tmp_path / "a.arrow", table)
    write_shard(tmp_path / "b.arrow", read_shard(tmp_path / "a.arrow"))
    assert memory.getvalue() == (tmp_path / "a.arrow").read_bytes()
    assert memory.getvalue() == (tmp_path / "b.arrow").read_bytes()


def test_parquet_has_the_same_columns(tmp_path: Path) -> None:
    table = table_of([[5, 6, 7], [8]], sources=["b", "a"])
    write_parquet_shard(tmp_path / "a.parquet", table)
    write_shard(tmp_path / "a.arrow", table)
    with pa.ipc.open_file(str(tmp_path / "a.arrow")) as reader:
        arrow = reader.read_all()
    parquet = pq.read_table(tmp_path / "a.parquet")
    assert parquet.equals(arrow)
    assert parquet.schema.metadata == arrow.schema.metadata


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": ["only one"]}, "1 ids, 2 sources"),
        ({"offsets": np.array([0, 3, 4])}, "offsets must rise"),
        ({"offsets": np.array([0, 5, 5])}, "offsets must rise"),
        ({"offsets": np.array([0, 2, 5])}, "document 0 does not end"),
        ({"tokens": np.array([1, 2, 0, 3, 1], np.uint16)}, "document 1 does not end"),
        ({"tokens": np.array([1, 100, 0, 3, 0], np.uint16)}, "token id 100 is not in"),
        ({"metadata": ShardMetadata("", 100, 100, "")}, "end-of-document id 100"),
    ],
)
def test_documents_that_make_no_shard(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    table = TokenTable(**(vars(table_of([[1, 2], [3]])) | change))  # type: ignore[arg-type]
    with pytest.raises(ShardError, match=message):
        write_shard(tmp_path / "a.arrow", table)
    assert not (tmp_path / "a.arrow").exists()


@pytest.mark.parametrize("kept", [0, 5, 300, -1, -20])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "a.arrow"
    write_shard(path, table_of([[1, 2], [3]]))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ShardError, match=r"a\.arrow"):
        read_shard(path)


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("Call me Ishmael. " * 99)
    with pytest.raises(ShardError, match="not an Arrow IPC file"):
        read_shard(tmp_path / "text")
    foreign = pa.RecordBatch.from_pydict({"tokens": [1, 2]})
    with pytest.raises(ShardError, match="metadata of a token shard: no tokenizer_sha256"):
        read_shard(write_stream(tmp_path / "b", [foreign]))
    marked = pa.RecordBatch.from_arrays(
        foreign.columns,
        schema=foreign.schema.with_metadata(
            {
                "tokenizer_sha256": "",
                "vocab_size": "9",
                "end_of_document_id": "0",
                "recipe_hash": "",
            }
        ),
    )
    with pytest.raises(ShardError, match="not the columns of a token shard: tokens: int64"):
        read_shard(write_stream(tmp_path / "c", [marked]))
    bad = marked.replace_schema_metadata({**marked.schema.metadata, b"vocab_size": b"many"})
    with pytest.raises(ShardError, match="metadata of a token shard: invalid literal"):
        read_shard(write_stream(tmp_path / "d", [bad]))


def test_two_batches_are_refused(tmp_path: Path) -> None:
    batch = pa.RecordBatch.from_pydict({"tokens": [1, 2]})
    with pytest.raises(ShardError, match="2 record batches"):
        read_shard(write_stream(tmp_path / "a", [batch, batch]))


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_shard(tmp_path / "absent.arrow")
