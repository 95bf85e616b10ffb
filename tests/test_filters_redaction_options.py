import pytest

from filters.redaction import DEFAULT_REGIONS, TYPES, Options


def test_all_types_are_looked_for_unless_said_otherwise() -> None:
    options = Options()
    assert (options.types, options.regions) == (TYPES, DEFAULT_REGIONS)
    assert not options.spelled_out_emails
    assert not options.private_addresses


def test_types_are_each_there_once() -> None:
    assert len(set(TYPES)) == len(TYPES)


def test_an_unknown_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"\['nothing'\].*email, iban, card"):
        Options(types=("email", "nothing"))
