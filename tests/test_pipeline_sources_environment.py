import sys
from dataclasses import replace

import pytest

from pipeline.sources import environment
from pipeline.sources.records import ERRORS, Record, SourceOptions, Split, Unreadable

OPTIONS = SourceOptions(format="environment")

MODULE = b'''"""Top.

    indented \\ud800
"""
class A(list, B):
    """About A."""
    class Inner:
        def deep(self, x: int = 3, *rest):
            """Deep."""
    def bare(self): pass
async def run(): "Runs."
def quiet(): return 1
'''


def split(*items: str) -> Split:
    return Split(0, "environment", "environment", 0, len(items), 0, "", items)


def test_docstrings():
    assert environment.docstrings(MODULE, "pkg.mod") == (
        "pkg.mod\n\nTop.\n\nindented ?\n\nclass A(list, B)\n\nAbout A.\n\n"
        "A.Inner.deep(self, x: int=3, *rest)\n\nDeep.\n\nrun()\n\nRuns.\n"
    )
    assert environment.docstrings(b"x = 1", "m") == ""


def test_plan_is_stable_and_about_a_megabyte_each():
    splits = environment.plan(OPTIONS)
    assert splits == environment.plan(OPTIONS)
    assert max(s.size for s in splits) <= environment.SPLIT_BYTES * 1.2
    assert sum(s.size for s in splits) <= environment.TOTAL_BYTES * 1.2
    assert [s.start for s in splits[1:]] == [s.end for s in splits[:-1]]
    items = [item for s in splits for item in s.more]
    assert len(set(items)) == len(items)
    sources = list(dict.fromkeys(item.split(":")[0] for item in items))
    assert sources[:2] == ["reference", "stdlib"]
    assert set(sources) == {"reference", "stdlib", "descriptions", "licences", "packages"}
    assert not any("gristmill" in item for item in items)


def test_reading_one_of_each_kind():
    items = [item for s in environment.plan(OPTIONS) for item in s.more]
    chosen = ["reference:assert", "stdlib:json/decoder.py"]
    chosen += [next(i for i in items if i.startswith(k)) for k in ("descriptions", "licences")]
    records = list(environment.read(split(*chosen), OPTIONS))
    assert [record.source for record in records] == [
        "reference", "stdlib", "descriptions", "licences",
    ]  # fmt: skip
    assert "assert" in records[0].text
    assert "JSONDecoder.decode(" in records[1].text
    assert records[1].id == records[1].place == "stdlib/json/decoder.py"
    assert records[2].id.endswith("/description")
    assert all(isinstance(record, Record) for record in records)


def test_what_cannot_be_read(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "_folder", lambda name: tmp_path)
    (tmp_path / "bad.py").write_bytes(b"def (:\n")
    (tmp_path / "nul.py").write_bytes(b"x = '\0'")
    (tmp_path / "plain.py").write_bytes(b"x = 1")
    (tmp_path / "LICENSE").write_bytes(b"\xff")
    items = ["packages:bad.py", "packages:nul.py", "packages:plain.py", "packages:none.py",
             "reference:no such topic", "licences:LICENSE"]  # fmt: skip
    found = list(environment.read(split(*items), OPTIONS))
    assert [item.error for item in found if isinstance(item, Unreadable)] == [
        "invalid_python", "invalid_python", "missing_file", "missing_file", "invalid_utf8",
    ]  # fmt: skip
    assert all(item.error in ERRORS for item in found)


def test_too_large():
    options = replace(OPTIONS, max_document_bytes=10)
    (item,) = environment.read(split("reference:assert"), options)
    assert item.error == "too_large"


@pytest.mark.slow
def test_whole_corpus_has_unique_ids_and_imports_nothing():
    before = set(sys.modules)
    records = [r for s in environment.plan(OPTIONS) for r in environment.read(s, OPTIONS)]
    assert not {n.split(".")[0] for n in set(sys.modules) - before} & {"torch", "scipy", "pandas"}
    good = [record for record in records if isinstance(record, Record)]
    assert len({record.id for record in good}) == len(good)
    assert len(records) - len(good) <= len(records) // 100
    assert 2_000_000 < sum(len(record.text) for record in good) < 20_000_000
