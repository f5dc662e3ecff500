"""Digests and the places on disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from isoglot.files import cache_dir, digest_file, missing_files


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
