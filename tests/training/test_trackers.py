"""Trackers that follow a run: what they are told, that a resumed run goes on in theirs, and that stdout stays free."""

from __future__ import annotations

import errno
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isoglot.errors import InputError
from isoglot.training.settings import TrainSettings
from isoglot.training.trackers import following
from isoglot.training.train import train
from tests.training.crash import train_until
from tests.training.tiny import pair_table, small_lora

SAY = """
import json, os

def say(kind, **more):
    with open(os.environ["STUB_LOG"], "a") as log:
        log.write(json.dumps({"kind": kind, **more}, default=str) + "\\n")
"""
WANDB = """
from say import say
import os

run = None

class Run:
    id, name, url, summary = os.environ.get("WANDB_RUN_ID"), "", "", {}
    def _label(self, code): pass

class Config(dict):
    def update(self, values, allow_val_change=False): super().update(values)

config = Config()

def init(project, name=None, **more):
    global run
    run = Run()
    own = {key: os.environ.get(key) for key in ("WANDB_RUN_ID", "WANDB_RESUME")}
    say("init", tracker="wandb", project=project, name=name, **own)
    print("a greeting on stdout")

def log(values, **_): say("log", tracker="wandb", **values)

def finish(exit_code=0):
    global run
    say("finish", tracker="wandb", exit_code=exit_code)
    run = None

def define_metric(*_, **__): pass
def termwarn(*_, **__): pass
"""
TRACKIO = """
from contextvars import ContextVar
from types import SimpleNamespace
from say import say

context_vars = SimpleNamespace(current_space_id=ContextVar("space", default=None))

class Config(dict):
    def update(self, values, allow_val_change=False): super().update(values)

config = Config()

def init(project, name, resume, **_):
    say("init", tracker="trackio", project=project, name=name, resume=resume)
    print("a greeting on stdout")

def log(values, **_): say("log", tracker="trackio", **values)
def finish(): say("finish", tracker="trackio", exit_code=0)
"""


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Packages that stand in for wandb and trackio; what they were told, a line each."""
    stubs = tmp_path / "stubs"
    for name, text in {"say.py": SAY, "wandb/__init__.py": WANDB, "trackio/__init__.py": TRACKIO}.items():
        (stubs / name).parent.mkdir(parents=True, exist_ok=True)
        (stubs / name).write_text(text)
    (stubs / "wandb/sdk/lib").mkdir(parents=True)
    (stubs / "wandb/sdk/lib/config_util.py").write_text("class ConfigError(Exception): pass")
    monkeypatch.syspath_prepend(str(stubs))
    monkeypatch.setenv("STUB_LOG", str(tmp_path / "said.jsonl"))
    for name in ("WANDB_PROJECT", "WANDB_RUN_ID", "WANDB_RESUME", "TRACKIO_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    ours = ("wandb", "trackio", "say")
    before = {name for name in sys.modules if name.partition(".")[0] in ours}
    assert not before
    yield tmp_path / "said.jsonl"
    for name in [name for name in sys.modules if name.partition(".")[0] in ours]:
        del sys.modules[name]


def lines(said: Path, kind: str, tracker: str) -> list[dict[str, Any]]:
    read = [json.loads(text) for text in said.read_text().splitlines()]
    return [line for line in read if (line["kind"], line["tracker"]) == (kind, tracker)]


def asked(base: Path, output: Path, **more: Any) -> TrainSettings:
    given = {"pairs": "made", "base": str(base), "output": str(output), "batch_size": 8, "steps": 3, "save_steps": 1}
    return TrainSettings(**{**given, "report_to": ["wandb", "trackio"], **small_lora({}), **more})


def test_a_resumed_run_goes_on_in_its_trackers(
    base: Path, tmp_path: Path, said: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = asked(base, tmp_path / "run")
    train_until(2, run, pair_table())
    train(run, table=pair_table(), resume=True, show=False)
    first, second = lines(said, "init", "wandb")
    assert first == second
    assert len(first["WANDB_RUN_ID"]) == 16
    assert (first["WANDB_RESUME"], first["project"]) == ("allow", "isoglot")
    assert first["name"] == f"run-{first['WANDB_RUN_ID'][:6]}"
    assert {(line["name"], line["resume"]) for line in lines(said, "init", "trackio")} == {(first["name"], "allow")}
    for tracker in ("wandb", "trackio"):
        logged = [line["train/loss"] for line in lines(said, "log", tracker) if "train/loss" in line]
        written = [json.loads(text)["loss"] for text in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
        assert logged[-len(written) + 2 :] == pytest.approx(written[2:], abs=1e-3)
    assert [line["exit_code"] for line in lines(said, "finish", "wandb")][-1] == 0
    assert not {"WANDB_RUN_ID", "WANDB_PROJECT", "TRACKIO_PROJECT"} & {*os.environ}
    told = capsys.readouterr()
    assert "greeting" not in told.out
    assert "greeting" in told.err
    assert not list((tmp_path / "run").glob("tensorboard/events*"))
    train(run, table=pair_table(), overwrite=True, show=False)
    assert lines(said, "init", "wandb")[2]["project"] == "isoglot"


def test_a_run_of_the_caller_stays_theirs(base: Path, tmp_path: Path, said: Path) -> None:
    import wandb

    wandb.init("theirs")
    train(asked(base, tmp_path / "run", report_to="wandb", steps=1), table=pair_table(), show=False)
    assert [line["project"] for line in lines(said, "init", "wandb")] == ["theirs"]
    assert not lines(said, "finish", "wandb")


def test_trackers_are_looked_for_before_anything_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trackio", None)
    settings = TrainSettings(pairs="no-such-file.jsonl", output=str(tmp_path / "run"), report_to="trackio")
    with pytest.raises(InputError, match=r"report_to trackio: .*trackio.*: pip install trackio"):
        train(settings)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("names", "message"), [("wandbb", "unknown tracker 'wandbb'.*wandb"), (["none", "wandb"], "none stands alone")]
)
def test_unknown_trackers_are_refused(names: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"report_to: {message}"):
        TrainSettings(pairs="made", output="run", report_to=names)


def test_a_tracker_changes_no_digest() -> None:
    plain, tracked = (TrainSettings(pairs="made", output="run", report_to=name) for name in ("tensorboard", "wandb"))
    assert plain.deciding() == tracked.deciding()


def test_an_error_of_tensorboards_thread_is_raised_once_and_not_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tensorboard.summary.writer import event_file_writer

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(event_file_writer._AsyncWriterThread, "_run", fail)
    before = threading.excepthook

    def write(error: Exception | None = None) -> None:
        with following(["tensorboard"], tmp_path, {}):
            event_file_writer._AsyncWriter(None)._worker.join()
            if error:
                raise error

    with pytest.raises(OSError, match="No space left"):
        write()
    with pytest.raises(InputError, match="first"):
        write(InputError("first"))
    assert threading.excepthook is before
    assert capsys.readouterr().err == ""
