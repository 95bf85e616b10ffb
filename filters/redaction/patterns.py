"""What the detectors share: patterns on UTF-8 bytes."""

import re2


def compiled(pattern: str) -> "re2._Regexp":
    """Compiles a pattern that takes linear time, for UTF-8 bytes."""
    return re2.compile(pattern.encode())


HYPHEN = r"[\-\x{2010}-\x{2013}]"
GAP = r"[ \-\x{A0}\x{202F}\x{2010}-\x{2013}]"
"""One character that may separate the groups of a number: a space or a hyphen."""

GAP_BYTES = " -\xa0\u202f\u2010\u2011\u2012\u2013".encode()
