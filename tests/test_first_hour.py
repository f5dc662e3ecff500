"""Five newcomers get through, from a clean clone in an empty environment (benchmarks/first_hour.sh)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "first_hour.sh"


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_five_newcomers(tmp_path: Path) -> None:
    words = ["bash", str(SCRIPT), str(tmp_path / "work")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=_environment())
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def _environment() -> dict[str, str]:
    """Nothing of this environment's packages."""
    return {**{key: value for key, value in os.environ.items() if key != "PYTHONPATH"}, "PYTHON": sys.executable}
