"""National numbers of persons: one table of their forms, check digits and announcing words.

A number without letters whose check digit lets one in ten random numbers pass is found only behind
a word that announces it. What is found anywhere has letters in fixed places, a prefix and a check
digit, two check digits in a printed form, or a date inside and check digits.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import re2

from filters.redaction.check_digits import ean, luhn, mod_11_2, mod_11_10, verhoeff, weighted
from filters.redaction.options import Options
from filters.redaction.patterns import GAP, GAP_BYTES, HYPHEN, compiled


def _date(month: bytes, day: bytes) -> bool:
    return 1 <= int(month) <= 12 and 1 <= int(day) <= 31


def _nhs(number: bytes) -> bool:
    return (weighted(number, range(10, 1, -1)) + int(number[9:])) % 11 == 0


def _nino(number: bytes) -> bool:
    return number[:2] not in (b"BG", b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ")


def _steuer_id(number: bytes) -> bool:
    counts = sorted(number[:10].count(digit) for digit in set(number[:10]))
    return counts[-1] in (2, 3) and counts[-2] == 1 and mod_11_10(number)


def _nir(number: bytes) -> bool:
    digits = number.replace(b"2A", b"19").replace(b"2B", b"18")
    return (int(digits[:13]) + int(digits[13:])) % 97 == 0


def _dni(number: bytes) -> bool:
    digits = number[:-1].translate(bytes.maketrans(b"XYZ", b"012"))
    return number[-1] == b"TRWAGMYFPDXBNJZSQVHLCKE"[int(digits) % 23]


_ODD_PLACES = (
    *(1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18),
    *(20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
)


def _codice_fiscale(number: bytes) -> bool:
    values = [byte - (65 if byte >= 65 else 48) for byte in number]
    odd = sum(_ODD_PLACES[value] for value in values[:15:2])
    return (odd + sum(values[1:15:2])) % 26 == values[15]


def _bsn(number: bytes) -> bool:
    return weighted(number, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0 and number != b"0" * 9


def _rijksregister(number: bytes) -> bool:
    check = 97 - int(number[9:])
    return int(number[2:4]) <= 12 and check in (int(number[:9]) % 97, int(b"2" + number[:9]) % 97)


def _pesel(number: bytes) -> bool:
    month = b"%d" % (int(number[2:4]) % 20)
    check = weighted(number, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1))
    return _date(month, number[4:6]) and check % 10 == 0


def _personnummer(number: bytes) -> bool:
    number = number[-10:]
    day = int(number[4:6])
    return luhn(number) and _date(number[2:4], b"%d" % (day - 60 if day > 60 else day))


def _hetu(number: bytes) -> bool:
    check = b"0123456789ABCDEFHJKLMNPRSTUVWXY"[int(number[:6] + number[-4:-1]) % 31]
    return number[-1] == check and _date(number[2:4], number[:2])


def _cpr(number: bytes) -> bool:
    return _date(number[2:4], number[:2])


def _fodselsnummer(number: bytes) -> bool:
    day = int(number[:2])
    return (
        _date(number[2:4], b"%d" % (day - 40 if day > 40 else day))
        and weighted(number, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11 == 0
        and weighted(number, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0
    )


def _svnr(number: bytes) -> bool:
    return weighted(number, (3, 7, 9, 0, 5, 8, 4, 2, 1, 6)) % 11 == int(number[3:4])


def _nif(number: bytes) -> bool:
    return (11 - weighted(number, range(9, 1, -1)) % 11) % 11 % 10 == int(number[8:])


def _tfn(number: bytes) -> bool:
    return weighted(number, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def _medicare(number: bytes) -> bool:
    return weighted(number, (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(number[8:9])


def _cpf(number: bytes) -> bool:
    first = weighted(number, range(10, 1, -1)) * 10 % 11 % 10
    second = weighted(number, range(11, 1, -1)) * 10 % 11 % 10
    return number[9:] == b"%d%d" % (first, second) and len(set(number)) > 1


def _curp(number: bytes) -> bool:
    # Letters count from 10; behind N there is an Ñ.
    values = [byte - 48 if byte < 65 else byte - 55 + (byte > 78) for byte in number]
    total = sum(value * (18 - place) for place, value in enumerate(values[:17]))
    return -total % 10 == values[17] and _date(number[6:8], number[8:10])


def _resident_id(number: bytes) -> bool:
    return (
        number[6:8] in (b"19", b"20") and _date(number[10:12], number[12:14]) and mod_11_2(number)
    )


def _rrn(number: bytes) -> bool:
    check = 11 - weighted(number, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11
    return check % 10 == int(number[12:]) and _rrn_date(number)


def _rrn_date(number: bytes) -> bool:
    return _date(number[2:4], number[4:6])  # since October 2020 there is no check digit


def _nric(number: bytes) -> bool:
    total = weighted(number[1:], (2, 7, 6, 5, 4, 3, 2))
    total += {"T": 4, "G": 4, "M": 3}.get(chr(number[0]), 0)
    letters = {"S": b"JZIHGFEDCBA", "T": b"JZIHGFEDCBA", "M": b"XWUTRQPNJLK"}
    return number[8] == letters.get(chr(number[0]), b"XWUTRQPNMLK")[total % 11]


def _south_african(number: bytes) -> bool:
    return _date(number[2:4], number[4:6]) and luhn(number)


def _kimlik(number: bytes) -> bool:
    odd, even = (sum(int(chr(byte)) for byte in number[place:9:2]) for place in (0, 1))
    tenth = (7 * odd - even) % 10
    return number[9:] == b"%d%d" % (tenth, (odd + even + tenth) % 10)


def _amka(number: bytes) -> bool:
    return _date(number[2:4], number[:2]) and luhn(number)


def _thai(number: bytes) -> bool:
    return (11 - weighted(number, range(13, 1, -1)) % 11) % 10 == int(number[12:])


def _itin(number: bytes) -> bool:
    return int(number[3:5]) not in (66, 67, 68, 69, 89, 93)


class _Number(NamedTuple):
    """A kind of number.

    Attributes:
        name: Country and name.
        pattern: Its forms.
        is_valid: Whether its check digits and dates are right, without separators.
        words: What announces it; "" if it is found anywhere.
    """

    name: str
    pattern: str
    is_valid: Callable[[bytes], bool]
    words: str = ""


_G = f"{GAP}?"
_S = r"[ \x{A0}]?"
_2_3_3 = rf"[0-9]{{2}}{_G}[0-9]{{3}}{_G}[0-9]{{3}}"
_3_3_3 = "[0-9]" + _2_3_3
_ID = (  # words for any country's
    r"ID|(?i:(?:national|personal|citizen) (?:id|identity|identification|number)|"
    r"identity (?:number|no|card|document)|id (?:number|no|card))"
)

NUMBERS = (
    # Found anywhere. Sources: HMRC manual NIM39110; BOE Orden INT/2058/2008; DM 23/12/1976;
    # INSEE's note on the NIR; arrêté royal 3/4/1984; DVV on the personal identity code; ZAS on
    # the AHVN13; Receita Federal; RENAPO's instructions on the CURP; GB 11643-1999; ICA; see also
    # below.
    _Number(
        "GB NINO",
        rf"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]{_S}[0-9]{{2}}{_S}[0-9]{{2}}{_S}[0-9]{{2}}{_S}[A-D]",
        _nino,
    ),
    _Number("ES DNI", r"[0-9]{8}[ \-]?[A-Z]|[0-9]{2}\.[0-9]{3}\.[0-9]{3}[ \-]?[A-Z]", _dni),
    _Number("ES NIE", r"[XYZ][ \-]?[0-9]{7}[ \-]?[A-Z]", _dni),
    _Number(
        "IT codice fiscale",
        r"[A-Z]{3} ?[A-Z]{3} ?[0-9]{2}[A-EHLMPRST][0-9]{2} ?[A-Z][0-9]{3}[A-Z]",
        _codice_fiscale,
    ),
    _Number(
        "FR NIR",
        rf"[12]{_G}[0-9]{{2}}{_G}(?:0[1-9]|1[0-2]){_G}(?:[0-9]{{2}}|2[AB])"
        rf"{_G}[0-9]{{3}}{_G}[0-9]{{3}}{_G}[0-9]{{2}}",
        _nir,
    ),
    _Number("BE NRN", r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}", _rijksregister),
    _Number("FI HETU", r"[0-3][0-9]{5}[+\-A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y]", _hetu),
    _Number("CH AHV", r"756[. ]?[0-9]{4}[. ]?[0-9]{4}[. ]?[0-9]{2}", ean),
    _Number("BR CPF", r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}" + HYPHEN + "[0-9]{2}", _cpf),
    _Number("MX CURP", r"[A-Z][AEIOUX][A-Z]{2}[0-9]{6}[HMX][A-Z]{5}[0-9A-Z][0-9]", _curp),
    _Number("CN resident id", r"[1-8][0-9]{5}(?:19|20)[0-9]{9}[0-9Xx]", _resident_id),
    _Number("SG NRIC", r"[STFGM][0-9]{7}[A-Z]", _nric),
    _Number("SE personnummer", r"[0-9]{6}[\-+][0-9]{4}", _personnummer),
    _Number("KR RRN", rf"[0-9]{{6}}{HYPHEN}[1-8][0-9]{{6}}", _rrn),
    _Number("TH TNIN", r"[1-8]-[0-9]{4}-[0-9]{5}-[0-9]{2}-[0-9]", _thai),
    _Number("US ITIN", rf"9[0-9]{{2}}{HYPHEN}[5-9][0-9]{HYPHEN}[0-9]{{4}}", _itin),
    # Announced. Sources: NHS Data Dictionary; BZSt; Rijksdienst voor Identiteitsgegevens; ustawa
    # o ewidencji ludności; Skatteverket SKV 704; CPR-kontoret; Skatteetaten; Dachverband der
    # Sozialversicherungsträger; Autoridade Tributária; Service Canada; ATO; Services Australia;
    # UIDAI; Income Tax Department of India; Ministry of the Interior and Safety of Korea;
    # Department of Home Affairs of South Africa; NVI; Population Authority of Israel; EFKA;
    # Department of Provincial Administration of Thailand; IRS.
    _Number("GB NHS", rf"[0-9]{{3}}{_G}[0-9]{{3}}{_G}[0-9]{{4}}", _nhs, r"NHS|National Health"),
    _Number(
        "DE Steuer-IdNr",
        r"[1-9][0-9]{10}|[1-9][0-9] [0-9]{3} [0-9]{3} [0-9]{3}",
        _steuer_id,
        r"Steuer-?ID|Steuer-?Id(?:ent|-?Nr)\w*|IdNr|TIN|(?i:steuerliche identifikation\w*|tax id)",
    ),
    _Number(
        "NL BSN",
        rf"[0-9]{{4}}\.[0-9]{{2}}\.[0-9]{{3}}|{_3_3_3}",
        _bsn,
        r"(?i:bsn|burgerservicenummer|sofi-?nummer|citizen service)",
    ),
    _Number(
        "BE NRN",
        r"[0-9]{11}|[0-9]{6}[ \-][0-9]{3}[ .\-][0-9]{2}",
        _rijksregister,
        r"(?i:rijksregister\w*|registre national|num[e\x{E9}]ro national|national register)|"
        r"(?i:niss|insz)",
    ),
    _Number("PL PESEL", r"[0-9]{11}", _pesel, rf"(?i:pesel)|{_ID}"),
    _Number(
        "SE personnummer",
        r"(?:19|20)?[0-9]{6}[ \-+]?[0-9]{4}",
        _personnummer,
        rf"(?i:personnummer|personnr|samordningsnummer)|{_ID}",
    ),
    _Number("DK CPR", r"[0-3][0-9]{5}[ \-]?[0-9]{4}", _cpr, r"(?i:cpr(?:-?(?:nr|nummer))?)"),
    _Number(
        "NO fødselsnummer",
        r"[0-7][0-9]{5} ?[0-9]{5}",
        _fodselsnummer,
        rf"(?i:f[o\x{{F8}}]dselsnummer|personnummer|d-nummer)|{_ID}",
    ),
    _Number(
        "AT SVNR",
        r"[1-9][0-9]{3} ?[0-9]{6}",
        _svnr,
        r"(?i:svnr|sv-?nummer|sv-nr|sozialversicherungs\w*|versicherungsnummer|social security)",
    ),
    _Number("PT NIF", "[1-9]" + _2_3_3, _nif, r"NIF|(?i:contribuinte|n[u\x{FA}]mero fiscal)"),
    _Number("CA SIN", "[1-79]" + _2_3_3, luhn, r"SIN|(?i:social insurance)"),
    _Number("AU TFN", _3_3_3, _tfn, r"(?i:tfn|tax file)"),
    _Number("AU Medicare", rf"[2-6][0-9]{{3}}{_G}[0-9]{{5}}{_G}[0-9]", _medicare, r"(?i:medicare)"),
    _Number(
        "IN Aadhaar",
        rf"[2-9][0-9]{{3}}{_G}[0-9]{{4}}{_G}[0-9]{{4}}",
        verhoeff,
        r"(?i:aadha{1,2}r|adhaar|uidai)|UID",
    ),
    _Number(
        "IN PAN",
        r"[A-Z]{3}[ABCFGHJ-LPT][A-Z][0-9]{4}[A-Z]",
        bytes.isalnum,
        r"PAN|(?i:permanent account)",
    ),
    _Number("BR CPF", r"[0-9]{11}|[0-9]{9}-[0-9]{2}", _cpf, r"(?i:cpf)"),
    _Number(
        "KR RRN",
        r"[0-9]{6}[ \-]?[1-8][0-9]{6}",
        _rrn_date,
        r"\x{C8FC}\x{BBFC}(?:\x{B4F1}\x{B85D})?\x{BC88}\x{D638}|RRN|(?i:resident registration)",
    ),
    _Number(
        "ZA ID",
        rf"[0-9]{{6}}{_G}[0-9]{{4}}{_G}[01][0-9]{{2}}",
        _south_african,
        _ID,
    ),
    _Number("TR kimlik", r"[1-9][0-9]{10}", _kimlik, rf"(?i:kimlik|tckn|t\.?c\.?)|{_ID}"),
    _Number(
        "IL teudat zehut",
        r"[0-9]{8}-?[0-9]",
        luhn,
        r"\x{5EA}\x{5E2}\x{5D5}\x{5D3}\x{5EA} \x{5D6}\x{5D4}\x{5D5}\x{5EA}|\x{5EA}\.?\x{5D6}|"
        r"(?i:teudat zehut|israeli id)",
    ),
    _Number("GR AMKA", r"[0-3][0-9]{10}", _amka, r"AMKA|\x{391}\x{39C}\x{39A}\x{391}"),
    _Number(
        "TH TNIN",
        r"[1-8][0-9]{12}",
        _thai,
        r"TNIN|(?i:thai (?:id|national|citizen)|(?:national|citizen) id(?:entification)?)|"
        r"\x{E1B}\x{E23}\x{E30}\x{E0A}\x{E32}\x{E0A}\x{E19}",
    ),
    _Number("US ITIN", r"9[0-9]{2}-?[5-9][0-9]-?[0-9]{4}", _itin, r"ITIN|(?i:individual taxpayer)"),
)


def _which_of(patterns: re2.Set, some: Iterable[str]) -> re2.Set:
    for pattern in some:
        patterns.Add(pattern.encode())
    patterns.Compile()
    return patterns


_ANNOUNCED = tuple(number for number in NUMBERS if number.words)
_FIRST_ANNOUNCED = len(NUMBERS) - len(_ANNOUNCED)
_ANY_WORD = _which_of(
    re2.Set.SearchSet(),
    [rf"(?:^|[^0-9A-Za-z_])(?:{'|'.join(each.words for each in _ANNOUNCED)})"],
)
_PATTERNS = tuple(rf"(?:{number.pattern})\b" for number in NUMBERS)
_SOME_FORM = compiled(rf"\b(?:{'|'.join(_PATTERNS)})")
_FORM_ANYWHERE = compiled(rf"\b(?:{'|'.join(_PATTERNS[:_FIRST_ANNOUNCED])})")
_FORMS = tuple(map(compiled, _PATTERNS))
_WHICH = _which_of(re2.Set.MatchSet(), _PATTERNS)
_WHICH_WORDS = _which_of(
    re2.Set.SearchSet(),
    (rf"[^0-9A-Za-z_](?:{each.words})(?:[^0-9A-Za-z_]|\z)" for each in _ANNOUNCED),
)
_SHORTEST, _LONGEST, _REACH = 9, 40, 56
"""In bytes. What announces a number lies, as a whole, within reach of it."""

_BEFORE = compiled(r"(?:[0-9A-Za-z_]|[0-9A-Za-z][\-]|[0-9][./])\z")
_AFTER = compiled(r"[0-9A-Za-z_]|[.\-/][0-9]|-[A-Za-z]")
_BESIDE = frozenset((b"_", b"-", b".", b"/"))
_SEPARATORS = b".+" + GAP_BYTES


def _stands_alone(data: bytes, start: int, end: int) -> bool:
    before, after = data[max(0, start - 2) : start], data[end : end + 2]
    if (before[-1:] in _BESIDE or before[-1:].isalnum()) and _BEFORE.search(before):
        return False
    return not ((after[:1] in _BESIDE or after[:1].isalnum()) and _AFTER.match(after))


def _end(data: bytes, start: int, last: int) -> int:
    """Returns where the number that begins at `start` ends, or 0 if there is none."""
    before = data[max(0, start - _REACH) : start]
    announced: list[int] | None = None
    for index in _WHICH.Match(data[start : min(last, start + _LONGEST)]) or ():
        if index >= _FIRST_ANNOUNCED:
            if announced is None:
                announced = _WHICH_WORDS.Match(before if start > _REACH else b" " + before) or []
            if index - _FIRST_ANNOUNCED not in announced:
                continue
        end: int = _FORMS[index].match(data, start, last).end()
        compact = data[start:end].translate(None, _SEPARATORS).upper()
        if NUMBERS[index].is_valid(compact) and _stands_alone(data, start, end):
            return end
    return 0


def hits(data: bytes, first: int, last: int, options: Options) -> Iterator[tuple[int, int]]:
    """Yields the hits that begin in data[first:last]."""
    if last - first < _SHORTEST:
        return
    is_announced = _ANY_WORD.Match(data[max(0, first - _REACH) : last])
    for start in _starts(_SOME_FORM if is_announced else _FORM_ANYWHERE, data, first, last):
        end = _end(data, start, last)
        if end:
            yield start, end


def _starts(form: "re2._Regexp", data: bytes, first: int, last: int) -> Iterator[int]:
    """Yields where something of the form begins, also where it begins within another."""
    for match in form.finditer(data, first, last):
        start, end = match.span()
        yield start
        while not data[start:end].isalnum():
            inner = form.search(data, start + 1, last)
            if inner is None or inner.start() >= end:
                break
            start = inner.start()
            yield start
