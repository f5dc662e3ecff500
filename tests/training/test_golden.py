"""Batches and losses stay what they are: committed rows and losses of every strategy and tuning on a tiny model in float64.

`python -m tests.training.test_golden` writes the file anew, which only a wanted change of the method may do.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.tiny import pair_rows, tiny_base

GOLDEN = Path(__file__).with_name("golden.json")
STEPS = 20
CASES = [f"{strategy}-{tuning}" for strategy in ("mono", "cross", "hybrid") for tuning in ("lora", "full")]


def _in_float64(base: Path) -> Path:
    """The same model with weights that are stored, loaded and trained in float64."""
    import torch
    from transformers import BertModel

    BertModel.from_pretrained(base).to(torch.float64).save_pretrained(base)
    return base


def _table() -> Any:
    """Pairs with one negative per row. The file was made when the first of two was taken; now chance decides between two."""
    from isoglot.data.pairs.table import PairTable

    rows = pair_rows(negatives=True)
    return PairTable.from_rows([replace(row, negatives=row.negatives[:1]) for row in rows])


def _settings(strategy: str, tuning: str, base: Path, output: Path) -> Any:
    from tests.training.test_train import settings

    return settings(base, output, strategy=strategy, tuning=tuning, steps=STEPS, seed=3, precision="fp32", dropout=0.0)


def _losses(strategy: str, tuning: str, base: Path, output: Path) -> list[float]:
    """The unrounded losses of a run whose weights, gradients and optimizer are float64."""
    import torch

    from isoglot.training.train import train

    torch.set_default_dtype(torch.float64)
    try:
        train(_settings(strategy, tuning, base, output), table=_table(), show=False)
    finally:
        torch.set_default_dtype(torch.float32)
    lines = [json.loads(text) for text in (output / "log.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def _rows(strategy: str, tuning: str, base: Path, output: Path) -> str:
    """SHA-256 of the rows of the first 200 batches, queries before passages."""
    from isoglot.training.data import load_data

    *_, plan = load_data(_settings(strategy, tuning, base, output), _table(), None)
    digest = hashlib.sha256()
    for batch in plan[:200]:
        digest.update(np.concatenate([batch.query_rows, batch.passage_rows]).astype("<i8").tobytes())
    return digest.hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_losses_and_batches_are_those_of_the_committed_file(case: str, tmp_path: Path) -> None:
    golden = json.loads(GOLDEN.read_text())[case]
    base = _in_float64(tiny_base(tmp_path / "tiny-bert"))
    strategy, tuning = case.split("-")
    assert _rows(strategy, tuning, base, tmp_path / "run") == golden["rows"]
    np.testing.assert_allclose(_losses(strategy, tuning, base, tmp_path / "run"), golden["losses"], rtol=0, atol=1e-9)


def _write() -> None:
    golden = {}
    with tempfile.TemporaryDirectory() as place:
        base = _in_float64(tiny_base(Path(place) / "tiny-bert"))
        for case in CASES:
            strategy, tuning = case.split("-")
            run = Path(place) / case
            golden[case] = {
                "rows": _rows(strategy, tuning, base, run),
                "losses": _losses(strategy, tuning, base, run),
            }
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(_write())
