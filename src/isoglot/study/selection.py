"""Learning rates: each candidate is tried on a part of the training pairs and judged by its loss on the rest of them.

No benchmark is looked at. One choice per (data, base, tuning) serves all strategies, seeds and amounts of the grid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isoglot.files import read_json
from isoglot.study.inputs import Material
from isoglot.study.jobs import RECORD, Job
from isoglot.study.runs import Cell, settings_of, slug, train_digest
from isoglot.study.spec import DataSpec, StudySpec, TuningSpec
from isoglot.training.settings import TrainSettings

Key = tuple[str, str, str]
"""(data, base, tuning) by name."""


@dataclass
class Trials:
    """All trials of a study.

    Attributes:
        jobs: by key, in the order of the candidates.
        fixed: learning rates that need no trial; None: the default of `isoglot train`.
    """

    jobs: dict[Key, list[Job]] = field(default_factory=dict)
    fixed: dict[Key, float | None] = field(default_factory=dict)

    def all(self) -> list[Job]:
        """Every trial."""
        return [job for part in self.jobs.values() for job in part]


def plan_trials(spec: StudySpec, home: Path, material: Material) -> Trials:
    """The trials that a spec asks for: none where it gives one learning rate."""
    trials = Trials()
    for data in spec.data:
        for base in spec.base:
            for tuning in spec.tuning:
                key = (data.name, base, tuning.name)
                rates = spec.rates_of(tuning)
                if len(rates) < 2:
                    trials.fixed[key] = rates[0] if rates else None
                    continue
                trials.jobs[key] = [_trial(spec, home, material, data, base, tuning, rate) for rate in sorted(rates)]
    return trials


def trial_settings(spec: StudySpec, data: DataSpec, base: str, tuning: TuningSpec, rate: float) -> TrainSettings:
    """The settings of a trial: those of a cell, with the strategy, seed and steps that the spec states for the choice."""
    asked = spec.selection
    share = asked.mono_share if asked.strategy == "hybrid" else None
    cell = Cell("trial", "trained", base, (), data, asked.strategy, share, tuning, asked.seed, max(data.amount))
    settings = settings_of(spec, cell, rate)
    steps = {"steps": asked.steps, "epochs": None} if asked.steps else {}
    held_out = {"validation_share": asked.validation_share, "validation_steps": asked.validation_steps}
    more = {**held_out, "patience": 0, **steps}
    # one validation, at the end
    return _replace(settings, {**more, "eval_steps": asked.steps or settings.steps or 0})


def _replace(settings: TrainSettings, values: Mapping[str, Any]) -> TrainSettings:
    from dataclasses import replace

    return replace(settings, **values)


def trial_name(data: str, base: str, tuning: str, rate: float) -> str:
    """The folder of a trial."""
    return f"{data}.{slug(base)}.{tuning}.lr{rate:g}"


def _trial(
    spec: StudySpec, home: Path, material: Material, data: DataSpec, base: str, tuning: TuningSpec, rate: float
) -> Job:
    settings = trial_settings(spec, data, base, tuning, rate)
    name = trial_name(data.name, base, tuning.name, rate)
    amount = max(data.amount)
    return Job(
        id=f"selection/{name}",
        folder=home / "selection" / name,
        base=base,
        settings=settings,
        table=material.files[data.name, amount],
        benchmarks={},
        evaluate=spec.evaluate,
        train_digest=train_digest(settings, material.table_digest(data, amount), material.bases[base]),
        kind=f"selection {tuning.kind}",
        steps=settings.steps or 0,
    )


def trial_record(job: Job, error: str | None) -> dict[str, Any]:
    """What is kept of a trial."""
    assert job.settings is not None
    loss = None if error else read_json(job.folder / "outcome.json")["train"]["validation_loss"]
    return {
        "digest": job.digest,
        "status": "failed" if error else "done",
        "error": error,
        "learning_rate": job.settings.learning_rate,
        "validation_loss": loss,
    }


def choose(trials: Trials, spec: StudySpec) -> tuple[dict[Key, float | None], list[dict[str, Any]], dict[Key, str]]:
    """The chosen learning rates, what results.json says of them, and why there is none where all trials failed."""
    chosen = dict(trials.fixed)
    described, problems = [], {}
    for key, jobs in trials.jobs.items():
        records = [read_json(job.folder / RECORD) for job in jobs]
        good = [record for record in records if record["validation_loss"] is not None]
        if good:
            chosen[key] = min(good, key=lambda record: (record["validation_loss"], record["learning_rate"]))[
                "learning_rate"
            ]
        else:
            problems[key] = f"no learning rate could be chosen: {records[0]['error']}"
        described.append(_describe(key, records, chosen.get(key), spec))
    return chosen, described, problems


def _describe(key: Key, records: Sequence[Mapping[str, Any]], chosen: float | None, spec: StudySpec) -> dict[str, Any]:
    return {
        "data": key[0],
        "base": key[1],
        "tuning": key[2],
        "strategy": spec.selection.strategy,
        "candidates": [
            {"learning_rate": record["learning_rate"], "validation_loss": record["validation_loss"]}
            for record in records
        ],
        "chosen": chosen,
    }
