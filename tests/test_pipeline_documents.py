import io
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import CONFIG

from filters.registry import FILTERS
from pipeline.documents import (
    ERRORS_SCHEMA,
    Row,
    documents_batch,
    documents_schema,
    errors_table,
)
from pipeline.recipe import load_recipe

RAW = load_recipe("raw", CONFIG)
GOPHER = load_recipe("gopher", CONFIG, ["dedup.minhash.bands=3", "dedup.minhash.rows=2"])


def measured(**fields) -> Row:
    signals = {
        name: {rule.signal: float(number) for number, rule in enumerate(FILTERS[name].RULES)}
        for name in GOPHER.filters.names
    }
    return Row(
        **{"id": "one", "source": "s", "text": "x", "n_bytes": 1, "signals": signals} | fields
    )


FAILED = Row("two", "s", place="17", error="invalid_json")


def written(batch: pa.RecordBatch) -> pa.Table:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_batches([batch]), file)
    return pq.read_table(file)


def test_the_columns_are_the_public_contract():
    schema = documents_schema(GOPHER)
    assert schema.names == [
        "id",
        "url",
        "source",
        "snapshot",
        "text",
        "n_bytes",
        "language",
        "language_score",
        "signals",
        "redactions",
    ]
    types = {name: str(schema.field(name).type) for name in schema.names if name != "signals"}
    assert types == {
        "id": "string",
        "url": "string",
        "source": "string",
        "snapshot": "string",
        "text": "large_string",
        "n_bytes": "uint32",
        "language": "string",
        "language_score": "float",
        "redactions": "map<string, uint32>",
    }


def test_every_signal_of_every_filter_has_its_column_in_recipe_order():
    signals = documents_schema(GOPHER).field("signals").type
    assert [field.name for field in signals] == list(GOPHER.filters.names)
    for field in signals:
        assert [child.name for child in field.type] == [r.signal for r in FILTERS[field.name].RULES]
        assert {child.type for child in field.type} == {pa.float64()}


def test_a_rule_that_is_off_keeps_its_signal():
    without = load_recipe("gopher", CONFIG, ["filters.gopher_quality.word_count=null"])
    assert documents_schema(without) == documents_schema(GOPHER)


def test_without_filters_there_are_no_signals():
    assert "signals" not in documents_schema(RAW).names
    assert written(documents_batch([Row("one", "s", "x")], documents_schema(RAW))).num_rows == 1


def test_a_row_is_read_back_as_it_was():
    row = measured(
        text="é\0\u2028",
        url="https://example.com/",
        snapshot="2024-10",
        language="en",
        language_score=0.5,
        redactions={"email": 2, "ip": 1},
    )
    (back,) = written(documents_batch([row], documents_schema(GOPHER))).to_pylist()
    assert back == {
        "id": "one",
        "url": "https://example.com/",
        "source": "s",
        "snapshot": "2024-10",
        "text": "é\0\u2028",
        "n_bytes": 1,
        "language": "en",
        "language_score": 0.5,
        "signals": row.signals,
        "redactions": [("email", 2), ("ip", 1)],
    }


@pytest.mark.parametrize("value", [0.1 + 0.2, math.nan, math.inf, 5e-324, 2.0**60])
def test_signals_are_stored_exactly(value):
    row = measured()
    row.signals["gopher_quality"]["word_count"] = value
    (back,) = written(documents_batch([row], documents_schema(GOPHER))).to_pylist()
    found = back["signals"]["gopher_quality"]["word_count"]
    assert found == value or (math.isnan(found) and math.isnan(value))


def test_an_error_row_has_no_text_and_no_signals():
    rows = [measured(), FAILED, measured(id="three")]
    table = written(documents_batch(rows, documents_schema(GOPHER)))
    assert table["id"].to_pylist() == ["one", "two", "three"]
    back = table.to_pylist()[1]
    assert (back["text"], back["n_bytes"], back["redactions"]) == ("", 0, [])
    assert set(back["signals"].values()) == {None}


def test_error_rows():
    row = {"split": 3, "id": "x", "offset": "12", "stage": "mill", "error": "invalid_json"}
    assert errors_table([row]).to_pylist() == [row]
    assert errors_table([]).schema == ERRORS_SCHEMA
    assert "text" not in ERRORS_SCHEMA.names
