"""The runs of a study: every system on every base and training set with every seed, each with a readable, stable id."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoglot.batching.strategies import STRATEGIES
from isoglot.errors import InputError
from isoglot.files import digest_file, digest_json
from isoglot.models.tunings import TUNINGS
from isoglot.settings import member_options, to_dict
from isoglot.study.layout import SCHEMA
from isoglot.study.spec import DataSpec, StudySpec, benchmark_name
from isoglot.study.stages import Stage
from isoglot.study.stages.train import Train, TuningSpec
from isoglot.study.systems import BASE, System
from isoglot.training.settings import TrainSettings

RateKey = tuple[str, str, str]
"""What a learning rate is chosen for: names of data, base and tuning."""
Rates = Mapping[RateKey, float]
"""Learning rates that were chosen among candidates."""


@dataclass(frozen=True)
class Run:
    """One system on one base.

    Attributes:
        id: readable, and stable when the study grows.
        base: base model.
        system: what is done to it.
        benchmarks: measured in the end, as the spec names them.
        data: the pairs; None where nothing is done.
        seed: None where no stage has one.
        amount: share of the groups of pairs.
    """

    id: str
    base: str
    system: System
    benchmarks: tuple[str, ...]
    data: DataSpec | None = None
    seed: int | None = None
    amount: float = 1.0

    @property
    def kind(self) -> str:
        """`base` is measured as it is; `trained` has a stage that trains, `transformed` has others only."""
        if not self.system.stages:
            return "base"
        return "trained" if self.system.training else "transformed"

    def rate_keys(self) -> list[RateKey]:
        """Of its training stages."""
        return [rate_key(self.data, self.base, tuning) for tuning in self.system.tunings()] if self.data else []


def rate_key(data: DataSpec, base: str, tuning: TuningSpec) -> RateKey:
    return data.name, base, tuning.name


def runs_of(spec: StudySpec) -> list[Run]:
    """All runs in their order: bases first, then one seed after the other. InputError where two would have one id."""
    _, *systems = spec.all_systems()
    runs = []
    for base in spec.base:
        measured = dict.fromkeys(name for data in spec.data for name in spec.benchmarks_of(data))
        runs.append(Run(f"{BASE.key}.{slug(base)}", base, BASE, tuple(measured)))
    for seed in (None, *spec.seeds):
        runs += [
            _run(spec, data, base, amount, system, seed)
            for data in spec.data
            for base in spec.base
            for amount in data.amount
            for system in systems
            if system.uses_seed == (seed is not None)
        ]
    known: dict[str, Run] = {}
    for run in runs:
        if (other := known.setdefault(run.id, run)) is not run:
            raise InputError(
                f"{_describe(other)} and {_describe(run)} would both have the id '{run.id}'; change a name"
            )
    return runs


def _run(spec: StudySpec, data: DataSpec, base: str, amount: float, system: System, seed: int | None) -> Run:
    parts = [data.name, slug(base), system.key]
    parts += [] if seed is None else [f"s{seed}"]
    parts += [] if amount == 1.0 else [f"a{amount:g}"]
    return Run(".".join(parts), base, system, spec.benchmarks_of(data), data, seed, amount)


def _describe(run: Run) -> str:
    stages = json.dumps([stage.written() for stage in run.system.stages])
    return f"system '{run.system.name}' {stages} on base '{run.base}' with amount {run.amount!r}"


def slug(base: str) -> str:
    """A base's name for a file: `offline-multilingual-e5-small`; of a directory its last part and a digest of the path."""
    text = re.sub(r"[^A-Za-z0-9]+", "-", Path(base).name if Path(base).is_dir() else base).strip("-").lower()
    if Path(base).is_dir():
        return f"{text}-{hashlib.sha256(base.encode()).hexdigest()[:6]}"
    return text


def stages_of(spec: StudySpec, run: Run, rates: Rates) -> list[Stage]:
    """The stages of a run with all that decides them."""
    stages = []
    for stage in run.system.stages:
        if isinstance(stage, Train):
            assert run.data is not None
            only = spec.rates_of(stage.tuning)
            rate = rates.get(rate_key(run.data, run.base, stage.tuning), only[0] if only else None)
            stage = complete(spec, stage, run.data, run.base, run.seed, rate)
        stages.append(stage)
    return stages


def complete(
    spec: StudySpec, stage: Train, data: DataSpec, base: str, seed: int | None, rate: float | None, **more: Any
) -> Train:
    """A training stage with all settings of `isoglot train`; `rate` None is the tuning's default."""
    fixed = {"pairs": list(data.pairs), "base": base, "languages": list(data.languages), "seed": seed}
    rates = {} if rate is None else {"learning_rate": rate}
    return stage.complete({**spec.train_values(stage.tuning), **rates, **more, **fixed})


def settings_of(spec: StudySpec, run: Run, rates: Rates) -> TrainSettings | None:
    """The settings of the last training of a run; None where it has none."""
    trainings = [stage for stage in stages_of(spec, run, rates) if isinstance(stage, Train)]
    return trainings[-1].settings() if trainings else None


def weights_digests(stages: Sequence[Stage], base: str, pairs: str) -> list[str]:
    """What decides the weights after each stage; `base` and `pairs` are the digests of the base and of the training pairs."""
    digests: list[str] = []
    for stage in stages:
        digests.append(stage.digest(digests[-1] if digests else base, pairs))
    return digests


def base_digest(location: str) -> str:
    """SHA-256 of a base's files where they lie in a directory, else of its name on the hub."""
    directory = Path(location)
    if not directory.is_dir():
        return digest_json({"hub": location})
    files = sorted(path for path in directory.rglob("*") if path.is_file() and not path.name.startswith("."))
    return digest_json({str(path.relative_to(directory)): digest_file(path) for path in files})


def evaluation_digests(spec: StudySpec, run: Run, benchmarks: Mapping[str, str]) -> dict[str, str]:
    """What decides the figures of a run besides its weights, by name of benchmark; `benchmarks` are their digests."""
    asked = {key: value for key, value in to_dict(spec.evaluate).items() if key != "batch_size"}
    return {
        benchmark_name(name): digest_json({"schema": SCHEMA, "evaluate": asked, "benchmark": benchmarks[name]})
        for name in run.benchmarks
    }


def describe_run(
    run: Run, stages: Sequence[Stage], digest: str, languages: tuple[str, ...], steps: int
) -> dict[str, Any]:
    """The keys of a run's record that are known before it begins. Strategy, tuning and so on are those of its last training."""
    training = next((stage for stage in reversed(stages) if isinstance(stage, Train)), None)
    settings = training.settings() if training else None
    return {
        "id": run.id,
        "digest": digest,
        "kind": run.kind,
        "system": run.system.name,
        "label": run.system.label,
        "stages": [stage.written() for stage in stages],
        "data": run.data.name if run.data else None,
        "base": run.base,
        "strategy": training and training.strategy.name,
        **{key: getattr(training.strategy, key, None) if training else None for key in member_options(STRATEGIES)},
        "tuning": training and _describe_tuning(training.tuning),
        "seed": run.seed,
        "amount": run.amount,
        "languages": list(languages),
        "learning_rate": settings.peak_learning_rate() if settings else None,
        "steps": steps,
        "batch_size": settings.plan.batch_size if settings else 0,
    }


def _describe_tuning(tuning: TuningSpec) -> dict[str, Any]:
    """Its settings, with nothing ([] for lists) for those of other tunings."""
    nothing: dict[str, Any] = {
        key: [] if field.default == () else None for key, field in member_options(TUNINGS).items()
    }
    return {"name": tuning.name, "kind": tuning.kind, **nothing, **to_dict(tuning)}
