import pytest

from filters.redaction.phone_words import is_announced, is_labelled


@pytest.mark.parametrize(
    ("before", "announced", "labelled"),
    [
        ("Phone: ", True, True),
        ("Fax no. ", True, True),
        ("Tel.:(", True, True),
        ("T\u00e9l: ", True, True),
        ("\u7535\u8bdd\uff1a", True, True),
        ("please call him back at ", True, True),
        ("call us at ", True, True),
        ("Tel. (B\u00fcro): ", True, False),
        ("Phone ", True, False),
        ("my new number is ", True, False),
        ("the number is ", True, False),
        ("my order number is ", False, False),
        ("Card number: ", False, False),
        ("phone,amount\n", False, False),
        ("phone, ", True, False),
        ("saxophone: ", False, False),
        ("Phone: <|phone|> ", False, False),
        ("Phone: " + 30 * "x" + " ", False, False),
        ("", False, False),
    ],
)
def test_words_before_a_number(before: str, announced: bool, labelled: bool) -> None:
    data = before.encode()
    assert is_announced(data + b"123", len(data)) == announced
    assert is_labelled(data + b"123", len(data)) == labelled
