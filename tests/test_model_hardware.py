import subprocess
import sys

import pytest
import torch

from model.hardware import keep_freed_memory, matmul_peak, pick_device


def test_device() -> None:
    assert pick_device().type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_peak_is_that_of_a_processor() -> None:
    assert 1e8 < matmul_peak(torch.device("cpu"), torch.float32) < 1e15


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has mallopt")
def test_freed_memory_stays() -> None:
    code = """
import resource, numpy
from model.hardware import keep_freed_memory
keep_freed_memory()
numpy.ones(8_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    numpy.ones(8_000_000)
assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 1000
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.hardware.ctypes.CDLL", lambda _: object())
    keep_freed_memory()
