"""Exclusive locks on open files, which die with their process: `flock`, on Windows a byte far behind the file's end."""

from __future__ import annotations

import errno
import os
import sys

PINS_OPEN_FILES = sys.platform == "win32"
"""Whether an open file keeps its name, as on Windows: it is neither renamed nor removed, and folders are not opened at all."""

if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30  # what is locked cannot be read by others, and they want to read who holds the lock

    def lock(descriptor: int, *, wait: bool = False) -> None:
        """Take the lock of an open file.

        Raises:
            BlockingIOError: another process has it, and it is not waited for.
            OSError: the file system has no locks.
        """
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK):
                raise BlockingIOError(error.errno, error.strerror) from None
            raise
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def lock(descriptor: int, *, wait: bool = False) -> None:
        """Take the lock of an open file or folder.

        Raises:
            BlockingIOError: another process has it, and it is not waited for.
            OSError: the file system has no locks.
        """
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
