"""Several jobs at a time, each in a process of its own, so that one that fails or is killed takes nothing else with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType

from isoglot.processes import KILL, STOP, OnSignal
from isoglot.study.display import Display
from isoglot.study.engines import Places, Process
from isoglot.study.jobs import Job
from isoglot.study.layout import OUT_OF_MEMORY

_LOOK = 0.1  # seconds between looks at the processes


class Stop(OnSignal):
    """Ctrl-C and SIGTERM, counted: the first asks the processes to save and end, the second kills them."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked += 1


@dataclass
class _Running:
    """A job's process.

    Attributes:
        most: processes at a time while it ran, this one included.
    """

    process: Process
    began: float
    device: str | None
    most: int = 1


class Pool:
    """Runs jobs in processes.

    Args:
        places: where they run, and how many at a time.
        display: shows how far they are.
        stop: tells when to end early.
    """

    def __init__(self, places: Places, display: Display, stop: Stop) -> None:
        self.places, self.display, self.stop, self.room = places, display, stop, places.room
        self._running: dict[Job, _Running] = {}
        self._alone: set[Job] = set()  # those that are run again by themselves

    def run(self, jobs: Sequence[Job], ended: Callable[[Job, int], None]) -> bool:
        """Run all jobs, each after the one that it goes on from, and report each end with the exit code; False when stopped."""
        waiting, sent = list(jobs), 0
        try:
            while self._running or (waiting and not self.stop.asked):
                while not self.stop.asked and (found := self._next(waiting)):
                    job, device = found
                    waiting.remove(job)
                    kind = self.room.kind(job) if self.room else ""
                    if job.write(self.places.threads, self.places.workers, kind):
                        self._start(job, device)
                    else:
                        self._forget(job)
                        ended(job, 1)
                time.sleep(_LOOK)
                for job, running in list(self._running.items()):
                    if (code := running.process.poll()) is not None:
                        del self._running[job]
                        if self._ended(job, running, code):
                            ended(job, code)
                        elif not self.stop.asked:
                            waiting.insert(0, job)
                if self.stop.asked > sent:
                    sent = self.stop.asked
                    self.display.say("stopping: processes save a checkpoint and end" if sent == 1 else "killing them")
                    for running in self._running.values():
                        if sent == 1:
                            running.process.send_signal(STOP)
                        else:
                            running.process.kill()
                self.display.update(self._running, self.room.why if self.room else "")
        finally:
            for running in self._running.values():
                running.process.kill()
                running.process.wait()
            self.display.close()
        return not self.stop.asked

    def _next(self, waiting: Sequence[Job]) -> tuple[Job, str | None] | None:
        """The next job to start and its device; its models to go on from are not in the making. None: none now."""
        if not self._alone.isdisjoint(self._running) or (not self.room and len(self._running) >= self.places.workers):
            return None
        unfinished = {*waiting, *self._running}
        ready = [job for job in waiting if unfinished.isdisjoint(job.needs)]
        if again := [job for job in ready if job in self._alone]:
            if self._running:
                return None
            ready = again
        if self.room:
            return self.room.find(ready)
        used = [running.device for running in self._running.values()]
        device = min(self.places.devices, key=used.count) if self.places.devices else None
        return (ready[0], device) if ready else None

    def _ended(self, job: Job, running: _Running, code: int) -> bool:
        """Say how a process ended; whether its job has ended with it: not when it was stopped, or is run again."""
        is_full = code == OUT_OF_MEMORY or (code == -KILL and self.room is not None)
        is_again = is_full and running.most > 1 and job not in self._alone
        state = "done" if code == 0 else "stopped" if self.stop.asked else "out of memory" if is_full else "failed"
        self.display.end(job, state, time.monotonic() - running.began)
        if self.room:
            self.room.end(job, full=is_full)
            if code == 0:
                job.ran_beside(running.most)
        if state == "out of memory" and is_again:
            self._alone.add(job)
            self.display.say(
                f"{job.id}: it ran beside {running.most - 1} others and is run again alone ({job.error(code)})"
            )
            return False
        return state != "stopped"

    def _forget(self, job: Job) -> None:
        if self.room:
            self.room.end(job, full=False)

    def _start(self, job: Job, device: str | None) -> None:
        """Start a job's process on a device."""
        self.display.begin(job)
        process = self.places.start(job, self.places.threads, device)
        self._running[job] = _Running(process, time.monotonic(), device)
        for running in self._running.values():
            running.most = max(running.most, len(self._running))
