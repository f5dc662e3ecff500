"""A job: one folder that one process works in. What is there from before is kept exactly as far as nothing changed."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from isoglot.errors import InputError
from isoglot.evaluation.settings import EvaluateSettings
from isoglot.files import digest_json, read_json, write_json
from isoglot.settings import to_dict
from isoglot.study.layout import JobFolder
from isoglot.study.stages import Stage

_PATIENCE = 5.0
"""Seconds that the process of a study that was killed may take to end."""


@dataclass(frozen=True)
class Job:
    """What a process is asked for: to make a model by one stage, or to take a base, and to measure it.

    Attributes:
        id: of the run, trial or stage.
        folder: to work in.
        base: the untrained base.
        weights_digest: of what decides the weights.
        evaluate: how the benchmarks are measured.
        stage: None: the base is measured as it is.
        after: makes the model that the stage goes on from; None: that is the base.
        table: file of the training pairs.
        benchmarks: name -> as the spec gives it.
        evaluations: name of benchmark -> digest of what decides its figures besides the weights.
        purpose: a run, a trial of a learning rate, or a stage that runs go on from and none ends with.
        kind: jobs of one kind take about as long as each other.
        steps: that the training will have.
        store: folder of shared embeddings.
        data_dir: see `load_benchmark`.
    """

    id: str
    folder: JobFolder
    base: str
    weights_digest: str
    evaluate: EvaluateSettings
    stage: Stage | None = None
    after: Job | None = None
    table: Path | None = None
    benchmarks: Mapping[str, str] = field(default_factory=dict)
    evaluations: Mapping[str, str] = field(default_factory=dict)
    purpose: Literal["run", "trial", "stage"] = "run"
    kind: str = ""
    steps: int = 0
    store: Path | None = None
    data_dir: Path | None = None

    @property
    def digest(self) -> str:
        """Of everything that decides the outcome."""
        return digest_json({"train": self.weights_digest, "evaluations": dict(self.evaluations)})

    def record(self) -> dict[str, Any] | None:
        """The record of this very job, if it was done or failed before."""
        record: dict[str, Any] = read_json(self.folder.record) if self.folder.record.is_file() else {}
        return record if record.get("digest") == self.digest else None

    def prepare(self, trash: Path, keeps_weights: bool = False) -> None:
        """Make the folder ready: keep what this job may go on from, remove everything else.

        Args:
            trash: where to delete things.
            keeps_weights: another job goes on from the model: it is made again where it was deleted.
        """
        self.folder.path.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.folder.lock, timeout=_PATIENCE):
                state = self._state()
                if state is None or state["train"] != self.weights_digest or self._weights_gone(state, keeps_weights):
                    discard(self.folder.path, trash)
                elif state["evaluations"] != dict(self.evaluations):
                    for path in (self.folder.outcome, self.folder.record):
                        path.unlink(missing_ok=True)
                    for path in self.folder.results.glob("*"):
                        if state["evaluations"].get(path.name) != self.evaluations.get(path.name):
                            discard(path, trash)
        except Timeout:
            raise InputError(f"{self.folder.path}: a process of an earlier run still works here; stop it") from None
        self.folder.path.mkdir(parents=True, exist_ok=True)
        write_json(self.folder.state, {"train": self.weights_digest, "evaluations": dict(self.evaluations)})

    def _state(self) -> dict[str, Any] | None:
        try:
            state = read_json(self.folder.state)
        except InputError:
            return None
        return state if isinstance(state, dict) and {"train", "evaluations"} <= state.keys() else None

    def _weights_gone(self, state: Mapping[str, Any], are_needed: bool) -> bool:
        """Whether something needs the weights that were deleted after they had been measured: a job, or a new evaluation."""
        was_made = self.folder.facts.is_file() or self.folder.outcome.is_file()
        if self.stage is None or not was_made or self.folder.weights():
            return False
        there = {path.parent.name for path in self.folder.results.glob("*/summary.json")}
        current = {name for name, digest in self.evaluations.items() if state["evaluations"].get(name) == digest}
        return are_needed or bool(set(self.evaluations) - (there & current))

    def write(self, threads: int, workers: int = 1) -> None:
        """Write `job.json` for the process, one of `workers` at a time. InputError where the job before it has failed."""
        start = self.after.folder.weights() if self.after and self.after.folder.outcome.is_file() else None
        if self.after and start is None:
            raise InputError(f"goes on from {self.after.id}, which failed")
        write_json(
            self.folder.request,
            {
                "id": self.id,
                "base": self.base,
                "start": str(start.resolve()) if start else self.base,
                "stage": to_dict(self.stage) if self.stage else None,
                "before": read_json(self.after.folder.facts) if self.after else {},
                "table": str(self.table.resolve()) if self.table else None,
                "benchmarks": dict(self.benchmarks),
                "evaluate": to_dict(self.evaluate),
                "store": str(self.store.resolve()) if self.store else None,
                "data_dir": str(self.data_dir) if self.data_dir else None,
                "threads": threads,
                "workers": workers,
            },
        )

    def error(self, code: int) -> str:
        """Why a process ended with `code`, in one line."""
        path = self.folder.error
        if code < 0:
            return f"killed by signal {-code}" + (" (out of memory?)" if code == -9 else "")
        if path.is_file() and (lines := path.read_text(encoding="utf-8").strip().splitlines()):
            return lines[-1]
        return f"its process ended with exit code {code}; see {self.folder.path.name}/log"


@dataclass
class Running:
    """A job whose process is alive."""

    job: Job
    process: subprocess.Popen[bytes]
    began: float
    device: str | None


def discard(path: Path, trash: Path) -> None:
    """Delete a folder; it disappears from its place at once, so that a kill leaves it whole or gone."""
    if not path.exists():
        return
    trash.mkdir(parents=True, exist_ok=True)
    target = trash / uuid.uuid4().hex
    path.replace(target)
    shutil.rmtree(target, ignore_errors=True)
