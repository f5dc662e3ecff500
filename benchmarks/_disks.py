"""A file system under the folder in which commands work, and what happens to it: it is full, read-only, broken, elsewhere."""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from _commands import Place

_MIB = 1 << 20
_SIZE, _ROOM = 160 * _MIB, 12 << 10  # bytes of a disk, and of what is left on one that is nearly full
_SHUTDOWN, _AT_ONCE = 0x8004587D, 2  # EXT4_IOC_SHUTDOWN, EXT4_GOING_FLAGS_NOLOGFLUSH: from then on all is an error


class Disk:
    """A file system on which `place.area` lies, and what happens to it."""

    def __init__(self, place: Place) -> None:
        self.root, self.image, self._place = place.area.parent, place.home / "disk.img", place
        self.in_memory = True

    @contextmanager
    def mounted(self, *, in_memory: bool) -> Iterator[None]:
        """Mount an empty one: tmpfs, or ext4 in a file."""
        if sys.platform != "linux" or os.geteuid():
            raise SystemExit("needs Linux, and root to mount disks")
        self.in_memory = in_memory
        shutil.rmtree(self._place.area, ignore_errors=True)  # nothing is there when it is unmounted
        if not in_memory:
            with self.image.open("wb") as file:
                file.truncate(_SIZE)
            subprocess.run(["mkfs.ext4", "-q", "-F", self.image], check=True)
        self._mount()
        try:
            yield
        finally:
            self._unmount()
            self._place.area.mkdir(exist_ok=True)

    def _mount(self) -> None:
        words = ["-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs"] if self.in_memory else ["-o", "loop", str(self.image)]
        subprocess.run(["mount", *words, self.root], check=True)
        self._place.area.mkdir(exist_ok=True)

    def _unmount(self) -> None:
        for _ in range(100):  # processes that were killed may still be dying
            if subprocess.run(["umount", self.root], capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.05)
        raise SystemExit(f"{self.root}: still in use")

    def fill(self, left: int) -> None:
        """Take all of its space but some bytes."""
        with (self.root / "filler").open("wb") as file:
            about = os.statvfs(self.root)
            os.posix_fallocate(file.fileno(), 0, max(1, about.f_bavail * about.f_frsize - left))

    def empty(self) -> None:
        """Give the space back."""
        (self.root / "filler").unlink()

    def make_read_only(self) -> None:
        """As the kernel does after an error of the disk."""
        subprocess.run(["mount", "-o", "remount,abort", self.root], check=True)

    def break_down(self) -> None:
        """Every access is an error, as when a disk is pulled out."""
        descriptor = os.open(self.root, os.O_RDONLY)
        fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _AT_ONCE))
        os.close(descriptor)

    def mount_again(self) -> None:
        """After one of the two above."""
        self._unmount()
        self._mount()

    def detach(self) -> None:
        """Unmount it under whoever uses it; a copy of its content is kept."""
        self._away = self._place.home / "away"
        shutil.rmtree(self._away, ignore_errors=True)
        shutil.copytree(self._place.area, self._away)
        subprocess.run(["umount", "--lazy", self.root], check=True)

    def attach(self) -> None:
        """The same content is there again; what was written in the meantime into the folder below is not."""
        shutil.rmtree(self._place.area, ignore_errors=True)
        self._mount()
        shutil.copytree(self._away, self._place.area, dirs_exist_ok=True)

    def move(self) -> None:
        """Somebody gives the folder another name."""
        self._place.area.rename(self.root / "elsewhere")

    def move_back(self) -> None:
        """It has its name again; what was made in its place in the meantime is gone."""
        shutil.rmtree(self._place.area, ignore_errors=True)
        (self.root / "elsewhere").rename(self._place.area)


FAULTS: dict[str, dict[str, tuple[bool, Callable[[Disk], None], Callable[[Disk], None]]]] = {
    "full": {
        "full": (True, partial(Disk.fill, left=0), Disk.empty),
        "nearly full": (True, partial(Disk.fill, left=_ROOM), Disk.empty),
    },
    "readonly": {"read-only": (False, Disk.make_read_only, Disk.mount_again)},
    "vanishing": {
        "errors": (False, Disk.break_down, Disk.mount_again),
        "unmounted": (True, Disk.detach, Disk.attach),
        "moved": (True, Disk.move, Disk.move_back),
    },
}
"""Part -> what happens: whether the disk is a tmpfs, how it comes, how it goes."""
