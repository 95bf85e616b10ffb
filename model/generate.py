"""Text from a trained decoder."""

from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from model.checkpoint import checkpoints, load_weights
from model.decoder import Decoder
from model.errors import TrainingError
from model.run import read_description


def generate(
    run: Path,
    prompt: str,
    *,
    max_tokens: int = 200,
    temperature: float = 0.8,
    top_k: int | None = 50,
    seed: int = 0,
) -> str:
    """Continues a prompt with the last checkpoint of a run, up to the end of the document.

    Args:
        run: Directory of a training run.
        prompt: Text that begins the document; may be empty.
        max_tokens: Tokens to add at most.
        temperature: Divides the logits; 0 always takes the likeliest token.
        top_k: Draws among so many likeliest tokens; among all if None.
        seed: Of the draws: the same seed gives the same text.

    Returns:
        The prompt and what follows it.

    Raises:
        TrainingError: The run has no checkpoint, or an argument is out of range.
    """
    if max_tokens < 1 or temperature < 0 or (top_k is not None and top_k < 1):
        raise TrainingError(
            "max_tokens and top_k must be at least 1, and temperature must not be negative"
        )
    description = read_description(run)
    found = checkpoints(run)
    if not found:
        raise TrainingError(
            f"the run in {run} has no checkpoint yet",
            "Let `gristmill train` reach its first one, or stop it with Ctrl-C, which writes one.",
        )
    model = Decoder(description.config.model, description.vocab_size)
    load_weights(found[-1], model)
    tokenizer = Tokenizer.from_file(str(run / "tokenizer.json"))
    end = description.end_of_document_id
    # Every document the model has seen came after the end of another.
    tokens = [end, *tokenizer.encode(prompt, add_special_tokens=False).ids]
    tokens += continue_tokens(
        model,
        tokens,
        end,
        max_tokens,
        description.config.sequence_length,
        temperature,
        top_k,
        torch.Generator().manual_seed(seed),
    )
    text: str = tokenizer.decode(tokens[1:], skip_special_tokens=True)
    return text


@torch.inference_mode()
def continue_tokens(
    model: Decoder,
    tokens: list[int],
    end: int | None,
    count: int,
    length: int,
    temperature: float,
    top_k: int | None,
    generator: torch.Generator,
) -> list[int]:
    """Returns the tokens that a model adds, without the end-of-document id that stops it.

    Args:
        model: The decoder.
        tokens: What has been said, at least one id.
        end: The id that stops it; None goes on to `count`.
        count: Tokens to add at most.
        length: Positions the model was trained on. When they are used up, the last half of
            them is kept and read anew.
        temperature: As in `generate`.
        top_k: As in `generate`.
        generator: Source of the draws.
    """
    added: list[int] = []
    seen = tokens[-length:]
    logits, past = model.extend(torch.tensor([seen]), None)
    while True:
        token = draw(logits[0], temperature, top_k, generator)
        if token == end:
            return added
        added.append(token)
        if len(added) == count:
            return added
        if past[0][0].shape[2] < length:
            logits, past = model.extend(torch.tensor([[token]]), past)
        else:
            seen = [*tokens, *added][-max(1, length // 2) :]
            logits, past = model.extend(torch.tensor([seen]), None)


def draw(logits: Tensor, temperature: float, top_k: int | None, generator: torch.Generator) -> int:
    """Returns a token id drawn by logits [V]."""
    if temperature == 0:
        return int(logits.argmax())
    if top_k is not None and top_k < len(logits):
        least = logits.topk(top_k).values[-1]
        logits = logits.masked_fill(logits < least, -torch.inf)
    probabilities = torch.softmax(logits.double() / temperature, dim=-1)
    return int(torch.multinomial(probabilities, 1, generator=generator))
