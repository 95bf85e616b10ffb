"""What the tests of the detectors share: hits marked in a text, texts made of pieces."""

import re
from collections.abc import Sequence

from hypothesis import strategies as st

from filters.redaction import Options, find, redact


def check(marked: str, options: Options) -> None:
    """Fails unless exactly what stands in guillemets is found, and nothing after redaction."""
    text = marked.replace("«", "").replace("»", "")
    spans = find(text, options)
    assert [text[span.start : span.end] for span in spans] == re.findall("(?s)«(.*?)»", marked)
    check_windows(text, options)


def check_windows(text: str, options: Options) -> None:
    """Fails unless the compiled scan misses nothing and redaction is complete."""
    assert find(text, options) == find(text, options, compiled=False)
    redacted = redact(text, options).text
    assert find(redacted, options) == []


def texts(pieces: Sequence[str], characters: str) -> st.SearchStrategy[str]:
    """Returns texts of some of the pieces and of short runs of the characters."""
    some = st.sampled_from(pieces) | st.text(st.sampled_from(characters), max_size=4)
    return st.lists(some, max_size=20).map("".join)
