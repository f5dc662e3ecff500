"""The run directory: what was asked, what came out, and whether a run may be resumed. It has one writer.

run.json        what was asked; versions, seed, data and base digests; afterwards the outcome and the digests of the model's files
log.jsonl       one line per logged step
tensorboard/    the same for TensorBoard
checkpoints/    to resume from; removed when the run has ended
adapter/        LoRA only: for PEFT
model/          a self-contained sentence-transformers model
"""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from isoglot.data.pairs.table import PairTable
from isoglot.disk import check_writable, delete, sync, sync_tree
from isoglot.errors import InputError, at, say, warn
from isoglot.files import digest_file, package_versions, read_json, write_json
from isoglot.models.content import check_apart
from isoglot.one_writer import LOCK, locked
from isoglot.training import checkpoints
from isoglot.training.settings import TrainSettings

_TRAINERS = ("torch", "transformers", "sentence-transformers", "peft", "accelerate", "tokenizers")
_MAY_DIFFER = ("output", "log_steps", "save_steps", "threads", "report_to")
_MUST_AGREE = {
    "data": "data",
    "validation": "validation data",
    "base": "base model",
    "teacher": "teacher",
    "strategy": "files of the strategy",
}


class RunDirectory:
    """Paths of one run, and what may be done with it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record, self.log, self.tensorboard = path / "run.json", path / "log.jsonl", path / "tensorboard"
        self.checkpoints, self.adapter, self.model = path / "checkpoints", path / "adapter", path / "model"

    def locked(self) -> AbstractContextManager[None]:
        """Be its only writer; InputError where another process is, or nothing can be written."""
        check_writable(self.path, directory=True)
        return locked(self.path)

    def read(self) -> dict[str, Any] | None:
        """The record; None where nothing was begun here (or what was there is being thrown away).

        Raises:
            InputError: `run.json` is damaged or not of a run, or there are files without one.
        """
        if not self.record.exists():
            if self.path.is_dir() and any(path.name != LOCK for path in self.path.iterdir()):
                raise InputError(f"{self.path}: not empty and not a run; give another --output")
            return None
        record = read_json(self.record)
        if not isinstance(record, dict) or not all(isinstance(record.get(key), dict) for key in ("asked", "versions")):
            raise InputError(f"{self.record}: not a run of `isoglot train`; move it away or give another --output")
        return None if record.get("discarded") else record

    def check(self, settings: TrainSettings, *, resume: bool, overwrite: bool) -> dict[str, Any] | None:
        """Say why this directory cannot be used, if so; nothing is changed. Returns the outcome of a run that has ended.

        Raises:
            InputError: it holds something and neither resume nor overwrite was asked for; it is no run; the base
                lies in it, or it in the base; the resumed run was asked for with other settings; files of the model that it
                has made are damaged.
        """
        record = self.read()
        if record is None or overwrite:
            check_apart(settings.base, self.path)
            if "teachers" in settings.needs:
                check_apart(settings.teacher_name, self.path, "teacher")
        if record is None:
            return None
        if overwrite:
            if foreign := self._foreign(record):
                raise InputError(
                    f"{self.path}: the run did not write {_some(foreign)}; move that away or give another --output"
                )
            return None
        if not resume:
            raise InputError(f"{self.path}: holds a run already; go on with --resume or start again with --overwrite")
        # a run of an earlier version was begun without the settings that came later: it had what is their default now
        with at(str(self.record)):
            before, now = TrainSettings(**record["asked"]).to_flat(), settings.to_flat()
        keys = [key for key in {**before, **now} if key not in _MAY_DIFFER and before.get(key) != now.get(key)]
        if keys:
            what = ", ".join(f"{key} was {before.get(key)!r}, is {now.get(key)!r}" for key in keys)
            raise InputError(f"{self.path}: cannot resume with other settings ({what})")
        if "outcome" not in record:
            return None
        return self._ended(record)

    def _ended(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The outcome of a run that has ended, if its model is still what it was."""
        try:
            reason = checkpoints.changed_files(self.path, record.get("files", {}))
            outcome: dict[str, Any] = {"steps": int(record["outcome"]["steps"]), **record["outcome"]}
        except (TypeError, AttributeError, KeyError, ValueError):
            raise InputError(f"{self.record}: is damaged; begin again with --overwrite") from None
        if reason or not self.model.is_dir():
            raise InputError(
                f"{self.path}: the run has ended, but {reason or 'model/ is missing'}; begin again with --overwrite"
            )
        return outcome

    def can_resume(self) -> bool:
        """Whether there is a run whose record is sound, and a checkpoint or a model where it got that far."""
        try:
            record = self.read()
            if record is not None and "outcome" in record:
                self._ended(record)
            checkpoints.newest_whole(self.checkpoints)
        except InputError as error:
            say(f"{error}: it is begun again")
            return False
        return record is not None

    def agree(self, facts: Mapping[str, Any], *, overwrite: bool = False) -> None:
        """After `check`, before anything is read at length: a run that is resumed goes on with what it began with.

        Raises:
            InputError: pairs, base or teacher are not those that the run began with.
        """
        before = None if overwrite else self.read()
        if before is None:
            return
        for key, what in _MUST_AGREE.items():
            if key in before and (changed := _changed(before[key], facts.get(key))):
                which = f"the {what} changed since this run began ({', '.join(changed)})"
                raise InputError(f"{self.path}: cannot resume, {which}")
        if differing := _conditions(before, _about(facts)):
            warn(
                f"{self.path}: goes on under other conditions ({differing}): not bit for bit what an unbroken run gives"
            )

    def begin(self, settings: TrainSettings, facts: Mapping[str, Any], *, overwrite: bool = False) -> None:
        """Make the directory ready and write run.json, unless a resumed run has it already."""
        if overwrite or self.read() is None:
            self._discard()
            write_json(self.record, {"asked": settings.to_flat(), **_about(facts), "started": _now()})

    def last_checkpoint(self) -> Path | None:
        """The checkpoint to go on from (None: the first step), with the log as it was then. It is said, see `newest_whole`."""
        checkpoint = checkpoints.newest_whole(self.checkpoints)
        checkpoints.restore_log(self.log, checkpoint)
        return checkpoint

    def end(self, outcome: Mapping[str, Any]) -> None:
        """Add the outcome to run.json when all else is on the disk, and drop the checkpoints after that."""
        names = sorted(path for folder in (self.adapter, self.model) for path in folder.rglob("*") if path.is_file())
        files = {path.relative_to(self.path).as_posix(): digest_file(path) for path in names}
        sync(self.log)
        sync_tree(self.tensorboard)
        write_json(self.record, {**read_json(self.record), "ended": _now(), "outcome": dict(outcome), "files": files})
        self.drop_checkpoints()

    def drop_checkpoints(self) -> None:
        """Of a run that has ended: a kill may have come before they were deleted."""
        for checkpoint in checkpoints.checkpoints_in(self.checkpoints):
            shutil.rmtree(checkpoint, ignore_errors=True)
        with suppress(OSError):  # somebody else's files, or gone already
            self.checkpoints.rmdir()

    def _own(self) -> tuple[Path, ...]:
        return self.log, self.tensorboard, self.checkpoints, self.adapter, self.model

    def _foreign(self, record: Mapping[str, Any]) -> list[str]:
        """Files inside the run's folders that it did not write."""
        files = [path for folder in self._own() for path in folder.rglob("*") if not path.is_dir()]
        names = [path.relative_to(self.path).as_posix() for path in files]
        written = re.compile(r"tensorboard/(.*/)?events\.out\.tfevents[^/]*|checkpoints/checkpoint-\d+/.*")
        if not isinstance(known := record.get("files"), dict):
            # model and adapter are written at the end, as whole folders
            known = {name for name in names if name.startswith(("adapter/", "model/"))}
        return [name for name in sorted(names) if name not in known and not written.fullmatch(name)]

    def _discard(self) -> None:
        """Delete a run. A kill meanwhile leaves a record that says so, and the next start goes on with it."""
        if not self.record.exists():
            return
        write_json(self.record, {**read_json(self.record), "discarded": True})
        for path in self._own():
            delete(path)
        own = (LOCK, self.record.name)
        if others := sorted(path.name for path in self.path.iterdir() if path.name not in own):
            say(f"{self.path}: not of the run, so they stay: {_some(others)}")


def _about(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts of a run with the versions and the machine that it has now."""
    versions = package_versions(["isoglot", *_TRAINERS, "numpy"])
    return {
        **facts,
        "versions": versions,
        "machine": {"platform": platform.platform(), "python": platform.python_version()},
    }


def _changed(before: Any, now: Any) -> list[str]:
    """Keys whose values are others now; what an earlier version did not write down may be anything."""
    if not isinstance(before, dict) or not isinstance(now, dict):
        return [] if before == now else ["all of it"]
    return [key for key, value in before.items() if now.get(key) != value]


def _conditions(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Which of the conditions that only touch the last digits are others now, in words."""
    pairs = [(key, before.get(key), now[key]) for key in ("processes", "device")]
    for group in ("versions", "machine"):
        had: Any = before.get(group)
        pairs += [(key, had.get(key), value) for key, value in now[group].items() if isinstance(had, dict)]
    return ", ".join(f"{key}: {old}, now {new}" for key, old, new in pairs if old not in (None, new))


def _some(names: list[str]) -> str:
    more = len(names) - 3
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")


def describe_table(table: PairTable, *, documents: bool = False) -> dict[str, Any]:
    """Digest and size of a pair table, for run.json; `documents`: they decide the batches as well."""
    return {
        "digest": table.digest,
        **({"documents": table.document_digest} if documents else {}),
        "groups": table.index.group_digest,
        "pairs": table.index.n_pairs,
        "rows": len(table),
        "languages": list(table.languages),
        "sources": list(table.index.sources),
    }


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
