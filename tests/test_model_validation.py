import math
from pathlib import Path

import pytest
import torch
from test_model_data import END, VOCAB, documents, flat, write_output

from model.config import ModelConfig
from model.data import open_corpus
from model.decoder import Decoder
from model.validation import bits_per_byte


@pytest.mark.parametrize("batch", [1, 4])
def test_bits_per_byte_equal_a_naive_loop(tmp_path: Path, batch: int) -> None:
    validation = documents(5, 3)
    corpus = open_corpus(write_output(tmp_path / "out", [documents(2)], validation))
    model = Decoder(ModelConfig(layers=1, width=16, heads=2, kv_heads=1, hidden=8), VOCAB).double()
    torch.manual_seed(0)
    for p in model.parameters():
        torch.nn.init.normal_(p)
    length, nats = 6, 0.0
    tokens = [END, *flat([validation])]
    for k in range(1, len(tokens)):
        begin = (k - 1) // length * length
        logits = model(torch.tensor([tokens[begin:k]]))[0, -1]
        nats -= torch.log_softmax(logits, -1)[tokens[k]].item()
    expected = nats / math.log(2) / sum(map(len, validation))
    found = bits_per_byte(model, corpus.validation, length, batch, "fp32")
    assert math.isclose(found, expected, rel_tol=1e-12)


def test_bf16_is_near_fp32(tmp_path: Path) -> None:
    corpus = open_corpus(write_output(tmp_path / "out", [documents(2)], documents(5, 3)))
    model = Decoder(ModelConfig(layers=1, width=16, heads=2, kv_heads=1, hidden=8), VOCAB)
    model.initialise(0)
    a, b = (bits_per_byte(model, corpus.validation, 8, 4, p) for p in ("bf16", "fp32"))
    assert a != b
    assert math.isclose(a, b, rel_tol=1e-3)
