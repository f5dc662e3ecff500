"""A study from its spec to results.json: load, audit, choose learning rates, make and measure every system, write the report."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

from isoglot.disk import check_writable, make_directory
from isoglot.errors import InputError, say, warn
from isoglot.evaluation.drawing import require_matplotlib
from isoglot.evaluation.results import versions
from isoglot.files import atomic_path, package_versions, read_json, write_json, write_text
from isoglot.models.content import base_revision
from isoglot.one_writer import locked, sweep_all
from isoglot.records import several
from isoglot.study.background import content_of_sources
from isoglot.study.display import Display
from isoglot.study.engines import STUDY_ENGINES, Asked, Places
from isoglot.study.export import unpack_export
from isoglot.study.inputs import Inputs, audit_of, load_inputs
from isoglot.study.jobs import Job
from isoglot.study.layout import SCHEMA, Layout
from isoglot.study.outcome import StudyOutcome
from isoglot.study.plan import check_runs, plan_runs
from isoglot.study.pool import Pool, Stop
from isoglot.study.rates import choose, order_of, plan_trials
from isoglot.study.runs import Run, named_choice, runs_of
from isoglot.study.spec import StudySpec

_PENDING: dict[str, Any] = {"status": "pending", "error": None, "train": None, "benchmarks": {}}
"""What the record of a run says of what came out of it, before it has run."""


@dataclass(frozen=True)
class RunOptions:
    """How a study is run; nothing of it decides a result.

    Attributes:
        data_dir: where the files of named benchmarks lie.
        workers: cells at a time; "auto": as many as there is memory for on the GPUs; None: auto on GPUs, else one.
        devices: shared out among them, such as ("cuda:0", "cuda:1").
        threads: CPU threads per cell; 0: cores divided by workers, one where these are as many as there is memory for.
        allow_leaks: go on when the audit finds that training pairs and benchmarks share texts.
        retry: try cells again that failed before.
        engine: where cells run, one of `STUDY_ENGINES`; None: processes of this machine.
        gpus: share of a GPU that a cell takes, of a cluster.
        overwrite: take the place of a study of another name.
        live: show bars on stderr; None: where it is a terminal.
    """

    data_dir: str | Path | None = None
    workers: int | Literal["auto"] | None = None
    devices: str | tuple[str, ...] = ()
    threads: int = 0
    allow_leaks: bool = False
    retry: bool = True
    engine: str | None = None
    gpus: float | None = None
    overwrite: bool = False
    live: bool | None = None


def run_study(spec: StudySpec, directory: str | Path, options: RunOptions | None = None) -> StudyOutcome:
    """Run a study in a directory, or go on with one: nothing that is done and unchanged is done again.

    Args:
        spec: see `load_spec`.
        directory: of the study.
        options: see `RunOptions`.

    Raises:
        InputError: something of the spec cannot be had, the directory cannot be used, or matplotlib (for the report) is not
            installed; nothing was trained then.
        LeakError: the audit found shared texts and `allow_leaks` is not set.
    """
    require_matplotlib()
    content_of_sources.cache_clear()  # files may be others than in an earlier study of this process
    directory = Path(directory)
    options, layout = options or RunOptions(), Layout(directory)
    runs = runs_of(spec)
    check_writable(directory, directory=True)
    engine = STUDY_ENGINES[options.engine or STUDY_ENGINES.default()]()
    asked = Asked(options.workers, tuple(several(options.devices)), options.threads, options.gpus)
    with engine.open(asked) as places, locked(directory):
        _check_directory(layout, None if options.overwrite else spec.name)
        sweep_all(directory)
        inputs = load_inputs(spec, layout, None if options.data_dir is None else Path(options.data_dir))
        check_runs(inputs, runs)
        shutil.rmtree(layout.trash, ignore_errors=True)
        _write_study(inputs)
        audit = audit_of(inputs, options.allow_leaks)
        with Stop() as stop:
            return _Study(inputs, options, runs, audit, stop, places).all()


def _check_directory(layout: Layout, name: str | None) -> None:
    """InputError where something else is there, or a study of another name (None: that is fine)."""
    if layout.study.exists():
        study = read_json(layout.study)
        if not isinstance(study, dict) or "spec_digest" not in study:
            raise InputError(f"{layout.study}: not of a study; move it away or give another --output")
        if name is not None and study.get("name", name) != name:
            there = f"holds the study '{study['name']}', not '{name}'"
            raise InputError(
                f"{layout.root}: {there}; give another --output, or --overwrite to put this one in its place"
            )
    elif any(not path.name.startswith(".") for path in layout.root.iterdir()):
        raise InputError(f"{layout.root}: not empty and not a study; give another --output")


def _write_study(inputs: Inputs) -> None:
    """study.json (`created` stays that of the first time) and the pairs. An export is unpacked first."""
    import pyarrow.parquet as pq

    spec, layout = inputs.spec, inputs.layout
    unpack_export(layout.root)
    layout.export.unlink(missing_ok=True)
    before = read_json(layout.study) if layout.study.is_file() else {}
    revisions = {base: commit for base in spec.base if (commit := base_revision(base))}
    for base, commit in before.get("revisions", {}).items():
        if (now := revisions.setdefault(base, commit)) != commit:
            raise InputError(
                f"{layout.study}: base '{base}' was commit {commit} on the hub, is {now}; give another --output"
            )
    study = {
        "schema": SCHEMA,
        "name": spec.name,
        "question": spec.question,
        "spec": spec.to_flat(),
        "spec_digest": spec.digest,
        "versions": {**versions(), **package_versions(("accelerate", "datasets", "peft", "pyarrow", "tokenizers"))},
        **({"revisions": revisions} if revisions else {}),
        "created": before.get("created") or datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    write_json(layout.study, study)
    make_directory(layout.pairs("").parent)
    for key, table in inputs.tables.items():
        path = inputs.file_of(key)
        if not path.is_file():
            with atomic_path(path) as temporary:
                pq.write_table(table.table, temporary, compression="zstd")


@dataclass
class _Study:
    """One pass over a study whose directory is locked and whose inputs are loaded."""

    inputs: Inputs
    options: RunOptions
    runs: Sequence[Run]
    audit: Mapping[str, Any]
    stop: Stop
    places: Places
    jobs: dict[str, Job] = field(default_factory=dict)
    about: dict[str, dict[str, Any]] = field(default_factory=dict)
    selection: list[dict[str, Any]] = field(default_factory=list)
    begun: set[Job] = field(default_factory=set)

    def all(self) -> StudyOutcome:
        """Choose learning rates, run the jobs, write results and report."""
        trials = plan_trials(self.inputs)
        if is_chosen := self._run([job for jobs in trials.values() for job in jobs]):
            rates, self.selection, problems = choose(trials, self.inputs.spec)
            for choice in self.selection:
                say(f"learning rate of {named_choice(choice)}, {choice['base']}: {choice['chosen']}")
            self.jobs, self.about = plan_runs(self.inputs, self.runs, rates)
            todo = dict(self.jobs)
            for run in self.runs:
                if problem := next((problems[key] for key in run.rate_keys(self.inputs.spec) if key in problems), None):
                    job = todo.pop(run.id)
                    job.prepare()
                    write_text(job.folder.error, f"{problem}\n")
                    self._ended(job, 1)
            if not self.stop.asked:
                self._run(list(todo.values()))
        results = self._write_results()
        failed = [run["id"] for run in results["cells"] if run["status"] == "failed"]
        outcome = StudyOutcome(self.inputs.layout.root, is_chosen and not self.stop.asked, results, failed)
        if outcome.complete:
            from isoglot.study.report import write_report

            outcome.report = write_report(self.inputs.layout.root)
        return outcome

    def _run(self, jobs: Sequence[Job]) -> bool:
        """Run those of the jobs that are not done yet; False when stopped."""
        self.begun = {needed for job in jobs for needed in job.needs}
        todo = self._todo(jobs)
        for job in set(jobs) - set(todo):
            self._clean(job)
        ready = []
        for job in todo:
            job.prepare(keeps_weights=job in self.begun)
            if job.folder.outcome.is_file():  # killed between the end of its process and its record
                self._ended(job, 0)
            else:
                ready.append(job)
        if not ready:
            return True
        if self.places.room:
            for job in jobs:
                self.places.room.learn(job)
        display = Display(len(jobs), len(jobs) - len(ready), live=self.options.live)
        places = replace(self.places, workers=min(self.places.workers, len(ready)))
        return Pool(places, display, self.stop).run(ready, self._ended)

    def _todo(self, jobs: Sequence[Job]) -> list[Job]:
        """Jobs that are not done, and those whose model they go on from, where it is not there."""
        needed: set[Job] = set()
        todo, failed = [], 0
        for job in reversed(jobs):
            status = job.record().get("status")
            is_done = job.is_done() and (job not in needed or job.folder.weights() is not None)
            is_wanted = job.purpose != "stage" or job in needed
            if is_wanted and not is_done and (status != "failed" or self.options.retry):
                failed += status == "failed"
                todo.append(job)
                needed.update(job.needs)
        if failed:
            say(f"{failed} failed before and {'is' if failed == 1 else 'are'} tried again (--no-retry leaves them)")
        return todo[::-1]

    def _ended(self, job: Job, code: int) -> None:
        """Write the record of a job: all that is known of a run; of others what the choice of learning rates needs."""
        error = job.error(code) if code else None
        if error:
            warn(f"{job.id}: {error}")
        outcome = {"train": None, "benchmarks": {}} if error else read_json(job.folder.outcome)
        record: dict[str, Any] = {"digest": job.digest, "status": "failed" if error else "done", "error": error}
        if job.purpose == "run":
            path = f"cells/{job.id}/results"
            scores = {name: {"path": f"{path}/{name}", **figures} for name, figures in outcome["benchmarks"].items()}
            record = {**self.about[job.id], **record, "train": outcome["train"], "benchmarks": scores}
        else:
            record["learning_rate"] = getattr(job.stage, "values", {}).get("learning_rate")
            record["validation_loss"] = (outcome["train"] or {}).get("validation_loss")
        write_json(job.folder.record, record)
        self._clean(job)
        if job.purpose == "run":
            self._write_results()  # so that a report can be written while others still run

    def _clean(self, job: Job) -> None:
        """Delete what a finished job needs no more; its sizes are in its outcome. What others go on from stays."""
        if not job.folder.outcome.is_file():
            return
        is_trial = job.purpose == "trial"
        shutil.rmtree(job.folder.run / "checkpoints", ignore_errors=True)
        if is_trial or not (self.inputs.spec.keep_models or job in self.begun):
            shutil.rmtree(job.folder.model, ignore_errors=True)
        if is_trial:
            shutil.rmtree(job.folder.adapter, ignore_errors=True)

    def _write_results(self) -> dict[str, Any]:
        """results.json and cost.json as far as the study is; no runs while learning rates are not chosen.

        No times, no paths outside the study, runs by id, so that equal studies give equal bytes.
        """
        spec, layout, records, costs = self.inputs.spec, self.inputs.layout, [], {}
        for name in sorted(run.id for run in self.runs):
            outcome = layout.cell(name).outcome
            if outcome.is_file():
                costs[name] = read_json(outcome)["cost"]
            if name in self.about:
                known = self.jobs[name].record() or _PENDING
                records.append(self.about[name] | {key: known[key] for key in _PENDING})
        results = {
            "schema": SCHEMA,
            "name": spec.name,
            "question": spec.question,
            "spec_digest": spec.digest,
            "audit": dict(self.audit),
            "selection": sorted(self.selection, key=order_of),
            "cells": records,
        }
        write_json(layout.results, results)
        write_json(layout.costs, costs)
        return results
