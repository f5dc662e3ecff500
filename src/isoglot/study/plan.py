"""From the runs of a study to jobs. Systems that begin alike share the jobs of their first stages."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from isoglot.batching.plan import BatchPlan
from isoglot.batching.strategies import STRATEGIES
from isoglot.errors import at
from isoglot.files import digest_json
from isoglot.models.tunings import TUNINGS
from isoglot.settings import member_options, to_dict
from isoglot.study.inputs import Inputs
from isoglot.study.jobs import Job
from isoglot.study.runs import Rates, Run, evaluation_digests, runs_beside, stages_of, weights_digests
from isoglot.study.stages import Stage, needs_of
from isoglot.study.stages.train import Train


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
    ordered: list[Run] = []  # each behind those that it needs
    beside = {run.id: runs_beside(run, runs) for run in runs}

    def add(run: Run) -> None:
        if run.id in chains:
            return
        for other in beside[run.id].values():
            add(other)
        stages, base = stages_of(spec, run, rates), inputs.bases[run.base]
        pairs = inputs.digests_of((run.data.name, run.amount)) if run.data else ("", "")
        models = {name: chains[other.id][-1][1] for name, other in beside[run.id].items()}
        chains[run.id] = list(zip(stages, weights_digests(stages, base, *pairs, models))) or [(None, base)]
        ends.setdefault(chains[run.id][-1][1], run)
        ordered.append(run)

    for run in runs:
        add(run)
    # what a stage that keeps vectors goes on from
    shared = {
        digest
        for chain in chains.values()
        for (_, digest), (stage, _) in pairwise(chain)
        if stage and stage.keeps_vectors
    }
    jobs: dict[str, Job] = {}
    for run in ordered:
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
                    beside=tuple(jobs[beside[run.id][other].id] for other in stage.beside) if stage else (),
                    evaluations=evaluation_digests(spec, owner, inputs.benchmark_digests) if owner else {},
                    request=inputs.request(
                        run.data,
                        run.amount,
                        owner.benchmarks if owner else (),
                        stores=stage is None or stage.keeps_vectors or digest in shared,
                    ),
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
        "needs": {**needs_of(stages)._asdict(), "data": list(needs_of(stages).data)},
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
