"""From the runs of a study to jobs: systems that begin alike share the jobs of their first stages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isoglot.study.inputs import Inputs
from isoglot.study.jobs import Job
from isoglot.study.layout import Layout
from isoglot.study.runs import Rates, Run, describe_run, evaluation_digests, stages_of, weights_digests
from isoglot.study.spec import StudySpec, benchmark_name
from isoglot.study.stages import Stage
from isoglot.study.stages.train import Train


class Planner:
    """Makes the job of every run, and those of stages that runs begin with and none ends with.

    Args:
        rates: chosen learning rates; runs whose rate is not among them get the tuning's default.
    """

    def __init__(
        self, spec: StudySpec, runs: Sequence[Run], inputs: Inputs, layout: Layout, rates: Rates, data_dir: Path | None
    ) -> None:
        self.spec, self.inputs, self.layout, self.data_dir = spec, inputs, layout, data_dir
        self.stages: dict[str, list[Stage]] = {}
        self._digests: dict[str, list[str]] = {}
        self._last: dict[str, Run] = {}
        self._shared: dict[str, Job] = {}
        self.jobs: dict[str, Job] = {}
        for run in runs:
            pairs = inputs.table_digest(run.data, run.amount) if run.data else ""
            self.stages[run.id] = stages_of(spec, run, rates)
            self._digests[run.id] = weights_digests(self.stages[run.id], inputs.bases[run.base], pairs)
            if run.data:
                self._last.setdefault(self._digests[run.id][-1], run)
        for run in runs:
            self._of_run(run)

    def _of_run(self, run: Run) -> Job:
        """The job that makes and measures the last model of a run."""
        if run.id not in self.jobs:
            stages = self.stages[run.id]
            after = self._before(run, len(stages) - 1)
            self.jobs[run.id] = self._job(run, len(stages), after, is_measured=True)
        return self.jobs[run.id]

    def _before(self, run: Run, number: int) -> Job | None:
        """The job that ends with the first `number` stages of a run: that of a run which does, if there is one."""
        if number < 1:
            return None
        digest = self._digests[run.id][number - 1]
        if digest in self._last:
            return self._of_run(self._last[digest])
        if digest not in self._shared:
            after = self._before(run, number - 1)
            job = self._job(run, number, after, is_measured=False)
            self._shared[digest] = self.jobs[job.id] = job
        return self._shared[digest]

    def _job(self, run: Run, number: int, after: Job | None, *, is_measured: bool) -> Job:
        stage = self.stages[run.id][number - 1] if number else None
        digest = self._digests[run.id][number - 1] if number else self.inputs.bases[run.base]
        folder = self.layout.cell(run.id) if is_measured else self.layout.stage(digest)
        return Job(
            id=run.id if is_measured else f"stages/{folder.path.name}",
            folder=folder,
            base=run.base,
            weights_digest=digest,
            evaluate=self.spec.evaluate,
            stage=stage,
            after=after,
            table=self.layout.pairs(self.inputs.table_digest(run.data, run.amount)) if run.data else None,
            benchmarks={benchmark_name(name): name for name in run.benchmarks} if is_measured else {},
            evaluations=evaluation_digests(self.spec, run, self.inputs.benchmark_digests) if is_measured else {},
            purpose="run" if is_measured else "stage",
            kind=f"{run.base} {_kind(stage)}" if stage else "",
            steps=self.steps(run, stage),
            store=self.layout.store,
            data_dir=self.data_dir,
        )

    def describe(self, run: Run) -> dict[str, Any]:
        """What is known of a run before it begins; see `describe_run`."""
        languages: tuple[str, ...] = self.inputs.tables[run.data.name, run.amount].languages if run.data else ()
        stages = self.stages[run.id]
        steps = [self.steps(run, stage) for stage in stages if isinstance(stage, Train)]
        return describe_run(run, stages, self.jobs[run.id].digest, languages, steps[-1] if steps else 0)

    def steps(self, run: Run, stage: Stage | None) -> int:
        """Optimizer steps of a stage; 0 where it does not train."""
        if not isinstance(stage, Train) or run.data is None:
            return 0
        settings = stage.settings()
        pairs = self.inputs.tables[run.data.name, run.amount].index.n_pairs
        return settings.total_steps(-(-pairs // settings.plan.batch_size))


def _kind(stage: Stage) -> str:
    return stage.tuning.kind if isinstance(stage, Train) else stage.name
