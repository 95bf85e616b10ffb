"""How benchmarks/redaction.py counts; the figures themselves are in docs/redaction.md."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from filters.redaction.national_id import NUMBERS


def _load(name: str) -> ModuleType:
    path = Path(__file__).parents[1] / "benchmarks" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


gold = _load("gold")
redaction = _load("redaction")
Found, Text = gold.Found, gold.Text


def spans(*places: tuple[int, int], name: str = "ip") -> list[Found]:
    return [Found(start, end, name) for start, end in places]


def test_each_span_is_in_one_pair_at_most():
    assert gold.overlapping(spans((0, 9)), spans((0, 4), (5, 9))) == 1
    assert gold.overlapping(spans((0, 4), (5, 9)), spans((0, 9))) == 1
    assert gold.overlapping(spans((0, 5), (5, 9)), spans((4, 6), (6, 8))) == 2
    assert gold.overlapping(spans((0, 5)), spans((5, 9))) == 0  # side by side
    assert gold.overlapping([], spans((5, 9))) == 0


def test_equal_spans_have_the_same_ends():
    assert gold.equal(spans((0, 5), (6, 9)), spans((0, 5), (6, 8))) == 1
    assert gold.equal(spans((0, 5)), spans((0, 5), (0, 5))) == 1


def test_scores_are_of_the_sums_over_the_texts_by_type():
    texts = [
        Text("x" * 20, spans((0, 4), (6, 9)), []),
        Text("x" * 20, spans((0, 4)) + spans((10, 14), name="email"), []),
    ]
    found = [spans((0, 4)), spans((1, 4), (8, 9)) + spans((10, 14), name="email")]
    overlap = gold.scores(gold.count(texts, found, exactly=False), len(texts))
    assert [score.value for score in overlap["ip"]] == pytest.approx([2 / 3, 2 / 3, 2 / 3])
    assert [score.value for score in overlap["email"]] == [1, 1, 1]
    assert overlap["mean"].f1.value == pytest.approx((2 / 3 + 1) / 2)
    exactly = gold.scores(gold.count(texts, found, exactly=True), len(texts))
    assert [score.value for score in exactly["ip"]] == pytest.approx([1 / 3, 1 / 3, 1 / 3])


def test_a_hit_of_another_type_is_not_right():
    texts = [Text("x" * 9, spans((0, 4), name="card") + spans((5, 9)), [])]
    counts = gold.count(texts, [spans((0, 4), (5, 9))], exactly=False)
    assert (counts["card"].right.sum(), counts["ip"].right.sum()) == (0, 1)
    assert counts["ip"].found.sum() == 2


def test_intervals_hold_the_value_and_are_the_same_every_time():
    texts = [Text("x" * 9, spans((0, 4)), []) for _ in range(200)]
    found = [spans((0, 4)) if number % 5 else [] for number in range(200)]
    counts = gold.count(texts, found, exactly=True)
    recall = gold.scores(counts, 200)["ip"].recall
    assert recall.value == pytest.approx(0.8)
    # The binomial distribution's: 0.8 plus and minus 1.96 times its standard deviation, 0.028.
    assert (recall.low, recall.high) == pytest.approx((0.745, 0.855), abs=0.01)
    assert gold.scores(counts, 200)["ip"].recall == recall


def test_the_difference_of_two_is_measured_on_the_same_draws():
    texts = [Text("x" * 9, spans((0, 4)), []) for _ in range(100)]
    some = gold.count(texts, [spans((0, 4)) if n % 2 else [] for n in range(100)], exactly=True)
    every = gold.count(texts, [spans((0, 4))] * 100, exactly=True)
    assert tuple(gold.difference(some, some, 100)) == (0, 0, 0)
    difference = gold.difference(every, some, 100)
    assert 0 < difference.low < difference.value < difference.high
    assert difference.value == pytest.approx(1 - 2 / 3)


def test_both_forms_of_gold_files_are_read(tmp_path: Path):
    rows = [
        {
            "full_text": "Mail a@b.de to Ann",
            "spans": [
                {"start_position": 5, "end_position": 11, "entity_type": "EMAIL_ADDRESS"},
                {"start_position": 15, "end_position": 18, "entity_type": "PERSON"},
            ],
        }
    ]
    lines = [{"text": "Mail a@b.de", "spans": [{"start": 5, "end": 11, "type": "email"}]}]
    (tmp_path / "list.json").write_text(json.dumps(rows))
    (tmp_path / "lines.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    email = [Found(5, 11, "email")]
    assert gold.read_gold(tmp_path / "list.json", gold.LABELS) == [
        Text("Mail a@b.de to Ann", email, ["PERSON"])
    ]
    assert gold.read_gold(tmp_path / "lines.jsonl", gold.LABELS) == [Text("Mail a@b.de", email, [])]
    lines[0]["spans"][0]["end"] = 12  # type: ignore[index]
    (tmp_path / "lines.jsonl").write_text(json.dumps(lines[0]))
    with pytest.raises(ValueError, match="text 1"):
        gold.read_gold(tmp_path / "lines.jsonl", gold.LABELS)


def test_separators_of_lines_in_a_text_end_no_line_of_the_file(tmp_path: Path):
    text = "one\u2028two\x85three"
    (tmp_path / "gold.jsonl").write_text(
        json.dumps({"text": text, "spans": []}, ensure_ascii=False), encoding="utf-8"
    )
    assert gold.read_gold(tmp_path / "gold.jsonl", gold.LABELS) == [Text(text, [], [])]


def test_national_numbers_that_are_scored_are_of_countries_whose_numbers_are_looked_for():
    scored = {label[:2] for label, name in gold.LABELS.items() if name == "national_id"}
    looked_for = {number.name[:2] for number in NUMBERS}
    assert scored - {"NA"} <= {"UK" if country == "GB" else country for country in looked_for}


def test_of_a_peers_overlapping_hits_the_best_stays():
    hits = [(0, 9, "phone", 0.4), (0, 12, "card", 1.0), (20, 29, "phone", 0.4), (40, 44, "ip", 0.1)]
    assert gold.by_score(hits, 0, alone=False) == sorted(Found(*hit[:3]) for hit in hits)
    assert gold.by_score(hits, 0.4, alone=True) == [Found(0, 12, "card"), Found(20, 29, "phone")]


def test_a_peer_gets_its_best_settings_for_each_type():
    texts = [Text("x" * 50, spans((0, 9), name="phone") + spans((20, 29)), [])]
    hits = [[(0, 9, "phone", 0.8), (30, 39, "phone", 0.2), (20, 29, "ip", 0.1)]]
    chosen = redaction.best(texts, [hits], exactly=False)
    assert [(int(each.found.sum()), int(each.right.sum())) for each in chosen.values()] == [
        (1, 1),  # ip, from 0.1
        (1, 1),  # phone, from 0.8
    ]


def test_gold_measures_this_projects_hits(tmp_path: Path):
    row = {
        "text": "a@b.de 8.8.8.8",
        "spans": [
            {"start": 0, "end": 6, "type": "email"},
            {"start": 7, "end": 13, "type": "IPV4"},
            {"start": 0, "end": 1, "type": "PERSON"},
        ],
    }
    (tmp_path / "gold.jsonl").write_text(json.dumps(row))
    result = redaction.measure_gold(tmp_path / "gold.jsonl", gold.LABELS, None)
    assert result["by overlap"]["Gristmill"]["mean"].f1.value == 1
    assert result["exactly"]["Gristmill"]["ip"].f1.value == 0
    assert result["exactly"]["Gristmill"]["email"].f1.value == 1
    assert result["not scored"] == {"PERSON": 1}


def test_clean_text_is_counted_by_million_characters(tmp_path: Path, capsys):
    (tmp_path / "a.txt").write_text("8.8.8.8 and 9.9.9.9 " + "x" * 480)
    (tmp_path / "page.html").write_text("<p>Mail a@b.de" + "<p>" * 100)
    (tmp_path / "left.bin").write_bytes(b"8.8.8.8")
    redaction.print_clean([str(tmp_path)], 1, False)
    printed = capsys.readouterr().out
    assert "| ip | 2 | " in printed
    assert "`9.9.9.9` 2" in printed
    assert "* email: Mail [[a@b.de]]" in printed
    redaction.print_clean([str(tmp_path / "a.txt")], 0, True)
    assert json.loads(capsys.readouterr().out) == {
        str(tmp_path / "a.txt"): {"characters": 500, "hits": {"ip": 2}}
    }


def test_every_hostile_text_has_about_a_megabyte():
    sizes = {name: redaction.megabytes([text]) for name, text in redaction.hostile_texts().items()}
    assert {name: size for name, size in sizes.items() if not 0.8 <= size <= 1.01} == {}
