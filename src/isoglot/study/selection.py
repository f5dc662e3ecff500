"""Learning rates: each candidate is tried on a part of the training pairs and judged by its loss on the rest of them.

No benchmark is looked at. One choice per (data, base, tuning) serves all strategies, seeds and amounts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isoglot.files import read_json
from isoglot.study.inputs import Inputs
from isoglot.study.jobs import Job
from isoglot.study.layout import Layout
from isoglot.study.runs import RateKey, complete, rate_key, slug
from isoglot.study.spec import DataSpec, StudySpec
from isoglot.study.stages.train import Train, TuningSpec

Trials = dict[RateKey, list[Job]]
"""By what the learning rate is chosen for: one trial per candidate, none where there is at most one."""


def plan_trials(spec: StudySpec, layout: Layout, inputs: Inputs) -> Trials:
    """The trials that a spec asks for. Stages with a learning rate of their own need none."""
    stages = [stage for system in spec.all_systems() for stage in system.stages if isinstance(stage, Train)]
    tunings = {stage.tuning.name: stage.tuning for stage in stages if stage.values.get("learning_rate") is None}
    trials: Trials = {}
    for data in spec.data:
        for base in spec.base:
            for tuning in tunings.values():
                rates = sorted(spec.rates_of(tuning))
                jobs = [_trial(spec, layout, inputs, data, base, tuning, rate) for rate in rates]
                trials[rate_key(data, base, tuning)] = jobs if len(rates) > 1 else []
    return trials


def trial_stage(spec: StudySpec, data: DataSpec, base: str, tuning: TuningSpec, rate: float) -> Train:
    """The training of a trial: that of a run, with the strategy, seed and steps that the spec states for the choice."""
    asked = spec.selection
    more = {
        "validation_share": asked.validation_share,
        "validation_steps": asked.validation_steps,
        "patience": 0,
        **({"steps": asked.steps, "epochs": None} if asked.steps else {}),
        "eval_steps": asked.steps or spec.train_values(tuning).get("steps") or 0,  # one validation, at the end
    }
    return complete(spec, Train(strategy=asked.strategy, tuning=tuning), data, base, asked.seed, rate, **more)


def _trial(
    spec: StudySpec, layout: Layout, inputs: Inputs, data: DataSpec, base: str, tuning: TuningSpec, rate: float
) -> Job:
    stage = trial_stage(spec, data, base, tuning, rate)
    name = f"{data.name}.{slug(base)}.{tuning.name}.lr{rate:g}"
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
    trained = {} if error else read_json(job.folder.outcome)["train"] or {}
    return {
        "digest": job.digest,
        "status": "failed" if error else "done",
        "error": error,
        "learning_rate": job.stage.values.get("learning_rate") if isinstance(job.stage, Train) else None,
        "validation_loss": trained.get("validation_loss"),
    }


def choose(
    trials: Mapping[RateKey, Sequence[Job]], spec: StudySpec
) -> tuple[dict[RateKey, float], list[dict[str, Any]], dict[RateKey, str]]:
    """The chosen learning rates, what results.json says of them, and why there is none where all trials failed.

    Rates that are not among the chosen are the spec's only one, or the default of `isoglot train`.
    """
    chosen: dict[RateKey, float] = {}
    described, problems = [], {}
    for key, jobs in trials.items():
        if not jobs:
            continue
        records = [read_json(job.folder.record) for job in jobs]
        measured = [record for record in records if record["validation_loss"] is not None]
        if measured:
            best = min(measured, key=lambda record: (record["validation_loss"], record["learning_rate"]))
            chosen[key] = best["learning_rate"]
        else:
            problems[key] = f"no learning rate could be chosen: {records[0]['error']}"
        names = ("learning_rate", "validation_loss")
        described.append(
            {
                **dict(zip(("data", "base", "tuning"), key)),
                "strategy": spec.selection.strategy.name,
                "candidates": [{name: record[name] for name in names} for record in records],
                "chosen": chosen.get(key),
            }
        )
    return chosen, described, problems
