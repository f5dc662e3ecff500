"""Everything that can be asked of a training run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from isoglot.batching.plan import PlanSettings
from isoglot.errors import InputError
from isoglot.records import Strategy

Tuning = Literal["lora", "full"]
DEFAULT_LEARNING_RATES: Mapping[Tuning, float] = {"lora": 5e-4, "full": 3e-5}


@dataclass(frozen=True)
class LoraSettings:
    """Low-rank adapters (Hu et al. 2021, arXiv 2106.09685).

    Attributes:
        rank: r.
        alpha: the update is scaled by alpha / r.
        dropout: on the adapter's input.
        targets: names of the linear modules that get an adapter; empty: chosen by the encoder's type.
        layers: numbers of the encoder layers that get one (from 0); empty: all.
    """

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0
    targets: tuple[str, ...] = ()
    layers: tuple[int, ...] = ()


@dataclass(frozen=True)
class TrainSettings:
    """What `isoglot train` is asked for; the same names are keys of `--config` files and `key=value` words.

    Attributes:
        pairs: sources of parallel pairs (files, `facts:`, `lareqa:DIR`).
        output: run directory.
        base: base model (hub id, directory, `offline:multilingual-e5-small`).
        languages: training languages; empty: all that the pairs have.
        strategy, mono_share, batch_size, seed, source_temperature, source_weights, language_weights: see `PlanSettings`;
            batch_size counts the pairs of all processes together.
        tuning: `lora` or `full`; `lora`: its settings.
        freeze_embeddings: full tuning leaves the word embeddings as they are (LoRA always does).
        steps: optimizer steps; or `epochs`: passes over the pairs (one epoch draws as many pairs as there are).
        learning_rate: peak; default 5e-4 for lora, 3e-5 for full (the paper's).
        warmup: steps (>= 1) or share of the steps (< 1) of linear warm-up; linear decay to 0 follows.
        weight_decay: of AdamW.
        max_gradient_norm: gradients are clipped to it; 0: never.
        scale: inverse temperature of InfoNCE.
        symmetric: also classify queries given passages, and average both losses.
        negatives: explicit negatives per row that are used, where the rows have them.
        dropout: of the encoder; None: as the base's own config says.
        max_length: tokens per text in training; None: the base's limit.
        query_prompt, passage_prompt: None: the base's own.
        precision: `auto` is bf16 where the device computes in it, else fp32.
        chunks: length-sorted chunks per forward pass; 0: chosen from the lengths. The loss is the same for any.
        unpadded: forward all texts of a step in one pass without padding. For GPUs with flash attention; slow on a CPU.
        compile: compile the encoder by torch.compile before the first step: minutes once, then faster steps; for long runs.
            Not for trainable word embeddings, whose gradients are sparse.
        grad_cache: for batches that do not fit into memory: tokens (with padding) per forward pass; each text is then embedded
            twice, and only so many tokens' activations exist at a time. The loss is the same for any; 0: off.
        validation: sources of validation pairs, or `validation_share` of the training pairs.
        validation_steps: batches of a validation; 0: one pass over the validation pairs, at most 50. More than a pass draws the
            pairs again, in other languages and beside other negatives: of few pairs one pass is a noisy measure.
        eval_steps: steps between validations; 0: ten times in the run.
        patience: stop after this many validations without a better loss; 0: never. The best checkpoint becomes the model.
        save_steps: steps between checkpoints; 0: ten times in the run, at least 20 steps apart.
        log_steps: steps between lines of the log.
        threads: CPU threads; 0: torch's choice.
    """

    pairs: tuple[str, ...]
    output: str
    base: str = "offline:multilingual-e5-small"
    languages: tuple[str, ...] = ()
    strategy: Strategy = "hybrid"
    mono_share: float = 0.5
    batch_size: int = 100
    seed: int = 0
    source_temperature: float = 1.0
    source_weights: Mapping[str, float] = field(default_factory=dict)
    language_weights: Mapping[str, float] = field(default_factory=dict)
    tuning: Tuning = "lora"
    lora: LoraSettings = field(default_factory=LoraSettings)
    freeze_embeddings: bool = False
    steps: int | None = None
    epochs: float | None = None
    learning_rate: float | None = None
    warmup: float = 0.1
    weight_decay: float = 1e-2
    max_gradient_norm: float = 1.0
    scale: float = 50.0
    symmetric: bool = False
    negatives: int = 1
    dropout: float | None = None
    max_length: int | None = None
    query_prompt: str | None = None
    passage_prompt: str | None = None
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    chunks: int = 0
    unpadded: bool = False
    compile: bool = False
    grad_cache: int = 0
    validation: tuple[str, ...] = ()
    validation_share: float = 0.0
    validation_steps: int = 0
    eval_steps: int = 0
    patience: int = 0
    save_steps: int = 0
    log_steps: int = 1
    threads: int = 0

    def plan(self) -> PlanSettings:
        """The part that a batch plan depends on."""
        return PlanSettings(
            self.strategy,
            self.mono_share,
            self.batch_size,
            self.seed,
            self.source_temperature,
            self.source_weights,
            self.language_weights,
        )

    def peak_learning_rate(self) -> float:
        """The learning rate that was asked for, or the tuning's default."""
        return DEFAULT_LEARNING_RATES[self.tuning] if self.learning_rate is None else self.learning_rate

    def total_steps(self, steps_per_epoch: int) -> int:
        """Optimizer steps of the run. InputError unless exactly one of `steps` and `epochs` is given (default: 1 epoch)."""
        if self.steps is not None and self.epochs is not None:
            raise InputError("give steps or epochs, not both")
        steps = self.steps if self.steps is not None else round((self.epochs or 1.0) * steps_per_epoch)
        if steps < 1:
            raise InputError(f"steps must be at least 1, got {steps}")
        return steps

    def check(self) -> None:
        """InputError for values that no run can have."""
        limits = {
            "learning_rate": (self.peak_learning_rate(), 0.0, float("inf")),
            "scale": (self.scale, 0.0, float("inf")),
            "lora.rank": (self.lora.rank, 0, 1 << 16),
            "lora.alpha": (self.lora.alpha, 0.0, float("inf")),
            "log_steps": (self.log_steps, 0, 1 << 31),
        }
        for name, (value, low, high) in limits.items():
            if not low < value < high:
                raise InputError(f"{name} must be above {low}, got {value}")
        for name, number in {
            "warmup": self.warmup,
            "weight_decay": self.weight_decay,
            "max_gradient_norm": self.max_gradient_norm,
            "validation_steps": self.validation_steps,
            "eval_steps": self.eval_steps,
            "patience": self.patience,
            "save_steps": self.save_steps,
            "negatives": self.negatives,
            "chunks": self.chunks,
            "grad_cache": self.grad_cache,
            "threads": self.threads,
        }.items():
            if number < 0:
                raise InputError(f"{name} must not be negative, got {number}")
        for name, share in {"dropout": self.dropout or 0.0, "lora.dropout": self.lora.dropout}.items():
            if not 0.0 <= share < 1.0:
                raise InputError(f"{name} must lie in [0, 1), got {share}")
        if self.unpadded and (self.chunks or self.grad_cache):
            raise InputError("give unpadded, chunks or grad_cache: unpadded forwards a step in one pass")
        if self.unpadded and self.compile:
            raise InputError("give unpadded or compile, not both")
        if self.compile and self.tuning == "full" and not self.freeze_embeddings:
            raise InputError("compile needs tuning=lora or freeze_embeddings=true: torch compiles no sparse gradients")
        if self.chunks and self.grad_cache:
            raise InputError("give chunks or grad_cache, not both: grad_cache's chunks follow from its tokens")
        if self.validation and self.validation_share:
            raise InputError("give validation or validation_share, not both")
        if self.patience and not (self.validation or self.validation_share):
            raise InputError("patience needs a validation set: give validation or validation_share")
