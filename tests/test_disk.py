"""Durable writes, locks and sweeping, with processes that are killed at chosen moments and disks that are full."""

from __future__ import annotations

import errno
import os
import pickle
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from isoglot import disk
from isoglot.disk import UnwritableError, check_writable, sweep
from isoglot.errors import InputError
from isoglot.files import atomic_directory, atomic_path, write_text
from isoglot.one_writer import locked, sweep_all, tidy

KILLED = """
import os, signal, sys
from pathlib import Path
from typing import Any
from isoglot import disk, files
from isoglot.files import atomic_directory, write_text

path, moment = Path(sys.argv[1]), sys.argv[2]

def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def no_exchange(*_):
    return False

if moment == "no exchange":
    files.exchange = no_exchange
    replace = Path.replace
    def second(self, target):
        if self.suffix == ".tmp":
            kill()
        return replace(self, target)
    Path.replace = second
elif moment == "exchanged":
    files.sync = lambda path: kill()
elif moment == "before":
    files.exchange = kill
with atomic_directory(path) as new:
    (new / "a").write_text("new")
    if moment == "within":
        kill()
"""


def run(code: str, *arguments: object) -> int:
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], check=False).returncode


@pytest.mark.parametrize(
    ("moment", "holds"), [("within", "old"), ("before", "old"), ("exchanged", "new"), ("no exchange", None)]
)
def test_a_killed_replacement_leaves_the_old_or_the_new_directory(
    tmp_path: Path, moment: str, holds: str | None
) -> None:
    target = tmp_path / "data"
    target.mkdir()
    (target / "a").write_text("old")
    assert run(KILLED, target, moment) == -9
    assert (holds is None) or (target / "a").read_text() == holds
    assert len(list(tmp_path.iterdir())) > 1 or holds is None
    with locked(target, beside=True):
        assert (target / "a").read_text() == (holds or "old")
    assert list(tmp_path.iterdir()) == [target], "swept"
    with atomic_directory(target) as new:
        (new / "a").write_text("again")
    assert [(target / "a").read_text(), *tmp_path.iterdir()] == ["again", target]


def test_what_is_written_is_synced_before_its_name_and_the_old_one_is_removed_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    real, kinds = os.fsync, {True: "names", False: "content"}
    monkeypatch.setattr(os, "fsync", lambda fd: events.append(kinds[os.path.isdir(f"/proc/self/fd/{fd}")]) or real(fd))
    replace, remove = Path.replace, disk.shutil.rmtree
    monkeypatch.setattr(Path, "replace", lambda self, target: events.append("renamed") or replace(self, target))
    monkeypatch.setattr(disk.shutil, "rmtree", lambda *a, **k: events.append("removed") or remove(*a, **k))
    write_text(tmp_path / "a", "a")
    assert events == ["content", "renamed", "names"]
    events.clear()
    with atomic_directory(tmp_path / "deep" / "d") as new:
        (new / "inner").mkdir()
        (new / "inner" / "file").write_text("x")
    assert events == ["names", "names", "content", "names", "renamed", "names"], "a new parent comes first"
    events.clear()
    with atomic_directory(tmp_path / "deep" / "d") as new:
        (new / "file").write_text("y")
    assert events == ["content", "names", "names", "removed"]


HOLDER = """
import sys, time
from pathlib import Path
from typing import Any
from isoglot.one_writer import locked
with locked(Path(sys.argv[1]), beside=bool(int(sys.argv[2]))):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("beside", [False, True])
def test_one_writer_who_is_named_and_whose_lock_dies_with_him(tmp_path: Path, beside: bool) -> None:
    target = tmp_path / "deep" / "run"
    link = tmp_path / "link"
    link.symlink_to(target)
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, target, str(int(beside))], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    host = os.uname().nodename
    for name in (target, link):
        if not name.exists():
            continue
        with (
            pytest.raises(
                InputError, match=rf"{name.name}: is being written by process {holder.pid} on host {host} since"
            ),
            locked(name, beside=beside),
        ):
            pass
    holder.kill()
    holder.wait()
    with locked(target, beside=beside):
        pass
    with locked(target, beside=beside):
        pass
    assert not list(tmp_path.rglob(".*")), "no litter"


def test_a_writer_of_a_cache_says_for_whom_it_waits(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path, "0"], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    held: list[bool] = []

    def wait() -> None:
        with locked(tmp_path, waiting="the corpus \x1b[31m is being read"):
            held.append(True)

    waiting = threading.Thread(target=wait)
    waiting.start()
    waiting.join(0.3)
    assert not held
    holder.kill()
    holder.wait()
    waiting.join(20)
    assert held, "the lock outlived its process"
    assert (
        rf"isoglot: the corpus \u001b[31m is being read: waiting for process {holder.pid} on host"
        in capfd.readouterr().err
    )


@pytest.mark.parametrize("beside", [False, True])
def test_a_reader_removes_the_lock_of_a_dead_writer_only(tmp_path: Path, beside: bool) -> None:
    target = tmp_path / "cache"
    target.mkdir()
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, target, str(int(beside))], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    tidy(target, beside=beside)
    assert len(list(tmp_path.rglob("*.lock"))) == 1
    holder.kill()
    holder.wait()
    tidy(target, beside=beside)
    assert [*tmp_path.rglob("*")] == [target]


def test_what_is_missing_in_a_temporary_directory_that_has_gone_is_not_what_is_said(tmp_path: Path) -> None:
    def write(moves: bool) -> None:
        with atomic_directory(tmp_path / "home" / "out") as folder:
            if moves:
                (tmp_path / "home").rename(tmp_path / "elsewhere")
            raise InputError(f"{folder / 'config.json'}: no such file")

    with pytest.raises(InputError, match=r"config\.json: no such file"):
        write(moves=False)
    with pytest.raises(InputError, match=r"out: has gone while it was written"):
        write(moves=True)


def test_the_next_writer_removes_what_a_dead_one_left_in_folders_of_its_own(tmp_path: Path) -> None:
    left = tmp_path / "index" / "vectors" / "deeper" / ".rows-000000-0123456789abcdef.npy.abcd1234.tmp"
    left.parent.mkdir(parents=True)
    left.write_text("x")
    (left.parent / ".checkpoint.abcd1234.tmp" / "within").mkdir(parents=True)
    (left.parent / ".lock").touch()
    (left.parent / ".words.lock").touch()
    there = sorted(left.parent.iterdir())
    with locked(tmp_path / "index"):
        assert sorted(left.parent.iterdir()) == there, "others may keep something there"
    with atomic_path(left.with_name("kept")) as living, locked(left.parent), locked(tmp_path / "index"):
        sweep_all(tmp_path / "index")
        assert sorted(left.parent.iterdir()) == [living, left.parent / ".lock"]
        living.touch()
    assert [*left.parent.iterdir()] == [left.with_name("kept")]


@pytest.mark.parametrize("beside", [False, True])
def test_a_writer_is_told_when_its_directory_has_gone_and_its_successor_keeps_the_lock(
    tmp_path: Path, beside: bool
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    lock = ".out.lock" if beside else "out/.lock"

    def write(error: Exception | None = None) -> None:
        with locked(home / "out", beside=beside):
            home.rename(home.with_name(f"elsewhere {type(error)}"))
            (home / "out").mkdir(parents=True)
            (home / lock).write_text("another process")
            if error:
                raise error

    with pytest.raises(InputError, match=r"out: has gone while it was written"):
        write()
    with pytest.raises(InputError, match=r"out: has gone while it was written"):
        write(InputError("run.json: no such file"))
    for error in (UnwritableError(home, "No space left on device"), ValueError("first")):
        with pytest.raises(type(error), match=re.escape(str(error))):
            write(error)
    assert (home / lock).read_text() == "another process"
    moved = home.with_name(f"elsewhere {type(None)}")
    assert (moved / lock).exists()
    with locked(moved / "out", beside=beside):
        pass
    assert not (moved / lock).exists()


def test_a_lock_leaves_no_directory_where_nothing_was_written(tmp_path: Path) -> None:
    with locked(tmp_path / "new"):
        assert (tmp_path / "new").is_dir()
    assert not (tmp_path / "new").exists()
    (tmp_path / "mine").mkdir()
    with locked(tmp_path / "mine"):
        pass
    assert (tmp_path / "mine").is_dir()


def test_modes_are_those_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with atomic_directory(tmp_path / "a"), atomic_path(tmp_path / "b") as file:
            file.touch()
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"] == [0o750, 0o640]


@pytest.mark.parametrize("writes", [atomic_directory, atomic_path])
def test_one_thread_does_not_sweep_what_another_is_making(
    tmp_path: Path, writes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, wanted = disk.os.open, [tmp_path]  # another thread sweeps between the making and the lock

    def first(path: Any, *rest: Any, **more: Any) -> int:
        while wanted:
            sweep(wanted.pop())
        return made(path, *rest, **more)

    monkeypatch.setattr(disk.Path, "touch", lambda path, **_: os.close(made(path, os.O_CREAT)))
    monkeypatch.setattr(disk.os, "open", first)
    with writes(tmp_path / "a") as name:
        assert name.exists()
    assert not wanted
    assert (tmp_path / "a").exists()


def test_the_umask_of_other_threads_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk.os, "umask", None)  # it is the process's own: whoever looks at it changes it for all
    with atomic_directory(tmp_path / "a"), atomic_path(tmp_path / "b"):
        pass


def test_a_lock_whose_words_find_no_room_is_a_lock_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "a").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(disk.os, "write", full)
        with locked(tmp_path / "a"), pytest.raises(InputError, match="another process"), locked(tmp_path / "a"):
            pass
    assert not [*(tmp_path / "a").iterdir()]


def test_sweep_removes_what_dead_processes_left_and_nothing_else(tmp_path: Path) -> None:
    for name in (".a.abcd1234.tmp", ".b.abcd1234.tmp", ".abcd1234.tmp", ".a.tmp", "a.abcd1234.tmp", ".profile"):
        (tmp_path / name).write_text("x")
    with atomic_directory(tmp_path / "a") as living, atomic_path(tmp_path / "b") as file:
        sweep(tmp_path, "a")
        assert not (tmp_path / ".a.abcd1234.tmp").exists()
        sweep(tmp_path)
        assert living.exists()
        assert file.exists()
        (tmp_path / ".c.abcd1234.tmp").symlink_to(tmp_path / ".profile")
    assert {path.name for path in tmp_path.iterdir()} == {
        *("a", "b", ".abcd1234.tmp", ".a.tmp", "a.abcd1234.tmp", ".profile", ".c.abcd1234.tmp")
    }


def test_the_error_of_a_worker_process_reaches_its_parent() -> None:
    error = pickle.loads(pickle.dumps(UnwritableError(Path("out"), "No space left on device")))
    assert (str(error), error.strerror) == (
        "out: cannot be written (No space left on device)",
        "No space left on device",
    )


def test_links_are_followed_and_stay(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "near").symlink_to(tmp_path / "far" / "data")
    for text in ("one", "two"):
        with atomic_directory(tmp_path / "near") as new:
            (new / "a").write_text(text)
    (tmp_path / "file").symlink_to(tmp_path / "far" / "file")
    write_text(tmp_path / "file", "three")
    assert (tmp_path / "near").is_symlink()
    assert (tmp_path / "far" / "data" / "a").read_text() == "two"
    assert (tmp_path / "far" / "file").read_text() == "three"
    assert sorted(path.name for path in (tmp_path / "far").iterdir()) == ["data", "file"]


def _file_in_the_way(path: Path) -> Path:
    (path / "f").write_text("")
    return path / "f" / "out"


def _link_loop(path: Path) -> Path:
    (path / "loop").symlink_to(path / "loop")
    return path / "loop" / "out"


def _long_name(path: Path) -> Path:
    return path / ("x" * 300)


def _full_disk(path: Path) -> Path:
    return Path("/dev/full")


@pytest.mark.parametrize("is_directory", [False, True])
@pytest.mark.parametrize("place", [_file_in_the_way, _link_loop, _long_name, _full_disk])
def test_an_output_that_cannot_be_written_is_one_line_before_and_while_it_is_written(
    tmp_path: Path, place: Callable[[Path], Path], is_directory: bool
) -> None:
    path = place(tmp_path)
    with pytest.raises(InputError, match=str(path)):
        check_writable(path, directory=is_directory)
    with pytest.raises(InputError, match=str(path)), (atomic_directory if is_directory else atomic_path)(path) as new:
        (new / "a" if is_directory else new).write_text("x")
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("write failed")])
def test_a_full_disk_is_told_from_other_errors_of_a_library(
    tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(error, RuntimeError):
        with pytest.raises(RuntimeError), atomic_directory(tmp_path / "a"):
            raise error
        monkeypatch.setattr(disk, "_why_unwritable", lambda _: "No space left on device")
    with (
        pytest.raises(InputError, match=r"a: cannot be written \(No space left on device\)"),
        atomic_directory(tmp_path / "a"),
    ):
        raise error
    assert not list(tmp_path.iterdir())


def test_the_error_of_another_file_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "b"):
        (tmp_path / "input").read_text()


def test_what_cannot_be_tidied_away_hides_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(InputError, match="why"), locked(tmp_path / "d"), atomic_path(tmp_path / "a"):
        raise InputError("why")
