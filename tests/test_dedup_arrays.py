import numpy as np
import pytest

from dedup.arrays import frozen


def test_an_array_of_the_right_form_is_not_copied_and_stays_writeable_for_its_owner():
    values = np.arange(5, dtype=np.uint64)
    view = frozen(values, np.uint64)
    assert np.shares_memory(view, values)
    assert not view.flags.writeable
    assert values.flags.writeable
    assert frozen(view, np.uint64) is view


def test_other_forms_are_converted():
    view = frozen(np.arange(10)[::2], np.uint64)
    assert view.dtype == np.uint64
    assert view.flags.c_contiguous
    assert view.tolist() == [0, 2, 4, 6, 8]
    assert frozen([], np.int64).tolist() == []
    assert frozen([1, 2**64 - 1], np.uint64).tolist() == [1, 2**64 - 1]


@pytest.mark.parametrize("values", [[-1, 2], [0.5], np.array([2**40], dtype=np.int64)])
def test_values_that_do_not_fit_are_refused(values):
    with pytest.raises(ValueError, match="do not fit uint32"):
        frozen(values, np.uint32)
