import itertools
import re

import pytest
from conftest import linear_time
from hypothesis import example, given
from hypothesis import strategies as st

from filters.redaction import Options, Span, find, redact, replacement
from filters.redaction.strategies import digests, stand_ins, tags

STRATEGIES = {"tag": tags, "stand_in": stand_ins, "digest": digests(b"a key")}
EVERYTHING = Options(spelled_out_emails=True, private_addresses=True)
VALUES = (
    "a@b.de|john@example.com|8.8.8.8|2a00:1450::1|4111111111111111|+49 30 901820|+12127365000"
    "|020 7946 0958|2127365000|DE89370400440532013000|GB82 WEST 1234 5698 7654 32|123-45-6789"
    "|00:1a:2b:3c:4d:5e|48.137154, 11.576124|https://user:pass@b.de/|-----BEGIN"
    "|name [at] domain [dot] com|ann at shop dot org|http://mailto:|192.168.0.1|fe80::1"
)
BETWEEN = "tel|call|SSN|version| |.|:|-|/|\xa0|é|\ud800|'|1|2a00:|x|+|@|=|(|)|\n|, |٣"
REPLACED = "||<|phone|>|<|email|>|person1@example.com|192.0.2.1|+1-202-555-0101|<|ip:gg|>"
pieces = st.sampled_from([*VALUES.split("|"), *BETWEEN.split("|"), *REPLACED.split("|"), "<|ip|>"])
texts = st.lists(pieces | st.text(max_size=3), max_size=20).map("".join)


@pytest.mark.parametrize("options", [Options(), EVERYTHING], ids=["default", "everything"])
@pytest.mark.parametrize("strategy", STRATEGIES)
@example("+12127365000" * 12)
@example("call 2127365000 2127365000")
@example("2a00:8.8.8.8 2a00:2a00:1450::1")
@example("http://mailto:name [at] domain [dot] com")
@given(texts)
def test_redaction_leaves_nothing_and_changes_only_the_spans(
    strategy: str, options: Options, text: str
) -> None:
    redacted, spans = redact(text, options, STRATEGIES[strategy])
    assert find(redacted, options) == []
    assert redact(redacted, options, STRATEGIES[strategy]) == (redacted, [])
    for span, following in itertools.pairwise(spans):
        assert span.end <= following.start
    ends = [0, *(span.end for span in spans)]
    starts = [*(span.start for span in spans), len(text)]
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    replace, expected = STRATEGIES[strategy](), ""
    for number, (end, start) in enumerate(zip(ends, starts, strict=True)):
        expected += text[end:start]
        if number < len(spans):
            expected += replace(spans[number].type, text[start : spans[number].end])
    assert redacted == expected


def test_counts_are_by_type() -> None:
    assert redact("a@b.de c@d.org 8.8.8.8").counts == {"email": 2, "ip": 1}


def finds(monkeypatch: pytest.MonkeyPatch, pattern: str) -> None:
    """Lets a pattern decide what is found; the first letter of its group names the type."""

    def find(text: str, options: Options) -> list[Span]:
        return [Span(*match.span(), str(match.lastgroup)) for match in re.finditer(pattern, text)]

    monkeypatch.setattr(replacement, "find", find)


def test_hits_that_a_replacement_brings_to_light_are_of_the_text_as_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finds(monkeypatch, r"(?P<a>11)|(?<=>)(?P<b>22)")
    assert redact("é 11221122 22") == (
        "é <|a|><|b|><|a|><|b|> 22",
        [Span(2, 4, "a"), Span(4, 6, "b"), Span(6, 8, "a"), Span(8, 10, "b")],
    )


def test_a_hit_that_takes_in_a_part_of_a_replacement_takes_in_what_was_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finds(monkeypatch, r"(?P<a>11)|(?P<b>22<\|)|(?P<c>\|>33)")
    assert redact("0 11 0") == ("0 <|a|> 0", [Span(2, 4, "a")])
    assert redact("0 2211 0") == ("0 <|b|> 0", [Span(2, 6, "b")])
    assert redact("0 1133 0") == ("0 <|c|> 0", [Span(2, 6, "c")])
    assert redact("0 221133 0") == ("0 <|b|> 0", [Span(2, 8, "b")])


def test_a_hit_over_neighbours_makes_them_one(monkeypatch: pytest.MonkeyPatch) -> None:
    finds(monkeypatch, r"(?P<a>11)|(?P<b>22)|(?P<c><\|a\|><\|b\|>)")
    assert redact("0 1122 0") == ("0 <|c|> 0", [Span(2, 6, "c")])


def test_a_replacement_that_is_found_is_no_endless_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    finds(monkeypatch, r"(?P<a>11|<\|b\|>)|(?P<b><\|a\|>)")
    assert [span[:2] for span in redact("0 11 0").spans] == [(0, 6)]


def test_a_span_whose_replacement_is_found_takes_the_type_that_was_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finds(monkeypatch, r"(?P<a>11)|(?P<b><\|a\|>)")
    assert redact("0 11 0") == ("0 <|b|> 0", [Span(2, 4, "b")])


def test_one_hit_after_the_other_takes_few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    finds(monkeypatch, r"^(?P<a>1)|(?<=>)(?P<b>1)")
    text = "1" * 1_000_000
    with linear_time():
        assert redact(text).spans == [Span(0, len(text), "b")]
    assert [span.type for span in redact("1" * 8).spans] == ["a", *"bbbbbbb"]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    "values",
    [
        ",".join(f"81.2.69.{number}" for number in range(100, 140)),
        "+12127365000" * 40,
        "\n".join(["020 7946 0958"] * 40),
        "-".join(["DE89370400440532013000"] * 40),
    ],
)
def test_of_many_values_side_by_side_none_can_be_read(values: str, strategy: str) -> None:
    redacted = redact(f"Once more: {values}\nand no more.", replacement=STRATEGIES[strategy]).text
    assert redacted.startswith("Once more: ")
    assert redacted.endswith("\nand no more.")
    for part in ("81.2", ".69", "212", "736", "7946", "0958", "DE89", "4405"):
        assert part not in redacted


def test_hits_after_many_rounds_take_in_whole_words_and_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finds(monkeypatch, r"(?P<a>^1)|(?<=\|>)(?P<b>1)")
    row = "1" * 9  # one more than are looked at one by one
    assert redact(f"{row} and some other words").text == "<|b|> other words"
    assert redact(f"{row}, someone's other words").text == "<|b|> other words"
    assert redact(f"{row} 23 45 67 89 01 23 45 (67) 89 other words").text == "<|b|> other words"
    assert redact(f"{row}{'x' * 50}").text == "<|b|>"


def test_phone_numbers_in_a_row_take_linear_time() -> None:
    with linear_time():
        redacted = redact("+12127365000" * 20_000).text
    assert find(redacted) == []
