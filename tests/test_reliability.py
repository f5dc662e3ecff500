"""Some of the moments of benchmarks/reliability.py: what commands leave that are killed, told to end, or on a disk that fails."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_a_dozen_moments_of_each_kind_and_two_writers(tmp_path: Path) -> None:
    words = [sys.executable, str(ROOT / "benchmarks" / "reliability.py"), "kill", "writers", "clock", "signals"]
    moments, only = ["12", "0", "2", "1"], ["(LoRA)", "pack --overwrite", "corpus"]
    chosen = [f"{part}:{text}" for part in ("kill", "writers") for text in only]
    chosen += [f"{part}:pack --overwrite" for part in ("clock", "signals", "full")]
    if sys.platform == "linux" and os.geteuid() == 0 and _can_mount(tmp_path):
        words, moments = [*words, "full"], [*moments, "2"]
    words += ["--moments", *moments, "--only", *chosen, "--output", str(tmp_path / "out.json")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "out.json").read_text())
    killed = result["kill"]["total"]
    assert killed["moments"] >= 12
    assert killed == {"moments": killed["moments"], "same": killed["moments"], "blocked": 0, "lost": 0, "left": 0}
    seconds = {name: kind["second"] for name, kind in result["writers"]["kinds"].items()}
    assert seconds == {"train (LoRA)": "refused", "data pack --overwrite": "refused", "corpus cache": "waits"}
    faults = {part: total for part in result if (total := result[part]["total"]).keys() >= {"said", "done"}}
    assert faults.keys() >= {"clock", "signals"}
    for total in faults.values():
        assert 0 < total["moments"] == total["said"] + total["done"]
    assert faults["signals"]["said"] > 0


def _can_mount(folder: Path) -> bool:
    where = folder / "mount"
    where.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", where], capture_output=True, check=False)
    if done.returncode == 0:
        subprocess.run(["umount", where], check=True)
    return done.returncode == 0


def test_no_command_that_writes_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    commands, outputs = importlib.import_module("_commands"), importlib.import_module("_outputs")
    cases = commands.Place(tmp_path, tmp_path / "area").cases()
    assert outputs.without_case(cases) == []
    del cases["inject"], cases["bias --pairs"]
    assert outputs.without_case(cases) == ["bias --pairs", "inject --output"]


def test_the_figures_that_are_published_have_no_failure() -> None:
    published = json.loads((ROOT / "results" / "reliability.json").read_text())
    assert published["kill"]["total"]["moments"] >= 200
    faults = ("full", "readonly", "vanishing", "slow", "clock", "signals")
    for part in ("kill", "power", "writers", *faults, "load", "load e5", "processes", "memory"):
        assert published[part]["problems"] == [], part
    for part in ("versions_lowest", "versions_highest"):
        assert published[part]["tests"]["failed"] == 0, part
    spoiled = published["malformed"]
    fine = {name: spoiled["inputs"].pop(name) for name in ("read", "refused")}
    assert not any(spoiled["inputs"].values())
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert f"{sum(fine.values()):,} inputs of {spoiled['kinds']} kinds" in page
    assert f"{fine['read']:,} were read" in page
    assert f"{fine['refused']:,} refused" in page
    for name, count in published["kill"]["cases"].items():
        assert f"| {name} | {' | '.join(str(number) for number in count.values())} |" in page
    for moment in published["power"]["moments"]:
        assert f"| {moment['case']} | {moment['moment']} | {'yes' if moment['whole'] else 'no'} |" in page
    for name, kind in published["writers"]["kinds"].items():
        assert f"| {name} | {kind['second']} |" in page
    assert len(published["power"]["moments"]) == 10
    assert all(moment["unsynced_control_lost"] for moment in published["power"]["moments"])
