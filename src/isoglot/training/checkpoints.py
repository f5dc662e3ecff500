"""Checkpoints: folders `checkpoint-<step>`, each with the digests of its files, which are written last.

Before anything else a checkpoint gets an empty `digests.json`: so what a kill leaves is known from what an earlier version wrote,
which has none.
"""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

from isoglot.disk import make_directory, sync_tree
from isoglot.errors import InputError, say, warn
from isoglot.files import digest_file, missing_files, read_json, write_json, write_text

DIGESTS, STATE, LOG, TOKENS = "digests.json", "trainer_state.json", "log.jsonl", "tokens.json"
_NAME = re.compile(r"checkpoint-(\d+)")
_EARLIER = (STATE, "optimizer.pt", "scheduler.pt", "modules.json")
"""What a checkpoint of an earlier version must have; the random state's name depends on the number of processes."""


def checkpoints_in(directory: Path) -> list[Path]:
    """The checkpoints there, whole or not, the newest first; folders of other names are nobody's business."""
    if not directory.is_dir():
        return []
    named = [path for path in directory.iterdir() if _NAME.fullmatch(path.name) and path.is_dir()]
    return sorted(named, key=step_of, reverse=True)


def step_of(checkpoint: Path) -> int:
    """The step in a checkpoint's name."""
    return int(checkpoint.name.rpartition("-")[2])


def begin(checkpoint: Path) -> None:
    """Make room for a checkpoint; until `finish` it counts as not there."""
    if checkpoint.exists():  # an earlier attempt, which was not whole
        shutil.rmtree(checkpoint)
    make_directory(checkpoint)
    write_json(checkpoint / DIGESTS, {})


def finish(checkpoint: Path) -> None:
    """Make a checkpoint whole: its files are on the disk, and then their digests."""
    names = sorted(path.relative_to(checkpoint).as_posix() for path in checkpoint.rglob("*") if path.is_file())
    digests = {name: digest_file(checkpoint / name) for name in names if name != DIGESTS}
    sync_tree(checkpoint)
    write_json(checkpoint / DIGESTS, {"sha256": digests})


def rotate(newest: Path, best: int | None) -> None:
    """Delete all but a new checkpoint and the best one (by its step), or the one before where these are one."""
    others = [path for path in checkpoints_in(newest.parent) if path != newest]
    older = [path for path in others if step_of(path) < step_of(newest)]  # those after it were passed over
    kept = [path for path in older if step_of(path) == best] or older[:1]
    for path in others:
        if path not in kept:
            shutil.rmtree(path)


def newest_whole(directory: Path) -> Path | None:
    """The newest checkpoint that is whole; None where a run has to begin at its first step. What is passed over is said.

    Raises:
        InputError: there are checkpoints, and all of them are damaged.
    """
    damaged = []
    for checkpoint in checkpoints_in(directory):
        reason, was_whole = _why_not_whole(checkpoint)
        if reason is None:
            return checkpoint
        warn(f"{checkpoint}: {reason}; it is passed over")
        if was_whole:
            damaged.append(f"{checkpoint.name}: {reason}")
    if damaged:
        raise InputError(
            f"{directory}: no checkpoint is whole ({'; '.join(damaged)}); begin again with --overwrite, or restore one"
        )
    return None


def _why_not_whole(checkpoint: Path) -> tuple[str | None, bool]:
    """(what is wrong, None where it is whole; whether it was whole once)."""
    try:
        if not (checkpoint / DIGESTS).exists():
            reason, was_whole = _check_earlier(checkpoint)
        elif (known := read_json(checkpoint / DIGESTS)) == {}:
            reason, was_whole = "was not finished", False
        else:
            reason, was_whole = changed_files(checkpoint, known["sha256"]), True
    except (InputError, OSError, TypeError, KeyError, AttributeError) as error:
        return f"{DIGESTS} is damaged ({type(error).__name__})", True
    if reason is not None:
        return reason, was_whole
    state = read_json(checkpoint / STATE)
    if state.get("best_model_checkpoint"):  # what a run with validation ends with
        best = checkpoint.with_name(f"checkpoint-{state.get('best_global_step')}")
        if best != checkpoint and (not best.is_dir() or _why_not_whole(best)[0]):
            return f"needs {best.name}, the best until then, which is not whole", True
    return None, True


def changed_files(directory: Path, digests: Any) -> str | None:
    """The first of the files that is missing or has another SHA-256, in words; None where all are as they were.

    Args:
        directory: that the names belong to.
        digests: SHA-256 (hex) by name.

    Raises:
        TypeError, AttributeError: these are no digests.
    """
    for name, digest in sorted(digests.items()):
        if not (directory / name).is_file():
            return f"{name} is missing"
        if digest_file(directory / name) != digest:
            return f"{name} is damaged"
    return None


def _check_earlier(checkpoint: Path) -> tuple[str | None, bool]:
    """As far as a checkpoint without digests can be checked: files that are there and can be read to their end."""
    from safetensors import SafetensorError, safe_open

    if missing := missing_files(checkpoint, _EARLIER):
        return f"{missing[0]} is missing", False
    names = [path for path in sorted(checkpoint.rglob("*")) if path.is_file()]
    for path in names:
        try:
            if path.suffix == ".json":
                content = read_json(path)
                if path.name == STATE and content["global_step"] != step_of(checkpoint):
                    return f"{STATE} is of another step", True
            elif path.suffix in (".pt", ".pth"):
                with zipfile.ZipFile(path) as archive:
                    if archive.testzip():
                        return f"{path.relative_to(checkpoint).as_posix()} is damaged", True
            elif path.suffix == ".safetensors":
                with safe_open(path, "np"):
                    pass
        except (InputError, OSError, TypeError, KeyError, ValueError, zipfile.BadZipFile, SafetensorError):
            return f"{path.relative_to(checkpoint).as_posix()} is damaged", True
    for suffix, what in ((".safetensors", "weights"), (".pth", "random state")):
        if not any(path.suffix == suffix for path in names):
            return f"its {what} is missing", False
    say(f"{checkpoint}: has no digests (an earlier version wrote it): it is checked as far as that goes")
    return None, True


def restore_log(log: Path, checkpoint: Path | None) -> None:
    """Bring a run's log to where its checkpoint is (None: the beginning), whatever became of it since."""
    kept = ""
    if checkpoint is not None and (checkpoint / LOG).is_file():
        kept = (checkpoint / LOG).read_text(encoding="utf-8")
    elif checkpoint is not None:  # of an earlier version
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
        kept = "".join(f"{line}\n" for line in lines if _step_of_line(line) <= step_of(checkpoint))
    write_text(log, kept)


def _step_of_line(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return float("inf")  # the half-written last line of a run that was killed
