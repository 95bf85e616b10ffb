"""The benchmarks of deduplication run; docs/dedup.md and docs/benchmarks.md have the figures."""

import subprocess
import sys

import pytest
from command import ROOT

pytestmark = pytest.mark.slow


def rows_of(name: str, *arguments: str) -> list[list[str]]:
    """Returns the cells of the tables that a benchmark prints."""
    command = [sys.executable, "-P", str(ROOT / "benchmarks" / f"{name}.py"), *arguments]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout
    lines = [line for line in said.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_buckets() -> None:
    names, row = rows_of("buckets", "near", "--documents", "80")
    found = dict(zip(names, row, strict=True))
    assert (found["how many"], found["uncompared"]) == ("80", "0")
    assert 80 <= int(found["pairs"].replace(",", "")) <= 80 * 79 // 2


def test_matching() -> None:
    names, *rows = rows_of("matching", "--documents", "300", "--peer", "300", "--hashes-only")
    assert [row[:2] for row in rows] == [["match", "300"], ["datasketch", "300"]]
    ours, theirs = (dict(zip(names, row, strict=True)) for row in rows)
    assert 0 < int(ours["pairs"]) <= int(theirs["pairs"])
