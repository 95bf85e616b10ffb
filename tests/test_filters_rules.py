import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.rules import Rule, passes, passes_column, threshold_failed, thresholds_failed


@pytest.mark.parametrize(
    ("rule", "value", "failed"),
    [
        (Rule("x", minimum=2), 2, None),
        (Rule("x", minimum=2), 1.999, 2),
        (Rule("x", minimum=2, strict=True), 2, 2),
        (Rule("x", minimum=2, strict=True), 2.001, None),
        (Rule("x", maximum=0.1), 0.1, None),
        (Rule("x", maximum=0.1), 0.1001, 0.1),
        (Rule("x", maximum=0.1, strict=True), 0.1, 0.1),
        (Rule("x", minimum=3, maximum=10), 11, 10),
        (Rule("x", minimum=3, maximum=10), 2, 3),
        (Rule("x", minimum=3, maximum=10), 5, None),
        (Rule("x", minimum=0), -1, 0),
        (Rule("x"), 7, None),
        (Rule("x", minimum=3, maximum=10), math.nan, None),
        (Rule("x", minimum=3, maximum=10), None, None),
        (Rule("x", maximum=10), math.inf, 10),
    ],
)
def test_the_bound_that_failed(rule: Rule, value: float | None, failed: float | None) -> None:
    assert threshold_failed(rule, value) == failed
    assert passes(rule, value) is (failed is None)


bounds = st.none() | st.floats(-5, 5)


@given(
    minimum=bounds,
    maximum=bounds,
    strict=st.booleans(),
    values=st.lists(st.floats(-6, 6) | st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 5.0])),
)
def test_a_column_is_judged_like_its_values(
    minimum: float | None, maximum: float | None, strict: bool, values: list[float]
) -> None:
    rule = Rule("x", minimum=minimum, maximum=maximum, strict=strict)
    values = values + [bound for bound in (minimum, maximum) if bound is not None]
    column = np.array(values, dtype=np.float64)
    failed = [threshold_failed(rule, value) for value in values]
    expected = [math.nan if bound is None else bound for bound in failed]
    np.testing.assert_array_equal(thresholds_failed(rule, column), expected)
    assert passes_column(rule, column).tolist() == [passes(rule, value) for value in values]


def test_a_column_keeps_its_shape() -> None:
    assert passes_column(Rule("x", minimum=1), np.zeros(0)).shape == (0,)
