"""Where the processes of a study's jobs run, by name: one file per member. Everywhere a job is a folder and a process in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from isoglot.registry import Registry
from isoglot.settings import Member
from isoglot.study.jobs import Job
from isoglot.study.room import Room


class Process(Protocol):
    """A job's process as whoever started it sees it; `subprocess.Popen` is one."""

    def poll(self) -> int | None:
        """Its exit code, minus the number of the signal that ended it; None while it runs."""

    def send_signal(self, number: int, /) -> None:
        """`isoglot.processes.STOP` asks it to save and end."""

    def kill(self) -> None:
        """End it at once."""

    def wait(self) -> int:
        """Until it has ended."""
        ...


@dataclass(frozen=True)
class Asked:
    """What was asked of an engine; None where nothing was.

    Attributes:
        workers: jobs at a time.
        devices: shared out among them.
        threads: of a job; 0: cores divided by workers.
        gpus: share of a GPU that each takes.
    """

    workers: int | Literal["auto"] | None = None
    devices: tuple[str, ...] = ()
    threads: int = 0
    gpus: float | None = None


@dataclass(frozen=True)
class Places:
    """Where jobs run, while it is open.

    Attributes:
        start: starts the process of a job with so many threads, on a device (None: the process finds one).
        workers: processes at a time.
        threads: of each.
        devices: one of which each process is given by turns; () for none.
        room: decides which job is started when, instead of their number.
    """

    start: Callable[[Job, int, str | None], Process]
    workers: int
    threads: int
    devices: Sequence[str] = ()
    room: Room | None = None


class StudyEngine(Member):
    """Where the processes of jobs run; a subclass is a member of `STUDY_ENGINES`."""

    name: ClassVar[str]

    def open(self, asked: Asked) -> AbstractContextManager[Places]:
        """Places for jobs, given back when the block ends.

        Raises:
            InputError: what is asked for cannot be had there.
        """
        raise NotImplementedError


STUDY_ENGINES: Registry[type[StudyEngine]] = Registry("engine", __name__)
