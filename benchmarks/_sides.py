"""The two trainers that train_speed.py compares, and what is recorded of a run."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from isoglot.processes import peak_memory
from isoglot.settings import build
from isoglot.training import ending, train
from isoglot.training.settings import TrainSettings
from isoglot.yaml_input import read_words


def settings_of(asked: argparse.Namespace, folder: Path) -> TrainSettings:
    """The settings of both sides, as `isoglot train` takes them."""
    given: dict[str, Any] = {
        "pairs": tuple(asked.data),
        "output": str(folder / "run"),
        "base": asked.base,
        "tuning": asked.tuning[0],
        "batch_size": asked.batch_size,
        "steps": asked.steps,
        "dropout": asked.dropout,
        "save_steps": 1_000_000,
    }
    return build(TrainSettings, [("benchmark", given), ("--set", read_words(asked.set))])


class Recorder(TrainerCallback):
    """Times, losses and memory at the end of each step; token positions that reach the encoder."""

    def __init__(self, skip: int, *, profile: bool) -> None:
        self.skip = skip
        self.ends: list[float] = []
        self.cpu: list[float] = []
        self.losses: list[float] = []
        self.norms: list[float] = []
        self.slots = 0
        self.masks: list[torch.Tensor] = []
        self.calls = 0
        self.squares = 0.0
        self.memory = 0
        self.state_bytes = 0
        self.model: Any = None
        self._profile = torch.profiler.profile() if profile else None

    def watch(self, trainer: Any) -> None:
        """Record what this trainer does."""
        self.model = trainer.model
        trainer.add_callback(self)
        prepare = trainer._prepare_inputs

        def counted(inputs: Any) -> Any:
            if len(self.ends) >= self.skip:
                self._count(inputs)
            return prepare(inputs)

        trainer._prepare_inputs = counted
        # passes in Python: those within a CUDA graph are none
        trainer.model[0].register_forward_pre_hook(self._pass)

    def _pass(self, module: Any, inputs: Any) -> None:
        if len(self.ends) >= self.skip and torch.is_grad_enabled():
            self.calls += 1
            if "attention_mask" in inputs[0]:
                self.slots += inputs[0]["input_ids"].numel()

    def _count(self, inputs: Any) -> None:
        for key, mask in inputs.items():
            if key.endswith("_attention_mask"):
                self.masks.append(mask.sum(dim=1))

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        last = state.global_step == args.max_steps
        if torch.cuda.is_available() and (last or state.global_step == self.skip):
            torch.cuda.synchronize()  # at both ends of what is timed; steps between them may overlap
        self.ends.append(time.perf_counter())
        self.cpu.append(time.process_time())
        if last:
            self.memory = peak_memory()
            tensors = [value for entry in more["optimizer"].state.values() for value in entry.values()]
            self.state_bytes = sum(p.numel() * p.element_size() for p in tensors if isinstance(p, torch.Tensor))
        if self._profile is not None and len(self.ends) == self.skip:
            self._profile.start()
        if self._profile is not None and len(self.ends) == args.max_steps:
            self._profile.stop()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **more: Any) -> None:
        if "loss" in (logs or {}):
            self.losses.append(float(logs["loss"]))
            self.norms.append(float(logs["grad_norm"]))

    def report(self, began: float, settings: TrainSettings) -> dict[str, Any]:
        """Figures of the steps after the first `skip`."""
        seconds = self.ends[-1] - self.ends[self.skip - 1]
        steps = len(self.ends) - self.skip
        lengths = torch.cat([mask.cpu() for mask in self.masks]).double()
        tokens = float(lengths.sum())
        work = operations(self.model, tokens, float((lengths**2).sum()), settings.tuning.name)
        cuda = torch.cuda.is_available()
        found = {
            "pairs_per_second": steps * settings.plan.batch_size / seconds,
            "pairs_per_cpu_second": steps * settings.plan.batch_size / (self.cpu[-1] - self.cpu[self.skip - 1]),
            "tokens_per_second": tokens / seconds,
            "seconds_to_first_step": self.ends[0] - began,
            "step_seconds": [later - sooner for sooner, later in zip(self.ends, self.ends[1:])],
            "peak_memory_bytes": self.memory,
            "peak_cuda_bytes": torch.cuda.max_memory_allocated() if cuda else None,
            "optimizer_state_bytes": self.state_bytes,
            "tokens": int(tokens),
            "slots": self.slots,
            "padding": 1 - tokens / self.slots if self.slots else 0.0,  # none: a stream without padding
            "forward_passes_per_step": self.calls / steps,
            "utilisation": work / seconds / product_rate(),
            "losses": self.losses,
            "gradient_norms": self.norms,
            "threads": torch.get_num_threads(),
        }
        if self._profile is not None:
            table = self._profile.key_averages().table(
                sort_by="self_cpu_time_total", row_limit=25, max_name_column_width=45
            )
            found["profile"] = table
        return found


def operations(model: Any, tokens: float, squared_lengths: float, tuning: str) -> float:
    """Floating-point operations that the tokens need, padding and recomputation left out.

    Forward: 2 per weight and token, and 4 x width per pair of tokens in a text and layer; backward: as much again for
    the inputs' gradients, and under full tuning for the weights'.
    """
    encoder = model.transformers_model
    config = encoder.config
    part = [weight.numel() for name, weight in encoder.named_parameters() if "layer." in name and "lora_" not in name]
    forward = 2 * sum(part) * tokens
    attention = 4 * config.hidden_size * config.num_hidden_layers * squared_lengths
    return forward * (3 if tuning == "full" else 2) + attention * 3


def product_rate(dtype: torch.dtype | None = None) -> float:
    """Operations per second of one large matrix product; by default in the precision of training."""
    cuda = torch.cuda.is_available()
    size = 8192 if cuda else 1024
    if dtype is None:
        dtype = torch.bfloat16 if cuda and torch.cuda.is_bf16_supported() else torch.float32
    one = torch.randn(size, size, device="cuda" if cuda else "cpu", dtype=dtype)
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        one @ one
        if cuda:
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best


def our_trainer(settings: TrainSettings, recorder: Recorder) -> None:
    """`isoglot.train`, but for the model that it would save at the end."""
    with watching(recorder.watch):
        train.train(settings, show=False)


@contextmanager
def watching(watch: Callable[[Any], None]) -> Iterator[None]:
    """Show every trainer that `isoglot.train` makes within, and save nothing at its end."""
    make, end = train._trainer, ending.end

    def watched(*given: Any, **more: Any) -> Any:
        made = make(*given, **more)
        watch(made[0])
        return made

    train._trainer, ending.end = watched, lambda *given, **more: {}
    try:
        yield
    finally:
        train._trainer, ending.end = make, end


def their_trainer(settings: TrainSettings, recorder: Recorder, folder: Path) -> None:
    """sentence-transformers' own trainer and loss, fed the texts of our plan's steps in order."""
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from torch.utils.data import BatchSampler, SequentialSampler

    from isoglot.batching.plan import BatchPlan
    from isoglot.batching.sampler import PlanDataset
    from isoglot.data.pairs.loading import load_pairs
    from isoglot.training.prepare import prepare

    def in_order(dataset: Any, batch_size: int, drop_last: bool, **_: Any) -> Iterator[list[int]]:
        return BatchSampler(SequentialSampler(dataset), batch_size, drop_last)

    model, _ = prepare(settings)
    table = load_pairs(settings.pairs)
    steps = PlanDataset(table, BatchPlan(table.index, settings.plan), settings.steps or 1)
    batches = [steps[number] for number in range(len(steps))]
    texts = {
        "query": [text for batch in batches for text in batch.queries],
        "passage": [text for batch in batches for text in batch.passages],
    }
    args = SentenceTransformerTrainingArguments(
        output_dir=str(folder / "theirs"),
        max_steps=settings.steps,
        per_device_train_batch_size=settings.plan.batch_size,
        learning_rate=settings.peak_learning_rate(),
        warmup_steps=settings.warmup,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_gradient_norm,
        bf16=torch.cuda.is_available() and torch.cuda.is_bf16_supported(),
        seed=settings.plan.seed,
        logging_steps=settings.log_steps or 1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        batch_sampler=in_order,
        prompts={"query": model.prompts["query"], "passage": model.prompts["document"]},
    )
    trainer = SentenceTransformerTrainer(
        model=model,
        args=args,
        train_dataset=Dataset.from_dict(texts),
        loss=MultipleNegativesRankingLoss(model, scale=settings.to_flat()["scale"]),
    )
    recorder.watch(trainer)
    trainer.train()
