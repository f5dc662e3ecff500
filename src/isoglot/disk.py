"""What is promised of the disk: durable writes, temporary files that do not outlive their process."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from isoglot.errors import InputError, IsoglotError
from isoglot.locks import PINS_OPEN_FILES, lock

_TEMPORARY, _OLD = ".tmp", ".old"
_LEFT = re.compile(r"\.(.+)\.[a-z0-9_]{8}\.(?:tmp|old)", re.DOTALL)
_LONGEST = 255 - len(".12345678.tmp") - 1  # bytes of a name to which the rest of a temporary name is added


class UnwritableError(InputError, OSError):
    """Something cannot be written; `strerror` has the system's words for it."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: cannot be written ({reason})")
        self.path, self.strerror = path, reason

    def __reduce__(self) -> tuple[type[UnwritableError], tuple[Path, str]]:  # to reach the parent of a worker process
        return UnwritableError, (self.path, str(self.strerror))


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what goes wrong while `path` is written into one line that names it: a full or read-only disk, missing rights.

    Libraries report a full disk in their own ways, so any error counts as one while the disk takes no more bytes.
    """
    try:
        yield
    except IsoglotError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno and (error.filename is None or _concerns(error.filename, path)):
            reason: str | None = error.strerror
        else:
            reason = _why_unwritable(path if path.is_dir() else path.parent)
        if reason is None:
            raise
        raise UnwritableError(path, reason) from error


def _concerns(name: Any, path: Path) -> bool:
    """Whether an error's file is `path`, lies in it, holds it, or is a temporary one for it."""
    if not isinstance(name, (str, bytes, os.PathLike)):
        return False
    full, own = Path(os.path.realpath(os.fsdecode(name))), Path(os.path.realpath(path))
    return full.is_relative_to(own) or own.is_relative_to(full) or str(full).startswith(_stem(own))


def _why_unwritable(directory: Path) -> str | None:
    """What stands against files in a directory that may have to be made first; None where nothing does."""
    try:
        while not os.path.lexists(directory) and directory != directory.parent:
            directory = directory.parent
        with tempfile.TemporaryFile(dir=directory) as sink:
            sink.write(bytes(1 << 16))
            sink.flush()
    except OSError as error:
        return error.strerror or str(error)
    return None


def check_writable(path: Path, *, directory: bool = False) -> None:
    """Find out before any work whether a file (or a directory and files in it) can be written; nothing is left behind.

    Raises:
        InputError: something else has this name, or its place takes no files.
    """
    with writing(path):
        if path.is_symlink() and not path.exists():
            raise InputError(f"{path}: is a link to {os.path.realpath(path)}, which is not there")
        check_kind(path, directory=directory)
        reason = _why_unwritable(path if directory else path.parent)
        with suppress(FileNotFoundError):
            path.lstat()  # raises where the name is too long
    if reason:
        raise UnwritableError(path, reason)


def check_kind(path: Path, *, directory: bool) -> None:
    """InputError where something else has the name of a file (of a directory) that is to be written."""
    if path.exists() and not (path.is_dir() if directory else path.is_file()):
        if directory:
            raise InputError(f"{path}: is a file; give a directory")
        raise InputError(f"{path}: is a directory or a device; give the name of a file")


def make_directory(path: Path) -> bool:
    """Make a directory and its parents; their names are on the disk afterwards. False where it was there."""
    missing = [folder for folder in (path, *path.parents) if not folder.is_dir()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        sync(folder.parent)
    return bool(missing)


def sync(path: Path) -> None:
    """Return when a file's content, or a directory's list of names, is on the disk. (Windows has no such promise for names.)"""
    if PINS_OPEN_FILES and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDWR if PINS_OPEN_FILES else os.O_RDONLY)  # Windows syncs what may be written
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that has no such promise
            raise
    finally:
        os.close(descriptor)


def sync_tree(directory: Path) -> None:
    """`sync` a directory and all that is in it."""
    for folder, _, names in os.walk(directory):
        for path in (Path(folder, name) for name in names):
            if path.is_file() and not path.is_symlink():
                sync(path)
        sync(Path(folder))


@contextmanager
def temporary(path: Path, *, directory: bool) -> Iterator[tuple[Path, Path]]:
    """A temporary file or directory beside `path`, and where `path` is with links followed. It disappears with the block.

    Its process holds a lock on it while it lives: by that `sweep` knows those of the dead. Windows could not rename it then, so
    there is no lock, and what a killed process leaves stays.
    """
    with writing(path):
        target = Path(os.path.realpath(path))
        check_kind(path, directory=directory)
        make_directory(target.parent)
        sweep(target.parent, target.name)
        name, descriptor = _make_temporary(target, directory)
    try:
        with writing(path), noticing_removal(path, lambda: not os.path.lexists(name)):
            yield name, target
    finally:
        delete(name, ignore_errors=True)
        if descriptor is not None:
            os.close(descriptor)


@contextmanager
def noticing_removal(path: Path, has_gone: Callable[[], bool]) -> Iterator[None]:
    """Where something is missing because all of it has gone, that is what is said."""
    try:
        yield
    except UnwritableError:
        raise
    except InputError as error:
        with suppress(OSError):
            if has_gone():
                raise gone_error(path) from error
        raise


def gone_error(path: Path) -> InputError:
    return InputError(f"{path}: has gone while it was written (moved away, or its disk unmounted?)")


def _make_temporary(target: Path, directory: bool) -> tuple[Path, int | None]:
    """The name, and a descriptor that holds its lock; None on Windows."""
    while True:
        name = Path(f"{_stem(target)}{secrets.token_hex(4)}{_TEMPORARY}")
        if directory:
            name.mkdir()
        else:
            name.touch(exist_ok=False)
        if PINS_OPEN_FILES:
            return name, None
        with suppress(FileNotFoundError):  # swept before it was locked
            descriptor = os.open(name, os.O_RDONLY)
            with suppress(OSError):  # a file system without locks: there nothing is swept
                lock(descriptor, wait=True)
            if os.path.lexists(name):
                return name, descriptor
            os.close(descriptor)


def _stem(path: Path) -> str:
    """What the temporary names of a path begin with."""
    return os.path.join(path.parent, f".{os.fsdecode(os.fsencode(path.name)[:_LONGEST])}.")


def exchange(first: Path, second: Path) -> bool:
    """Exchange two names at once; False where the system or the file system cannot."""
    if sys.platform != "linux":
        return False
    import ctypes

    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    if rename is None:
        return False
    here, is_exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of Linux
    return bool(rename(here, os.fsencode(first), here, os.fsencode(second), is_exchange) == 0)


def sweep(directory: Path, name: str | None = None) -> None:
    """Remove the temporary files and directories that dead processes left in `directory`; those of living ones stay.

    An older directory that was set aside (see `isoglot.files.atomic_directory`) takes its name again where that is free.

    Args:
        directory: only its own entries are looked at.
        name: only what belongs to this one of them.
    """
    start = None if name is None else os.path.basename(_stem(Path(name)))[1:-1]
    for path in [Path(entry.path) for entry in os.scandir(directory)]:
        match = _LEFT.fullmatch(path.name)
        if match is None or start not in (None, match[1]):
            continue
        with suppress(OSError):  # in use, gone meanwhile, or of somebody else
            if not PINS_OPEN_FILES:
                with unused(path):
                    _tidy_away(path, path.with_name(match[1]))
            elif path.suffix == _OLD:  # others may be alive
                _tidy_away(path, path.with_name(match[1]))


@contextmanager
def unused(path: Path) -> Iterator[None]:
    """OSError where a process holds the lock of a temporary file or directory; nobody takes it inside."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _tidy_away(path: Path, name: Path) -> None:
    """Remove what was left; an older directory takes its name again where that is free."""
    if path.suffix == _OLD and not name.exists():
        path.replace(name)
    else:
        delete(path, ignore_errors=True)


def set_aside(path: Path) -> Path:
    """Give a directory a name beside it under which `sweep` finds it, and return that."""
    return path.replace(f"{_stem(path)}{secrets.token_hex(4)}{_OLD}")


def delete(path: Path, *, ignore_errors: bool = False) -> None:
    """Remove a file or a folder, if it is there; of a link the link alone.

    Args:
        ignore_errors: what the disk does not let go stays; why that is, others say.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=ignore_errors)
    else:
        with suppress(OSError if ignore_errors else FileNotFoundError):
            path.unlink()
