"""Locks, digests and the places on disk."""

from __future__ import annotations

import hashlib
import multiprocessing
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from isoglot.files import cache_dir, digest_file, exclusive, missing_files


def _hold(path: str, pipe: Connection) -> None:
    with exclusive(Path(path), "waiting for the other"):
        pipe.send("held")
        pipe.recv()


def test_a_lock_is_held_by_one_process_and_dropped_with_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    context = multiprocessing.get_context("spawn")
    processes, pipes = [], []
    for _ in range(2):
        here, there = context.Pipe()
        process = context.Process(target=_hold, args=(str(tmp_path / "lock"), there))
        process.start()
        processes.append(process)
        pipes.append(here)
        if len(pipes) == 1:
            assert here.recv() == "held"
    assert not pipes[1].poll(1.0)
    processes[0].kill()
    assert pipes[1].poll(20.0), "the lock outlived its process"
    pipes[1].send("done")
    processes[1].join()
    assert processes[1].exitcode == 0
    assert "waiting for the other" in capfd.readouterr().err


def test_a_lock_can_be_taken_again(tmp_path: Path) -> None:
    began = time.monotonic()
    for _ in range(3):
        with exclusive(tmp_path / "lock"):
            pass
    with pytest.raises(KeyError), exclusive(tmp_path / "lock"):
        raise KeyError
    with exclusive(tmp_path / "lock"):
        pass
    assert time.monotonic() - began < 5


def test_cache_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("ISOGLOT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert cache_dir() == tmp_path / ".cache" / "isoglot"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_dir() == tmp_path / ".cache" / "isoglot"
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_dir() == Path("/x/isoglot")
    monkeypatch.setenv("ISOGLOT_CACHE", "~/own")
    assert cache_dir() == tmp_path / "own"


def test_digest_and_missing_files(tmp_path: Path) -> None:
    data = bytes(range(256)) * 9000
    (tmp_path / "a").write_bytes(data)
    assert digest_file(tmp_path / "a") == hashlib.sha256(data).hexdigest()
    assert missing_files(tmp_path, ["a", "b", "."]) == ["b", "."]
