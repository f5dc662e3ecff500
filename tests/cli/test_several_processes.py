"""`isoglot evaluate` under a launcher: the figures of one process, printed once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from isoglot.cli.main import main
from isoglot.evaluation.results import load_result
from tests.cli.test_commands import benchmark  # noqa: F401  a fixture
from tests.training.tiny import tiny_base


def launch(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "isoglot"]
    return subprocess.run([*command, *words], capture_output=True, text=True, check=False, timeout=120)


def test_evaluate(tmp_path: Path, benchmark: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    base = str(tiny_base(tmp_path / "base"))
    words = ["evaluate", base, str(benchmark), "--json"]
    assert main(words) == 0
    alone = json.loads(capsys.readouterr().out)
    ran = launch(*words, "--output", str(tmp_path / "result"))
    assert ran.returncode == 0, ran.stderr
    together = json.loads(ran.stdout)
    assert together["settings"] == alone["settings"]
    assert together["bias"]["rank_distance"] == alone["bias"]["rank_distance"]
    assert load_result(tmp_path / "result").summary == together

    refused = launch(*words, "--store", str(tmp_path / "store"))
    assert refused.returncode != 0
    assert refused.stderr.count("isoglot: a store of embeddings is filled by one process") == 1
