"""A job: one folder that one process works in. What is there from before is kept exactly as far as nothing changed."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isoglot.config import to_dict
from isoglot.errors import InputError
from isoglot.files import read_json, write_json
from isoglot.study.runs import cell_digest
from isoglot.study.spec import EvaluateSpec
from isoglot.training.settings import TrainSettings

RECORD = "cell.json"


@dataclass(frozen=True)
class Job:
    """What a process is asked for.

    Attributes:
        id: of the cell or trial.
        folder: to work in.
        base: to measure where nothing is trained.
        settings: of training; None: none.
        table: file of the training pairs.
        benchmarks: name -> as the spec gives it.
        evaluate: how they are measured.
        train_digest: of what decides the weights.
        evaluations: name of benchmark -> digest of what decides its figures besides the weights.
        kind: jobs of one kind take about as long as each other.
        steps: that the training will have.
        store: folder of shared embeddings.
        data_dir: see `load_benchmark`.
    """

    id: str
    folder: Path
    base: str
    settings: TrainSettings | None
    table: Path | None
    benchmarks: Mapping[str, str]
    evaluate: EvaluateSpec
    train_digest: str
    evaluations: Mapping[str, str] = field(default_factory=dict)
    kind: str = ""
    steps: int = 0
    store: Path | None = None
    data_dir: Path | None = None

    @property
    def digest(self) -> str:
        """Of everything that decides the outcome."""
        return cell_digest(self.train_digest, self.evaluations)

    def record(self) -> dict[str, Any] | None:
        """The record of this very job, if it was done or failed before."""
        path = self.folder / RECORD
        found: dict[str, Any] | None = read_json(path) if path.is_file() else None
        return found if found and found.get("digest") == self.digest else None

    def prepare(self, trash: Path) -> None:
        """Make the folder ready: keep what this job may go on from, remove everything else."""
        state = self._state()
        if state is None or state["train"] != self.train_digest or self._weights_gone(state):
            discard(self.folder, trash)
        elif state["evaluations"] != dict(self.evaluations):
            for name in ("outcome.json", RECORD):
                (self.folder / name).unlink(missing_ok=True)
            for place in (self.folder / "results").glob("*"):
                if state["evaluations"].get(place.name) != self.evaluations.get(place.name):
                    discard(place, trash)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / "state.json", {"train": self.train_digest, "evaluations": dict(self.evaluations)})

    def _state(self) -> dict[str, Any] | None:
        try:
            state = read_json(self.folder / "state.json")
        except InputError:
            return None
        return state if isinstance(state, dict) and {"train", "evaluations"} <= state.keys() else None

    def _weights_gone(self, state: Mapping[str, Any]) -> bool:
        """Whether something must be measured anew, but the weights were deleted after they had been measured."""
        if self.settings is None or not (self.folder / "train.json").is_file():
            return False
        run = self.folder / "run"
        if (run / "model").is_dir() or (run / "adapter").is_dir():
            return False
        there = {place.parent.name for place in (self.folder / "results").glob("*/summary.json")}
        current = {name for name, digest in self.evaluations.items() if state["evaluations"].get(name) == digest}
        return bool(set(self.evaluations) - (there & current))

    def write(self, threads: int, workers: int = 1) -> None:
        """Write `job.json` for the process, one of `workers` at a time."""
        write_json(
            self.folder / "job.json",
            {
                "id": self.id,
                "base": self.base,
                "settings": _settings(self.settings),
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
        path = self.folder / "error.txt"
        if code < 0:
            return f"killed by signal {-code}" + (" (out of memory?)" if code == -9 else "")
        if path.is_file() and (lines := path.read_text(encoding="utf-8").strip().splitlines()):
            return lines[-1]
        return f"its process ended with exit code {code}; see {self.folder.name}/log"


def _settings(settings: TrainSettings | None) -> dict[str, Any] | None:
    """Plain values; `build` makes the same settings of them."""
    return None if settings is None else to_dict(settings)


def discard(path: Path, trash: Path) -> None:
    """Delete a folder; it disappears from its place at once, so that a kill leaves it whole or gone."""
    if not path.exists():
        return
    trash.mkdir(parents=True, exist_ok=True)
    target = trash / uuid.uuid4().hex
    path.replace(target)
    shutil.rmtree(target, ignore_errors=True)
