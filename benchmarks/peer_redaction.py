"""presidio-analyzer's own pattern recognizers, for benchmarks/redaction.py.

    peer/bin/python benchmarks/peer_redaction.py TEXTS REGIONS

That script starts it with the Python of an environment of its own that has presidio-analyzer. TEXTS
are JSON lines of one string each; REGIONS are the countries of phone numbers, with commas, or empty
for Presidio's own. Every line of standard input is a command, answered by one line of JSON:
  about     what runs, in words
  find      for every text its hits: start, end, entity, score
  time      the CPU seconds for all texts, without India's PAN: its pattern looks ahead to the end
            of the line from each word, and takes 3 to 12 times as long as all others together

No language model: spaCy's English rules split the words, and the words around a hit, by which
Presidio raises its score, are compared in lower case instead of by lemma.
"""

import json
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import spacy
import tldextract
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer import predefined_recognizers as recognizers
from presidio_analyzer.nlp_engine import SpacyNlpEngine
from spacy.language import Language
from spacy.tokens import Doc

RECOGNIZERS = (
    *("EmailRecognizer", "IbanRecognizer", "CreditCardRecognizer", "UsSsnRecognizer"),
    *("MacAddressRecognizer", "IpRecognizer", "AuMedicareRecognizer", "AuTfnRecognizer"),
    *("CaSinRecognizer", "DeTaxIdRecognizer", "EsNieRecognizer", "EsNifRecognizer"),
    *("FiPersonalIdentityCodeRecognizer", "InAadhaarRecognizer", "InPanRecognizer"),
    *("ItFiscalCodeRecognizer", "KrRrnRecognizer", "PlPeselRecognizer"),
    *("SePersonnummerRecognizer", "SgFinRecognizer", "TrNationalIdRecognizer", "NhsRecognizer"),
    *("UkNinoRecognizer", "UsItinRecognizer", "ZaIdNumberRecognizer"),
)


@Language.component("lower_case")
def lower_case(doc: Doc) -> Doc:
    """Takes each word in lower case for its lemma."""
    for token in doc:
        token.lemma_ = token.lower_
    return doc


class Words(SpacyNlpEngine):
    """Presidio's engine around words without a model; nothing is downloaded."""

    def __init__(self) -> None:
        super().__init__()
        english = spacy.blank("en")
        english.max_length = 10**9
        english.add_pipe("lower_case")
        self.nlp = {"en": english}


def make_engine(regions: list[str], names: Sequence[str] = RECOGNIZERS) -> AnalyzerEngine:
    """Builds the engine with recognizers of the types that Gristmill has, for English."""
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())  # the list that it ships
    chosen: list[Any] = [
        getattr(recognizers, name)(supported_language="en")
        for name in names
        if hasattr(recognizers, name)
    ]
    settings = {"supported_regions": tuple(regions)} if regions else {}
    chosen.append(recognizers.PhoneRecognizer(**settings))
    return AnalyzerEngine(RecognizerRegistry(chosen, supported_languages=["en"]), Words())


def find(engine: AnalyzerEngine, text: str) -> list[tuple[int, int, str, float]]:
    """Returns all hits in a text, overlapping ones too, as the engine gives them."""
    hits = engine.analyze(text, "en")
    return sorted((hit.start, hit.end, hit.entity_type, hit.score) for hit in hits)


def main() -> None:
    """Answers commands until the input ends."""
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line) for line in lines]
    regions = [region for region in sys.argv[2].split(",") if region]
    engine = make_engine(regions)
    for line in sys.stdin:
        answer: Any
        match line.strip():
            case "about":
                names = ", ".join(sorted(each.name for each in engine.get_recognizers()))
                answer = f"presidio-analyzer {version('presidio-analyzer')}: {names}"
            case "time":
                quick = [name for name in RECOGNIZERS if name != "InPanRecognizer"]
                timed = make_engine(regions, quick)
                start = time.process_time()
                for text in texts:
                    find(timed, text)
                answer = time.process_time() - start
            case _:
                answer = [find(engine, text) for text in texts]
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
