"""Gradient caching against the plain loss: same value, same gradients, same masks under dropout, bounded chunks."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.numpy import load_file
from sentence_transformers import SentenceTransformer

from isoglot.batching.sampler import TextBatch
from isoglot.errors import InputError
from isoglot.models.load import load_model
from isoglot.models.tunings.lora import Lora
from isoglot.training import gradcache
from isoglot.training.collate import Collator
from isoglot.training.gradcache import cut_column
from isoglot.training.loss import bounded_chunks, gather_batch
from isoglot.training.losses.infonce import InfoNCE
from isoglot.training.settings import TrainSettings
from tests.training.several import run_case
from tests.training.tiny import info_nce, load_tuned, pair_rows

TOKENS = 40
Found = tuple[float, list[torch.Tensor]]


def columns(model: SentenceTransformer, negatives: bool = True, lengths: bool = True) -> list[dict[str, Any]]:
    rows = [row for row in pair_rows(24, negatives=True) if row.lang == "en"]
    texts = [row.negatives[0] for row in rows][:17] if negatives else []
    features = Collator(model)([TextBatch(0, [row.query for row in rows], [row.passage for row in rows], texts)])
    found = [
        {key.removeprefix(name): value for key, value in features.items() if key.startswith(name)}
        for name in ("query_", "passage_", "negative_")
    ]
    for column in found:
        if not lengths:
            column.pop("lengths", None)
    return [column for column in found if column]


def run(loss: torch.nn.Module, features: list[dict[str, Any]], factor: float = 1.0) -> Found:
    model = loss.model
    model.zero_grad()
    value = loss([dict(column) for column in features], None)
    (value * factor).backward()
    return value.item(), [p.grad.detach().clone().to_dense() for p in model.parameters() if p.grad is not None]


def farthest(one: list[torch.Tensor], two: list[torch.Tensor]) -> float:
    assert len(one) == len(two) > 10
    return max(float((a - b).abs().max()) for a, b in zip(one, two))


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("negatives", [False, True])
@pytest.mark.parametrize("lora", [False, True])
def test_same_loss_and_gradients(
    base: Path, symmetric: bool, negatives: bool, lora: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradcache, "MOST_SCORES", 200)  # several blocks of scores
    model = load_tuned(str(base), Lora(rank=4) if lora else None, dropout=0.0, device="cpu").double()
    features = columns(model, negatives)
    given = {"scale": 20.0, "symmetric": symmetric}
    value, gradients = run(info_nce(model, **given), features)
    for tokens in (1, TOKENS, 10_000):
        cached, cached_gradients = run(info_nce(model, tokens=tokens, **given), features)
        assert cached == pytest.approx(value, abs=1e-12)
        assert farthest(gradients, cached_gradients) < 1e-12
    # what the trainer's backward pass is scaled by (accumulation, a gradient scaler) reaches the chunks
    _, tripled = run(info_nce(model, tokens=TOKENS, **given), features, factor=3.0)
    assert farthest([3 * part for part in gradients], tripled) < 1e-12


def test_rows_without_lengths_are_cut_in_their_order(base: Path) -> None:
    model = load_model(str(base), dropout=0.0, device="cpu").double()
    features = columns(model, lengths=False)
    parts, back = cut_column(features[0], TOKENS)
    assert back is None
    assert len(parts) > 2
    value, gradients = run(info_nce(model, scale=20.0), features)
    cached, cached_gradients = run(info_nce(model, scale=20.0, tokens=TOKENS), features)
    assert cached == pytest.approx(value, abs=1e-12)
    assert farthest(gradients, cached_gradients) < 1e-12


def replayed(model: SentenceTransformer, features: list[dict[str, Any]]) -> Found:
    """The loss from the same chunks, drawing random numbers in the same order, with one ordinary graph."""
    model.zero_grad()
    embeddings = []
    for column in features:
        parts, back = cut_column(column, TOKENS)
        embeddings.append(torch.cat([model(dict(part))["sentence_embedding"] for part in parts])[back])
    batch = gather_batch(embeddings)
    terms = InfoNCE(scale=20.0, symmetric=True)
    loss = terms.sum(batch, batch.own_queries, batch.own_passages) / len(batch.own_queries)
    loss.backward()
    return loss.item(), [p.grad.detach().clone().to_dense() for p in model.parameters() if p.grad is not None]


def test_both_passes_draw_the_same_masks(base: Path) -> None:
    model = load_model(str(base), dropout=0.3, device="cpu").double().train()
    features = columns(model)
    loss = info_nce(model, scale=20.0, symmetric=True, tokens=TOKENS)
    torch.manual_seed(5)
    value, gradients = replayed(model, features)
    after = torch.get_rng_state()
    torch.manual_seed(5)
    cached, cached_gradients = run(loss, features)
    assert cached == pytest.approx(value, abs=1e-12)
    assert farthest(gradients, cached_gradients) < 1e-12
    assert torch.equal(torch.get_rng_state(), after), "the second pass leaves the generator where the first one did"
    torch.manual_seed(6)
    assert abs(run(loss, features)[0] - value) > 1e-3, "dropout is on"


def test_evaluation_has_no_backward_pass(base: Path) -> None:
    model = load_model(str(base), dropout=0.3, device="cpu").eval()
    features = columns(model)
    with torch.no_grad():
        cached = info_nce(model, scale=20.0, tokens=TOKENS)(features, None)
        assert float(cached) == pytest.approx(float(info_nce(model, scale=20.0)(features, None)), abs=1e-5)
    assert not cached.requires_grad


def test_autocast_to_bfloat16(base: Path) -> None:
    """Both losses under the wrapper that the trainer's accelerator puts around a model's forward pass."""
    model = load_model(str(base), dropout=0.0, device="cpu")
    features = columns(model)
    plain = copy.deepcopy(model)
    for each in (model, plain):
        each.forward = torch.autocast("cpu", dtype=torch.bfloat16)(each.forward)  # type: ignore[method-assign]
    value, gradients = run(info_nce(plain, scale=20.0), features)
    cached, cached_gradients = run(info_nce(model, scale=20.0, tokens=TOKENS), features)
    assert cached == pytest.approx(value, rel=0.02)
    norms = [torch.cat([part.flatten() for part in found]) for found in (gradients, cached_gradients)]
    assert float(torch.nn.functional.cosine_similarity(*norms, dim=0)) > 0.99


def test_only_one_chunk_is_alive_at_a_time(base: Path) -> None:
    """What is kept for the backward pass (weights included) does not grow with the batch, but for how full the chunks are."""
    model = load_model(str(base), dropout=0.0, device="cpu")
    features = columns(model)
    alive = most = 0

    class Held:
        def __init__(self, tensor: torch.Tensor) -> None:
            nonlocal alive, most
            self.tensor = tensor
            alive += tensor.numel()
            most = max(most, alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= self.tensor.numel()

    def peak(loss: torch.nn.Module, given: list[dict[str, Any]]) -> int:
        nonlocal alive, most
        alive = most = 0
        with torch.autograd.graph.saved_tensors_hooks(Held, lambda held: held.tensor):
            run(loss, given)
        return most

    whole = peak(info_nce(model, scale=20.0), features)
    small = peak(info_nce(model, scale=20.0, tokens=TOKENS), features)
    twice = [{**column, "lengths": column["lengths"] * 2} for column in features]
    twice = [
        {key: torch.cat([value, value]) if isinstance(value, torch.Tensor) else value for key, value in column.items()}
        for column in twice
    ]
    assert small < whole / 2
    assert peak(info_nce(model, scale=20.0, tokens=TOKENS), twice) < 1.4 * small


def test_resume_equals_an_unbroken_run_bit_for_bit(base: Path, tmp_path: Path) -> None:
    case = {"settings": {"grad_cache": 30, "dropout": 0.1, "tuning": "full", "save_steps": 2, "steps": 4}}
    assert run_case(str(base), tmp_path / "whole", case) == [(True, 4)]
    assert run_case(str(base), tmp_path / "broken", {**case, "at": {"step": 3, "crash": True}})[-1] == (True, 4)
    one, two = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("whole", "broken"))
    assert all(one[key].tobytes() == two[key].tobytes() for key in one)


@pytest.mark.parametrize("tokens", [1, 10, 64, 1000])
def test_chunks_tile_and_keep_to_the_tokens(tokens: int) -> None:
    lengths = sorted([3] * 40 + [7] * 20 + [30] * 9 + [100] * 3)
    bounds = bounded_chunks(lengths, tokens)
    assert [bounds[0][0], bounds[-1][1]] == [0, len(lengths)]
    assert all(left[1] == right[0] for left, right in zip(bounds, bounds[1:]))
    for begin, end in bounds:
        assert end - begin == 1 or (end - begin) * lengths[end - 1] <= tokens
    if tokens == 1000:
        padded = sum((end - begin) * lengths[end - 1] for begin, end in bounds)
        assert padded < 2 * sum(lengths), "short rows are not padded to long ones"


def test_settings() -> None:
    with pytest.raises(InputError, match="grad_cache must not be negative"):
        TrainSettings(pairs=("x",), output="y", grad_cache=-1)
    with pytest.raises(InputError, match="chunks or grad_cache, not both"):
        TrainSettings(pairs=("x",), output="y", grad_cache=64, chunks=2)
