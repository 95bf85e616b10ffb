"""The decoder: a Llama-shaped transformer on one screen.

RMSNorm before each part (Zhang & Sennrich, 2019), rotary positions (Su et al., 2021; in halves, as
Hugging Face's Llama has them), SwiGLU (Shazeer, 2020), grouped-query attention (Ainslie et al.,
2023), no biases, no dropout. Documents follow one another in a sequence and attention is plainly
causal over it. Shapes: B sequences, T positions, C width, H query heads, K key and value heads,
D dimensions of a head, V token ids.
"""

import torch
import torch.nn.functional as F  # noqa: N812  (its name everywhere)
from torch import Tensor, nn

from model.config import ModelConfig

NORM_EPS = 1e-5
IGNORED = -100  # a target that counts for nothing

Past = tuple[Tensor, Tensor]  # keys and values of the positions before, each [B, K, T, D]


class Decoder(nn.Module):
    """Maps token ids [B, T] to logits [B, T, V] of the token after each."""

    def __init__(self, config: ModelConfig, vocab_size: int) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(vocab_size, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width, NORM_EPS)
        self.output = nn.Linear(config.width, vocab_size, bias=False)
        if config.tied_embeddings:
            self.output.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        """Returns logits [B, T, V]."""
        logits: Tensor = self.output(self._hidden(tokens, None)[0])
        return logits

    def extend(self, tokens: Tensor, past: list[Past] | None) -> tuple[Tensor, list[Past]]:
        """Returns logits [B, V] after the last of `tokens`, and the past to extend next.

        Args:
            tokens: A whole prompt [B, T] without a past, or one token [B, 1] with it.
            past: What the last call returned.
        """
        x, past = self._hidden(tokens, past)
        return self.output(x[:, -1]), past

    def _hidden(self, tokens: Tensor, past: list[Past] | None) -> tuple[Tensor, list[Past]]:
        start = past[0][0].shape[2] if past else 0
        positions = torch.arange(start, start + tokens.shape[1], device=tokens.device)
        x = self.embedding(tokens)  # [B, T, C]
        cos, sin = rope_tables(positions, self.config.head_width, self.config.rope_theta)
        rope = (cos.to(x.dtype), sin.to(x.dtype))
        present = []
        for index, block in enumerate(self.blocks):
            x, block_present = block(x, rope, past[index] if past else None)
            present.append(block_present)
        return self.norm(x), present

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """Draws the weights from the seed alone, without torch's global random numbers.

        Normal with deviation fan_in ** -0.5, which keeps the size of what a matrix is applied to
        (LeCun et al., 1998, section 4.6) and gives logits a deviation of 1; the usual 0.02 is far
        too little for a narrow model. The two matrices of a block that write to the residual
        stream get less, by the root of their number, so that depth does not raise the variance
        (Radford et al., 2019, section 2.3).
        """
        generator = torch.Generator(self.embedding.weight.device).manual_seed(seed)
        for name, weight in self.named_parameters():
            if weight.ndim == 1:
                weight.fill_(1.0)
                continue
            deviation: float = weight.shape[1] ** -0.5
            if name.endswith(("attention.out.weight", "mlp.down.weight")):
                deviation *= (2 * self.config.layers) ** -0.5
            weight.normal_(0.0, deviation, generator=generator)


class Block(nn.Module):
    """Attention and SwiGLU, each added to the residual stream."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.width, NORM_EPS)
        self.attention = Attention(config)
        self.mlp_norm = nn.RMSNorm(config.width, NORM_EPS)
        self.mlp = SwiGLU(config)

    def forward(self, x: Tensor, rope: Past, past: Past | None) -> tuple[Tensor, Past]:
        """Returns x [B, T, C] after the block, and the past to come."""
        attended, present = self.attention(self.attention_norm(x), rope, past)
        x = x + attended
        return x + self.mlp(self.mlp_norm(x)), present


class Attention(nn.Module):
    """Causal self-attention in which groups of H / K query heads share keys and values."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.head_width = config.head_width
        kv_width = config.kv_heads * config.head_width
        self.query = nn.Linear(config.width, config.width, bias=False)
        self.key = nn.Linear(config.width, kv_width, bias=False)
        self.value = nn.Linear(config.width, kv_width, bias=False)
        self.out = nn.Linear(config.width, config.width, bias=False)

    def forward(self, x: Tensor, rope: Past, past: Past | None) -> tuple[Tensor, Past]:
        """Returns what x [B, T, C] gathers from itself and the past, and the past to come."""
        # [B, T, heads * D] -> [B, heads, T, D]
        q, k, v = (
            project(x).unflatten(-1, (-1, self.head_width)).transpose(1, 2)
            for project in (self.query, self.key, self.value)
        )
        q, k = rotate(q, *rope).type_as(v), rotate(k, *rope).type_as(v)
        if past is not None:
            k, v = torch.cat((past[0], k), dim=2), torch.cat((past[1], v), dim=2)
        # Query head h uses key head h // (H / K). With a past there is one query, which sees all.
        y = F.scaled_dot_product_attention(q, k, v, is_causal=past is None, enable_gqa=True)
        return self.out(y.transpose(1, 2).flatten(2)), (k, v)


class SwiGLU(nn.Module):
    """down(silu(gate(x)) * up(x))."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(config.width, config.hidden, bias=False)
        self.up = nn.Linear(config.width, config.hidden, bias=False)
        self.down = nn.Linear(config.hidden, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Maps each position of x [B, T, C] by itself."""
        y: Tensor = self.down(F.silu(self.gate(x)) * self.up(x))
        return y


def rope_tables(positions: Tensor, width: int, theta: float) -> tuple[Tensor, Tensor]:
    """Returns the cosines and sines of rotary positions, float64, each [T, D / 2].

    Args:
        positions: Places in the sequence, [T].
        width: Dimensions of a head, D.
        theta: Pair i turns by the angle `position * theta ** (-2 i / D)`.
    """
    pairs = torch.arange(0, width, 2, dtype=torch.float64, device=positions.device)
    angles = positions.double()[:, None] * theta ** (-pairs / width)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turns dimensions i and i + D / 2 of x [..., T, D] by the position's i-th angle."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


def token_nats(logits: Tensor, targets: Tensor) -> Tensor:
    """Returns -ln p(target), of the shape of `targets`, 0 where a target is `IGNORED`.

    Args:
        logits: [B, T, V]; bfloat16 is widened first, a loss in bfloat16 has two digits.
        targets: Token ids [B, T].
    """
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    nats = F.cross_entropy(
        wide.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="none"
    )
    return nats.view(targets.shape)
