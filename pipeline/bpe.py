"""The byte-level BPE tokenizer: training, and encoding by the fastest engine that agrees.

The tokenizer is a tokenizer.json of Hugging Face tokenizers. Encoding goes through tiktoken, built
from the same merges, because it is several times as fast; `Encoder.check` compares the two on
documents of the corpus, and on any difference tokenizers itself does the work.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import tiktoken
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from pipeline.errors import UserError

# GPT-2's pattern (Radford et al., 2019), with possessive quantifiers: the same pieces in linear
# time. `pre_tokenizers.ByteLevel` of tokenizers has the same pattern built in.
GPT2_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"

# One word of this many bytes is cut before it is encoded: no published tokenizer has a token as
# long, and some engines take quadratic time or overflow their stack on it.
LONGEST_PIECE = 1 << 16


def train(texts: Iterable[str], vocab_size: int, special_tokens: list[str]) -> str:
    """Trains a byte-level BPE (Sennrich et al., 2016; Radford et al., 2019).

    Args:
        texts: The sample; the result depends on its order only through ties.
        vocab_size: Special tokens, 256 bytes and merges together.
        special_tokens: They get the first ids, in this order.

    Returns:
        A tokenizer.json.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=special_tokens,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer=trainer)
    return str(tokenizer.to_str(pretty=True))


def definition_of(data: bytes) -> str:
    """Returns a given tokenizer.json as text.

    Raises:
        UserError: it is not text.
    """
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise UserError("the tokenizer.json is not a Hugging Face tokenizer") from None


class Encoder:
    """Turns texts into token ids.

    Args:
        definition: A tokenizer.json.
        end_of_document: The token that follows each document.

    Raises:
        UserError: it is not a tokenizer, or has no such token.
    """

    def __init__(self, definition: str, end_of_document: str) -> None:
        try:
            self.reference = Tokenizer.from_str(definition)
        except Exception:
            raise UserError("the tokenizer.json is not a Hugging Face tokenizer") from None
        end = self.reference.token_to_id(end_of_document)
        if end is None:
            raise UserError(
                f"the tokenizer has no token {end_of_document}",
                "Name one that it has: -s tokenizer.end_of_document=TOKEN",
            )
        self.end_of_document_id = int(end)
        added = self.reference.get_added_tokens_decoder()
        # Ids may have gaps, so their number says too little.
        self.vocab_size = 1 + max(self.reference.get_vocab(with_added_tokens=True).values())
        self.sha256 = hashlib.sha256(definition.encode()).hexdigest()
        self.reference.no_padding()
        self.reference.no_truncation()
        self.special = {
            token.content for token in added.values() if token.content != end_of_document
        }
        self.fast = _tiktoken(json.loads(definition))
        # What a document gets that spells the end-of-document token: the ids of two halves, none
        # of which is that token.
        self._end = end_of_document
        half = len(end_of_document) // 2
        self._spelled_end = np.concatenate(
            [self._plain(end_of_document[:half]), self._plain(end_of_document[half:])]
        )
        if end not in added or end in self._spelled_end:
            raise UserError(
                f"the tokenizer's token {end_of_document} can stand for text, so it cannot end a "
                "document",
                "Name a special token: -s tokenizer.end_of_document=TOKEN",
            )

    def encode(self, text: str) -> NDArray[np.uint32]:
        """Returns the token ids of a text, without the end-of-document id.

        A text that spells the end-of-document token gets ordinary tokens there: a document
        cannot end itself.
        """
        return self._encode(text, self._plain if self.fast is None else self._quick)

    def _encode(self, text: str, engine: Callable[[str], NDArray[np.uint32]]) -> NDArray[np.uint32]:
        ids: list[NDArray[np.uint32]] = []
        for piece in _cut(text):
            for number, part in enumerate(piece.split(self._end)):
                if number:
                    ids.append(self._spelled_end)
                ids.append(engine(part))
        return ids[0] if len(ids) == 1 else np.concatenate(ids)

    def _quick(self, text: str) -> NDArray[np.uint32]:
        assert self.fast is not None
        ids = self.fast.encode_to_numpy(text, allowed_special=self.special, disallowed_special=())
        return np.asarray(ids, np.uint32)

    def _plain(self, text: str) -> NDArray[np.uint32]:
        return np.array(self.reference.encode(text, add_special_tokens=False).ids, np.uint32)

    def check(self, texts: Iterable[str]) -> bool:
        """Compares the fast engine with tokenizers, and drops it on the first difference.

        Returns:
            Whether the fast engine is used from now on.
        """
        if self.fast is not None and not all(
            np.array_equal(self.encode(text), self._encode(text, self._plain)) for text in texts
        ):
            self.fast = None
        return self.fast is not None


def _cut(text: str) -> Iterator[str]:
    """Yields a text in pieces short enough for every engine, cut only at overlong words."""
    if len(text) <= LONGEST_PIECE:
        yield text
        return
    start = 0
    while start < len(text):
        end = min(start + LONGEST_PIECE, len(text))
        if end < len(text):
            # The last blank before another character starts a piece in GPT-2's pattern.
            place = text.rfind(" ", start + 1, end)
            while place > start + 1 and text[place + 1].isspace():
                place = text.rfind(" ", start + 1, place)
            end = place if place > start + 1 else end
        yield text[start:end]
        start = end


def _tiktoken(definition: dict[str, Any]) -> tiktoken.Encoding | None:
    """Builds tiktoken's engine for a tokenizer of GPT-2's kind; None for any other kind."""
    model, before = definition.get("model", {}), definition.get("pre_tokenizer") or {}
    if (
        model.get("type") != "BPE"
        or definition.get("normalizer")
        or before.get("type") != "ByteLevel"
        or before.get("add_prefix_space")
        or not before.get("use_regex", True)
        or model.get("dropout")
        or model.get("ignore_merges")
        or model.get("continuing_subword_prefix")
        or model.get("end_of_word_suffix")
        or any(
            token.get(flag)
            for token in definition.get("added_tokens", [])
            for flag in ("lstrip", "rstrip", "single_word")
        )
    ):
        return None
    as_byte = {character: byte for byte, character in enumerate(_byte_characters())}
    special = {token["content"]: token["id"] for token in definition.get("added_tokens", [])}
    vocabulary = {token: number for token, number in model["vocab"].items() if token not in special}
    # tiktoken merges by rank = id, so ids must rise in the order of the merges.
    merged = [
        "".join(merge if isinstance(merge, list) else merge.split(" ")) for merge in model["merges"]
    ]
    numbers = [vocabulary.get(token, -1) for token in merged]
    if len(vocabulary) != 256 + len(merged) or numbers != sorted(set(numbers)):
        return None
    try:
        ranks = {bytes(as_byte[c] for c in token): number for token, number in vocabulary.items()}
    except KeyError:
        return None
    return tiktoken.Encoding(
        "gristmill", pat_str=GPT2_PATTERN, mergeable_ranks=ranks, special_tokens=special
    )


def _byte_characters() -> list[str]:
    """Returns the character that stands for each byte in a byte-level vocabulary (GPT-2)."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]
