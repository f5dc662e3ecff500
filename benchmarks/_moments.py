"""Commands to which something happens at a chosen moment: each runs in a fork of a process that has imported everything, and
before its n-th change to the files under a folder (opened for writing, renamed, removed, made, synced, exchanged) it is killed,
stopped, told to end, or its clock is set back.
"""

from __future__ import annotations

import mmap
import os
import signal
import struct
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import psutil

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_BY_NAME = {"os.rename", "os.link", "os.symlink", "os.remove", "os.rmdir", "os.mkdir", "os.truncate"}
_TIMEOUT = 180.0  # seconds after which a command counts as hung
HUNG = 1000
"""Stands for the exit code of a command that did not end."""
DAY = 86_400.0  # seconds


@dataclass
class Child:
    """A command that runs, or has run.

    Attributes:
        pid: of its process, which leads a group of its own.
        log: what it says on stdout and stderr.
        events: changes to files so far.
    """

    pid: int
    log: Path
    counter: mmap.mmap

    @property
    def events(self) -> int:
        return int(struct.unpack("q", self.counter[:8])[0])

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def end(self) -> int:
        """Wait for it and the forks of it that were killed with it; its exit code, or minus the signal that killed it."""
        code, until = self._wait(0), time.monotonic() + 2.0
        with suppress(ProcessLookupError):  # no process of the group is left
            while code == -signal.SIGKILL and time.monotonic() < until:
                os.killpg(self.pid, 0)
                time.sleep(0.005)
        return code

    def stopped(self) -> bool:
        """Wait until it has stopped itself; False where it ended before."""
        return self._wait(os.WUNTRACED) == -signal.SIGSTOP

    def _wait(self, options: int) -> int:
        began = time.monotonic()
        while time.monotonic() - began < _TIMEOUT:
            pid, status = os.waitpid(self.pid, os.WNOHANG | options)
            if pid:
                return -os.WSTOPSIG(status) if os.WIFSTOPPED(status) else os.waitstatus_to_exitcode(status)
            time.sleep(0.005)
        os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        return HUNG

    def go_on(self) -> None:
        """Wake it up after it has stopped itself."""
        os.killpg(self.pid, signal.SIGCONT)


def start(
    work: Callable[[], int],
    log: Path,
    root: Path,
    at: int = 0,
    sent: int = signal.SIGKILL,
    *,
    before: Mapping[int, Callable[[int], None]] | None = None,
    delay: float = 0.0,
) -> Child:
    """Run something in a fork of this process.

    Args:
        work: returns an exit code.
        log: what it prints.
        root: changes to files under this folder are counted.
        at: before which of them, from 1 on, the whole group of processes gets the signal; 0: never.
        sent: SIGKILL, or SIGSTOP.
        before: number of a change -> what is done before it, given the command's process id.
        delay: seconds that every change takes longer.
    """
    counter = mmap.mmap(-1, 8)
    log.write_bytes(b"")
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return Child(pid, log, counter)
    code = 70
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where this program runs in the background
        sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        doing = dict(before or {})
        if at:
            doing[at] = lambda _: os.killpg(os.getpgrp(), sent)
        _watch(root, counter, doing, delay)
        code = work()
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _watch(root: Path, counter: mmap.mmap, before: Mapping[int, Callable[[int], None]], delay: float) -> None:
    """Count the changes to files under `root` in this process and its forks."""
    home, leader = f"{os.path.realpath(root)}/", os.getpid()

    def happens() -> None:
        number = int(struct.unpack("q", counter[:8])[0]) + 1
        counter[:8] = struct.pack("q", number)
        if delay:
            time.sleep(delay)
        if number in before:
            before[number](leader)

    def is_ours(path: Any) -> bool:
        return isinstance(path, (str, bytes, os.PathLike)) and f"{os.path.abspath(os.fsdecode(path))}/".startswith(home)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            changes = bool(arguments[2] & _WRITING) and is_ours(arguments[0])
        elif event in _BY_NAME:
            # a tree is removed by names relative to its open folders
            relative = event in ("os.remove", "os.rmdir") and arguments[-1] not in (-1, None)
            changes = relative or any(map(is_ours, arguments[:2]))
        else:
            return
        if changes:
            happens()

    from isoglot import disk, files

    original, exchange = os.fsync, disk.exchange

    def fsync(descriptor: int) -> None:
        happens()
        original(descriptor)

    def exchanged(one: Path, two: Path) -> bool:
        happens()
        return exchange(one, two)

    os.fsync = fsync
    files.exchange = exchanged  # type: ignore[attr-defined]
    sys.addaudithook(hook)


def send(number: int) -> Callable[[int], None]:
    """What sends a signal to a command (as `kill` does; its own children hear of it by the command alone)."""
    return lambda leader: os.kill(leader, number)


def set_back(_: int = 0) -> None:
    """From now on the clock of this process says that it is a day earlier."""
    real, real_ns = time.time, time.time_ns
    time.time = lambda: real() - DAY
    time.time_ns = lambda: real_ns() - int(DAY * 1e9)

    class Earlier(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.now(tz) - timedelta(seconds=DAY)

    for name, module in list(sys.modules.items()):
        own = getattr(module, "__dict__", {})
        if own.get("time") is real:
            own["time"] = time.time
        if name.startswith("isoglot.") and own.get("datetime") is datetime:
            own["datetime"] = Earlier


def adopt() -> None:
    """Let processes that lose their parent become children of this one, so that `children` finds them (Linux)."""
    import ctypes

    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def children(patience: float) -> list[str]:
    """The processes that a command has left, when so many seconds have passed."""
    until = time.monotonic() + patience
    while True:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        left = psutil.Process().children(recursive=True)
        if not left or time.monotonic() > until:
            return [str(child) for child in left]
        time.sleep(0.02)


class ForkedPool:
    """Instead of `isoglot.study.pool.Pool`: each job in a fork of this process, one after the other, in its group."""

    def __init__(self, *_: Any) -> None:
        pass

    def run(self, jobs: Any, ended: Callable[[Any, int], None]) -> bool:
        from isoglot.study import worker

        for job in jobs:
            if not job.write(1):
                ended(job, 1)
                continue
            parent, pid = os.getpid(), os.fork()
            if not pid:
                code = 70
                try:
                    code = worker.main([str(job.folder.path.resolve()), str(parent)])
                finally:
                    os._exit(code)
            ended(job, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        return True


class ForkedProcess:
    """Instead of what `isoglot.study.launch` starts: the job in a fork of this process, in a group of its own."""

    def __init__(self, job: Any, threads: int, device: str | None) -> None:
        parent, self._code = os.getpid(), None
        self.pid = os.fork()
        if self.pid:
            return
        from isoglot.study import worker

        code = 70
        try:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            log = os.open(job.folder.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(log, 1)
            os.dup2(log, 2)
            code = worker.main([str(job.folder.path.resolve()), str(parent)])
        finally:
            os._exit(code)

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self) -> int:
        while self.poll() is None:
            time.sleep(0.01)
        return self._code or 0
