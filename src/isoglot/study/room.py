"""How many jobs at a time: as many as there is memory for on the devices and the host, by what jobs of their kind took.

A kind is all that decides how much memory a job takes (`Job.kind`). On a device another job is started where what is free there
by the driver's figure, without what the running ones will still take and a reserve, is more than it needs. Of a kind that was not
measured yet one job runs on a device with others; what the largest job of any kind was seen to take, and a margin, is what it is
taken to need. Something always runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from isoglot.errors import InputError, say
from isoglot.processes import best_device, cores
from isoglot.study.jobs import Job
from isoglot.study.layout import JobFolder, known
from isoglot.study.machine import Free, free_memory, gpu_memory, visible_device

CONTEXT = 1 << 30
"""Bytes of a GPU that a process takes beside its tensors, rather too many: CUDA's context and kernels. They count for jobs alone
that have not opened the GPU yet: those of the others are in the driver's figure."""
RESERVE = 1 << 30
"""Bytes of each device, and of the host, that stay free."""
HOST_GUESS = 4 << 30
"""Bytes of the host that a job takes as long as none was seen: PyTorch with CUDA and the libraries around it take some 3 GB."""
SAME, OTHER = 1.1, 1.25
"""What a job may take of what one of its kind took (batches differ between seeds), and of what one of another kind did."""


_SETTLED = 20.0  # seconds without a new most
_STEPS = 10  # of a training, before its memory can have settled
_AGAIN = 1.0  # seconds between looks at what is free


class Memory(NamedTuple):
    """Bytes that a job takes at most, or has taken so far: of its device by PyTorch's allocator, and of the host."""

    device: int
    host: int

    def grown(self, factor: float) -> Memory:
        """So many times as much."""
        return Memory(int(self.device * factor), int(self.host * factor))


class Running(NamedTuple):
    """A job that runs.

    Attributes:
        kind: see `Job.kind`.
        device: that it is on.
        taken: so far.
        settled: it does its work, and has not taken more for a while.
    """

    kind: str
    device: str
    taken: Memory
    settled: bool


class Choice(NamedTuple):
    """Which job is started next.

    Attributes:
        place: of its kind among those that wait, and the device; None: none now.
        why: none, in words.
    """

    place: tuple[int, str] | None
    why: str


def most_of(memories: Iterable[Memory]) -> Memory | None:
    """The most of each; None of nothing."""
    every = list(memories)
    return Memory(max(memory.device for memory in every), max(memory.host for memory in every)) if every else None


def choose(
    waiting: Sequence[str],
    running: Sequence[Running],
    look: Callable[[], Free],
    measured: Mapping[str, Memory],
    most: int,
) -> Choice:
    """The next job to start.

    Args:
        waiting: kinds of the jobs that could be started, in their order.
        running: jobs.
        look: says what is free, with all devices.
        measured: what jobs of a kind took at most.
        most: jobs at a time, whatever is free.
    """
    if not waiting:
        return Choice(None, "no other can begin before one of these has ended" if running else "")
    if len(running) >= most:
        return Choice(None, f"as many as there are cores for ({most})")
    free = look()
    guess = most_of([*measured.values(), *(job.taken for job in running if job.settled)])
    needs = {kind: memory.grown(SAME) for kind, memory in measured.items()}
    other = guess.grown(OTHER) if guess else None
    order = sorted(free.devices, key=lambda device: sum(job.device == device for job in running))
    if not running:
        return Choice((0, order[0]), "")
    host = free.host - RESERVE - sum(_owed(job, needs.get(job.kind, other)).host for job in running)
    whys = []
    for device in order:
        here = [job for job in running if job.device == device]
        unknown = {job.kind for job in here if job.kind not in needs}
        left = free.devices[device] - RESERVE - sum(_owed(job, needs.get(job.kind, other)).device for job in here)
        for number, kind in enumerate(waiting):
            need = needs.get(kind, other)
            why = ""
            if need is None and here:
                why = f"what the first takes on {device} is being measured"
            elif kind in unknown:
                why = f"what the first of its kind takes on {device} is being measured"
            elif need and need.device + CONTEXT > left:
                why = f"the next takes about {_gigabytes(need.device + CONTEXT)} GB of {device}, {_gigabytes(left)} GB are left"
            elif (need.host if need else HOST_GUESS) > host:
                wanted = need.host if need else HOST_GUESS
                why = (
                    f"the next takes about {_gigabytes(wanted)} GB of the host's memory, {_gigabytes(host)} GB are left"
                )
            if not why:
                return Choice((number, device), "")
            whys.append(why)
    return Choice(None, whys[0])


def _owed(job: Running, need: Memory | None) -> Memory:
    """What a running job will still take of what is free now."""
    device, host = need or Memory(0, HOST_GUESS)
    opening = 0 if job.taken.device else CONTEXT
    return Memory(max(0, device - job.taken.device) + opening, max(0, host - job.taken.host))


def _gigabytes(size: int) -> str:
    return f"{max(0, size) / 1e9:.1f}"


def taken_so_far(folder: JobFolder) -> Memory:
    """What the process of a job said last."""
    said = known(folder.memory, *Memory._fields)
    return Memory(int(said["device"]), int(said["host"])) if said else Memory(0, 0)


@dataclass
class _Seen:
    """A running job: its kind and device, what it has taken, and since when that is the most."""

    kind: str
    device: str
    taken: Memory
    since: float


@dataclass
class Room:
    """What the jobs of a study take, as far as it is known.

    Args:
        most: jobs at a time, whatever is free.
        look: says what is free, with all devices.

    Attributes:
        measured: by kind, what its jobs took at most.
        why: no other job was started when it was asked last.
    """

    most: int
    look: Callable[[], Free]
    measured: dict[str, Memory] = field(default_factory=dict)
    why: str = ""
    _running: dict[Job, _Seen] = field(default_factory=dict)
    _kinds: dict[Job, str] = field(default_factory=dict)
    _asked: float = -_AGAIN

    def learn(self, job: Job) -> None:
        """From the outcome of a job that has ended, now or in an earlier run of the study."""
        outcome = known(job.folder.outcome, "kind", "cost")
        process = outcome.get("cost", {}).get("process") or {}
        if process.get("gpu_reserved_bytes") is not None:  # what ran on a CPU says nothing of a GPU
            self._learn(outcome["kind"], Memory(process["gpu_reserved_bytes"], process["peak_memory_bytes"]))

    def kind(self, job: Job) -> str:
        """As it was before the job began."""
        return self._kinds.setdefault(job, job.kind)

    def _learn(self, kind: str, memory: Memory) -> None:
        self.measured[kind] = most_of([memory, self.measured.get(kind, memory)]) or memory

    def find(self, ready: Sequence[Job]) -> tuple[Job, str] | None:
        """The job to start next, and its device; None: none now. It is looked at most once a second whether there is room."""
        now = time.monotonic()
        if self._running and now - self._asked < _AGAIN:
            return None
        first: dict[str, Job] = {}
        for job in ready:
            first.setdefault(self.kind(job), job)
        running = [self._look_at(job, seen, now) for job, seen in self._running.items()]
        place, self.why = choose(list(first), running, self.look, self.measured, self.most)
        if place is None:
            self._asked = now
            return None
        job = list(first.values())[place[0]]
        self._running[job] = _Seen(self._kinds[job], place[1], Memory(0, 0), now)
        job.folder.memory.unlink(missing_ok=True)  # of an earlier process
        return job, place[1]

    def _look_at(self, job: Job, seen: _Seen, now: float) -> Running:
        taken = taken_so_far(job.folder)
        if taken.device > seen.taken.device:
            seen.taken, seen.since = Memory(taken.device, max(taken.host, seen.taken.host)), now
        works = not job.steps or job.progress()[0] >= min(_STEPS, job.steps)
        return Running(seen.kind, seen.device, taken, works and taken.device > 0 and now - seen.since >= _SETTLED)

    def end(self, job: Job, *, full: bool) -> None:
        """A job has ended; `full`: for want of memory, so that its kind takes at least what it had taken."""
        seen = self._running.pop(job, None)
        self._asked = -_AGAIN
        self.learn(job)
        if full and seen:
            self._learn(seen.kind, most_of([seen.taken, taken_so_far(job.folder)]) or seen.taken)


def room_for(workers: int | Literal["auto"] | None, devices: Sequence[str], threads: int) -> Room | None:
    """The room of a study; None where the number of its workers is given, or one without GPUs.

    Args:
        workers: see `RunOptions`.
        devices: of the study; () leaves it to torch.
        threads: CPU threads of a job; 0: one.

    Raises:
        InputError: "auto" without a GPU, or with one whose driver does not say what is free.
    """
    if workers not in (None, "auto"):
        return None
    named = {visible_device(device): device for device in devices or ("cuda:0",)}
    gpus = tuple(device for visible, device in named.items() if visible)
    silent = [device for device in gpus if not gpu_memory(device)]
    # the driver may see a GPU that this PyTorch does not compute on
    if gpus and len(gpus) == len(named) and not silent and best_device() == "cuda":
        return Room(max(1, cores() // max(1, threads)), lambda: free_memory(gpus))
    if workers == "auto":
        raise InputError(
            "--workers auto is for GPUs whose driver says (by nvidia-smi or nvidia-ml-py) how much memory is free, and "
            f"{', '.join(silent or named.values())} is not such: give a number of cells at a time"
        )
    if devices and silent:
        say(f"{', '.join(silent)}: neither nvidia-smi nor nvidia-ml-py says what is free: one cell at a time")
    return None
