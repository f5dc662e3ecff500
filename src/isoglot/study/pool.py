"""Several jobs at a time, each in a process of its own, so that one that fails or is killed takes nothing else with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NamedTuple

from isoglot.processes import OnSignal
from isoglot.study.display import Display
from isoglot.study.jobs import Job

_LOOK = 0.1  # seconds between looks at the processes
_LAUNCH = """
import sys
sys.path[:] = [path for path in sys.path if path]
from isoglot.study.worker import main
sys.exit(main(sys.argv[1:]))
"""
"""Starts a worker that imports nothing from the working directory, which `python -m` and `-c` put first."""


class Stop(OnSignal):
    """Ctrl-C and SIGTERM, counted: the first asks the processes to save and end, the second kills them."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked += 1


class _Running(NamedTuple):
    process: subprocess.Popen[bytes]
    began: float
    device: str | None


def visible_device(device: str) -> str:
    """CUDA_VISIBLE_DEVICES for a process that sees one of the devices of this one: `cuda:0` is the first that this one sees."""
    kind, _, number = device.partition(":")
    own = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    if kind != "cuda":
        return ""
    return own.split(",")[int(number or 0)].strip() if own else number or "0"


class Pool:
    """Runs jobs in processes.

    Args:
        workers: processes at a time.
        devices: of which each process sees one (`cuda:0`, or `cpu`); () leaves it to torch.
        threads: CPU threads per process.
        display: shows how far they are.
        stop: tells when to end early.
    """

    def __init__(self, workers: int, devices: Sequence[str], threads: int, display: Display, stop: Stop) -> None:
        self.workers, self.devices, self.threads = workers, devices, threads
        self.display, self.stop = display, stop
        self._running: dict[Job, _Running] = {}

    def run(self, jobs: Sequence[Job], ended: Callable[[Job, int], None]) -> bool:
        """Run all jobs, each after the one that it goes on from, and report each end with the exit code; False when stopped."""
        waiting, sent = list(jobs), 0
        try:
            while self._running or (waiting and not self.stop.asked):
                while len(self._running) < self.workers and not self.stop.asked and (job := self._next(waiting)):
                    waiting.remove(job)
                    if job.write(self.threads, self.workers):
                        self._running[job] = self._start(job)
                    else:
                        ended(job, 1)
                time.sleep(_LOOK)
                for job, (process, began, _) in list(self._running.items()):
                    if (code := process.poll()) is not None:
                        del self._running[job]
                        state = "done" if code == 0 else "stopped" if self.stop.asked else "failed"
                        self.display.end(job, state, time.monotonic() - began)
                        if state != "stopped":
                            ended(job, code)
                if self.stop.asked > sent:
                    sent = self.stop.asked
                    self.display.say("stopping: processes save a checkpoint and end" if sent == 1 else "killing them")
                    for process, *_ in self._running.values():
                        process.send_signal(signal.SIGTERM if sent == 1 else signal.SIGKILL)
                self.display.update(self._running)
        finally:
            for process, *_ in self._running.values():
                process.kill()
                process.wait()
            self.display.close()
        return not self.stop.asked

    def _next(self, waiting: Sequence[Job]) -> Job | None:
        """The first job whose models to go on from are not in the making."""
        unfinished = {*waiting, *self._running}
        return next((job for job in waiting if unfinished.isdisjoint(job.needs)), None)

    def _start(self, job: Job) -> _Running:
        """Start a job's process on the device with the fewest."""
        used = [running.device for running in self._running.values()]
        device = min(self.devices, key=used.count) if self.devices else None
        environment = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(self.threads))}
        environment.setdefault("TOKENIZERS_PARALLELISM", "true" if self.threads > 1 else "false")
        if device:
            environment["CUDA_VISIBLE_DEVICES"] = visible_device(device)
        self.display.begin(job)
        with job.folder.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", _LAUNCH, str(job.folder.path.resolve()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,  # a terminal's Ctrl-C comes to this process alone, which passes it on once
            )
        return _Running(process, time.monotonic(), device)
