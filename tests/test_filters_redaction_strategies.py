import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.redaction import NAMES, TYPES, Options, find, redact
from filters.redaction.strategies import (
    Replacement,
    digests,
    normalized,
    stand_ins,
    tags,
    tags_written,
)

KEY = bytes(range(32))
STRATEGIES = {"tag": tags, "stand_in": stand_ins, "digest": digests(KEY)}
EVERYTHING = Options(spelled_out_emails=True, private_addresses=True)

SPELLINGS = {
    "email": ("John.Doe@Example.org", "john.doe%40example.org"),
    "ip": ("2A00:1450::1", "2a00:1450:0:0:0:0:0:0001"),
    "phone": ("(212) 736-5000", "212 736 5000"),
    "card": ("4111 1111 1111 1111", "4111-1111-1111-1111"),
    "iban": ("DE89 3704 0044 0532 0130 00", "de89370400440532013000"),
    "mac": ("00:1A:2B:3C:4D:5E", "00-1a-2b-3c-4d-5e"),
    "ssn": ("123-45-6789", "123 45 6789"),
}


def replaced(strategy: Replacement, *values: tuple[str, str]) -> list[str]:
    replace = strategy()
    return [replace(name, value) for name, value in values]


def test_tags_name_the_type() -> None:
    assert replaced(tags, ("email", "a@b.de"), ("ip", "8.8.8.8")) == ["<|email|>", "<|ip|>"]


def test_stand_ins_count_the_values_of_each_type() -> None:
    found = replaced(
        stand_ins,
        ("email", "b@c.de"),
        ("email", "a@b.de"),
        ("email", "b@c.de"),
        ("ip", "8.8.8.8"),
        ("ip", "2a00::8"),
        ("ip", "8.8.4.4"),
        ("phone", "+49 30 901820"),
        ("mac", "00:1a:2b:3c:4d:5e"),
    )
    assert found == [
        "person1@example.com",
        "person2@example.com",
        "person1@example.com",
        "192.0.2.1",
        "2001:db8::1",
        "192.0.2.2",
        "+1-202-555-0101",
        "00-00-5E-00-53-01",
    ]


def test_every_text_is_counted_by_itself() -> None:
    assert replaced(stand_ins, ("email", "a@b.de")) == replaced(stand_ins, ("email", "c@d.de"))


@pytest.mark.parametrize(
    ("name", "size", "last", "first"),
    [
        ("ip", 254, "192.0.2.254", "192.0.2.1"),
        ("phone", 100, "+1-202-555-0100", "+1-202-555-0101"),
        ("mac", 256, "00-00-5E-00-53-00", "00-00-5E-00-53-01"),
    ],
)
def test_a_used_up_range_begins_anew(name: str, size: int, last: str, first: str) -> None:
    found = replaced(stand_ins, *((name, f"{value}1") for value in range(size + 1)))
    assert len(set(found)) == size
    assert found[-2:] == [last, first]


@pytest.mark.parametrize("name", ["national_id", "coordinates", "credential", "another"])
def test_a_type_without_free_range_gets_its_tag(name: str) -> None:
    assert replaced(stand_ins, (name, "1")) == [f"<|{name}|>"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_tags_are_all_that_a_strategy_writes(strategy: str) -> None:
    names = [*TYPES, *NAMES]
    written = replaced(STRATEGIES[strategy], *((name, "1") for name in names))
    assert tags_written(names + names, STRATEGIES[strategy]) == [
        tag for tag, name in zip(written, names, strict=True) if tag == f"<|{name}|>"
    ]


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("strategy", [stand_ins, digests(KEY)])
def test_equal_values_in_other_spellings_are_replaced_alike(
    strategy: Replacement, name: str
) -> None:
    one, other = replaced(strategy, *((name, value) for value in SPELLINGS[name]))
    assert one == other


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("credential", "abc", "ABC"),
        ("ip", "1.12.3.4", "11.2.3.4"),
        ("ip", "2a00:1450::1", "2a00:1450::1:0"),
        ("email", "a.b@c.de", "ab@c.de"),
        ("coordinates", "48.1372, 1.5755", "4.81372, 11.5755"),
    ],
)
def test_other_values_stay_apart(name: str, one: str, other: str) -> None:
    assert normalized(name, one) != normalized(name, other)


def test_digests_depend_on_key_type_and_value_alone() -> None:
    value = ("email", "a@b.de")
    one, other = digests(KEY), digests(KEY[::-1])
    assert replaced(one, value) == replaced(one, ("ip", "8.8.8.8"), value)[1:]
    assert replaced(one, value) != replaced(other, value)
    assert replaced(one, ("phone", "1"))[0][8:] != replaced(one, ("card", "1"))[0][7:]
    assert replaced(one, value) == ["<|email:hitomrkqgkhtwjhi|>"]


@given(st.sampled_from(TYPES), st.text(st.characters() | st.just("\ud800")))
def test_a_digest_is_16_letters_that_are_no_hexadecimal_digits(name: str, value: str) -> None:
    (digest,) = replaced(digests(KEY), (name, value))
    letters = digest.removeprefix(f"<|{name}:").removesuffix("|>")
    assert len(letters) == 16
    assert set(letters) <= set("ghijkmnopqrstuvw")


replacements = st.sampled_from(sorted(STRATEGIES)).flatmap(
    lambda strategy: st.lists(
        st.tuples(st.sampled_from(TYPES), st.sampled_from("123456789") | st.text(max_size=2)).map(
            lambda hit: replaced(STRATEGIES[strategy], hit, hit)[1]
        ),
        max_size=8,
    )
)


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_nothing_is_found_in_a_replacement(strategy: str, name: str) -> None:
    values = [(name, f"{count}{':' * (count % 2)}") for count in range(300)]
    for replacement in replaced(STRATEGIES[strategy], *values):
        assert find(replacement, EVERYTHING) == []
        assert find(f"call {replacement}, SSN {replacement}", EVERYTHING) == []


@given(replacements, st.sampled_from([" ", ", ", "\n", " and ", ": ", "; ", "\t"]))
def test_nothing_is_found_in_replacements_beside_each_other(
    replacements: list[str], between: str
) -> None:
    assert find(between.join(replacements), EVERYTHING) == []


def test_redaction_takes_the_strategy() -> None:
    text = "Mail a@b.de or c@d.org, not A@B.de; from 8.8.8.8"
    assert redact(text, replacement=stand_ins).text == (
        "Mail person1@example.com or person2@example.com, not person1@example.com; from 192.0.2.1"
    )
    redacted = redact(text, replacement=digests(KEY)).text
    assert redacted.count("<|email:hitomrkqgkhtwjhi|>") == 2
