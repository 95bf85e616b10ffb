import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_reference_is_that_of_the_code():
    made = runpy.run_path(str(ROOT / "docs" / "make_reference.py"))["reference"]()
    assert (ROOT / "docs" / "reference.md").read_text() == made, "run `make reference`"
    assert "| `dedup.minhash.threshold` | `0.8` |" in made
    assert "| `dedup.scope` | `corpus` |" in made
    assert "(`corpus`, `source`, `snapshot`) |" in made
    assert "| `dedup.prefer` | `longest` |" in made
    assert "| `dedup.passages` | `null` |" in made
    assert "| `dedup.passages.length` | `3` |" in made
    assert "| `word_count` | 50 | 100000 | words |" in made


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_docs_exist(page):
    from typer.main import get_command

    from pipeline.cli import app

    known = set(get_command(app).commands)
    named = set(re.findall(r"(?:`|^|\n|bin/)gristmill ([a-z]+)", page.read_text()))
    assert named <= known
