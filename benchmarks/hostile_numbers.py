"""Texts of 1 MB that break patterns for personal data, for benchmarks/redaction.py."""

import random

SIZE = 10**6
PIECES = (
    *("1", ".", "1.", "@", "a@", "a@b.", "a.b@", "a:b:", ":", "1::2 ", "-", "1-", "+", "+1"),
    *("(", "(1", "4111 ", "1 ", "1/", "%40", "a%40b.", "eyJ", "eyJhbGciOiJub25lIn0.", '"'),
    *("-----BEGIN ", "-----BEGIN PRIVATE KEY-----\n", '"a" @', "GB82 ", "AB12 ", "A", "aB3_-"),
    *("GB82 WEST 1234 5698 7654 32 ", "http://a:b@", "http://a.b/?c=1&", "51.50073,-0.12463 "),
    *("0a:1b:", "2024-05-01 10:20:30 ", "v1.2.3.4 ", "tel. 1 ", "<|phone|> "),
    *("ID 8001015009087 ", "SSN 123456789 ", "PAN ABCPE1234F ", "NHS 943 476 5919 ", "12345678Z "),
    *("lat 51.50073,-0.12463 ", "123-45-6789,", "020 7946 0958/", "030 901820 / ", "%20", "_1"),
    *("１", "１-", "😀", "é@"),
)


def hostile_texts() -> dict[str, str]:
    """Returns texts of about 1 MB of UTF-8, by name."""
    chance = random.Random(0)

    def drawn(characters: str) -> str:
        return "".join(chance.choices(characters, k=SIZE))

    return {
        **{f"{piece!r} repeated": piece * (SIZE // len(piece.encode())) for piece in PIECES},
        "random digits": drawn("0123456789"),
        "random digits and dots": drawn("0123456789."),
        "random digits and spaces": drawn("0123456789 "),
        "random digits and hyphens": drawn("0123456789-"),
        "random hex and colons": drawn("0123456789abcdef:"),
        "random capitals, digits, spaces": drawn("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 "),
        "random phone characters": drawn("0123456789+()-./ "),
        "random URL characters": drawn("abcdefghijklmnopqrstuvwxyz0123456789:/@%.-_"),
        "distinct phone numbers": "".join(
            f"+1 212-{number // 10000 + 200}-{number % 10000:04} " for number in range(62_500)
        ),
        "distinct phone numbers, lines": "".join(
            f"(212) {number // 10000 + 200}-{number % 10000:04}\n" for number in range(66_600)
        ),
        "distinct addresses": "".join(f"a{number}@b.example.org " for number in range(43_000)),
        "distinct IPs": "".join(
            f"8.{number >> 16}.{number >> 8 & 255}.{number & 255} " for number in range(80_000)
        ),
        "lone surrogates": "\ud800" * (SIZE // 3),
    }
