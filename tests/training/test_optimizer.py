"""Row-wise AdamW against dense AdamW, and what it is for: no gradient and no state as large as the vocabulary."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import nn

from isoglot.training.optimizer import RowAdamW, clip_gradients, use_sparse_gradients, word_embeddings
from isoglot.training.settings import TrainSettings
from isoglot.training.train import train
from tests.training.tiny import pair_table

VOCABULARY, WIDTH, STEPS, CLIP = 200, 8, 60, 60.0


class Model(nn.Module):
    """Embeddings and one layer: a vector per text, the mean over its words."""

    def __init__(self, sparse: bool, dtype: torch.dtype) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words = nn.Embedding(VOCABULARY, WIDTH, padding_idx=0, sparse=sparse, dtype=dtype)
        self.layer = nn.Linear(WIDTH, WIDTH, dtype=dtype)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        vectors: torch.Tensor = self.layer(self.words(ids)).tanh().mean(dim=1)
        return vectors


def batch(step: int) -> list[torch.Tensor]:
    """Two chunks of different widths; later steps reach words that earlier ones did not, and leave others alone."""
    draw = torch.Generator().manual_seed(step)
    low = 1 + 3 * (step % 40)
    return [torch.randint(low, low + 30, (5, width), generator=draw) * (torch.rand(5, width, generator=draw) < 0.9)
            for width in (4, 7)]  # fmt: skip


def prepare(sparse: bool, dtype: torch.dtype, **settings: Any) -> tuple[Model, torch.optim.Optimizer, Any]:
    model = Model(sparse, dtype)
    groups = [
        {"params": [model.words.weight, model.layer.weight], "weight_decay": 0.1},
        {"params": [model.layer.bias], "weight_decay": 0.0},
    ]
    optimizer = (RowAdamW if sparse else torch.optim.AdamW)(groups, lr=0.02, **settings)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / 10, (STEPS - step) / (STEPS - 10))
    )
    return model, optimizer, schedule


def run(model: Model, optimizer: torch.optim.Optimizer, schedule: Any, first: int, last: int) -> list[float]:
    """Steps first..last-1; gradient norms before clipping, which some steps need."""
    norms = []
    for step in range(first, last):
        one, two = (model(ids) for ids in batch(step))
        (20 * (one * two.roll(1, 0)).sum()).backward()
        if isinstance(optimizer, RowAdamW):
            norms.append(float(clip_gradients(model.parameters(), CLIP)))
        else:
            norms.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)))
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return norms


def assert_equal(one: Model, two: Model, tolerance: float) -> None:
    for (name, ours), theirs in zip(one.named_parameters(), two.parameters()):
        difference = float((ours - theirs).abs().max() / theirs.abs().max())
        assert difference <= tolerance, (name, difference)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 5e-6)])
def test_equals_dense_adamw(dtype: torch.dtype, tolerance: float, fused: bool) -> None:
    """Weight decay, clipping, warm-up and decay of the learning rate, words that come and go."""
    ours, dense = prepare(True, dtype, fused=fused), prepare(False, dtype, fused=fused)
    start = ours[0].words.weight.detach().clone()
    norms, expected = run(*ours, 0, STEPS), run(*dense, 0, STEPS)
    assert np.allclose(norms, expected, rtol=tolerance, atol=0)
    assert min(expected) < CLIP < max(expected), "some steps are clipped, some are not"
    assert_equal(ours[0], dense[0], tolerance)
    rows = ours[1].state[ours[0].words.weight]["rows"]
    seen = torch.cat([ids.flatten() for step in range(STEPS) for ids in batch(step)]).unique()
    assert sorted(rows.tolist()) == [row for row in seen.tolist() if row], "all rows that had a gradient, no other"
    never = sorted(set(range(VOCABULARY)) - set(rows.tolist()))
    assert 20 < len(never) < VOCABULARY - 20
    moved = (dense[0].words.weight[never] / start[never])[1:].detach()
    assert float((moved - 1).abs().min()) > 0.01, "weight decay reaches rows that no batch had"


def test_a_row_keeps_moving_after_its_last_batch() -> None:
    """What torch.optim.SparseAdam does not do."""
    model, optimizer, schedule = prepare(True, torch.float64)
    run(model, optimizer, schedule, 0, 1)
    row = int(batch(0)[0].max())
    before = model.words.weight[row].detach().clone()
    assert row not in torch.cat([ids.flatten() for ids in batch(39)])
    run(model, optimizer, schedule, 39, 40)
    assert float((model.words.weight[row].detach() - before).abs().max()) > 1e-4


@pytest.mark.parametrize("fused", [False, True])
def test_resumes_bit_for_bit(fused: bool, tmp_path: Path) -> None:
    whole = prepare(True, torch.float32, fused=fused)
    run(*whole, 0, STEPS)
    first = prepare(True, torch.float32, fused=fused)
    run(*first, 0, 25)
    torch.save([part.state_dict() for part in first], tmp_path / "state")
    again = prepare(True, torch.float32, fused=fused)
    for part, state in zip(again, torch.load(tmp_path / "state", weights_only=True)):
        part.load_state_dict(state)
    assert again[1].state[again[0].words.weight]["rows"].dtype == torch.int64
    run(*again, 25, STEPS)
    assert_equal(again[0], whole[0], 0.0)


@pytest.mark.parametrize("sparse_first", [True, False])
def test_state_goes_on_under_the_other_kind_of_gradient(sparse_first: bool) -> None:
    dense = prepare(False, torch.float64)
    run(*dense, 0, STEPS)
    ours = prepare(True, torch.float64)
    ours[0].words.sparse = sparse_first
    run(*ours, 0, 25)
    ours[0].words.sparse = not sparse_first
    run(*ours, 25, STEPS)
    assert_equal(ours[0], dense[0], 1e-12)


def test_a_step_without_words_leaves_them_alone() -> None:
    model, optimizer, schedule = prepare(True, torch.float64)
    run(model, optimizer, schedule, 0, 3)
    before = copy.deepcopy(model.words.weight.data)
    model.layer(torch.ones(2, WIDTH, dtype=torch.float64)).sum().backward()
    optimizer.step()
    assert torch.equal(model.words.weight, before)


def test_gradients_are_left_for_whoever_reads_them() -> None:
    model, optimizer, _ = prepare(True, torch.float64)
    model(batch(0)[0]).sum().backward()
    optimizer.step()
    assert model.words.weight.grad is not None
    assert model.words.weight.grad.is_sparse
    assert float(clip_gradients(model.parameters(), float("inf"))) > 0


def test_refuses_what_rows_do_not_have() -> None:
    with pytest.raises(ValueError, match="amsgrad"):
        RowAdamW(nn.Linear(2, 2).parameters(), amsgrad=True)


def test_tied_embeddings_stay_dense(base: Path) -> None:
    from isoglot.models.load import load_model

    model = load_model(str(base), device="cpu")
    assert use_sparse_gradients(model)
    model.add_module("head", nn.Linear(32, 185, bias=False))
    model.head.weight = word_embeddings(model)[0].weight
    assert not use_sparse_gradients(model)
    assert not word_embeddings(model)[0].sparse


def settings(base: Path, output: Path, **more: Any) -> TrainSettings:
    common = {"batch_size": 8, "steps": 12, "learning_rate": 5e-3, "tuning": "full", "dropout": 0.0}
    return TrainSettings(pairs=("made",), output=str(output), base=str(base), **{**common, **more})


def weights(run: Path) -> dict[str, np.ndarray]:
    return load_file(run / "model" / "model.safetensors")


@pytest.mark.parametrize("clip", [0.0, 1.0])
def test_training_equals_training_with_dense_gradients(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip: float
) -> None:
    train(settings(base, tmp_path / "rows", max_gradient_norm=clip), table=pair_table(), show=False)
    with monkeypatch.context() as patch:
        patch.setattr("isoglot.training.trainer.use_sparse_gradients", lambda model: False)
        patch.setattr("isoglot.training.trainer.RowAdamW", torch.optim.AdamW)
        train(settings(base, tmp_path / "dense", max_gradient_norm=clip), table=pair_table(), show=False)
    ours, dense = weights(tmp_path / "rows"), weights(tmp_path / "dense")
    assert ours.keys() == dense.keys()
    # Adam divides by the root of a square: a gradient that is all rounding error may turn a step around
    assert max(float(np.abs(ours[name] - dense[name]).max()) for name in ours) < 1e-4
    moved = np.abs(dense["embeddings.word_embeddings.weight"] - load_file(base / "model.safetensors")[
        "embeddings.word_embeddings.weight"]).max()  # fmt: skip
    assert moved > 1e-2


def test_frozen_embeddings_stay_and_the_rest_moves(base: Path, tmp_path: Path) -> None:
    train(settings(base, tmp_path / "run", freeze_embeddings=True), table=pair_table(), show=False)
    before, after = load_file(base / "model.safetensors"), weights(tmp_path / "run")
    name = "embeddings.word_embeddings.weight"
    assert before[name].tobytes() == after[name].tobytes()
    assert any(before[key].tobytes() != after[key].tobytes() for key in after)
