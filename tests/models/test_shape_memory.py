"""Batches of ever new shapes do not take ever more memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from isoglot.models.precision import computes_in_bf16
from tests.training.tiny import tiny_base

SCRIPT = """
import sys
from pathlib import Path
import torch
from isoglot.models.load import load_model

def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))

load_model(sys.argv[1], device="cpu")
layer = torch.nn.Linear(384, 384)
with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
    for rows in range(1, 700):
        if rows == 200:
            before = anonymous()
        layer(torch.zeros(rows, 384))
print(anonymous() - before)
"""


@pytest.mark.skipif(not computes_in_bf16("cpu"), reason="in float32 nothing is kept by shape here")
def test_shapes_are_forgotten(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tiny_base(tmp_path / "tiny"))], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 100_000
