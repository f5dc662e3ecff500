"""Losses, gradients and weights that are not finite stop a run; what is on disk is finite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from isoglot.errors import InputError
from isoglot.training import trainer
from isoglot.training.data import load_data
from isoglot.training.finite import NotFiniteError, Watch
from isoglot.training.loss import BatchLoss, gather_batch
from isoglot.training.losses.infonce import InfoNCE
from isoglot.training.train import train
from tests.training.test_train import settings
from tests.training.tiny import pair_table


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_weights_that_overflow_are_not_saved(base: Path, tmp_path: Path, tuning: str) -> None:
    asked = settings(base, tmp_path / "run", tuning=tuning, learning_rate=1e38, warmup=0, steps=1)
    with pytest.raises(NotFiniteError, match=r"tensors \(.*\) are not finite at step 1 \(pairs .*no checkpoint yet"):
        train(asked, table=pair_table(), show=False)
    assert not list((tmp_path / "run").rglob("*.safetensors"))


def test_a_model_whose_embeddings_overflow_is_not_written(base: Path, tmp_path: Path) -> None:
    asked = settings(base, tmp_path / "run", tuning="full", learning_rate=1e30, warmup=0, steps=1)
    with pytest.raises(NotFiniteError, match="embeddings are not finite"):
        train(asked, table=pair_table(), show=False)
    assert not (tmp_path / "run" / "model").exists()


@pytest.mark.parametrize("reads_every_step", [True, False])
@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_it_stops_with_the_step_its_pairs_and_the_last_good_checkpoint(
    base: Path, tmp_path: Path, what: str, reads_every_step: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPU is only asked where it is waited for: the step that is named is the same."""
    asked = settings(base, tmp_path / "run", tuning="full", steps=12, log_steps=10, save_steps=2)
    compute, calls = BatchLoss.sum, [0]

    def spoiled(self: BatchLoss, batch: Any, *rows: range) -> torch.Tensor:
        calls[0] += 1
        value = compute(self, batch, *rows)
        if calls[0] != 5:
            return value
        if what == "gradient":  # the root of zero: a finite loss
            return value + (batch.queries * 0).sum().sqrt()
        return value / 0

    monkeypatch.setattr(BatchLoss, "sum", spoiled)
    monkeypatch.setattr(trainer, "Watch", lambda *given, every_step: Watch(*given, every_step=reads_every_step))
    with pytest.raises(NotFiniteError) as caught:
        train(asked, table=pair_table(), show=False)
    plan = load_data(asked, pair_table(), None).plan
    first = list(dict.fromkeys(pair_table().column("id", plan[4].query_rows)))[:5]
    assert f"not finite at step 5 (pairs {', '.join(first)} and 3 more)" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert calls[0] == (5 if reads_every_step else 6)
    checkpoints = sorted((tmp_path / "run" / "checkpoints").glob("checkpoint-*"))
    assert [path.name for path in checkpoints] == ["checkpoint-2", "checkpoint-4"]
    assert str(checkpoints[-1]) in str(caught.value)
    for path in checkpoints:
        assert all(np.isfinite(array).all() for array in load_file(path / "model.safetensors").values())
    assert not (tmp_path / "run" / "model").exists()


def test_a_base_that_is_not_finite_is_refused(base: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, BertModel

    spoiled = BertModel.from_pretrained(base)
    with torch.no_grad():
        spoiled.encoder.layer[0].output.dense.weight[3, 4] = torch.nan
    spoiled.save_pretrained(tmp_path / "base")
    AutoTokenizer.from_pretrained(base).save_pretrained(tmp_path / "base")
    with pytest.raises(InputError, match="not finite"):
        train(settings(tmp_path / "base", tmp_path / "run"), table=pair_table(), show=False)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("symmetric", [False, True])
def test_a_vector_of_zeros_is_like_none_and_gets_no_gradient(symmetric: bool) -> None:
    torch.manual_seed(0)
    queries, passages = (torch.randn(4, 8, dtype=torch.float64) for _ in range(2))
    queries[1] = passages[2] = 0.0
    leaves = [queries.requires_grad_(), passages.requires_grad_()]
    batch = gather_batch(leaves)
    loss = InfoNCE(scale=20.0, symmetric=symmetric).sum(batch, range(4), range(4))
    loss.backward()
    assert batch.queries[1].abs().max() == batch.passages[2].abs().max() == 0.0, "cosine 0 with all"
    assert torch.isfinite(loss)
    assert queries.grad is not None
    assert passages.grad is not None
    assert queries.grad[1].abs().max() == passages.grad[2].abs().max() == 0.0
    assert queries.grad[0].abs().max() > 0.0
