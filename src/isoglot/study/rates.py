"""Learning rates that are chosen among candidates before the runs of a study.

Each candidate is tried on a part of the training pairs and judged by its loss on the rest of them. No benchmark is looked at.
One choice per (data, base, tuning) serves all strategies, seeds and amounts; with `selection.per: strategy` every strategy with
its settings has one, and every training stage with settings of its own. A trial begins at the base, whatever stages come before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from isoglot.files import read_json
from isoglot.study.inputs import Inputs
from isoglot.study.jobs import Job
from isoglot.study.runs import RateKey, complete, rate_key, recipes, slug
from isoglot.study.spec import DataSpec, StudySpec
from isoglot.study.stages.train import Train
from isoglot.tables import exact

Trials = dict[RateKey, list[Job]]
"""By what the learning rate is chosen for: one trial per candidate."""


def plan_trials(inputs: Inputs) -> Trials:
    """The trials that a spec asks for, where there are several candidates. Stages with a learning rate of their own need none."""
    spec, trials = inputs.spec, Trials()
    for data, base, tried in product(spec.data, spec.base, stages_to_try(spec).values()):
        amount, rates = max(data.amount), sorted(spec.rates_of(tried.tuning))
        key = rate_key(spec, data, base, tried)
        words = [data.name, slug(base), *filter(None, [key.recipe]), key.tuning]
        for rate in rates if len(rates) > 1 else ():
            stage = trial_stage(spec, data, base, tried, rate)
            name = f"{'.'.join(words)}.lr{exact(rate)}"
            job = Job(
                id=f"selection/{name}",
                folder=inputs.layout.trial(name),
                base=base,
                weights_digest=stage.digest(inputs.bases[base], *inputs.digests_of((data.name, amount))),
                stage=stage,
                request=inputs.request(data, amount),
                purpose="trial",
                steps=stage.settings().steps or 0,
            )
            trials.setdefault(key, []).append(job)
    return trials


def stages_to_try(spec: StudySpec) -> dict[tuple[str, str], Train]:
    """By (tuning, recipe), the stages that candidates are tried with; see `isoglot.study.runs.recipes`."""
    asked = spec.selection
    own = {(stage.tuning.name, recipe): stage for recipe, stage in recipes(spec).values()}
    if asked.per == "strategy":
        return own
    return {(name, ""): Train(strategy=asked.strategy, tuning=stage.tuning) for (name, _), stage in own.items()}


def trial_stage(spec: StudySpec, data: DataSpec, base: str, tried: Train, rate: float) -> Train:
    """The training of a trial: that of a run, with the seed and steps that the spec states for the choice."""
    asked = spec.selection
    steps = asked.steps or tried.values.get("steps") or spec.train_values(tried.tuning).get("steps")
    more = {
        "validation_share": asked.validation_share,
        "validation_steps": asked.validation_steps,
        "patience": 0,
        **({"steps": asked.steps, "epochs": None} if asked.steps else {}),
        "eval_steps": steps or 0,  # one validation, at the end
    }
    values = {key: value for key, value in tried.values.items() if key not in more}
    stage = Train(strategy=tried.strategy, tuning=tried.tuning, values=values)
    return complete(spec, stage, data, base, asked.seed, rate, **more)


def choose(
    trials: Mapping[RateKey, Sequence[Job]], spec: StudySpec
) -> tuple[dict[RateKey, float], list[dict[str, Any]], dict[RateKey, str]]:
    """The chosen learning rates, what results.json says of them, and why there is none where all trials failed.

    Rates that are not among the chosen are the spec's only one, or the default of `isoglot train`.
    """
    chosen: dict[RateKey, float] = {}
    described, problems = [], {}
    names, stages = ("learning_rate", "validation_loss"), stages_to_try(spec)
    for key, jobs in trials.items():
        records = [read_json(job.folder.record) for job in jobs]
        measured = [record for record in records if record["validation_loss"] is not None]
        if measured:
            best = min(measured, key=lambda record: (record["validation_loss"], record["learning_rate"]))
            chosen[key] = best["learning_rate"]
        else:
            problems[key] = f"no learning rate could be chosen: {records[0]['error']}"
        strategy = stages[key.tuning, key.recipe].strategy
        described.append(
            {
                **{name: value for name, value in key._asdict().items() if value},
                "strategy": strategy.label if key.recipe else strategy.name,
                "candidates": [{name: record[name] for name in names} for record in records],
                "chosen": chosen.get(key),
            }
        )
    return chosen, described, problems


def order_of(choice: Mapping[str, Any]) -> tuple[str, ...]:
    """By what the choices in results.json are sorted."""
    return (choice["data"], choice["base"], choice["tuning"], choice.get("recipe", ""))
