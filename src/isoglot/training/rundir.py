"""The run directory: what was asked, what came out, and whether a run may be resumed.

run.json        what was asked; versions, seed, data and base digests; afterwards the outcome
log.jsonl       one line per logged step
tensorboard/    the same for TensorBoard
checkpoints/    to resume from; removed when the run has ended
adapter/        LoRA only: for PEFT
model/          a self-contained sentence-transformers model
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from isoglot.data.pairs.table import PairTable
from isoglot.errors import InputError
from isoglot.files import package_versions, read_json, write_json
from isoglot.training.settings import TrainSettings

_TRAINERS = ("torch", "transformers", "sentence-transformers", "peft", "accelerate", "tokenizers")
_MAY_DIFFER = ("output", "log_steps", "save_steps", "threads")


class RunDirectory:
    """Paths of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record, self.log, self.tensorboard = path / "run.json", path / "log.jsonl", path / "tensorboard"
        self.checkpoints, self.adapter, self.model = path / "checkpoints", path / "adapter", path / "model"

    def last_checkpoint(self) -> Path | None:
        """The newest complete checkpoint, None where there is none. The trainer's state file is written last."""
        whole = [path for path in self.checkpoints.glob("checkpoint-*") if (path / "trainer_state.json").is_file()]
        return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)

    def check(self, settings: TrainSettings, *, resume: bool, overwrite: bool) -> dict[str, Any] | None:
        """Say why this directory cannot be used, if so; nothing is changed. Returns the outcome of a run that has ended.

        Raises:
            InputError: it holds something and neither resume nor overwrite was asked for; it is no run; the resumed run
                was asked for with other settings.
        """
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{self.path}: is a file; give a directory")
        used = self.path.is_dir() and any(self.path.iterdir())
        if used and not self.record.is_file():
            raise InputError(f"{self.path}: not empty and not a run; give another --output")
        if used and not resume and not overwrite:
            raise InputError(f"{self.path}: holds a run already; go on with --resume or start again with --overwrite")
        if not used or overwrite:
            return None
        record: dict[str, Any] = read_json(self.record)
        # a run of an earlier version was begun without the settings that came later: it had what is their default now
        before, now = TrainSettings(**record["asked"]).to_flat(), settings.to_flat()
        keys = [key for key in {**before, **now} if key not in _MAY_DIFFER and before.get(key) != now.get(key)]
        if keys:
            what = ", ".join(f"{key} was {before.get(key)!r}, is {now.get(key)!r}" for key in keys)
            raise InputError(f"{self.path}: cannot resume with other settings ({what})")
        return record.get("outcome")

    def begin(self, settings: TrainSettings, facts: Mapping[str, Any], *, overwrite: bool = False) -> None:
        """After `check`: make the directory ready and write run.json, unless a resumed run has it already."""
        if overwrite and self.path.is_dir():
            shutil.rmtree(self.path)
        self.path.mkdir(parents=True, exist_ok=True)
        if self.record.is_file():
            before = read_json(self.record)
            for key, value in facts.items():
                if key in ("data", "validation") and before.get(key) != value:
                    raise InputError(f"{self.path}: cannot resume, the {key} changed since this run began")
            return
        versions = package_versions(["isoglot", *_TRAINERS, "numpy", "babel"])
        machine = {"platform": platform.platform(), "python": platform.python_version()}
        about = {"versions": versions, "machine": machine, "started": _now()}
        write_json(self.record, {"asked": settings.to_flat(), **facts, **about})

    def end(self, outcome: Mapping[str, Any]) -> None:
        """Add the outcome to run.json and drop the checkpoints."""
        write_json(self.record, {**read_json(self.record), "ended": _now(), "outcome": dict(outcome)})
        shutil.rmtree(self.checkpoints, ignore_errors=True)


def describe_table(table: PairTable) -> dict[str, Any]:
    """Digest and size of a pair table, for run.json."""
    return {
        "digest": table.digest,
        "groups": table.index.group_digest,
        "pairs": table.index.n_pairs,
        "rows": len(table),
        "languages": list(table.languages),
        "sources": list(table.index.sources),
    }


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
