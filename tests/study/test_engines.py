"""Cells as tasks of a Ray cluster: the results are those of this machine's processes, also where workers are killed."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from isoglot.errors import InputError
from isoglot.study import worker
from isoglot.study.engines import STUDY_ENGINES, Asked, ray_tasks
from isoglot.study.grid import RunOptions, run_study
from isoglot.study.layout import JobFolder
from isoglot.study.read_spec import parse_spec
from tests.study.small import small_spec
from tests.study.test_grid import _stub

HAS_RAY = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not HAS_RAY, reason="Ray is not installed")

_SCRIPT = """
import json, sys
from pathlib import Path
import isoglot.data.audit.run, isoglot.study.report
isoglot.data.audit.run.run_audit = lambda datasets, *, documents, progress: {"leaks": False, "summary": ["no text in common"]}
isoglot.study.report.write_report = lambda directory: []
from isoglot.study.grid import RunOptions, run_study
from isoglot.study.read_spec import parse_spec
outcome = run_study(parse_spec(json.loads(Path(sys.argv[1]).read_text()), "spec"), Path(sys.argv[2]),
                    RunOptions(threads=1, workers=2, engine="ray", allow_leaks=True))
sys.exit(0 if outcome.complete and not outcome.failed else 130 if not outcome.complete else 1)
"""


class Study:
    """A study on a Ray cluster of this machine, as a process."""

    def __init__(self, folder: Path) -> None:
        self.spec, self.out, self.log = folder / "spec.json", folder / "out", folder / "log"
        train = {"steps": 40, "batch_size": 4, "save_steps": 4}
        self.values = small_spec(folder / "in", train=train, tuning=["full"])
        self.spec.write_text(json.dumps(self.values))

    def start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            command = [sys.executable, "-c", _SCRIPT, str(self.spec), str(self.out)]
            return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def wait_for(self, process: subprocess.Popen[bytes], there: Callable[[], Any], limit: float = 280.0) -> None:
        until = time.monotonic() + limit
        while not there():
            assert process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.05)

    def cells(self, process: subprocess.Popen[bytes]) -> dict[str, psutil.Process]:
        """The processes of cells that train now, by the name of the cell."""
        found = {}
        for child in psutil.Process(process.pid).children(recursive=True):
            try:
                words = child.cmdline()
            except psutil.Error:
                continue
            if "isoglot.study.worker" in " ".join(words):
                found[Path(words[-2]).name] = child
        return found

    def checkpoints(self, name: str = "*") -> list[Path]:
        return list(self.out.glob(f"cells/{name}/run/checkpoints/checkpoint-*"))


@needs_ray
@pytest.mark.slow
def test_cells_of_which_workers_are_killed_give_the_results_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study(tmp_path)
    process = study.start()
    try:
        study.wait_for(process, study.checkpoints)
        training = {name: cell for name, cell in study.cells(process).items() if study.checkpoints(name)}
        name, cell = next(iter(training.items()))
        cell.parent().kill()  # a worker of Ray, as where a machine is lost
        study.wait_for(process, lambda: study.cells(process).get(name, cell).pid != cell.pid)
        assert not cell.is_running()
        study.cells(process)[name].kill()  # and then the cell's own process
        process.send_signal(signal.SIGINT)
        assert process.wait(240) == 130, study.log.read_text()
        assert study.checkpoints(), "a stopped cell has a checkpoint"
    finally:
        process.kill()
    assert study.start().wait(500) == 0, study.log.read_text()
    results = study.out / "results.json"
    done = {path: path.stat().st_mtime_ns for path in study.out.glob("cells/*/outcome.json")}
    assert len(done) == 3

    _stub(monkeypatch, leaks=False)
    run_study(parse_spec(study.values, "spec"), tmp_path / "here", RunOptions(threads=1, workers=1, allow_leaks=True))
    assert results.read_bytes() == (tmp_path / "here" / "results.json").read_bytes()
    assert study.start().wait(240) == 0
    assert {path: path.stat().st_mtime_ns for path in done} == done, "finished cells are not run again"


def sleeping(monkeypatch: pytest.MonkeyPatch, code: str) -> list[subprocess.Popen[bytes]]:
    """Instead of a worker: a process that runs some Python."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*_: Any) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-c", code]))
        return started[-1]

    monkeypatch.setattr(ray_tasks, "start_worker", start)
    return started


def test_a_task_returns_the_exit_code_of_its_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeping(monkeypatch, "raise SystemExit(3)")
    assert ray_tasks.run_job(str(tmp_path), ".", 1, {}) == 3


def test_a_killed_process_is_lost_and_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeping(monkeypatch, "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(ray_tasks.LostError):
        ray_tasks.run_job(str(tmp_path), ".", 1, {})


def test_a_task_that_is_asked_to_stop_passes_it_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(130)); print(flush=True); time.sleep(60)"
    started = sleeping(monkeypatch, code)
    threading.Timer(2.0, JobFolder(tmp_path).stop.touch).start()
    assert ray_tasks.run_job(str(tmp_path), ".", 1, {}) in (130, -signal.SIGTERM)
    assert ray_tasks.run_job(str(tmp_path), ".", 1, {}) == 130
    assert len(started) == 1, "one that waits in the queue does not begin"


class Lost(Exception):
    """As Ray says that a worker has died."""


class TaskFailed(Lost):
    """As Ray says that a task raised something."""

    cause = FileNotFoundError("no such directory\nand more")


class FakeRay(SimpleNamespace):
    """What `_Task` uses of Ray."""

    exceptions = SimpleNamespace(RayError=Lost, RayTaskError=TaskFailed)

    def wait(self, references: list[Any], timeout: float | None = None) -> tuple[list[Any], list[Any]]:
        return (references, []) if self.ends else ([], references)

    def get(self, _: Any) -> int:
        if isinstance(self.value, Exception):
            raise self.value
        return int(self.value)

    def cancel(self, _: Any, force: bool) -> None:
        assert force
        self.ends, self.value = True, Lost()


def test_a_task_looks_like_a_process_to_the_pool(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path)
    ray = FakeRay(ends=False, value=0)
    task = ray_tasks._Task(ray, "reference", folder)
    assert task.poll() is None
    task.send_signal(signal.SIGTERM)
    assert folder.stop.exists()
    ray.ends = True
    assert task.poll() == 0
    ray.value = TaskFailed()
    assert task.poll() == 1
    assert folder.error.read_text() == "the task of the Ray cluster failed: no such directory\n"
    task.send_signal(signal.SIGKILL)
    assert task.wait() == -signal.SIGKILL


def test_what_does_not_go_with_an_engine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="--gpus: for --engine ray"), STUDY_ENGINES["processes"]().open(Asked(gpus=1)):
        pass
    monkeypatch.setattr(ray_tasks.RayTasks, "check", lambda self: None)
    asked = Asked(devices=("cuda:0",))
    with pytest.raises(InputError, match="--devices: Ray gives each cell its own"), STUDY_ENGINES["ray"]().open(asked):
        pass
    assert STUDY_ENGINES.default() == "processes"


@pytest.mark.parametrize("device", ["gpu0", "cuda:x", "cuda:99"])
def test_what_is_no_device_of_this_machine_is_refused_from_python_too(
    device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    spec = parse_spec({**small_spec(tmp_path), "base": ["nothing"]}, "spec")
    with pytest.raises(InputError, match=f"device '{device}'"):
        run_study(spec, tmp_path / "out", RunOptions(devices=device))


@pytest.mark.skipif(HAS_RAY, reason="Ray is installed")
def test_ray_that_is_not_installed_is_said_in_one_line() -> None:
    with pytest.raises(InputError, match=r"the engine ray needs Ray: pip install 'isoglot\[ray\]'"):
        STUDY_ENGINES["ray"]()


def test_this_machine_has_as_many_places_as_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    with STUDY_ENGINES["processes"]().open(Asked(workers=1, devices=("cpu",), threads=0)) as places:
        assert (places.workers, places.threads) == (1, 1), "of the cores that this process may use"
        assert (places.devices, places.room) == (("cpu",), None)


def test_a_full_disk_of_which_a_library_tells_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(worker, "_work", full)
    monkeypatch.setattr(worker, "_watch", lambda *_: None)
    (tmp_path / "job.json").write_text("{}")
    assert worker.main([str(tmp_path), str(os.getppid())]) == 1
    assert (tmp_path / "error.txt").read_text() == f"{tmp_path}: No space left on device\n"
