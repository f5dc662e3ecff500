"""Several jobs at a time, each in a process of its own, so that one that fails or is killed takes nothing else with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType

from isoglot.processes import OnSignal
from isoglot.study.display import Display
from isoglot.study.jobs import Job

_LOOK = 0.1  # seconds between looks at the processes
STOPPED = 130


@dataclass
class Running:
    """A job whose process is alive."""

    job: Job
    process: subprocess.Popen[bytes]
    began: float
    device: str | None


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
        keep: file descriptors that the processes inherit (a lock is held until the last one has ended).
    """

    def __init__(
        self, workers: int, devices: Sequence[str], threads: int, display: Display, stop: Stop, keep: Sequence[int] = ()
    ) -> None:
        self.workers, self.devices, self.threads = workers, list(devices), threads
        self.display, self.stop, self.keep = display, stop, tuple(keep)
        self._sent = 0

    def run(self, jobs: Sequence[Job], ended: Callable[[Job, int], None]) -> bool:
        """Run all jobs in their order and report each end with the exit code; False when stopped early."""
        waiting = list(jobs)
        running: list[Running] = []
        try:
            while running or (waiting and not self.stop.asked):
                while waiting and len(running) < self.workers and not self.stop.asked:
                    running.append(self._start(waiting.pop(0), running))
                time.sleep(_LOOK)
                for part in [part for part in running if part.process.poll() is not None]:
                    running.remove(part)
                    self._end(part, ended)
                self._pass_on(running)
                self.display.update(running, waiting)
        finally:
            for part in running:
                part.process.kill()
                part.process.wait()
        return not self.stop.asked

    def _end(self, part: Running, ended: Callable[[Job, int], None]) -> None:
        code = part.process.returncode
        if code != 0 and self.stop.asked:
            self.display.end(part.job, "stopped", time.monotonic() - part.began)
            return
        self.display.end(part.job, "done" if code == 0 else "failed", time.monotonic() - part.began)
        ended(part.job, code)

    def _pass_on(self, running: Sequence[Running]) -> None:
        if self.stop.asked > self._sent:
            self._sent = self.stop.asked
            self.display.say("stopping: processes save a checkpoint and end" if self._sent == 1 else "killing them")
            for part in running:
                part.process.send_signal(signal.SIGTERM if self._sent == 1 else signal.SIGKILL)

    def _start(self, job: Job, running: Sequence[Running]) -> Running:
        device = self._device(running)
        job.write(self.threads, self.workers)
        environment = {**os.environ, **_device_environment(device)}
        environment.setdefault("TOKENIZERS_PARALLELISM", "true" if self.threads > 1 else "false")
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            environment[name] = str(self.threads)
        self.display.begin(job)
        with (job.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "isoglot.study.worker", str(job.folder.resolve()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                pass_fds=self.keep,
                start_new_session=True,  # a terminal's Ctrl-C comes to this process alone, which passes it on once
            )
        return Running(job, process, time.monotonic(), device)

    def _device(self, running: Sequence[Running]) -> str | None:
        """The device with the fewest processes."""
        if not self.devices:
            return None
        used = [part.device for part in running]
        return min(self.devices, key=used.count)


def _device_environment(device: str | None) -> dict[str, str]:
    if device is None:
        return {}
    kind, _, number = device.partition(":")
    return {"CUDA_VISIBLE_DEVICES": (number or "0") if kind == "cuda" else ""}
