"""What our filters and datatrove's decide on a document, in the same words.

benchmarks/parity.py compares the decisions, benchmarks/filters.py the time that they take.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.peer import Peer
from filters.document import Document
from filters.language import model_path
from filters.registry import FILTERS, apply
from filters.rules import Signals, passes

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden" / "parity"
FOUR = ("gopher_repetition", "gopher_quality", "c4_quality", "fineweb_quality")
CHAINS = {"four": FOUR, "fineweb": ("url", "language", *FOUR)}
LISTS = ("domains", "urls", "banned_words", "banned_subwords", "soft_banned_words", "bad_words")

# datatrove's reasons in the words of our signals.
REASONS = {
    "url": {
        "domain": "listed_domain",
        "subdomain": "listed_subdomain",
        "url": "listed_url",
        "hard_blacklisted": "hard_word_count",
        "soft_blacklisted": "soft_word_count",
        "blacklisted_subword": "subword_count",
    },
    "language": {None: "score"},
    "gopher_repetition": {
        "dup_para_frac": "duplicate_paragraph_fraction",
        "dup_para_char_frac": "duplicate_paragraph_character_fraction",
        "dup_line_frac": "duplicate_line_fraction",
        "dup_line_char_frac": "duplicate_line_character_fraction",
        **{f"top_{n}_gram": f"top_{n}_gram_character_fraction" for n in (2, 3, 4)},
        **{
            f"duplicated_{n}_n_grams": f"duplicate_{n}_gram_character_fraction"
            for n in range(5, 11)
        },
    },
    "gopher_quality": {
        "gopher_short_doc": "word_count",
        "gopher_long_doc": "word_count",
        "gopher_below_avg_threshold": "mean_word_length",
        "gopher_above_avg_threshold": "mean_word_length",
        "gopher_too_many_hashes": "hash_to_word_ratio",
        "gopher_too_many_ellipsis": "ellipsis_to_word_ratio",
        "gopher_too_many_bullets": "bullet_line_fraction",
        "gopher_too_many_end_ellipsis": "ellipsis_line_fraction",
        "gopher_below_alpha_threshold": "alphabetic_word_fraction",
        "gopher_enough_stop_words": "stop_word_count",
    },
    "c4_quality": {
        "lorem_ipsum": "lorem_ipsum_lines",
        "curly_bracket": "curly_bracket_lines",
        "too_few_sentences": "sentence_count",
    },
    "c4_paragraph": {"< 3 paragraphs": "third_longest_line"},
    "fineweb_quality": {
        "empty": "punctuated_line_fraction",
        "line_punct_ratio": "punctuated_line_fraction",
        "short_line_ratio": "short_line_fraction",
        "char_dup_ratio": "duplicate_line_character_fraction",
        "list_ratio": "newline_to_word_ratio",
    },
    "bad_words": {"document_removed_with_badwords": "matches"},
}


# --- our side ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """A filter with its settings, ready for documents."""

    filter: str
    apply: Callable[[Document, Any], tuple[Signals, str]]
    parameters: Any


@dataclass(frozen=True)
class Outcome:
    """What filters did: who dropped the document by which signal ("" if none), and its text.

    Attributes:
        filter: The first filter that drops the document, or "".
        signal: The signal whose rule does so first, or "".
        text: A digest of the text that the filters left, "" if they changed nothing.
        signals: All signals of each filter; of our side only.
    """

    filter: str
    signal: str
    text: str
    signals: dict[str, Signals] = field(default_factory=dict, compare=False)

    @property
    def kept(self) -> bool:
        """Whether no filter dropped the document."""
        return not self.filter

    def same_reason(self, other: "Outcome") -> bool:
        """Tells whether the same rule drops the document, or the same text is kept."""
        same_rule = (self.filter, self.signal) == (other.filter, other.signal)
        return same_rule and (not self.kept or self.text == other.text)


def make_steps(work: Path, languages: Sequence[str], compiled: bool = True) -> dict[str, Step]:
    """Returns the filters with the settings that peer_filters.py gives datatrove's.

    Args:
        work: Folder of the lists.
        languages: Those that the language filter keeps; none means any.
        compiled: Whether the fast implementations are taken, not the plain definitions.
    """
    lists = {name: (str(work / f"{name}.txt"),) for name in LISTS}
    bad_words = lists.pop("bad_words")[0]
    settings: dict[str, dict[str, Any]] = {
        "url": lists,
        "language": {"languages": tuple(languages)},
        "gopher_repetition": {},
        "gopher_quality": {},
        "c4_quality": {"require_terminal_punctuation": False},
        "c4_quality_strict": {},
        "c4_paragraph": {},
        "fineweb_quality": {},
        "bad_words": {"lists": {"en": bad_words}},
        "refinedweb_lines": {},
        "length": {},
    }
    steps = {}
    for name, values in settings.items():
        filter_name = name.removesuffix("_strict")
        function = apply(filter_name, compiled)
        steps[name] = Step(filter_name, function, FILTERS[filter_name].Parameters(**values))
    return steps


def run(steps: Sequence[Step], document: Document) -> tuple[dict[str, Signals], str]:
    """Applies filters in turn, as the pipeline does; returns all signals and the text left."""
    signals = {}
    for step in steps:
        signals[step.filter], text = step.apply(document, step.parameters)
        document = document.with_text(text)
    return signals, document.text


def decide(steps: Sequence[Step], document: Document, without: str = "") -> Outcome:
    """Returns what filters with their published bounds do; `without` names a rule to pass over."""
    signals, text = run(steps, document)
    digest = ""
    if text != document.text:
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    for name, values in signals.items():
        for rule in FILTERS[name].RULES:
            if rule.signal != without and not passes(rule, values[rule.signal]):
                return Outcome(name, rule.signal, digest, signals)
    return Outcome("", "", digest, signals)


# --- datatrove's side -------------------------------------------------------------------------


def peer_outcome(answer: Sequence[Any]) -> Outcome:
    """Puts an answer of peer_filters.py into our words."""
    name, reason, text = answer
    if not name:
        return Outcome("", "", text)
    name = name.removesuffix("_strict")
    return Outcome(name, REASONS[name].get(reason, f"datatrove's {reason}"), text)


def filters_peer(python: str, work: Path, languages: Sequence[str]) -> Peer:
    """Returns peer_filters.py in datatrove's own environment; to be used as a context."""
    return Peer(python, "peer_filters.py", work, model_path(), ",".join(languages))
