"""One form of array for every kernel."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray


def frozen(values: ArrayLike, dtype: DTypeLike) -> NDArray[Any]:
    """Returns `values` as a contiguous, read-only array of `dtype`, without copying if it is one.

    numba compiles a kernel once for each combination of argument types, and read-only is part of
    the type. Arrays over bytes or Arrow buffers are read-only and others are not; in this form they
    all share one compiled kernel.

    Raises:
        ValueError: an integer does not fit `dtype` (a negative one for an unsigned type, say), or
            a number is not whole where `dtype` is an integer.
    """
    if isinstance(values, np.ndarray) and values.dtype == dtype and values.flags.c_contiguous:
        kept = values
        if not kept.flags.writeable:
            return kept
    else:
        kept = _converted(values, dtype)
    view = kept.view()
    view.flags.writeable = False
    return view


def _converted(values: ArrayLike, dtype: DTypeLike) -> NDArray[Any]:
    # As objects, because numpy would make doubles of Python integers on both sides of 2**63.
    given = values if isinstance(values, np.ndarray) else np.asarray(values, dtype=object)
    try:
        kept = np.ascontiguousarray(given, dtype=dtype)
    except OverflowError as error:
        raise ValueError(f"values do not fit {np.dtype(dtype)}: {error}") from error
    if kept.dtype.kind in "iu" and kept.dtype != given.dtype and not np.array_equal(kept, given):
        raise ValueError(f"values of type {given.dtype} do not fit {np.dtype(dtype)}")
    return kept
