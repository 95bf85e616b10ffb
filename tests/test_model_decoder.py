import math
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from model.config import ModelConfig
from model.decoder import IGNORED, Decoder, rope_tables, rotate, token_nats
from model.generate import continue_tokens

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
CONFIG = ModelConfig(layers=2, width=24, heads=6, kv_heads=2, hidden=20, rope_theta=100.0)
VOCAB = 11


def random_decoder(config: ModelConfig = CONFIG, vocab: int = VOCAB) -> Decoder:
    """In float64, with large random weights and gains: nearly right is then visibly wrong."""
    model = Decoder(config, vocab).double()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator, dtype=torch.float64))
            weight.mul_(0.5).add_(1.0 if weight.ndim == 1 else 0.0)
    return model


def random_tokens(rows: int, length: int) -> Tensor:
    return torch.randint(VOCAB, (rows, length), generator=torch.Generator().manual_seed(5))


def naive_logits(model: Decoder, tokens: list[int]) -> np.ndarray:
    """The decoder as its papers write it: one position, one head, one pair at a time."""
    config = model.config
    w = {name: p.detach().numpy() for name, p in model.named_parameters()}
    w.setdefault("output.weight", w["embedding.weight"])
    width = config.width // config.heads

    def norm(x: np.ndarray, gain: np.ndarray) -> np.ndarray:
        return x / math.sqrt(sum(v * v for v in x) / len(x) + 1e-5) * gain

    def turn(x: np.ndarray, position: int) -> np.ndarray:
        y = x.copy()
        for i in range(width // 2):
            angle = position * config.rope_theta ** (-2 * i / width)
            z = complex(x[i], x[i + width // 2]) * complex(math.cos(angle), math.sin(angle))
            y[i], y[i + width // 2] = z.real, z.imag
        return y

    xs = [w["embedding.weight"][t].copy() for t in tokens]
    for layer in range(config.layers):
        at = f"blocks.{layer}."
        normed = [norm(x, w[at + "attention_norm.weight"]) for x in xs]
        attended = [np.zeros(config.width) for _ in xs]
        for head in range(config.heads):
            kv = head // (config.heads // config.kv_heads)
            rows, kv_rows = (slice(h * width, (h + 1) * width) for h in (head, kv))
            q = [turn(w[at + "attention.query.weight"][rows] @ x, p) for p, x in enumerate(normed)]
            k = [turn(w[at + "attention.key.weight"][kv_rows] @ x, p) for p, x in enumerate(normed)]
            v = [w[at + "attention.value.weight"][kv_rows] @ x for x in normed]
            for t in range(len(xs)):
                scores = np.exp([q[t] @ k[s] / math.sqrt(width) for s in range(t + 1)])
                shares = scores / scores.sum()
                attended[t][rows] = sum(a * b for a, b in zip(shares, v, strict=False))
        for t, x in enumerate(xs):
            x += w[at + "attention.out.weight"] @ attended[t]
            h = norm(x, w[at + "mlp_norm.weight"])
            gate = w[at + "mlp.gate.weight"] @ h
            up = w[at + "mlp.up.weight"] @ h
            x += w[at + "mlp.down.weight"] @ (gate / (1 + np.exp(-gate)) * up)
    return np.array([w["output.weight"] @ norm(x, w["norm.weight"]) for x in xs])


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kv_heads", [1, 2, 6])
def test_logits_are_those_of_the_naive_decoder(tied: bool, kv_heads: int) -> None:
    update = {"tied_embeddings": tied, "kv_heads": kv_heads}
    model = random_decoder(CONFIG.model_copy(update=update))
    tokens = random_tokens(2, 7)
    logits = model(tokens).detach().numpy()
    assert logits.shape == (2, 7, VOCAB)
    expected = np.array([naive_logits(model, row.tolist()) for row in tokens])
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-11 * np.abs(expected).max())


def test_a_token_changes_nothing_before_it() -> None:
    model = random_decoder()
    tokens = random_tokens(1, 9)
    changed = tokens.clone()
    changed[0, 5] = (changed[0, 5] + 1) % VOCAB
    a, b = model(tokens), model(changed)
    torch.testing.assert_close(a[:, :5], b[:, :5], rtol=0, atol=1e-13)
    assert (a[:, 5:] - b[:, 5:]).abs().amax(-1).min() > 1e-6


def test_extending_equals_reading_at_once() -> None:
    model = random_decoder()
    tokens = random_tokens(2, 9)
    at_once = model(tokens)
    logits, past = model.extend(tokens[:, :4], None)
    for t in range(4, 9):
        torch.testing.assert_close(logits, at_once[:, t - 1], rtol=0, atol=1e-11)
        logits, past = model.extend(tokens[:, t : t + 1], past)
    torch.testing.assert_close(logits, at_once[:, -1], rtol=0, atol=1e-11)


def test_rotation_keeps_length_and_depends_on_distance_only() -> None:
    q, k = torch.randn(2, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    cos, sin = rope_tables(torch.arange(30), 8, 50.0)
    qs, ks = (rotate(x.expand(30, 8), cos, sin) for x in (q, k))
    torch.testing.assert_close(qs.norm(dim=-1), q.norm().expand(30))
    scores = qs @ ks.T
    torch.testing.assert_close(scores[3, 1], scores[29, 27])
    assert not torch.isclose(scores[3, 1], scores[3, 2])


def test_initialisation_follows_the_seed_alone() -> None:
    models = [Decoder(CONFIG, VOCAB) for _ in range(3)]
    torch.manual_seed(1)
    state = torch.get_rng_state()
    for model, seed in zip(models, (7, 7, 8), strict=True):
        model.initialise(seed)
    assert torch.equal(torch.get_rng_state(), state)
    a, b, c = (model.blocks[0].mlp.up.weight for model in models)
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_initial_deviations() -> None:
    model = Decoder(ModelConfig(layers=8, width=128, heads=4, kv_heads=4, hidden=256), 512)
    model.initialise(0)
    for name, weight in model.named_parameters():
        if weight.ndim == 1:
            assert (weight == 1).all()
        else:
            fan_in = 256 if "down" in name else 128
            blocks = 16 if name.endswith(("out.weight", "down.weight")) else 1
            assert math.isclose(weight.std().item(), (fan_in * blocks) ** -0.5, rel_tol=0.05)


def test_token_nats() -> None:
    logits = torch.randn(2, 3, 5, dtype=torch.float64)
    targets = torch.tensor([[0, 4, IGNORED], [1, IGNORED, 2]])
    nats = token_nats(logits, targets)
    expected = -torch.log_softmax(logits, -1)
    assert nats[0, 2] == nats[1, 1] == 0
    torch.testing.assert_close(nats[0, 1], expected[0, 1, 4])
    torch.testing.assert_close(nats[1, 2], expected[1, 2, 2])


def test_loss_of_bfloat16_logits_is_not_rounded_to_bfloat16() -> None:
    logits = torch.randn(1, 50, 100).bfloat16()
    targets = torch.arange(50)[None]
    nats = token_nats(logits, targets)
    assert nats.dtype == torch.float32
    torch.testing.assert_close(nats, token_nats(logits.double(), targets).float())


def test_hugging_face_llama_agrees() -> None:
    transformers = pytest.importorskip("transformers")
    model = random_decoder()
    config = transformers.LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=CONFIG.width,
        intermediate_size=CONFIG.hidden,
        num_hidden_layers=CONFIG.layers,
        num_attention_heads=CONFIG.heads,
        num_key_value_heads=CONFIG.kv_heads,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": CONFIG.rope_theta},
    )
    llama = transformers.LlamaForCausalLM(config).double()
    names = {
        "embedding": "model.embed_tokens",
        "blocks": "model.layers",
        "attention_norm": "input_layernorm",
        "mlp_norm": "post_attention_layernorm",
        "attention": "self_attn",
        "query": "q_proj",
        "key": "k_proj",
        "value": "v_proj",
        "out": "o_proj",
        "gate": "gate_proj",
        "up": "up_proj",
        "down": "down_proj",
    }
    weights = {}
    for name, weight in model.named_parameters():
        parts = [names.get(part, part) for part in name.split(".")]
        weights[".".join(["model.norm" if parts[0] == "norm" else parts[0], *parts[1:]])] = weight
    missing = llama.load_state_dict(weights, strict=False)
    assert missing.missing_keys in ([], ["lm_head.weight"])
    assert not missing.unexpected_keys
    tokens = random_tokens(2, 12)
    # Llama's own rotary positions and norms are float32.
    torch.testing.assert_close(model(tokens), llama(tokens).logits, rtol=1e-5, atol=1e-5)


def load_stories(folder: Path) -> tuple[Decoder, list[bytes]]:
    """A trained Llama in the llama2.c v0 format, and its vocabulary."""
    raw = (folder / "stories260K.bin").read_bytes()
    width, hidden, layers, heads, kv_heads, vocab, _ = struct.unpack_from("7i", raw)
    config = ModelConfig(layers=layers, width=width, heads=heads, kv_heads=kv_heads, hidden=hidden)
    model = Decoder(config, abs(vocab))
    values = torch.frombuffer(bytearray(raw[28:]), dtype=torch.float32)
    place = 0

    def take(*shape: int) -> Tensor:
        nonlocal place
        place += math.prod(shape)
        return values[place - math.prod(shape) : place].view(shape)

    def halves(weight: Tensor) -> Tensor:
        """From rotating neighbouring dimensions to rotating dimension i with i + D / 2."""
        rows = weight.view(-1, config.head_width // 2, 2, width)
        return rows.transpose(1, 2).reshape(weight.shape)

    kv_width = kv_heads * config.head_width
    weights = {"embedding.weight": take(abs(vocab), width)}
    for name, shape in {
        "attention_norm": (width,),
        "attention.query": (width, width),
        "attention.key": (kv_width, width),
        "attention.value": (kv_width, width),
        "attention.out": (width, width),
        "mlp_norm": (width,),
        "mlp.gate": (hidden, width),
        "mlp.down": (width, hidden),
        "mlp.up": (hidden, width),
    }.items():
        for layer, weight in enumerate(take(layers, *shape)):
            rotated = name in ("attention.query", "attention.key")
            weights[f"blocks.{layer}.{name}.weight"] = halves(weight) if rotated else weight
    weights["norm.weight"] = take(width)
    weights["output.weight"] = weights["embedding.weight"]
    model.load_state_dict(weights)

    pieces = []
    raw = (folder / "tok512.bin").read_bytes()
    place_of_piece = 4
    while place_of_piece < len(raw):
        _, size = struct.unpack_from("fi", raw, place_of_piece)
        pieces.append(raw[place_of_piece + 8 : place_of_piece + 8 + size])
        place_of_piece += 8 + size
    return model, pieces


@pytest.mark.skipif(not (DATA / "llm").is_dir(), reason="needs shared/data/llm")
def test_trained_weights_tell_their_story() -> None:
    model, pieces = load_stories(DATA / "llm")
    begin = 1
    tokens = continue_tokens(model, [begin], begin, 200, 512, 0.0, None, torch.Generator())
    text = b"".join(pieces[token] for token in tokens).replace(b"<0x0A>", b"\n").decode()
    expected = (DATA / "llm" / "stories260K.expected.txt").read_text()
    assert len(expected) > 400
    assert text.strip() == expected.strip()
