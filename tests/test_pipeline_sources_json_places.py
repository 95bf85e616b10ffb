import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.fields import lookup
from pipeline.sources.json_places import places

names = st.sampled_from(["a", "b", "a.b", "a.b.a", 'é"', ""])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3)
)


def found(line: str, name: str) -> list[str]:
    return [line[first:last] for first, last in places(line, name)]


@given(
    st.dictionaries(names, values, max_size=4),
    names,
    st.booleans(),
    st.sampled_from([None, 1, "\t"]),
)
def test_places_are_those_of_the_values_that_lookup_finds(
    row: dict[str, Any], name: str, ascii: bool, indent: Any
) -> None:
    line = json.dumps(row, ensure_ascii=ascii, indent=indent)
    is_there, value = lookup(row, name)
    assert len(found(line, name)) == is_there
    for place in found(line, name):
        assert json.dumps(json.loads(place)) == json.dumps(value)


@pytest.mark.parametrize(
    ("line", "name", "expected"),
    [
        ('\ufeff{"a" : 1.10 }\r', "a", ["1.10"]),
        ('{"\\u0061":12345678901234567890123,"b":1e400}', "a", ["12345678901234567890123"]),
        ('{"a":"x","b":{"a":"y"},"a":"z"}', "a", ['"x"', '"z"']),
        ('{"a":{"b":"x"},"b":"y","a":{"b":NaN}}', "a.b", ['"x"', "NaN"]),
        ('{"a":[{"b":1}],"b":{}}', "a.b", []),
        ("{}", "a", []),
    ],
)
def test_values_are_as_they_are_written(line: str, name: str, expected: list[str]) -> None:
    assert found(line, name) == expected
