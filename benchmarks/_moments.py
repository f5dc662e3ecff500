"""Commands that end at a chosen moment: each runs in a fork of a process that has imported everything, and its n-th change to
the files under a folder (opened for writing, renamed, removed, made, synced, exchanged) kills or stops it before it happens.
"""

from __future__ import annotations

import mmap
import os
import signal
import struct
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_BY_NAME = {"os.rename", "os.link", "os.symlink", "os.remove", "os.rmdir", "os.mkdir", "os.truncate"}
_TIMEOUT = 180.0  # seconds after which a command counts as hung
HUNG = 1000
"""Stands for the exit code of a command that did not end."""


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


def start(work: Callable[[], int], log: Path, root: Path, at: int = 0, sent: int = signal.SIGKILL) -> Child:
    """Run something in a fork of this process.

    Args:
        work: returns an exit code.
        log: what it prints.
        root: changes to files under this folder are counted.
        at: before which of them, from 1 on, the whole group of processes gets the signal; 0: never.
        sent: SIGKILL, or SIGSTOP.
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
        sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        _watch(root, counter, at, sent)
        code = work()
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _watch(root: Path, counter: mmap.mmap, at: int, sent: int) -> None:
    """Count the changes to files under `root` in this process and its forks."""
    home = f"{os.path.realpath(root)}/"

    def happens() -> None:
        number = int(struct.unpack("q", counter[:8])[0]) + 1
        counter[:8] = struct.pack("q", number)
        if number == at:
            os.killpg(os.getpgrp(), sent)

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
