"""Learning rates: each candidate is tried on a part of the training pairs and judged by its loss on the rest of them.

No benchmark is looked at. One choice per (data, base, tuning) serves all strategies, seeds and amounts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from isoglot.files import read_json
from isoglot.study.inputs import Inputs
from isoglot.study.jobs import Job
from isoglot.study.layout import Layout
from isoglot.study.runs import RateKey, complete, rate_key, slug
from isoglot.study.spec import DataSpec, StudySpec
from isoglot.study.stages.train import Train, TuningSpec


@dataclass
class Trials:
    """All trials of a study.

    Attributes:
        jobs: by key, in the order of the candidates.
        fixed: learning rates that need no trial; None: the default of `isoglot train`.
    """

    jobs: dict[RateKey, list[Job]] = field(default_factory=dict)
    fixed: dict[RateKey, float | None] = field(default_factory=dict)

    def all(self) -> list[Job]:
        """Every trial."""
        return [job for jobs in self.jobs.values() for job in jobs]


def plan_trials(spec: StudySpec, layout: Layout, inputs: Inputs) -> Trials:
    """The trials that a spec asks for: none where it gives one learning rate, or a stage has its own."""
    stages = [stage for system in spec.all_systems() for stage in system.stages if isinstance(stage, Train)]
    tunings = {stage.tuning.name: stage.tuning for stage in stages if stage.values.get("learning_rate") is None}
    trials = Trials()
    for data in spec.data:
        for base in spec.base:
            for tuning in tunings.values():
                key = rate_key(data, base, tuning)
                rates = spec.rates_of(tuning)
                if len(rates) < 2:
                    trials.fixed[key] = rates[0] if rates else None
                else:
                    trials.jobs[key] = [
                        _trial(spec, layout, inputs, data, base, tuning, rate) for rate in sorted(rates)
                    ]
    return trials


def trial_stage(spec: StudySpec, data: DataSpec, base: str, tuning: TuningSpec, rate: float) -> Train:
    """The training of a trial: that of a cell, with the strategy, seed and steps that the spec states for the choice."""
    asked = spec.selection
    steps = {"steps": asked.steps, "epochs": None} if asked.steps else {}
    more = {
        "validation_share": asked.validation_share,
        "validation_steps": asked.validation_steps,
        "patience": 0,
        **steps,
        "eval_steps": asked.steps or spec.train_values(tuning).get("steps") or 0,  # one validation, at the end
    }
    return complete(spec, Train(strategy=asked.strategy, tuning=tuning), data, base, asked.seed, rate, **more)


def trial_name(data: str, base: str, tuning: str, rate: float) -> str:
    """The folder of a trial."""
    return f"{data}.{slug(base)}.{tuning}.lr{rate:g}"


def _trial(
    spec: StudySpec, layout: Layout, inputs: Inputs, data: DataSpec, base: str, tuning: TuningSpec, rate: float
) -> Job:
    stage = trial_stage(spec, data, base, tuning, rate)
    name = trial_name(data.name, base, tuning.name, rate)
    pairs = inputs.table_digest(data, max(data.amount))
    return Job(
        id=f"selection/{name}",
        folder=layout.trial(name),
        base=base,
        weights_digest=stage.digest(inputs.bases[base], pairs),
        evaluate=spec.evaluate,
        stage=stage,
        table=layout.pairs(pairs),
        purpose="trial",
        kind=f"selection {tuning.kind}",
        steps=stage.settings().steps or 0,
    )


def trial_record(job: Job, error: str | None) -> dict[str, Any]:
    """What is kept of a job that is no run: a trial, or a stage that systems begin with."""
    facts = {} if error else read_json(job.folder.outcome)["train"] or {}
    return {
        "digest": job.digest,
        "status": "failed" if error else "done",
        "error": error,
        "learning_rate": job.stage.values.get("learning_rate") if isinstance(job.stage, Train) else None,
        "validation_loss": facts.get("validation_loss"),
    }


def choose(
    trials: Trials, spec: StudySpec
) -> tuple[dict[RateKey, float | None], list[dict[str, Any]], dict[RateKey, str]]:
    """The chosen learning rates, what results.json says of them, and why there is none where all trials failed."""
    chosen = dict(trials.fixed)
    described, problems = [], {}
    for key, jobs in trials.jobs.items():
        records = [read_json(job.folder.record) for job in jobs]
        measured = [record for record in records if record["validation_loss"] is not None]
        if measured:
            best = min(measured, key=lambda record: (record["validation_loss"], record["learning_rate"]))
            chosen[key] = best["learning_rate"]
        else:
            problems[key] = f"no learning rate could be chosen: {records[0]['error']}"
        described.append(_describe(key, records, chosen.get(key), spec))
    return chosen, described, problems


def _describe(
    key: RateKey, records: Sequence[Mapping[str, Any]], chosen: float | None, spec: StudySpec
) -> dict[str, Any]:
    data, base, tuning = key
    names = ("learning_rate", "validation_loss")
    return {
        "data": data,
        "base": base,
        "tuning": tuning,
        "strategy": spec.selection.strategy.name,
        "candidates": [{name: record[name] for name in names} for record in records],
        "chosen": chosen,
    }
