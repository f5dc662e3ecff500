"""Where the files of a study lie: the one place that knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from isoglot.errors import InputError
from isoglot.files import read_json

SCHEMA = 1
"""Of the files of a study, and of the digests in them."""

OUT_OF_MEMORY = 3
"""Exit code of a job's process that there was no room for, on its GPU or on the host."""


def known(path: Path, *keys: str) -> dict[str, Any]:
    """What a file of a study says; {} where it is missing, damaged or lacks one of the keys."""
    try:
        content = read_json(path)
    except InputError:
        return {}
    return content if isinstance(content, dict) and all(key in content for key in keys) else {}


class JobFolder:
    """One folder that one process works in: its files and folders as paths."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.request = path / "job.json"  # what the process is asked for
        self.state = path / "state.json"  # digests that this belongs to
        self.facts = path / "train.json"  # losses and cost of the stage, written when the weights are whole
        self.outcome = path / "outcome.json"  # what the process wrote last
        self.record = path / "cell.json"  # what is kept of it when it has ended
        self.stop = path / "stop"  # the process is to save and end, where no signal reaches it
        self.phase, self.log, self.error = path / "phase", path / "log", path / "error.txt"
        self.run = path / "run"  # of the stage, as `isoglot train` writes it
        self.adapter, self.model = self.run / "adapter", self.run / "model"
        self.memory = path / "memory"  # what the process has taken so far
        self.checkpoint_bytes = path / "checkpoint_bytes"  # of the largest so far
        self.fusion = path / "fusion.json"  # of a stage that makes no model
        self.results = path / "results"  # one folder per benchmark, as `isoglot evaluate` writes it
        self.vectors = path / "vectors"  # that no other cell reads, while it is measured
        self.trash = path.parent.parent / ".trash"  # the study's: what is being deleted

    def weights(self) -> Path | None:
        """The model that the stage left, or its adapter; None where there is neither."""
        return next((path for path in (self.model, self.adapter) if path.is_dir()), None)


class Layout:
    """The directory of a study: its files and folders as paths."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.study, self.results = root / "study.json", root / "results.json"
        self.costs, self.audit = root / "cost.json", root / "audit.json"
        self.export = root / "export.json"  # there in an export until a study goes on in it
        self.store, self.trash = root / "store", root / ".trash"  # vectors that cells share; what is being deleted

    def cell(self, name: str) -> JobFolder:
        """Of a run, by its id."""
        return JobFolder(self.root / "cells" / name)

    def trial(self, name: str) -> JobFolder:
        """Of a trial of a learning rate."""
        return JobFolder(self.root / "selection" / name)

    def stage(self, digest: str) -> JobFolder:
        """Of a stage that systems begin with and that no run ends with."""
        return JobFolder(self.root / "stages" / digest[:16])

    def pairs(self, digest: str) -> Path:
        """Training pairs as processes read them."""
        return self.root / "pairs" / f"{digest[:16]}.parquet"
