"""Several jobs at a time, each in a process of its own, so that one that fails or is killed takes nothing else with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType

from isoglot.errors import InputError
from isoglot.files import write_text
from isoglot.processes import OnSignal
from isoglot.study.display import Display
from isoglot.study.jobs import Job, Running

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
        self.workers, self.devices, self.threads = workers, list(devices), threads
        self.display, self.stop = display, stop
        self._sent = 0

    def run(self, jobs: Sequence[Job], ended: Callable[[Job, int], None]) -> bool:
        """Run all jobs, each after the one that it goes on from, and report each end with the exit code; False when stopped."""
        waiting = list(jobs)
        running: list[Running] = []
        try:
            while running or (waiting and not self.stop.asked):
                while len(running) < self.workers and not self.stop.asked and (job := _next(waiting, running)):
                    waiting.remove(job)
                    self._begin(job, running, ended)
                time.sleep(_LOOK)
                for process in [process for process in running if process.process.poll() is not None]:
                    running.remove(process)
                    self._end(process, ended)
                self._pass_on(running)
                self.display.update(running, waiting)
        finally:
            for process in running:
                process.process.kill()
                process.process.wait()
        return not self.stop.asked

    def _end(self, ending: Running, ended: Callable[[Job, int], None]) -> None:
        code, seconds = ending.process.returncode, time.monotonic() - ending.began
        if code != 0 and self.stop.asked:
            self.display.end(ending.job, "stopped", seconds)
            return
        self.display.end(ending.job, "done" if code == 0 else "failed", seconds)
        ended(ending.job, code)

    def _pass_on(self, running: Sequence[Running]) -> None:
        if self.stop.asked > self._sent:
            self._sent = self.stop.asked
            self.display.say("stopping: processes save a checkpoint and end" if self._sent == 1 else "killing them")
            for process in running:
                process.process.send_signal(signal.SIGTERM if self._sent == 1 else signal.SIGKILL)

    def _begin(self, job: Job, running: list[Running], ended: Callable[[Job, int], None]) -> None:
        try:
            job.write(self.threads, self.workers)
        except InputError as error:
            write_text(job.folder.error, f"{error}\n")
            ended(job, 1)
            return
        self.display.begin(job)
        running.append(self._start(job, running))

    def _start(self, job: Job, running: Sequence[Running]) -> Running:
        device = self._device(running)
        environment = {**os.environ, **_device_environment(device)}
        environment.setdefault("TOKENIZERS_PARALLELISM", "true" if self.threads > 1 else "false")
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            environment[name] = str(self.threads)
        with job.folder.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", _LAUNCH, str(job.folder.path.resolve()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,  # a terminal's Ctrl-C comes to this process alone, which passes it on once
            )
        return Running(job, process, time.monotonic(), device)

    def _device(self, running: Sequence[Running]) -> str | None:
        """The device with the fewest processes."""
        if not self.devices:
            return None
        used = [process.device for process in running]
        return min(self.devices, key=used.count)


def _next(waiting: Sequence[Job], running: Sequence[Running]) -> Job | None:
    """The first job whose model to go on from is not in the making."""
    unfinished = {job.id for job in waiting} | {process.job.id for process in running}
    return next((job for job in waiting if job.after is None or job.after.id not in unfinished), None)


def _device_environment(device: str | None) -> dict[str, str]:
    if device is None:
        return {}
    kind, _, number = device.partition(":")
    return {"CUDA_VISIBLE_DEVICES": (number or "0") if kind == "cuda" else ""}
