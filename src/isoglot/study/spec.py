"""The specification of a study: what a YAML file can ask for. `isoglot.study.read_spec` reads and checks one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from isoglot.batching.plan import STRATEGIES
from isoglot.config import to_dict
from isoglot.evaluation.measures import DEFAULT_MEASURES
from isoglot.files import digest_json
from isoglot.records import SETTINGS, Strategy
from isoglot.training.settings import LoraSettings, Tuning

KINDS: tuple[Tuning, ...] = ("lora", "full")


@dataclass(frozen=True)
class TuningSpec:
    """One way to train: all weights, or low-rank adapters.

    Attributes:
        name: in ids of cells; `lora` and `full` alone mean the defaults.
        kind: `lora` or `full`.
        rank, alpha, dropout, targets, layers: of LoRA, as in `LoraSettings`.
    """

    name: str
    kind: Tuning = "lora"
    rank: int = LoraSettings.rank
    alpha: float = LoraSettings.alpha
    dropout: float = LoraSettings.dropout
    targets: tuple[str, ...] = ()
    layers: tuple[int, ...] = ()

    def lora(self) -> LoraSettings:
        """The adapter's settings."""
        return LoraSettings(self.rank, self.alpha, self.dropout, self.targets, self.layers)


@dataclass(frozen=True)
class DataSpec:
    """Training pairs, and what is measured after training on them.

    Attributes:
        name: in ids of cells.
        pairs: sources, as `isoglot train --pairs` takes them.
        languages: training languages; empty: all that the pairs have.
        amount: shares of the groups of pairs to train on, each in (0, 1]; a smaller share is a subset of a larger one.
        amount_seed: of the order in which groups are taken.
        benchmarks: instead of the study's.
    """

    name: str
    pairs: tuple[str, ...]
    languages: tuple[str, ...] = ()
    amount: tuple[float, ...] = (1.0,)
    amount_seed: int = 0
    benchmarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class SelectionSpec:
    """How a learning rate is chosen among candidates: on held-out TRAINING pairs, never on a benchmark.

    Attributes:
        strategy, mono_share, seed: of the trial runs; one choice serves all strategies and seeds of the grid.
        steps: of the trial runs; None: as many as the cells have.
        validation_share: share of the groups of pairs that is held out.
        validation_steps: batches of them that the loss is averaged over; 0: as `isoglot train` does by itself.
    """

    strategy: Strategy = "hybrid"
    mono_share: float = 0.5
    seed: int = 0
    steps: int | None = None
    validation_share: float = 0.1
    validation_steps: int = 50


@dataclass(frozen=True)
class EvaluateSpec:
    """What `isoglot.evaluate` is asked for; the names are its own."""

    measures: tuple[str, ...] = DEFAULT_MEASURES
    settings: tuple[str, ...] = SETTINGS
    languages: tuple[str, ...] = ()
    context: Literal["sentence", "paragraph"] = "sentence"
    corpus_sample: int | None = None
    sample_seed: int = 0
    batch_size: int | None = None


@dataclass(frozen=True)
class StudySpec:
    """A study: a question and the grid of runs that answers it.

    Attributes:
        name, question: what the report is about.
        base: base models.
        strategy: of mono, cross, hybrid.
        mono_share: alphas; they multiply hybrid cells only.
        tuning: ways to train.
        data: training sets.
        seeds: each cell is trained with each.
        benchmarks: measured after training, unless the data name their own.
        train: settings of `isoglot train` that all cells share.
        per_tuning: settings by name or kind of tuning, on top of `train`.
        learning_rates: candidates by name or kind of tuning; absent: the kind's default.
        selection: how one of several candidates is chosen.
        evaluate: measures, settings, languages and so on.
        audit: compare training pairs with the benchmarks before anything is trained.
        keep_models: keep merged models after they were measured (adapters are always kept).
    """

    name: str
    question: str
    base: tuple[str, ...]
    data: tuple[DataSpec, ...]
    strategy: tuple[Strategy, ...] = STRATEGIES
    mono_share: tuple[float, ...] = (0.5,)
    tuning: tuple[TuningSpec, ...] = (TuningSpec("lora"),)
    seeds: tuple[int, ...] = (0,)
    benchmarks: tuple[str, ...] = ()
    train: Mapping[str, Any] = field(default_factory=dict)
    per_tuning: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    learning_rates: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    selection: SelectionSpec = field(default_factory=SelectionSpec)
    evaluate: EvaluateSpec = field(default_factory=EvaluateSpec)
    audit: bool = True
    keep_models: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, all defaults filled in; `parse_spec` makes the same spec of them."""
        return to_dict(self)

    @property
    def digest(self) -> str:
        """SHA-256 of the spec."""
        return digest_json(self.to_json())

    def benchmarks_of(self, data: DataSpec) -> tuple[str, ...]:
        """What is measured after training on `data`."""
        return data.benchmarks or self.benchmarks

    def rates_of(self, tuning: TuningSpec) -> tuple[float, ...]:
        """Candidates for the learning rate; () means the default of `isoglot train`."""
        return tuple(self.learning_rates.get(tuning.name, self.learning_rates.get(tuning.kind, ())))

    def train_values(self, tuning: TuningSpec) -> dict[str, Any]:
        """Settings of `isoglot train` for a tuning: common ones, then those of its kind, then those of its name."""
        kinds, names = self.per_tuning.get(tuning.kind, {}), self.per_tuning.get(tuning.name, {})
        return {**self.train, **kinds, **names}


def benchmark_name(benchmark: str) -> str:
    """How results call a benchmark: its name, or the last part of a folder's path."""
    return Path(benchmark).name or benchmark
