"""A job: one folder that one process works in. What is there from before is kept exactly as far as nothing changed."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from isoglot.files import digest_json, read_json, write_json, write_text
from isoglot.one_writer import locked
from isoglot.settings import to_dict
from isoglot.study.cost import read_log
from isoglot.study.layout import JobFolder, known
from isoglot.study.stages import Stage

_PATIENCE = 5.0
"""Seconds that the process of a study that was killed may take to end."""
_FACTS, _OUTCOME, _RECORD = ("train", "cost"), ("train", "benchmarks", "cost"), ("digest", "status", "error")
"""What `train.json`, `outcome.json` and `cell.json` say at least."""
_TAIL = 65_536  # bytes of a log that are read for its last line
KEPT = ("settings", "bias", "per_language", "counts", "digests")
"""Keys of a result's summary that a run's record repeats."""


@dataclass(frozen=True, eq=False)
class Job:
    """What a process is asked for: to make a model by one stage, or to take a base, and to measure it.

    Attributes:
        id: of the run, trial or stage.
        folder: to work in.
        base: the untrained base.
        weights_digest: of what decides the weights.
        stage: None: the base is measured as it is.
        after: makes the model that the stage goes on from; None: that is the base.
        beside: make the other models that it needs.
        evaluations: name of benchmark -> digest of what decides its figures besides the weights.
        request: what else the process is told: pairs, benchmarks, how they are measured (`isoglot.study.plan`).
        purpose: a run, a trial of a learning rate, or a stage that runs go on from and none ends with.
        steps: that the training will have.
    """

    id: str
    folder: JobFolder
    base: str
    weights_digest: str
    stage: Stage | None = None
    after: Job | None = None
    beside: tuple[Job, ...] = ()
    evaluations: Mapping[str, str] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)
    purpose: Literal["run", "trial", "stage"] = "run"
    steps: int = 0

    @property
    def needs(self) -> tuple[Job, ...]:
        """The jobs whose models it works with."""
        return (*([self.after] if self.after else []), *self.beside)

    @property
    def digest(self) -> str:
        """Of everything that decides the outcome."""
        return digest_json(self._state())

    def _state(self) -> dict[str, Any]:
        return {"train": self.weights_digest, "evaluations": dict(self.evaluations)}

    @property
    def kind(self) -> str:
        """Of all that decides how much memory it takes: seeds and learning rates do not, and what is made already takes none."""
        stage = {name: dict(settings) for name, settings in (self.stage.written() if self.stage else {}).items()}
        for settings in stage.values():
            settings.pop("learning_rate", None)
        asked = {key: self.request.get(key) for key in ("benchmarks", "evaluate")}
        table = Path(self.request.get("table") or "").name
        is_made = self.folder.facts.is_file()
        return digest_json({"base": self.base, "stage": stage, "is_made": is_made, "table": table, **asked})

    def progress(self) -> tuple[int, float | None]:
        """(step, loss) of its training so far."""
        lines = read_log(self.folder.run / "log.jsonl", _TAIL)
        return (int(lines[-1]["step"]), float(lines[-1]["loss"])) if lines else (0, None)

    def record(self) -> dict[str, Any]:
        """The record of this very job, if it was done or failed before, else {}."""
        record = known(self.folder.record, *_RECORD)
        return record if record.get("digest") == self.digest else {}

    def is_done(self) -> bool:
        """Whether this very job was done before, and what came out of it can be read."""
        outcome = self.folder.outcome  # trials of an export have none
        return self.record().get("status") == "done" and (not outcome.exists() or bool(known(outcome, *_OUTCOME)))

    def prepare(self, keeps_weights: bool = False) -> None:
        """Make the folder ready: keep what this job may go on from, remove everything else.

        Args:
            keeps_weights: another job goes on from the model: it is made again where it was deleted.
        """
        with locked(self.folder.path, patience=_PATIENCE):
            is_of_use = self._tidy(keeps_weights)
        if not is_of_use:
            _discard(self.folder.path, self.folder.trash)
        self.folder.path.mkdir(parents=True, exist_ok=True)
        write_json(self.folder.state, self._state())

    def _tidy(self, keeps_weights: bool) -> bool:
        """Remove what this job cannot go on from. False where that is all of it."""
        folder = self.folder
        expected = {folder.facts: _FACTS, folder.outcome: _OUTCOME, folder.record: _RECORD}
        for path, keys in (expected | dict.fromkeys(folder.results.glob("*/summary.json"), (*KEPT, "seconds"))).items():
            if not known(path, *keys):  # damaged: what it said is found out again
                _discard(path, folder.trash)
        state = known(folder.state)
        before = state.get("evaluations", {})
        same = {name for name, digest in self.evaluations.items() if before.get(name) == digest}
        measured = {path.parent.name for path in folder.results.glob("*/summary.json")}
        # the weights were deleted after they had been measured
        was_made = folder.facts.is_file() or folder.outcome.is_file()
        is_gone = self.stage and self.stage.makes_model and was_made and not folder.weights()
        are_needed = keeps_weights or not set(self.evaluations) <= same & measured
        if state.get("train") != self.weights_digest or (is_gone and are_needed):
            return False
        if before != self.evaluations:
            folder.outcome.unlink(missing_ok=True)
            folder.record.unlink(missing_ok=True)
            for path in folder.results.glob("*"):
                if path.name not in same:
                    _discard(path, folder.trash)
        return True

    def write(self, threads: int, workers: int = 1, kind: str = "") -> bool:
        """Write `job.json` for the process, one of `workers` at a time. False, and why, where one that it needs has failed.

        Args:
            kind: as it was when the process was asked for.
        """
        models = []
        for job in self.needs:
            weights = job.folder.weights() if job.folder.outcome.is_file() else None
            if weights is None:
                write_text(self.folder.error, f"goes on from {job.id}, which failed\n")
                return False
            models.append(str(weights.resolve()))
        start, before = (models.pop(0), read_json(self.after.folder.facts)) if self.after else (self.base, {})
        stage = to_dict(self.stage) if self.stage else None
        asked = {"id": self.id, "base": self.base, "start": start, "beside": models, "stage": stage, "before": before}
        write_json(self.folder.request, {**asked, **self.request, "threads": threads, "workers": workers, "kind": kind})
        return True

    def ran_beside(self, workers: int) -> None:
        """Note in the outcome how many worked at a time, where that was not known beforehand."""
        outcome = read_json(self.folder.outcome)
        outcome["cost"]["machine"]["cells_at_a_time"] = workers
        write_json(self.folder.outcome, outcome)

    def error(self, code: int) -> str:
        """Why a process ended with `code`, in one line."""
        path = self.folder.error
        if code < 0:
            return f"killed by signal {-code}" + (" (out of memory?)" if code == -9 else "")
        if path.is_file() and (lines := path.read_text(encoding="utf-8").strip().splitlines()):
            return lines[-1]
        return f"its process ended with exit code {code}; see {self.folder.path.name}/log"


def _discard(path: Path, trash: Path) -> None:
    """Delete a folder or a file; it disappears from its place at once, so that a kill leaves it whole or gone."""
    if path.exists():
        trash.mkdir(parents=True, exist_ok=True)
        target = path.replace(trash / uuid.uuid4().hex)
        shutil.rmtree(target, ignore_errors=True) if target.is_dir() else target.unlink()
