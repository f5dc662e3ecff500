"""Spoiled inputs of every kind: success whose counts add up, or one line that names the file (more: benchmarks/malformed.py)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.malformed.kinds import kinds
from tests.malformed.kinds.shared import Kind, write
from tests.malformed.mutations import spoil, spoil_on_disk

# reports of whole studies take seconds each: the tool has them
KINDS = [name for name in kinds() if name != "study results"]


@pytest.fixture(autouse=True)
def _own_cache_and_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ISOGLOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    yield
    os.chdir("/")


def _spoiled(kind: Kind, folder: Path, random: Random, *, on_disk: bool) -> None:
    """Check the kind with one file spoiled, in a folder that is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    write(folder, kind.files)
    path = folder / random.choice(kind.targets)
    if on_disk:
        spoil_on_disk(random, path)
    else:
        path.write_bytes(spoil(random, path.name, path.read_bytes()))
    kind.check(folder, path)


@pytest.mark.parametrize("name", KINDS)
def test_spoiled_inputs(name: str, tmp_path: Path) -> None:
    kind, folder = kinds()[name], tmp_path / "case"
    write(folder, kind.files)
    kind.check(folder, folder / kind.targets[0])

    @settings(max_examples=20, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.randoms(use_true_random=False))
    def spoil_and_check(random: Random) -> None:
        _spoiled(kind, folder, random, on_disk=False)

    spoil_and_check()


@pytest.mark.parametrize("name", [name for name in KINDS if len(kinds()[name].targets) == len(kinds()[name].files)])
def test_pipes_folders_loops_and_devices_in_the_place_of_files(name: str, tmp_path: Path) -> None:
    kind, folder = kinds()[name], tmp_path / "case"
    for seed in range(4):
        _spoiled(kind, folder, Random(f"{name} {seed}"), on_disk=True)
