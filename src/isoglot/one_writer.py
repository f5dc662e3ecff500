"""One writer of a directory at a time: a lock that dies with its process, and who holds it in words."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path

from isoglot.disk import check_kind, gone_error, make_directory, noticing_removal, sweep, unused, writing
from isoglot.errors import InputError, say, warn
from isoglot.locks import PINS_OPEN_FILES, lock

LOCK = ".lock"
_LOOK = 0.1  # seconds between looks at a lock that another process holds


@contextmanager
def locked(
    directory: Path, *, beside: bool = False, waiting: str | None = None, patience: float = 0.0
) -> Iterator[None]:
    """Be the only writer of a directory; the lock dies with its process, and what dead ones left there is swept.

    Args:
        directory: is made where it is missing, and removed again where nothing was written.
        beside: it is replaced as a whole, so that the lock has to lie beside it (and nothing is made).
        waiting: wait for another process that has it, after this was said on stderr ("": wait silently).
        patience: seconds to wait where `waiting` is None.

    Raises:
        InputError: another process has it and `waiting` is None; the line names process, host and since when. Or the directory
            has another name, or none, when the block ends.
    """
    home, path = _lock_of(directory, beside)
    with writing(directory):
        check_kind(directory, directory=True)
        is_new = make_directory(path.parent)
        until = time.monotonic() + (patience if waiting is None else float("inf"))
        descriptor = _hold(path, directory, waiting, until)
    try:
        with writing(directory):
            sweep(path.parent, home.name if beside else None)
        with noticing_removal(directory, lambda: not _is_at(path, descriptor)):
            yield
        with writing(directory):
            if not _is_at(path, descriptor):
                raise gone_error(directory)
    finally:
        _release(path, descriptor)
        if is_new and not beside:
            with suppress(OSError):  # not empty
                home.rmdir()


def _release(path: Path, descriptor: int) -> None:
    """Remove a lock's file and let go of it. Windows removes no file that is open, this process's or one that waits for it."""
    if PINS_OPEN_FILES:
        os.close(descriptor)
    with suppress(OSError):  # gone, or the disk takes no changes any more: why that is, others say
        if _is_at(path, descriptor):  # where the folder was moved, another's lock may have the name
            path.unlink()
    if not PINS_OPEN_FILES:
        os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    """Does a lock's file have its name still? Windows lets none be moved that is open."""
    with suppress(FileNotFoundError):
        return PINS_OPEN_FILES or os.path.samestat(path.stat(), os.fstat(descriptor))
    return False


def _lock_of(directory: Path, beside: bool) -> tuple[Path, Path]:
    """(the directory with links followed, its lock)."""
    home = Path(os.path.realpath(directory))
    return home, home.with_name(f".{home.name}{LOCK}") if beside else home / LOCK


def tidy(directory: Path, *, beside: bool = False) -> None:
    """For those who only read a directory: remove the lock (and temporary files) that a dead writer may have left."""
    if _lock_of(directory, beside)[1].exists():
        with suppress(InputError, OSError), locked(directory, beside=beside):
            pass


def _hold(path: Path, directory: Path, waiting: str | None, until: float) -> int:
    """The descriptor of a lock's file, locked; the file names the process."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            lock(descriptor)
        except BlockingIOError:
            owner = os.read(descriptor, 1000).decode("utf-8", "replace").strip() or "another process"
            os.close(descriptor)
            if time.monotonic() >= until:
                raise InputError(f"{directory}: is being written by {owner}; wait for it or stop it") from None
            if waiting:
                say(f"{waiting}: waiting for {owner}")
            waiting = None  # is said once
            time.sleep(_LOOK)
            continue
        except OSError as error:
            warn(f"{directory}: no lock is to be had here ({error.strerror}); nothing keeps a second writer out")
        if _is_at(path, descriptor):  # not removed by its last holder meanwhile
            break
        os.close(descriptor)
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    with suppress(OSError):  # a full disk: it is a lock without these words, too
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on host {socket.gethostname()} since {now}\n".encode())
    return descriptor


def sweep_all(directory: Path) -> None:
    """`sweep` a directory in which nobody else keeps anything, and all folders in it, of locks too; those of living ones stay."""
    for folder, _, names in os.walk(directory):  # what is removed on the way is not looked into
        sweep(Path(folder))
        for path in (Path(folder, name) for name in names if name.endswith(LOCK) and not PINS_OPEN_FILES):
            with suppress(OSError), unused(path):
                path.unlink()
