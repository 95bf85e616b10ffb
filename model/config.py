"""The settings of a model and of a training run, and the presets. Does not import torch."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Count = Annotated[int, Field(ge=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ModelConfig(_Strict):
    """The shape of a decoder; the size of the vocabulary comes with the shards.

    Args:
        layers: Number of blocks.
        width: Size of the residual stream.
        heads: Query heads; each has `width / heads` dimensions, an even number.
        kv_heads: Key and value heads, each shared by `heads / kv_heads` query heads.
        hidden: Inner size of the SwiGLU.
        rope_theta: Base of the rotary position embedding.
        tied_embeddings: Whether the output layer is the token embedding.
    """

    layers: Count
    width: Count
    heads: Count
    kv_heads: Count
    hidden: Count
    rope_theta: Annotated[float, Field(gt=1)] = 10_000.0
    tied_embeddings: bool = True

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.width % (2 * self.heads):
            raise ValueError(
                f"width {self.width} must be a multiple of twice the heads ({self.heads})"
            )
        if self.heads % self.kv_heads:
            raise ValueError(f"heads {self.heads} must be a multiple of kv_heads {self.kv_heads}")
        return self

    @property
    def head_width(self) -> int:
        """Dimensions of one head."""
        return self.width // self.heads

    def parameters(self, vocab_size: int) -> int:
        """Returns the number of parameters of the decoder with `vocab_size` token ids."""
        attention = 2 * self.width * self.head_width * (self.heads + self.kv_heads)
        block = attention + 3 * self.width * self.hidden + 2 * self.width
        embeddings = vocab_size * self.width * (1 if self.tied_embeddings else 2)
        return self.layers * block + self.width + embeddings

    def flops_per_token(self, vocab_size: int, sequence_length: int) -> int:
        """Returns the floating-point operations of training on one token, forward and backward.

        6 per parameter that a token is multiplied with (the embedding is only looked up), and
        12 x layers x width x sequence_length for attention scores and values, not halved for
        causality (Chowdhery et al., 2022, PaLM, appendix B).
        """
        matrices = self.parameters(vocab_size)
        if not self.tied_embeddings:
            matrices -= vocab_size * self.width
        return 6 * matrices + 12 * self.layers * self.width * sequence_length


class TrainingConfig(_Strict):
    """A training run. Batch sizes count sequences.

    Args:
        model: The shape of the decoder.
        sequence_length: Tokens of a sequence.
        global_batch: Sequences of one optimizer step.
        micro_batch: Sequences that go through the model at once; bounds the memory and does
            not change what is computed, rounding aside.
        steps: Optimizer steps. The schedule is a function of it.
        learning_rate: The highest learning rate.
        warmup_ratio: Share of the steps in which the learning rate rises to the highest.
        min_ratio: Last learning rate as a share of the highest; a cosine leads there.
        weight_decay: Of matrices, the embedding among them; gains do not decay.
        betas: AdamW's averaging rates.
        clip: Highest norm of the gradient.
        seed: Of initialisation and data order.
        precision: `bf16` computes matrix products in bfloat16 by autocast; weights and
            optimizer are float32 in either case.
        validate_every: Steps between validations; the last step is always validated.
        checkpoint_every: Steps between checkpoints; the last step always has one.
        threads: CPU threads; torch's own choice if absent. A resumed run is the same bit for
            bit with the same number of threads.
    """

    model: ModelConfig
    sequence_length: Annotated[int, Field(ge=2)]
    global_batch: Count
    micro_batch: Count
    steps: Count
    learning_rate: Annotated[float, Field(gt=0)]
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)] = 0.04
    min_ratio: Annotated[float, Field(ge=0, le=1)] = 0.1
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (
        0.9,
        0.95,
    )
    clip: Annotated[float, Field(gt=0)] = 1.0
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    precision: Literal["bf16", "fp32"] = "bf16"
    validate_every: Count
    checkpoint_every: Count
    threads: Count | None = None

    @property
    def warmup_steps(self) -> int:
        """Steps in which the learning rate rises."""
        return round(self.warmup_ratio * self.steps)

    @property
    def tokens_per_step(self) -> int:
        """Tokens of one optimizer step."""
        return self.global_batch * self.sequence_length


# What may change when a run is resumed: none of it changes what is learned, rounding aside.
CHANGEABLE = frozenset({"micro_batch", "validate_every", "checkpoint_every", "threads"})


def _preset(
    model: ModelConfig,
    sequence_length: int,
    batch: tuple[int, int],
    steps: int,
    learning_rate: float,
) -> TrainingConfig:
    return TrainingConfig(
        model=model,
        sequence_length=sequence_length,
        global_batch=batch[0],
        micro_batch=batch[1],
        steps=steps,
        learning_rate=learning_rate,
        validate_every=max(1, steps // 10),
        checkpoint_every=max(1, steps // 10),
    )


def _shape(layers: int, width: int, heads: int, kv_heads: int, hidden: int) -> ModelConfig:
    return ModelConfig(layers=layers, width=width, heads=heads, kv_heads=kv_heads, hidden=hidden)


# Shape (layers, width, heads, kv_heads, hidden); sequence length; (global, micro-batch); steps;
# learning rate.
# Parameters with the vocabulary they are meant for: 1.3M and 11M with 4,096 ids; 121M, 341M
# and 1.1B with 50,257. `tiny` is tuned, for a CPU and about two million tokens; the last three see
# about 20 tokens per parameter (Hoffmann et al., 2022), with customary rates.
PRESETS: dict[str, TrainingConfig] = {
    "tiny": _preset(_shape(4, 128, 2, 1, 352), 256, (8, 8), 1_000, 4e-3),
    "small": _preset(_shape(6, 384, 6, 2, 1024), 256, (32, 16), 2_000, 1.5e-3),
    "125m": _preset(_shape(12, 768, 12, 4, 2304), 1024, (512, 16), 4_800, 6e-4),
    "350m": _preset(_shape(24, 1024, 16, 4, 3072), 2048, (256, 8), 13_000, 3e-4),
    "1b": _preset(_shape(16, 2048, 32, 8, 8192), 2048, (512, 4), 20_500, 3e-4),
}
