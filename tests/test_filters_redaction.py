import itertools
import random

import pytest
from conftest import linear_time
from hypothesis import example, given
from hypothesis import strategies as st

from filters.redaction import TYPES, Options, find, redact


def test_types_that_are_not_asked_for_stay() -> None:
    assert redact("a@b.de 8.8.8.8", Options(types=("ip",))).text == "a@b.de <|ip|>"


def test_an_unknown_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'name'.*email, iban, card"):
        Options(types=("name",))


def test_redaction_counts_and_leaves_the_rest() -> None:
    text = "Mail a@b.de or c@d.org,\n call +49 30 901820; é"
    redaction = redact(text)
    assert (redaction.text, redaction.counts) == (
        "Mail <|email|> or <|email|>,\n call <|phone|>; é",
        {"email": 2, "phone": 1},
    )
    assert redact("nothing here") == ("nothing here", [])


PIECES = (
    "a@b.de|8.8.8.8|4111111111111111|4111 1111 1111-1111-|+49 30 901820|2a00:1450::1|020 7946 0958"
    "|(212) 736-5000|2127365000|tel| |.|:|-|/|\xa0|é|\ud800|'"
)
pieces = st.sampled_from([*PIECES.split("|"), "|", "<|phone|>", "<|email|>"]) | st.text(
    st.characters() | st.sampled_from("0123456789@.:-+() /|<>\ud800"), max_size=5
)


@example(["call ", "2127365000", " ", "2127365000"])
@given(st.lists(pieces | st.just(" "), max_size=25))
def test_redaction_is_complete_and_idempotent(parts: list[str]) -> None:
    text = "".join(parts)
    redacted, spans = redact(text)
    assert find(redacted) == []
    assert redact(redacted) == (redacted, [])
    for name in TYPES:
        tag = f"<|{name}|>"
        assert redacted.count(tag) - text.count(tag) == sum(span.type == name for span in spans)


@given(st.lists(pieces, max_size=25))
def test_spans_are_ordered_and_do_not_overlap(parts: list[str]) -> None:
    text = "".join(parts)
    spans = find(text)
    for span in spans:
        assert 0 <= span.start < span.end <= len(text)
    for one, following in itertools.pairwise(spans):
        assert one.end <= following.start


_random = random.Random(1)
HOSTILE = {
    "digits": "1" * 1_000_000,
    "random digits": "".join(_random.choices("0123456789", k=1_000_000)),
    "dots": "." * 1_000_000,
    "digits and dots": "1." * 500_000,
    "at-signs": "@" * 1_000_000,
    "letters and at-signs": "a@" * 500_000,
    "addresses without end": "a@b." * 250_000,
    "local parts without end": "a.b@" * 250_000,
    "hex and colons": "a:b:" * 250_000,
    "random hex and colons": "".join(_random.choices("0123456789abcdef:", k=1_000_000)),
    "colons": ":" * 1_000_000,
    "hyphens": "-" * 1_000_000,
    "digits and hyphens": "1-" * 500_000,
    "random digits and hyphens": "".join(_random.choices("0123456789-", k=1_000_000)),
    "brackets": "(" * 1_000_000,
    "plus signs": "+1" * 500_000,
    "accented": "é@" * 330_000,
    "marks": "a" + "\u0315\u0316" * 500_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_takes_linear_time(name: str) -> None:
    find("warm up: +49 30 901820")
    with linear_time():
        find(HOSTILE[name])
