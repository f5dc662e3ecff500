"""The directory of a repair: what was asked, which stages are done, and what may be done with it. It has one writer.

repair.json     what was asked; versions; what every finished stage found; at the end the digests of what is left
model/          the model that is kept: a plain sentence-transformers directory with its card
report.html, report.md, figures/, picture.png, summary.json
held-out/       the pairs that nothing was trained on, as a benchmark
results/        <system>/<benchmark>: results as of isoglot evaluate
work/           pairs to train on, runs, models and vectors; what is large of it goes at the end
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from isoglot import __version__
from isoglot.disk import check_writable, delete
from isoglot.errors import InputError, say
from isoglot.files import digest_file, package_versions, read_json, write_json
from isoglot.models.content import check_apart
from isoglot.one_writer import LOCK, locked
from isoglot.repairing.settings import RepairSettings
from isoglot.training.checkpoints import changed_files

_FILES = ("summary.json", "report.html", "report.md", "picture.png")
_FOLDERS = ("model", "figures", "held-out", "results", "work")
_PACKAGES = ("torch", "transformers", "sentence-transformers", "numpy", "babel")


class RepairFolder:
    """Paths of a repair, and its record.

    Attributes:
        record: plain JSON values: "asked", "versions", "stages" {name: what it found}, at the end "files" {name: SHA-256}.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.file = path, path / "repair.json"
        self.model, self.held_out, self.figures = path / "model", path / "held-out", path / "figures"
        self.summary, self.picture = path / "summary.json", path / "picture.png"
        self.html, self.markdown = path / "report.html", path / "report.md"
        self.work = path / "work"
        self.pairs, self.documents = self.work / "pairs.jsonl", self.work / "documents.jsonl"
        self.vectors, self.runs, self.models = self.work / "vectors", self.work / "runs", self.work / "models"
        self.record: dict[str, Any] = {}

    def result(self, system: str, benchmark: str) -> Path:
        """The folder of a result."""
        return self.path / "results" / system / benchmark

    @contextmanager
    def opened(self, asked: Mapping[str, Any], base: str, *, overwrite: bool) -> Iterator[None]:
        """Be its only writer, with a record that says what is asked.

        Raises:
            InputError: it holds something else, or a repair that was asked for otherwise; the base lies in it, or it in the
                base; another process writes there; what an ended repair has left is damaged.
        """
        check_writable(self.path, directory=True)
        check_apart(base, self.path)
        with locked(self.path):
            self.record = self._read()
            if self.record and (overwrite or not self.record["stages"]):  # without one nothing would be lost
                self._discard()
            elif self.record:
                self._check_same(asked)
            if not self.record:
                versions = {"isoglot": __version__, **package_versions(_PACKAGES)}
                self.record = {"asked": dict(asked), "versions": versions, "stages": {}}
                self.write()
            try:
                yield
            except InputError:
                if not self.record["stages"]:  # bad input leaves nothing
                    self._discard(quiet=True)
                    self.file.unlink()
                raise

    def _read(self) -> dict[str, Any]:
        if not self.file.exists():
            if self.path.is_dir() and any(path.name != LOCK for path in self.path.iterdir()):
                raise InputError(f"{self.path}: not empty and not a repair; give another --output")
            return {}
        record = read_json(self.file)
        if not isinstance(record, dict) or not all(isinstance(record.get(key), dict) for key in ("asked", "stages")):
            raise InputError(f"{self.file}: not of `isoglot repair`; move it away or give another --output")
        return {} if record.get("discarded") else record

    def _check_same(self, asked: Mapping[str, Any]) -> None:
        # a repair of an earlier version was begun without settings that came later: it had what is their default now
        before = {**RepairSettings().asked(), **self.record["asked"]}
        content = before.get("content", {})
        if changed := [name for name, value in asked["content"].items() if content.get(name, value) != value]:
            raise InputError(
                f"{self.path}: {changed[0]} changed since this repair began; give another --output, or --overwrite"
            )
        if keys := [key for key in {**before, **asked} if key != "content" and before.get(key) != asked.get(key)]:
            what = ", ".join(f"{key} was {before.get(key)!r}, is {asked.get(key)!r}" for key in keys)
            raise InputError(
                f"{self.path}: holds a repair that was asked for otherwise ({what}); give another --output, or --overwrite"
            )
        reason = changed_files(self.path, self.record.get("files", {}))
        if reason:
            raise InputError(f"{self.path}: the repair has ended, but {reason}; begin again with --overwrite")

    def _discard(self, *, quiet: bool = False) -> None:
        """Delete a repair, but nothing that it did not write. A kill meanwhile leaves a record that says so."""
        known = self.record.get("files", {})
        if foreign := [name for name in self._files("model", "figures") if known and name not in known]:
            raise InputError(
                f"{self.path}: the repair did not write {foreign[0]}; move that away or give another --output"
            )
        write_json(self.file, {**self.record, "discarded": True})
        for name in (*_FOLDERS, *_FILES):
            delete(self.path / name)
        others = sorted(path.name for path in self.path.iterdir() if path.name not in (LOCK, self.file.name))
        if others and not quiet:
            say(f"{self.path}: not of the repair, so they stay: {', '.join(others[:3])}")
        self.record = {}

    def _files(self, *folders: str) -> list[str]:
        paths = sorted(path for folder in folders for path in (self.path / folder).rglob("*") if path.is_file())
        return [path.relative_to(self.path).as_posix() for path in paths]

    def write(self) -> None:
        """The record, to the disk."""
        write_json(self.file, self.record)

    def found(self, stage: str) -> dict[str, Any] | None:
        """What a stage has found; None: it is not done."""
        found: dict[str, Any] | None = self.record["stages"].get(stage)
        return found

    def finish(self, stage: str, found: Mapping[str, Any], began: float) -> None:
        """Keep what a stage has found; `began` by `time.perf_counter`."""
        seconds = time.perf_counter() - began + self.record.get("spent", {}).pop(stage, 0.0)
        self.record["stages"][stage] = {**found, "seconds": round(seconds, 1)}
        self.write()

    def stop(self, stage: str, began: float) -> None:
        """Keep how long a stage took until it was interrupted."""
        spent = self.record.setdefault("spent", {})
        spent[stage] = round(spent.get(stage, 0.0) + time.perf_counter() - began, 1)
        self.write()

    @property
    def is_finished(self) -> bool:
        """Whether all stages are done and what is to be left is there."""
        return "files" in self.record

    def end(self) -> None:
        """Say what is left; what `tidy` deletes may go then."""
        names = [*self._files("model", "figures"), *(name for name in _FILES if (self.path / name).is_file())]
        self.record["files"] = {name: digest_file(self.path / name) for name in names}
        self.write()

    def tidy(self, *, keep_models: bool) -> None:
        """Delete what is large and of no use any more of a repair that has ended; a kill may have come before that."""
        shutil.rmtree(self.vectors, ignore_errors=True)
        if not keep_models:
            shutil.rmtree(self.models, ignore_errors=True)
            for run in self.runs.glob("*"):
                shutil.rmtree(run / "model", ignore_errors=True)
                shutil.rmtree(run / "adapter", ignore_errors=True)
