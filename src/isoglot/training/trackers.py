"""Who follows a run beside its own log, as transformers reports to them: TensorBoard, Weights & Biases, Trackio."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from isoglot.errors import InputError, first_line
from isoglot.files import digest_json
from isoglot.processes import processes

TENSORBOARD, WANDB, TRACKIO, NONE = "tensorboard", "wandb", "trackio", "none"
TRACKERS = (TENSORBOARD, WANDB, TRACKIO, NONE)
_PROJECT = "isoglot"


def check_trackers(names: Collection[str]) -> None:
    """InputError for one that is not installed, or only in part."""
    for name in reported(names):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise InputError(f"report_to {name}: {first_line(error)}: pip install {name}") from None


def reported(names: Collection[str]) -> list[str]:
    """The names as transformers takes them."""
    return [name for name in names if name != NONE]


def run_name(path: Path, record: Mapping[str, Any]) -> str:
    """What trackers call a run: its directory, and a part of its id, so that one that was begun again is another."""
    return f"{path.resolve().name}-{run_id(record)[:6]}"


def run_id(record: Mapping[str, Any]) -> str:
    """The id of a run by its run.json: the same when it is resumed, another when it is begun again."""
    return digest_json({key: record.get(key) for key in ("asked", "started")})[:16]


def project() -> str:
    """Where trackers put a run, where nothing else is asked for by their own variables."""
    return os.environ.get("TRACKIO_PROJECT") or os.environ.get("WANDB_PROJECT") or _PROJECT


@contextmanager
def following(names: Collection[str], path: Path, record: Mapping[str, Any]) -> Iterator[None]:
    """While a run trains: trackers know its id and go on with it, what they print goes to stderr, and in the end they end.

    `WANDB_MODE=offline` and the like are theirs; a variable that is set already stays as it is.
    """
    # sentence-transformers' trainer sets the projects where they are not
    own = {"WANDB_PROJECT": project(), "TRACKIO_PROJECT": project()}
    own |= {"WANDB_RUN_ID": run_id(record), "WANDB_RESUME": "allow"} if WANDB in names else {}
    given = {key: os.environ.get(key, value) for key, value in own.items()}
    with ExitStack() as stack:
        stack.enter_context(_environment({**given, "TENSORBOARD_LOGGING_DIR": str(path / "tensorboard")}))
        stack.enter_context(_errors_of_writers())
        if not {WANDB, TRACKIO}.isdisjoint(names):
            stack.enter_context(redirect_stdout(sys.stderr))  # stdout is for results
        if WANDB in names and processes().first:
            wandb = importlib.import_module(WANDB)
            if wandb.run is None:  # a run of whoever called stays theirs; of transformers' callbacks this one ends none
                stack.push(lambda kind, *_: wandb.finish(exit_code=int(kind is not None)))
        yield


@contextmanager
def _errors_of_writers() -> Iterator[None]:
    """An error that ends TensorBoard's thread (a full disk) is raised, here at the latest, and not printed beside that."""
    others, errors = threading.excepthook, []

    def note(about: threading.ExceptHookArgs) -> None:
        if about.exc_value is not None and type(about.thread).__module__.startswith(TENSORBOARD):
            errors.append(about.exc_value)
        else:
            others(about)

    threading.excepthook = note
    try:
        yield
    finally:
        threading.excepthook = others
    if errors:
        raise errors[0]


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value
