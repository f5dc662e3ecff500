"""A dozen of the moments of benchmarks/reliability.py: commands that are killed end, started again, as if nobody had."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_a_dozen_moments_and_two_writers(tmp_path: Path) -> None:
    words = [sys.executable, str(ROOT / "benchmarks" / "reliability.py"), "kill", "writers", "--moments", "12"]
    words += ["--only", "(LoRA)", "pack --overwrite", "corpus", "--output", str(tmp_path / "out.json")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "out.json").read_text())
    killed = result["kill"]["total"]
    assert killed["moments"] >= 12
    assert killed == {"moments": killed["moments"], "same": killed["moments"], "blocked": 0, "lost": 0, "left": 0}
    seconds = {name: kind["second"] for name, kind in result["writers"]["kinds"].items()}
    assert seconds == {"train (LoRA)": "refused", "data pack --overwrite": "refused", "corpus cache": "waits"}


def test_the_figures_that_are_published_have_no_failure() -> None:
    published = json.loads((ROOT / "results" / "reliability.json").read_text())
    assert published["kill"]["total"]["moments"] >= 200
    for part in ("kill", "power", "writers"):
        assert published[part]["problems"] == []
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
