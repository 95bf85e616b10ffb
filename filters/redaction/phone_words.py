"""Words that announce a phone number."""

import re2

_NUMBERS = (  # words that a few others may stand behind: "Tel. (Büro):", "call us at"
    r"fono?|phones?|telephones?|telephon|tel|telefone?|telefono|tel\x{E9}fono|tlf|telefoon|"
    r"t\x{E9}l|t\x{E9}l\x{E9}phone|mob|mobile?|mobiel|m\x{F3}vil|portable|cell|cellphone|cellulare|"
    r"cel|celular|handy|gsm|fax|telefax|hotline|whatsapp|sms|(?:telefon|telefoon|ruf|handy|fax|"
    r"mobil)nummer|call(?:ed|ing|back)?|dial|ring|reach(?:ed)?|ll[a\x{E1}]m[ae](?:me|nos)?|"
    r"llamar|chiam[ai]re|chiama(?:mi|teci)?|appelez|ligue|rufen|bellen|(?:text|contact|bel) "
    r"(?:me|us|him|her|them)|(?:my|your|his|her|our|their|contact|callback|free|emergency) "
    r"(?:new |direct )?number"
)
_GAP = r"(?:[^\pL\pN,;|\t][^0-9]{0,23}|[,;|\t](?:[^\pL0-9][^0-9]{0,22})?)"
"""What may stand between: no next column of a table's head."""

_JUST_BEFORE = (  # words that the number has to follow: "p: ", "il mio numero è"
    r"(?:[tpmf]:|ph[:.]) ?|(?:number|n[u\x{FA}]mero|num\x{E9}ro|nummer)"
    r"(?: (?:is|now|at|on|es|el|\x{E8}|\x{E9}|o|est|le|ist|lautet|unter)){0,2}:? |"
    r"(?:contact|kontakt|contacto|contatto|contato)s?:? "
)
_WITHOUT_SPACES = (  # Chinese, Japanese, Korean
    r"(?:\x{624B}\x{673A}|\x{624B}\x{6A5F}|\x{7535}\x{8BDD}|\x{96FB}\x{8A71}|\x{643A}\x{5E2F}|"
    r"\x{C804}\x{D654}|\x{D578}\x{B4DC}\x{D3F0}|\x{D734}\x{B300}\x{D3F0})"
    r"(?:\x{53F7}\x{7801}?|\x{865F}\x{78BC}|\x{756A}\x{53F7}| ?\x{BC88}\x{D638})?"
    r"(?:\x{662F}|\x{306F}|\x{B294}|\x{B294})?[:\x{FF1A}]? ?\(?"
)
_OTHER_NUMBERS = (
    r"(?:licen[cs]e|account|order|card|serial|reference|passport|tracking|case|ticket|policy|"
    r"invoice|membership|registration|part|model|security|insurance|tax|routing|customer|booking|"
    r"confirmation|claim|file|catalog(?:ue)?|student|employee|identification|id) number"
)
_LABELS = (
    r"tele(?:phone|fono?|fone|foon|fax)|phone|tel|t\x{E9}l|tlf|fax|mob(?:ile?|iel)?|cell|"
    r"cel(?:ular)?|handy|gsm|whatsapp|m\x{F3}vil|t\x{E9}l\x{E9}phone|tel\x{E9}fono|"
    r"\x{442}\x{435}\x{43B}(?:\x{435}\x{444}\x{43E}\x{43D})?"
)
_LENGTH = 41
_NO_WORDS = b"0123456789 \n.,;-/()+"


def _matching(pattern: str) -> re2.Set:
    patterns = re2.Set.SearchSet()
    patterns.Add(pattern.encode())
    patterns.Compile()
    return patterns


_ANNOUNCED = _matching(
    rf"(?i)(?:[^\pL\pN_](?:(?:{_NUMBERS}){_GAP}?|{_JUST_BEFORE})|{_WITHOUT_SPACES})\z"
)
_OTHER = _matching(rf"(?i){_OTHER_NUMBERS}[^0-9]{{0,12}}\z")
_LABELLED = _matching(
    rf"(?i)(?:[^\pL\pN_](?:(?:{_LABELS})(?: (?:number|no|nr))?[.:]{{1,2}}|"
    r"(?:call|ring|reach|text|contact|phone)(?: (?:me|us|him|her|them))?(?: back)? (?:at|on)) ?"
    rf"\(?\+?|{_WITHOUT_SPACES})\z"
)


def _words_before(data: bytes, start: int) -> bytes:
    """Returns what stands before a number and may announce it, behind what is redacted."""
    first = start - _LENGTH
    words = data[first:start] if first >= 0 else b" " + data[:start]
    tag = words.rfind(b"|>")
    return words[tag + 2 :] if tag >= 0 else words


def is_announced(data: bytes, start: int) -> bool:
    """Returns whether a word such as "phone" stands before the number that begins at `start`."""
    words = _words_before(data, start)
    if not words.translate(None, _NO_WORDS):  # for speed
        return False
    return _ANNOUNCED.Match(words) is not None and _OTHER.Match(words) is None


def is_labelled(data: bytes, start: int) -> bool:
    """Returns whether "Phone:", "call me at" or the like stands before it, nothing in between."""
    return _LABELLED.Match(_words_before(data, start)) is not None
