"""Where the files of a study lie: the one place that knows."""

from __future__ import annotations

from pathlib import Path

SCHEMA = 1
"""Of the files of a study, and of the digests in them."""


class JobFolder:
    """One folder that one process works in.

    Attributes:
        path: the folder.
        request, state: what the process was asked for (`job.json`), and the digests that this belongs to.
        record, outcome: what is kept of it when it has ended (`cell.json`), and what its process wrote last.
        facts: losses and cost of its stage (`train.json`), written when the weights are whole.
        phase, error, log: what the process is at, why it failed, what it printed.
        lock: held by the process that writes here.
        run, adapter, model: directory of the stage, as `isoglot train` writes it.
        results: one folder per benchmark, as `isoglot evaluate` writes it.
        vectors: of a large corpus, while it is measured.
        checkpoint_bytes: size of the largest checkpoint so far.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.request, self.state = path / "job.json", path / "state.json"
        self.record, self.outcome = path / "cell.json", path / "outcome.json"
        self.facts = path / "train.json"
        self.phase, self.error, self.log = path / "phase", path / "error.txt", path / "log"
        self.lock = path / ".lock"
        self.run, self.results, self.vectors = path / "run", path / "results", path / "vectors"
        self.adapter, self.model = self.run / "adapter", self.run / "model"
        self.checkpoint_bytes = path / "checkpoint_bytes"

    def weights(self) -> Path | None:
        """The model that the stage left, or its adapter; None where there is neither."""
        return next((path for path in (self.model, self.adapter) if path.is_dir()), None)


class Layout:
    """The directory of a study.

    Attributes:
        root: the directory.
        study, results, costs, audit: its JSON files.
        export: lies in a directory that `isoglot study export` made, until a study goes on there.
        lock, holder: held while a study runs, and the number of the process that holds it.
        store: vectors of the bases.
        trash: what is being deleted.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.study, self.results = root / "study.json", root / "results.json"
        self.costs, self.audit, self.export = root / "cost.json", root / "audit.json", root / "export.json"
        self.lock, self.holder, self.trash = root / ".lock", root / ".holder", root / ".trash"
        self.store = root / "store"

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
