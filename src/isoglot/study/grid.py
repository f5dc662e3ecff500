"""A study from its spec to results.json: load, audit, choose learning rates, train and measure every cell, write the report."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isoglot.files import read_json, write_json
from isoglot.study.directory import audit_of, check_home, lock, say, write_study
from isoglot.study.display import Display
from isoglot.study.inputs import Material, check_cells, load_material, write_tables
from isoglot.study.jobs import RECORD, Job
from isoglot.study.pool import Pool, Stop
from isoglot.study.results import cell_record, write_costs, write_results
from isoglot.study.runs import (
    Cell,
    cells_of,
    describe_cell,
    evaluation_digests,
    settings_of,
    train_digest,
)
from isoglot.study.selection import Key, choose, plan_trials, trial_record
from isoglot.study.spec import StudySpec, benchmark_name


@dataclass(frozen=True)
class RunOptions:
    """How a study is run; nothing of it decides a result.

    Attributes:
        data_dir: where the files of named benchmarks lie.
        workers: cells at a time.
        devices: shared out among them, such as ("cuda:0", "cuda:1").
        threads: CPU threads per cell; 0: cores divided by workers.
        allow_leaks: go on when the audit finds that training pairs and benchmarks share texts.
        retry: try cells again that failed before.
        live: redraw a table on stderr; None: where it is a terminal.
    """

    data_dir: Path | None = None
    workers: int = 1
    devices: tuple[str, ...] = ()
    threads: int = 0
    allow_leaks: bool = False
    retry: bool = True
    live: bool | None = None


@dataclass
class StudyOutcome:
    """What a run of a study came to.

    Attributes:
        complete: False when it was stopped; the same call goes on.
        results: what results.json says.
        failed: ids of cells that failed.
        report: files of the report.
    """

    complete: bool
    results: dict[str, Any]
    failed: list[str] = field(default_factory=list)
    report: list[Path] = field(default_factory=list)


def run_study(spec: StudySpec, home: Path, options: RunOptions | None = None) -> StudyOutcome:
    """Run a study in a directory, or go on with one: nothing that is done and unchanged is done again.

    Args:
        spec: see `load_spec`.
        home: the study's directory.
        options: see `RunOptions`.

    Raises:
        InputError: something of the spec cannot be had, or the directory cannot be used; nothing was trained then.
        LeakError: the audit found shared texts and `allow_leaks` is not set.
    """
    options = options or RunOptions()
    check_home(home)
    material = load_material(spec, options.data_dir, say)
    cells = cells_of(spec)
    check_cells(spec, cells, material)
    home.mkdir(parents=True, exist_ok=True)
    with lock(home) as descriptor:
        shutil.rmtree(home / ".trash", ignore_errors=True)
        write_study(home, spec)
        write_tables(home, spec, material)
        audit = audit_of(spec, home, material, options.allow_leaks)
        with Stop() as stop:
            return _Run(spec, home, options, material, cells, audit, stop, descriptor).all()


class _Run:
    """One pass over a study whose directory is locked and whose material is loaded."""

    def __init__(
        self,
        spec: StudySpec,
        home: Path,
        options: RunOptions,
        material: Material,
        cells: Sequence[Cell],
        audit: Mapping[str, Any],
        stop: Stop,
        descriptor: int,
    ) -> None:
        self.spec, self.home, self.options, self.material = spec, home, options, material
        self.cells, self.audit, self.stop, self.descriptor = cells, audit, stop, descriptor
        self.trash = home / ".trash"
        self.about: dict[str, dict[str, Any]] = {}
        self.problems: dict[Key, str] = {}
        self.selection: list[dict[str, Any]] = []

    def all(self) -> StudyOutcome:
        """Choose learning rates, run the cells, write results and report."""
        chosen, self.selection = self._select()
        jobs = self._jobs(chosen) if chosen is not None else []
        if chosen is not None and not self.stop.asked:
            self._run(jobs, self._cell_ended)
        results = self._write_results()
        complete = chosen is not None and not self.stop.asked
        failed = [cell["id"] for cell in results["cells"] if cell["status"] == "failed"]
        outcome = StudyOutcome(complete, results, failed)
        if complete:
            from isoglot.study.report import write_report

            outcome.report = write_report(self.home)
        return outcome

    def _select(self) -> tuple[dict[Key, float | None] | None, list[dict[str, Any]]]:
        """(learning rates, descriptions); None while trials are missing."""
        trials = plan_trials(self.spec, self.home, self.material)
        if trials.jobs and not self._run(trials.all(), self._trial_ended):
            return None, []
        chosen, described, self.problems = choose(trials, self.spec)
        for part in described:
            say(f"learning rate of {part['tuning']} on {part['data']}, {part['base']}: {part['chosen']}")
        return chosen, described

    def _jobs(self, chosen: Mapping[Key, float | None]) -> list[Job]:
        jobs = []
        for cell in self.cells:
            key = _key(cell)
            job = self._job(cell, chosen.get(key) if key else None)
            languages: tuple[str, ...] = ()
            if cell.data:
                languages = self.material.tables[cell.data.name, cell.amount].languages
            self.about[cell.id] = describe_cell(cell, job.settings, job.digest, languages, job.steps)
            if key in self.problems:
                job.prepare(self.trash)
                self._write_record(job, "failed", self.problems[key])
            else:
                jobs.append(job)
        return jobs

    def _job(self, cell: Cell, rate: float | None) -> Job:
        """What a cell's process is asked for."""
        settings, table, steps, kind = None, None, 0, ""
        weights = self.material.bases[cell.base]
        if cell.data and cell.tuning:
            settings = settings_of(self.spec, cell, rate)
            pairs = self.material.tables[cell.data.name, cell.amount].index.n_pairs
            steps = settings.total_steps(-(-pairs // settings.batch_size))
            table = self.material.files[cell.data.name, cell.amount]
            weights = train_digest(settings, self.material.table_digest(cell.data, cell.amount), weights)
            kind = f"{cell.base} {cell.tuning.kind}"
        return Job(
            id=cell.id,
            folder=self.home / "cells" / cell.id,
            base=cell.base,
            settings=settings,
            table=table,
            benchmarks={benchmark_name(name): name for name in cell.benchmarks},
            evaluate=self.spec.evaluate,
            train_digest=weights,
            evaluations=evaluation_digests(self.spec, cell, self.material.benchmark_digests),
            kind=kind,
            steps=steps,
            store=self.home / "store",
            data_dir=self.options.data_dir,
        )

    def _run(self, jobs: Sequence[Job], ended: Any) -> bool:
        """Run those of the jobs that are not done yet; False when stopped."""
        todo, failed = [], 0
        for job in jobs:
            record = job.record()
            if record and record["status"] == "done":
                self._clean(job)
                continue
            if record and record["status"] == "failed":
                if not self.options.retry:
                    continue
                failed += 1
            job.prepare(self.trash)
            if (job.folder / "outcome.json").is_file():  # killed between the end of its process and its record
                ended(job, 0)
            else:
                todo.append(job)
        if failed:
            say(f"{failed} failed before and {'is' if failed == 1 else 'are'} tried again (--no-retry leaves them)")
        if not todo:
            return True
        workers = max(1, min(self.options.workers, len(todo)))
        threads = self.options.threads or max(1, (os.cpu_count() or 1) // max(1, self.options.workers))
        display = Display(len(jobs), len(jobs) - len(todo), workers, live=self.options.live)
        return Pool(workers, self.options.devices, threads, display, self.stop, (self.descriptor,)).run(todo, ended)

    def _cell_ended(self, job: Job, code: int) -> None:
        self._write_record(job, "done" if code == 0 else "failed", None if code == 0 else job.error(code))
        self._clean(job)
        self._write_results()  # so that a report can be written while others still run

    def _trial_ended(self, job: Job, code: int) -> None:
        error = None if code == 0 else job.error(code)
        write_json(job.folder / RECORD, trial_record(job, error))
        if error:
            say(f"{job.id}: {error}")
        self._clean(job)

    def _write_record(self, job: Job, status: str, error: str | None) -> None:
        if error:
            say(f"{job.id}: {error}")
        write_json(job.folder / RECORD, cell_record(self.about[job.id], job.folder, status=status, error=error))

    def _clean(self, job: Job) -> None:
        """Delete what a finished job needs no more; its sizes are in its outcome."""
        if not (job.folder / "outcome.json").is_file():
            return
        trial = job.folder.parent.name == "selection"
        parts = ["checkpoints"] if self.spec.keep_models and not trial else ["checkpoints", "model"]
        for name in [*parts, "adapter"] if trial else parts:
            shutil.rmtree(job.folder / "run" / name, ignore_errors=True)

    def _write_results(self) -> dict[str, Any]:
        """results.json and cost.json as far as the study is; no cells while learning rates are not chosen."""
        records = [self._record(cell) for cell in self.cells if cell.id in self.about]
        results = write_results(self.home, self.spec, audit=self.audit, selection=self.selection, cells=records)
        write_costs(self.home, (cell.id for cell in self.cells))
        return results

    def _record(self, cell: Cell) -> dict[str, Any]:
        """The record of a cell as results.json has it."""
        about = self.about[cell.id]
        path = self.home / "cells" / cell.id / RECORD
        found: dict[str, Any] = read_json(path) if path.is_file() else {}
        if found.get("digest") == about["digest"]:
            return found
        return cell_record(about, path.parent, status="pending")


def _key(cell: Cell) -> Key | None:
    return (cell.data.name, cell.base, cell.tuning.name) if cell.data and cell.tuning else None
