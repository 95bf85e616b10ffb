"""The machine: which device, how fast it could be, and how it hands out memory."""

import contextlib
import ctypes
import sys
import time

import torch

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # of glibc's malloc.h


def pick_device() -> torch.device:
    """Returns the GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def keep_freed_memory() -> None:
    """Tells glibc to keep freed memory in the process instead of giving it back at once.

    A training step frees and asks for the same hundreds of MB as the step before; getting them
    anew from the kernel means that every page is cleared and mapped again, which took up to a
    third of a step on the CPU. Does nothing where the C library has no mallopt.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            libc = ctypes.CDLL(None)
            libc.mallopt(_M_MMAP_MAX, 0)
            libc.mallopt(_M_TRIM_THRESHOLD, -1)
            libc.mallopt(_M_TOP_PAD, 64 << 20)


def matmul_peak(device: torch.device, dtype: torch.dtype) -> float:
    """Returns the FLOP/s of a large matrix product, best of some, as the device's ceiling."""
    size = 1024 if device.type == "cpu" else 8192
    a, b = (torch.ones(size, size, device=device, dtype=dtype) for _ in range(2))
    best = float("inf")
    for _ in range(8):
        begin = time.perf_counter()
        torch.mm(a, b)
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - begin)
    return 2 * size**3 / best
