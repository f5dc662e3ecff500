"""Learning rates: each candidate is tried on a part of the training pairs and judged by its loss on the rest of them.

No benchmark is looked at. One choice per (data, base, tuning) serves all strategies, seeds and amounts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from isoglot.files import read_json
from isoglot.study.inputs import Inputs
from isoglot.study.jobs import Job
from isoglot.study.plan import make_job
from isoglot.study.runs import RateKey, complete, slug
from isoglot.study.spec import DataSpec, StudySpec
from isoglot.study.stages.train import Train, TuningSpec

Trials = dict[RateKey, list[Job]]
"""By what the learning rate is chosen for: one trial per candidate."""


def plan_trials(inputs: Inputs) -> Trials:
    """The trials that a spec asks for, where there are several candidates. Stages with a learning rate of their own need none."""
    spec, trials = inputs.spec, Trials()
    stages = [stage for system in spec.all_systems() for stage in system.stages if isinstance(stage, Train)]
    tunings = {stage.tuning.name: stage.tuning for stage in stages if stage.values.get("learning_rate") is None}
    for data, base, tuning in product(spec.data, spec.base, tunings.values()):
        amount, rates = max(data.amount), sorted(spec.rates_of(tuning))
        for rate in rates if len(rates) > 1 else ():
            stage = trial_stage(spec, data, base, tuning, rate)
            name = f"{data.name}.{slug(base)}.{tuning.name}.lr{rate:g}"
            job = make_job(
                inputs,
                base,
                data,
                amount,
                id=f"selection/{name}",
                folder=inputs.layout.trial(name),
                weights_digest=stage.digest(inputs.bases[base], inputs.table_digest(data, amount)),
                stage=stage,
                purpose="trial",
                steps=stage.settings().steps or 0,
            )
            trials.setdefault((data.name, base, tuning.name), []).append(job)
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


def choose(
    trials: Mapping[RateKey, Sequence[Job]], strategy: str
) -> tuple[dict[RateKey, float], list[dict[str, Any]], dict[RateKey, str]]:
    """The chosen learning rates, what results.json says of them, and why there is none where all trials failed.

    Rates that are not among the chosen are the spec's only one, or the default of `isoglot train`. `strategy` was tried.
    """
    chosen: dict[RateKey, float] = {}
    described, problems = [], {}
    names = ("learning_rate", "validation_loss")
    for key, jobs in trials.items():
        records = [read_json(job.folder.record) for job in jobs]
        measured = [record for record in records if record["validation_loss"] is not None]
        if measured:
            best = min(measured, key=lambda record: (record["validation_loss"], record["learning_rate"]))
            chosen[key] = best["learning_rate"]
        else:
            problems[key] = f"no learning rate could be chosen: {records[0]['error']}"
        described.append(
            {
                **dict(zip(("data", "base", "tuning"), key)),
                "strategy": strategy,
                "candidates": [{name: record[name] for name in names} for record in records],
                "chosen": chosen.get(key),
            }
        )
    return chosen, described, problems
