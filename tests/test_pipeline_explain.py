"""One document's story, and the evidence if it is a duplicate."""

import json
import math
import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from command import in_process
from conftest import changed, prose
from evidence_output import Document, similarity, write_output
from rich.console import Console

from pipeline.errors import UserError
from pipeline.explain import explanation, print_explanation, told_apart

BASE = prose(1, 200)
NEAR = changed(BASE, 26, 27)
EVIL = "evil \x1b[2J\x9b31m\u202e[bold]<b>"
DOCUMENTS = [
    Document("base", BASE, url="https://example.com/1"),
    Document("near", NEAR, "copies", "https://example.com/2", "base", "minhash"),
    Document("copy", BASE.replace(" ", "  ", 5), duplicate_of="base", reason="exact"),
    Document("same", BASE, duplicate_of="base", reason="exact"),
    Document("moved", prose(9, 50), "web", "https://example.com/1", "base", "url"),
    Document("far", changed(BASE, *range(0, 190, 9))),
    Document("farther", changed(BASE, 4, *range(0, 190, 9))),
    Document("alone", prose(5, 90)),
    Document(EVIL, f"{BASE} \x1b[31m[red]", "\x1b]0;title", None, "base", "minhash"),
]


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_output(tmp_path_factory.mktemp("explain"), DOCUMENTS)


def story(output: Path, identifier: str) -> dict[str, Any]:
    (found,) = explanation(str(output), identifier)
    return found


def printed(output: Path, identifier: str, **more: Any) -> str:
    stream = StringIO()
    console = Console(file=stream, soft_wrap=True, width=120, **more)
    print_explanation(explanation(f"{output}/", identifier), console, False)
    return stream.getvalue()


def test_a_near_duplicate_names_the_pair_and_what_they_share(output: Path) -> None:
    found = story(output, "near")["duplicate"]
    shared = found["shingles"]
    assert (found["kept_id"], found["kept_in"], found["cluster_size"]) == ("base", None, 6)
    assert found["jaccard"] == shared["jaccard"] == shared["both"] / shared["either"]
    assert found["jaccard"] == similarity(BASE, NEAR)
    assert (shared["shingle"], shared["unit"]) == (5, "words")
    assert found["kept"] == {"source": "web", "url": "https://example.com/1"}
    assert (found["same_text"], found["diff"]["removed"], found["diff"]["added"]) == (False, 2, 2)
    shown = printed(output, "near")
    assert "near: duplicate by dedup.minhash\n" in shown
    assert f"duplicate of base, Jaccard {found['jaccard']:.4g}, threshold 0.8\n" in shown
    assert f"{shared['both']} are in both texts, {shared['either']} in either" in shown
    removed = " ".join(BASE.split()[26:28])
    assert f"[-{removed}-]{{+xylophone xylophone+}} " in shown
    assert "2 words removed, 2 added" in shown
    assert "the kept one: source web, https://example.com/1\n" in shown


def test_colours_on_a_terminal(output: Path) -> None:
    shown = printed(output, "near", force_terminal=True, color_system="standard")
    assert "\x1b[32m{+xylophone xylophone+}\x1b[0m" in shown
    assert "\x1b[31m[-" in shown


def test_equal_texts(output: Path) -> None:
    assert "the texts are the same, byte for byte" in printed(output, "same")
    shown = printed(output, "copy")
    assert "duplicate of base, Jaccard 1: equal texts" in shown
    assert "0 words removed, 0 added; only white space differs" in shown


def test_a_duplicate_by_url_shows_what_became_of_the_page(output: Path) -> None:
    assert story(output, "moved")["duplicate"]["jaccard"] is None
    shown = printed(output, "moved")
    assert "duplicate of base by the URL\n" in shown
    assert "Jaccard 0.0" in shown
    assert "[-" in shown


def test_a_kept_document_tells_for_whom_it_stands_and_who_was_nearly_dropped(output: Path) -> None:
    found = story(output, "base")
    assert found["stands_for"]["number"] == 5
    assert found["stands_for"]["least_similar"][0]["id"] == "near"
    assert found["stands_for"]["least_similar"][-1]["id"] == "moved"  # has no Jaccard
    misses = found["compared"]["nearest_misses"]
    assert [miss["id"] for miss in misses] == ["far", "farther"]
    assert misses[0]["jaccard"] == similarity(BASE, DOCUMENTS[5].text) < 0.8
    assert found["compared"]["number"] > len(misses)
    shown = printed(output, "base")
    assert "stands for 5 other documents:\n  near (dedup.minhash, Jaccard 0.9" in shown
    assert "  moved (dedup.url)\n" in shown
    assert f"below the threshold: far, Jaccard {misses[0]['jaccard']:.4f}\n" in shown


def test_a_document_that_is_alone(output: Path) -> None:
    shown = printed(output, "alone")
    assert "stands for no other document\ncompared with 0 documents\n" in shown
    assert DOCUMENTS[7].text[:100] in shown


def test_hostile_names_and_texts_do_not_steer_the_terminal(output: Path) -> None:
    shown = printed(output, EVIL)
    assert not set(shown) & {"\x1b", "\x9b", "\u202e"}
    assert "[bold]<b>: duplicate by dedup.minhash" in shown
    assert "\u241b[31m[red]" in shown
    with pytest.raises(UserError) as raised:
        explanation(str(output), "\x1b[2J")
    assert "\x1b" not in raised.value.message


def test_json_has_all_of_it(output: Path) -> None:
    (told,) = json.loads(in_process("explain", output, "near", "--json").out)
    (found,) = explanation(str(output), "near")
    assert told == json.loads(json.dumps(found, default=str))
    assert told["duplicate"]["diff"]["hunks"][0]["pieces"][1]["kind"] == "removed"


@pytest.fixture
def against(tmp_path: Path) -> tuple[Path, Path]:
    """An older output, and a new one in which a document of the same id is its duplicate."""
    old = write_output(tmp_path / "old", DOCUMENTS)
    new = [
        Document("base", changed(BASE, 7), "new", None, "base", "minhash"),
        Document("more", prose(77, 80)),
    ]
    return old, write_output(tmp_path / "new", new, old, {"base": BASE}.items())


def test_the_kept_document_can_be_in_the_output_matched_against(against: tuple[Path, Path]) -> None:
    old, new = against
    found = story(new, "base")["duplicate"]
    assert (found["kept_in"], found["kept"]["source"]) == (str(old), "web")
    assert found["diff"]["removed"] == 1
    assert f"the kept one: source web, https://example.com/1, in {old}\n" in printed(new, "base")
    shutil.rmtree(old)
    found = story(new, "base")["duplicate"]
    assert (found["kept_in"], "diff" in found) == (str(old), False)
    assert f"the kept one, in {old}: its text cannot be read\n" in printed(new, "base")


def test_numbers_that_differ_look_different() -> None:
    assert told_apart(0.58634, 0.65) == ["0.5863", "0.65"]
    assert told_apart(0.99999812, 0.99999813) == ["0.99999812", "0.99999813"]
    assert told_apart(1.0, math.nextafter(1.0, 0.0))[0] == "1"
    assert told_apart(1.0, math.nextafter(1.0, 0.0))[1] != "1"
    assert told_apart(0.65, None, 0.65, math.nan) == ["0.65", "", "0.65", "nan"]
