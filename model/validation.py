"""Bits per byte of a decoder on validation documents."""

import math

import torch

from model.data import TokenStream, validation_batches
from model.decoder import Decoder, token_nats


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Returns the context in which matrix products are computed in the given precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


@torch.no_grad()
def bits_per_byte(
    model: Decoder, stream: TokenStream, length: int, batch: int, precision: str
) -> float:
    """Returns the bits a decoder needs per byte of the documents' text.

    This is the sum of -log2 p over every token, ends of documents included, divided by the UTF-8
    bytes of the text; it can be compared across tokenizers, which a loss per token cannot.

    Args:
        model: The decoder.
        stream: The documents.
        length: Tokens of a window; a token sees those before it in its window.
        batch: Windows at a time.
        precision: `bf16` or `fp32`.
    """
    device = next(model.parameters()).device
    nats = 0.0
    for inputs, targets in validation_batches(stream, length, batch):
        with autocast(device, precision):
            logits = model(torch.from_numpy(inputs).to(device))
            losses = token_nats(logits, torch.from_numpy(targets).to(device))
        nats += losses.double().sum().item()
    return nats / math.log(2) / stream.n_bytes
