"""The runs of a study: every system on every base and training set with every seed, each with a readable, stable id."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, count, product
from pathlib import Path
from typing import Any, NamedTuple

from isoglot.errors import InputError
from isoglot.files import digest_json
from isoglot.settings import to_dict
from isoglot.study.layout import SCHEMA
from isoglot.study.spec import DataSpec, StudySpec, benchmark_name
from isoglot.study.stages import Stage
from isoglot.study.stages.train import Train
from isoglot.study.systems import BASE, System, strategy_key
from isoglot.tables import exact


class RateKey(NamedTuple):
    """What a learning rate is chosen for.

    Attributes:
        data, base, tuning: names.
        recipe: name of one way to train, see `recipes`; "" where one choice serves all.
    """

    data: str
    base: str
    tuning: str
    recipe: str = ""


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
        return "trained" if self.system.tunings() else "transformed"

    def rate_keys(self, spec: StudySpec) -> list[RateKey]:
        """Of those of its training stages that have no learning rate of their own."""
        stages = [stage for stage in self.system.stages if isinstance(stage, Train) and stage.needs_rate]
        return [rate_key(spec, self.data, self.base, stage) for stage in stages] if self.data else []


def runs_of(spec: StudySpec) -> list[Run]:
    """All runs in their order: bases first, then one seed after the other. InputError where two would have one id."""
    _, *systems = spec.all_systems()
    measured = tuple(dict.fromkeys(name for data in spec.data for name in spec.benchmarks_of(data)))
    runs = [Run(f"{BASE.key}.{slug(base)}", base, BASE, measured) for base in spec.base]
    for seed, data, base in product((None, *spec.seeds), spec.data, spec.base):
        for amount, system in product(data.amount, systems):
            if system.has_seed == (seed is not None):
                words = [data.name, slug(base), system.key]
                words += [] if seed is None else [f"s{seed}"]
                words += [] if amount == 1.0 else [f"a{exact(amount)}"]
                runs.append(Run(".".join(words), base, system, spec.benchmarks_of(data), data, seed, amount))
    known: dict[str, Run] = {}
    for run in runs:
        if (other := known.setdefault(run.id, run)) is not run:
            raise InputError(
                f"{_describe(other)} and {_describe(run)} would both have the id '{run.id}'; change a name"
            )
    return runs


def _describe(run: Run) -> str:
    stages = json.dumps([stage.written() for stage in run.system.stages])
    return f"system '{run.system.name}' {stages} on base '{run.base}' with amount {run.amount!r}"


def slug(base: str) -> str:
    """A base's name for a file: `offline-multilingual-e5-small`; of a directory its last part and a digest of the path."""
    path = Path(base)
    text = re.sub(r"[^A-Za-z0-9]+", "-", path.name if path.is_dir() else base).strip("-").lower()
    return f"{text}-{hashlib.sha256(base.encode()).hexdigest()[:6]}" if path.is_dir() else text


def stages_of(spec: StudySpec, run: Run, rates: Rates) -> list[Stage]:
    """The stages of a run with all that decides them."""
    stages = []
    for stage in run.system.stages:
        if isinstance(stage, Train):
            assert run.data is not None
            only = spec.rates_of(stage.tuning)
            rate = rates.get(rate_key(spec, run.data, run.base, stage), only[0] if only else None)
            stage = complete(spec, stage, run.data, run.base, run.seed, rate)
        elif run.seed is not None:
            stage = stage.seeded(run.seed)
        stages.append(stage)
    return stages


def recipes(spec: StudySpec) -> dict[str, tuple[str, Train]]:
    """The ways to train that get a learning rate each with `selection.per: strategy`, by a digest of the stage as it is written.

    With each, its name: that of its strategy, `hybrid-0.5`; of a stage with settings of its own the name of its system (the first
    that has it). And the stage itself. Stages with a learning rate of their own are not among them.
    """
    found: dict[str, tuple[str, Train]] = {}
    for system in spec.all_systems():
        for stage in system.stages:
            if isinstance(stage, Train) and stage.needs_rate and (key := digest_json(stage.written())) not in found:
                first = system.name if stage.values else strategy_key(stage.strategy)
                taken = {(name, other.tuning.name) for name, other in found.values()}
                names = (first if number == 1 else f"{first}-{number}" for number in count(1))
                found[key] = next(name for name in names if (name, stage.tuning.name) not in taken), stage
    return found


def rate_key(spec: StudySpec, data: DataSpec, base: str, stage: Train) -> RateKey:
    """What the learning rate of a stage, as the spec has it, is chosen for."""
    per = spec.selection.per == "strategy" and stage.needs_rate
    return RateKey(data.name, base, stage.tuning.name, recipes(spec)[digest_json(stage.written())][0] if per else "")


def named_choice(choice: Mapping[str, Any]) -> str:
    """What a choice in results.json was for, such as `lora on mlqa-r` or `lora (cross) on mlqa-r`."""
    recipe = choice.get("recipe")
    return f"{choice['tuning']}{f' ({recipe})' if recipe else ''} on {choice['data']}"


def complete(
    spec: StudySpec, stage: Train, data: DataSpec, base: str, seed: int | None, rate: float | None, **more: Any
) -> Train:
    """A training stage with all settings of `isoglot train`; its own stay, and `rate` None is the tuning's default."""
    fixed = {"pairs": list(data.pairs), "base": base, "languages": list(data.languages), "seed": seed}
    rates = {} if rate is None else {"learning_rate": rate}
    values = {**spec.train_values(stage.tuning), **rates, **more, **fixed, **stage.values}
    return Train(strategy=stage.strategy, tuning=stage.tuning, values=values)


def weights_digests(
    stages: Sequence[Stage], base: str, pairs: str, documents: str = "", models: Mapping[str, str] | None = None
) -> list[str]:
    """What decides the weights after each stage; the others are the digests of base, training pairs and their documents, and of
    the models of systems by name that stages need beside."""

    def after(start: str, stage: Stage) -> str:
        return stage.digest(start, pairs, documents, [(models or {})[name] for name in stage.beside])

    return list(accumulate(stages, after, initial=base))[1:]


def runs_beside(run: Run, runs: Sequence[Run]) -> dict[str, Run]:
    """The runs of the systems that its stages need beside, by the name of the system."""
    names = {name for stage in run.system.stages for name in stage.beside}
    same = (run.data, run.base, run.amount)
    return {
        other.system.name: other
        for other in runs
        if other.system.name in names
        and (other.data, other.base, other.amount) == same
        and other.seed in (None, run.seed)
    }


def data_with_documents(spec: StudySpec) -> set[str]:
    """Names of the data whose documents decide some run."""
    runs = ((run.data.name, stages_of(spec, run, {})) for run in runs_of(spec) if run.data)
    return {name for name, stages in runs if any(stage.uses_documents for stage in stages)}


def evaluation_digests(spec: StudySpec, run: Run, benchmarks: Mapping[str, str]) -> dict[str, str]:
    """What decides the figures of a run besides its weights, by name of benchmark; `benchmarks` are their digests."""

    def digest(name: str) -> str:
        asked = {key: value for key, value in to_dict(spec.evaluate_of(name)).items() if key != "batch_size"}
        return digest_json({"schema": SCHEMA, "evaluate": asked, "benchmark": benchmarks[name]})

    return {benchmark_name(name): digest(name) for name in run.benchmarks}
