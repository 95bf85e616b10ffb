"""What is put in the place of personal data: tags, stand-ins, or keyed digests.

No detector finds anything in them. Except for digests, nothing in them is made from the value: of
a phone number even a hash can be undone by trying all.
"""

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from urllib.parse import unquote

Replacement = Callable[[], Callable[[str, str], str]]
"""Makes, for one text, the function from a type and a value to what replaces the value."""

_STAND_INS: dict[str, Callable[[int], str]] = {
    "email": lambda count: f"person{count}@example.com",  # RFC 2606
    "ip": lambda count: f"192.0.2.{1 + (count - 1) % 254}",  # RFC 5737
    "phone": lambda count: f"+1-202-555-01{count % 100:02}",  # kept for fiction by NANPA
    "mac": lambda count: f"00-00-5E-00-53-{count % 256:02X}",  # RFC 9542, section 2.1.2
    "card": lambda count: "0000 0000 0000 0000",
    "iban": lambda count: "XX00 0000 0000 0000",
    "ssn": lambda count: "000-00-0000",
}
"""The stand-in for the nth value of a type; for cards, IBAN and SSN, of which no range is kept
free, one that nobody can have."""

_JUST_CHARACTERS = frozenset(("phone", "card", "iban", "ssn", "national_id", "mac"))
_DIGEST_LETTERS = str.maketrans("0123456789abcdef", "ghijkmnopqrstuvw")


def tags() -> Callable[[str, str], str]:
    """Replaces by typed tags such as <|email|>."""
    return lambda name, value: _tag(name)


def _tag(name: str) -> str:
    return f"<|{name}|>"


def tags_written(names: Iterable[str], replacement: Replacement) -> list[str]:
    """Returns every tag that a strategy can write for hits of some types, in their order.

    Args:
        names: The types.
        replacement: `tags` or `stand_ins`. A digest is no tag, so for others there is none.
    """
    if replacement is stand_ins:
        names = [name for name in names if name not in _STAND_INS]
    elif replacement is not tags:
        names = []
    return [_tag(name) for name in dict.fromkeys(names)]


def stand_ins() -> Callable[[str, str], str]:
    """Replaces by realistic values from reserved ranges, such as person1@example.com.

    The number says which of the different values of its type in the text it is; an equal value
    has an equal stand-in. Where a range is used up (254 IP addresses, 100 phone numbers, 256 MAC
    addresses), it begins anew. Types without a range that is kept free get their tag.
    """
    numbers: defaultdict[str, dict[str, int]] = defaultdict(dict)

    def replace(name: str, value: str) -> str:
        stand_in = _STAND_INS.get(name)
        if stand_in is None:
            return _tag(name)
        equal = normalized(name, value)
        if name == "ip" and ":" in value:
            name, stand_in = "ipv6", _ipv6
        known = numbers[name]
        return stand_in(known.setdefault(equal, len(known) + 1))

    return replace


def _ipv6(count: int) -> str:
    return f"2001:db8::{count:x}"  # RFC 3849


def digests(key: bytes) -> Replacement:
    """Replaces by the type and a keyed digest, such as <|email:hitomrkqgkhtwjhi|>.

    Equal values have equal digests wherever the key is the same. A digest is 64 bits of BLAKE2b
    in letters that are no hexadecimal digits.

    Args:
        key: At most 64 bytes. Who has it can find a value by trying all.
    """

    def replace(name: str, value: str) -> str:
        data = f"{name}\n{normalized(name, value)}".encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(data, digest_size=8, key=key).hexdigest()
        return f"<|{name}:{digest.translate(_DIGEST_LETTERS)}|>"

    return lambda: replace


def normalized(name: str, value: str) -> str:
    """Returns what is the same in all spellings of a value.

    Numbers are their letters and digits, whatever separates them; case counts in credentials
    only. IP addresses are their bytes, e-mail addresses without percent-encoding.
    """
    if name == "credential":
        return value
    value = unicodedata.normalize("NFKC", value).lower()
    if name == "email":
        return unquote(value).lower()
    if name == "ip":
        return _ip_bytes(value)
    return "".join(filter(str.isalnum, value)) if name in _JUST_CHARACTERS else value


def _ip_bytes(value: str) -> str:
    try:
        return ip_address(value).packed.hex()
    except ValueError:  # digits of another script, or more than an address
        return value
