"""From the runs of a study to jobs. Systems that begin alike share the jobs of their first stages.

Before them, learning rates are chosen: each candidate is tried on a part of the training pairs and judged by its loss on the
rest of them. No benchmark is looked at. One choice per (data, base, tuning) serves all strategies, seeds and amounts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from isoglot.batching.plan import BatchPlan
from isoglot.batching.strategies import STRATEGIES
from isoglot.errors import at
from isoglot.files import digest_json, read_json
from isoglot.models.tunings import TUNINGS
from isoglot.settings import member_options, to_dict
from isoglot.study.inputs import Inputs
from isoglot.study.jobs import Job
from isoglot.study.runs import RateKey, Rates, Run, complete, evaluation_digests, slug, stages_of, weights_digests
from isoglot.study.spec import DataSpec, StudySpec, benchmark_name
from isoglot.study.stages import Stage
from isoglot.study.stages.train import Train, TuningSpec
from isoglot.tables import exact


def check_runs(inputs: Inputs, runs: Sequence[Run]) -> None:
    """InputError, with the id of the run, where one could not be trained as asked."""
    seen = set()
    for run in runs:
        for stage in stages_of(inputs.spec, run, {}):
            if not isinstance(stage, Train) or run.data is None:
                continue
            with at(f"cell {run.id}"):
                settings = stage.settings()
                key = (run.data.name, run.amount, digest_json({**to_dict(settings.plan), "seed": 0}))
                table = inputs.tables[run.data.name, run.amount]
                settings.negatives.check_table(table)
                if key not in seen:
                    settings.total_steps(BatchPlan(table.index, settings.plan).steps_per_epoch)
                seen.add(key)


def _request(inputs: Inputs, data: DataSpec | None, amount: float, benchmarks: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "table": str(inputs.file_of((data.name, amount)).resolve()) if data else None,
        "benchmarks": {benchmark_name(benchmark): benchmark for benchmark in benchmarks},
        "evaluate": to_dict(inputs.spec.evaluate),
        "store": str(inputs.layout.store.resolve()),
        "data_dir": str(inputs.data_dir) if inputs.data_dir else None,
    }


def plan_runs(inputs: Inputs, runs: Sequence[Run], rates: Rates) -> tuple[dict[str, Job], dict[str, dict[str, Any]]]:
    """The jobs of all runs, and of stages that runs begin with and none ends with.

    Args:
        inputs: of the study.
        runs: of the study.
        rates: chosen learning rates; runs whose rate is not among them get the tuning's default.

    Returns:
        The jobs by id, each behind the one that it goes on from; and by id of run what is known of it before it begins, as its
        record has it.
    """
    spec, layout = inputs.spec, inputs.layout
    chains: dict[str, list[tuple[Stage | None, str]]] = {}  # stages, each with the digest of what it makes
    ends: dict[str, Run] = {}
    for run in runs:
        stages, base = stages_of(spec, run, rates), inputs.bases[run.base]
        pairs = inputs.digests_of((run.data.name, run.amount)) if run.data else ("", "")
        digests = weights_digests(stages, base, *pairs)
        chains[run.id] = list(zip(stages, digests)) or [(None, base)]
        ends.setdefault(chains[run.id][-1][1], run)
    jobs: dict[str, Job] = {}
    for run in runs:
        after, end = None, chains[run.id][-1][1]
        for stage, digest in chains[run.id]:
            owner = run if digest == end else ends.get(digest)
            folder = layout.cell(owner.id) if owner else layout.stage(digest)
            name = owner.id if owner else f"stages/{folder.path.name}"
            if name not in jobs:
                jobs[name] = Job(
                    id=name,
                    folder=folder,
                    base=run.base,
                    weights_digest=digest,
                    stage=stage,
                    after=after,
                    evaluations=evaluation_digests(spec, owner, inputs.benchmark_digests) if owner else {},
                    request=_request(inputs, run.data, run.amount, owner.benchmarks if owner else ()),
                    purpose="run" if owner else "stage",
                    steps=_steps(inputs, run, stage),
                )
            after = jobs[name]
    made = {name: [stage for stage, _ in chain if stage] for name, chain in chains.items()}
    return jobs, {run.id: _describe(inputs, run, made[run.id], jobs[run.id].digest) for run in runs}


def _steps(inputs: Inputs, run: Run, stage: Stage | None) -> int:
    """Optimizer steps of a stage; 0 where it does not train."""
    if not isinstance(stage, Train) or run.data is None:
        return 0
    settings, table = stage.settings(), inputs.tables[run.data.name, run.amount]
    return settings.total_steps(-(-table.index.n_pairs // settings.plan.batch_size))


def _describe(inputs: Inputs, run: Run, stages: Sequence[Stage], digest: str) -> dict[str, Any]:
    """Strategy, tuning and so on are those of the last training."""
    training = next((stage for stage in reversed(stages) if isinstance(stage, Train)), None)
    settings = training.settings() if training else None
    tuning = None
    if training:  # what is a setting of other tunings is nothing ([] for lists)
        nothing: dict[str, Any] = {
            key: [] if option.default == () else None for key, option in member_options(TUNINGS).items()
        }
        tuning = {"name": training.tuning.name, "kind": training.tuning.kind, **nothing, **to_dict(training.tuning)}
    return {
        "id": run.id,
        "digest": digest,
        "kind": run.kind,
        "system": run.system.name,
        "label": run.system.label,
        "stages": [stage.written() for stage in stages],
        "data": run.data.name if run.data else None,
        "base": run.base,
        "strategy": training.strategy.name if training else None,
        **{key: getattr(training and training.strategy, key, None) for key in member_options(STRATEGIES)},
        "tuning": tuning,
        "seed": run.seed,
        "amount": run.amount,
        "languages": list(inputs.tables[run.data.name, run.amount].languages) if run.data else [],
        "learning_rate": settings.peak_learning_rate() if settings else None,
        "steps": _steps(inputs, run, training),
        "batch_size": settings.plan.batch_size if settings else 0,
    }


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
            name = f"{data.name}.{slug(base)}.{tuning.name}.lr{exact(rate)}"
            job = Job(
                id=f"selection/{name}",
                folder=inputs.layout.trial(name),
                base=base,
                weights_digest=stage.digest(inputs.bases[base], *inputs.digests_of((data.name, amount))),
                stage=stage,
                request=_request(inputs, data, amount),
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
