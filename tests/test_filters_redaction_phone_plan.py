import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters.redaction.options import DEFAULT_REGIONS
from filters.redaction.phone_plan import (
    country_code,
    country_code_of,
    is_in_use,
    is_in_use_in,
    is_possible,
    national_prefix,
    writes_area_code_in_brackets,
)

phonenumbers = pytest.importorskip("phonenumbers")
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
EXAMPLES = sorted(
    {
        (region, str(number.country_code), phonenumbers.national_significant_number(number))
        for region in REGIONS
        for kind in range(11)
        if (number := phonenumbers.example_number_for_type(region, kind)) is not None
    }
)
PREFIXES = ("", "0", "1", "8", "00", "011", "06", "15", "031", "0015", "810", "180020", "000")


def parsed(digits: str, region: str | None) -> "phonenumbers.PhoneNumber | None":
    try:
        return phonenumbers.parse(digits if region else f"+{digits}", region)
    except phonenumbers.NumberParseException:
        return None


def is_valid(digits: str, region: str | None) -> bool:
    number = parsed(digits, region)
    return number is not None and phonenumbers.is_valid_number(number)


@st.composite
def dialled(draw: st.DrawFn) -> tuple[str, str]:
    """Draws what somebody may dial, and the region of the number."""
    region, code, number = draw(st.sampled_from(EXAMPLES))
    kept = draw(st.integers(0, len(number)))
    others = draw(st.text("0123456789", min_size=len(number) - kept, max_size=len(number) - kept))
    prefix = draw(st.sampled_from(PREFIXES))
    before = draw(st.sampled_from(("", code, f"{code}0", code * 2)))
    more = draw(st.sampled_from(("", "", "", "0", "12", "123")))
    return prefix + before + number[:kept] + others + more, region


@pytest.mark.parametrize("region", REGIONS)
def test_examples_of_every_type_are_decided_as_by_phonenumbers(region: str) -> None:
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    for of, code, number in EXAMPLES:
        if of != region:
            continue
        assert is_in_use((code + number).encode(), None)
        for prefix in ("", metadata.national_prefix or "", f"00{code}", f"011{code}"):
            digits = prefix + number
            assert is_in_use(digits.encode(), region) == is_valid(digits, region)


@example(("4933014", "DE"), "DE")
@example(("0343155551212", "AR"), "AR")
@example(("011112345678", "GB"), "US")
@example(("0669812345", "IT"), "VA")
@given(dialled(), st.sampled_from(REGIONS) | st.sampled_from(DEFAULT_REGIONS))
def test_the_decision_is_that_of_phonenumbers(number: tuple[str, str], region: str) -> None:
    digits, of = number
    for place in (None, of, region):
        if len(digits) >= 3:
            assert is_in_use(digits.encode(), place) == is_valid(digits, place)


@given(st.text("0123456789", min_size=3, max_size=18), st.sampled_from([None, *REGIONS]))
def test_any_digits_are_decided_as_by_phonenumbers(digits: str, region: str | None) -> None:
    assert is_in_use(digits.encode(), region) == is_valid(digits, region)


@given(dialled(), st.lists(st.sampled_from(REGIONS), max_size=4, unique=True))
def test_one_look_at_several_regions_agrees_with_one_at_each(
    number: tuple[str, str], regions: list[str]
) -> None:
    digits = number[0].encode()
    for places in (DEFAULT_REGIONS, (*regions, number[1])):
        expected = any(is_in_use(digits, region) for region in places)
        assert is_in_use_in(digits, places) == expected


@given(dialled())
def test_possible_numbers_are_those_of_phonenumbers(number: tuple[str, str]) -> None:
    digits = number[0]
    expected = False
    if (parse := parsed(digits, None)) is not None:
        reason = phonenumbers.is_possible_number_with_reason(parse)
        expected = reason == phonenumbers.ValidationResult.IS_POSSIBLE
    assert is_possible(digits.encode()) == expected


def test_unknown_regions_and_codes_have_no_numbers() -> None:
    assert not is_in_use(b"2127365000", "XX")
    assert not is_in_use_in(b"2127365000", ("XX",))
    assert not is_in_use_in(b"2127365000", ())
    assert not is_in_use(b"999123456789", None)
    assert not is_possible(b"999123456789")
    assert (country_code("XX"), national_prefix("XX")) == (b"", b"")
    assert (country_code_of(b""), country_code_of(b"0049")) == (b"", b"")


def test_what_regions_write_before_their_numbers() -> None:
    assert [country_code(region) for region in ("US", "CA", "DE", "IT")] == [
        b"1",
        b"1",
        b"49",
        b"39",
    ]
    prefixes = [national_prefix(region) for region in ("DE", "US", "IT", "ES", "RU")]
    assert prefixes == [b"0", b"1", b"0", b"", b"8"]
    assert writes_area_code_in_brackets("BR")
    assert not writes_area_code_in_brackets("DE")
    assert country_code_of(b"493090182") == b"49"
    assert country_code_of(b"35312345") == b"353"
