"""InfoNCE against a hand-written float64 reference, and chunked forward passes against padded ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from isoglot.batching.sampler import TextBatch
from isoglot.models.load import load_model
from isoglot.training.collate import Collator
from isoglot.training.loss import PASS_TOKENS, chunk_bounds
from tests.training.tiny import info_nce, pair_rows


class Given(torch.nn.Module):
    """A "model" whose embeddings are given."""

    truncate_dim = None

    def forward(self, features: dict[str, Any]) -> dict[str, Any]:
        return {"sentence_embedding": features["input"]}


def reference(queries: np.ndarray, passages: np.ndarray, negatives: np.ndarray | None, scale: float) -> float:
    """The formula of the module's docstring, in plain loops."""
    candidates = passages if negatives is None else np.vstack([passages, negatives])
    total = 0.0
    for i, query in enumerate(queries):
        cosines = [query @ other / np.linalg.norm(query) / np.linalg.norm(other) for other in candidates]
        total += -np.log(np.exp(scale * cosines[i]) / sum(np.exp(scale * cosine) for cosine in cosines))
    return total / len(queries)


@pytest.mark.parametrize("n_negatives", [0, 1, 5, 9])
@pytest.mark.parametrize("scale", [1.0, 50.0])
def test_matches_a_float64_reference(n_negatives: int, scale: float) -> None:
    random = np.random.default_rng(3)
    queries, passages, extra = (random.normal(size=(n, 8)) for n in (6, 6, n_negatives))
    columns = [{"input": torch.tensor(values)} for values in (queries, passages, extra) if len(values)]
    loss = info_nce(Given(), scale=scale)(columns, None)  # type: ignore[arg-type]
    assert loss.dtype == torch.float64
    assert float(loss) == pytest.approx(reference(queries, passages, extra if n_negatives else None, scale), abs=1e-12)


def test_symmetric_is_the_mean_of_both_directions() -> None:
    random = np.random.default_rng(4)
    queries, passages = random.normal(size=(5, 8)), random.normal(size=(5, 8))
    columns = [{"input": torch.tensor(values)} for values in (queries, passages)]
    loss = info_nce(Given(), scale=10.0, symmetric=True)(columns, None)  # type: ignore[arg-type]
    both = (reference(queries, passages, None, 10.0) + reference(passages, queries, None, 10.0)) / 2
    assert float(loss) == pytest.approx(both, abs=1e-12)


@pytest.mark.parametrize("n_negatives", [0, 4])
@pytest.mark.parametrize("symmetric", [False, True])
def test_loss_and_gradients_are_those_of_sentence_transformers(n_negatives: int, symmetric: bool) -> None:
    random = np.random.default_rng(5)
    columns = [torch.tensor(random.normal(size=(n, 8)), requires_grad=True) for n in (7, 7, n_negatives) if n]
    theirs = MultipleNegativesRankingLoss(
        Given(),  # type: ignore[arg-type]
        scale=20.0,
        directions=("query_to_doc", "doc_to_query") if symmetric else ("query_to_doc",),
        partition_mode="per_direction" if symmetric else "joint",
    ).compute_loss_from_embeddings(columns, None)
    ours = info_nce(Given(), scale=20.0, symmetric=symmetric)([{"input": part} for part in columns])  # type: ignore[arg-type]
    assert float(ours.detach()) == pytest.approx(float(theirs.detach()), abs=1e-12)
    for one, two in zip(torch.autograd.grad(ours, columns), torch.autograd.grad(theirs, columns)):
        assert float((one - two).abs().max()) < 1e-12


def test_half_precision_embeddings_are_compared_in_float32() -> None:
    columns = [{"input": torch.randn(6, 8, dtype=torch.bfloat16)} for _ in range(2)]
    assert info_nce(Given(), scale=50.0)(columns, None).dtype == torch.float32  # type: ignore[arg-type]


@pytest.mark.parametrize("chunks", [0, 1, 3, 7, 50])
def test_chunks_change_neither_loss_nor_gradients(base: Path, chunks: int) -> None:
    model = load_model(str(base), dropout=0.0, device="cpu").double()
    rows = [row for row in pair_rows(24, negatives=True) if row.lang == "en"]
    batch = TextBatch(0, [row.query for row in rows], [row.passage for row in rows], [row.negatives[0] for row in rows])
    features = Collator(model)([batch])

    def run(number: int, strip: bool) -> tuple[float, list[torch.Tensor]]:
        columns = [
            {key.removeprefix(name): value for key, value in features.items() if key.startswith(name)}
            for name in ("query_", "passage_", "negative_")
        ]
        for column in columns:
            assert len(column["lengths"]) == len(rows)
            if strip:
                del column["lengths"]
        model.zero_grad()
        loss = info_nce(model, scale=20.0, chunks=number)(columns, None)
        loss.backward()
        return float(loss), [p.grad.clone() for p in model.parameters() if p.grad is not None]

    plain, plain_gradients = run(0, strip=True)
    ours, gradients = run(chunks, strip=False)
    assert ours == pytest.approx(plain, abs=1e-12)
    assert len(gradients) == len(plain_gradients) > 20
    assert max(float((a - b).abs().max()) for a, b in zip(gradients, plain_gradients)) < 1e-12


def test_chunk_bounds_tile_and_pay() -> None:
    lengths = sorted([4] * 60 + [5] * 20 + [40] * 12 + [200] * 8)
    bounds = chunk_bounds(lengths)
    assert bounds[0][0] == 0
    assert bounds[-1][1] == len(lengths)
    assert all(left[1] == right[0] for left, right in zip(bounds, bounds[1:]))
    cost = sum((end - begin) * lengths[end - 1] for begin, end in bounds)
    assert cost < 0.2 * len(lengths) * lengths[-1]
    assert chunk_bounds([7] * 100) == [(0, 100)]
    assert chunk_bounds([1], 4) == [(0, 1)]


def test_a_gpu_is_given_whole_columns_until_padding_outweighs_a_pass() -> None:
    passages = sorted(20 + (number * 37) % 300 for number in range(100))
    assert chunk_bounds(passages, overhead=PASS_TOKENS["cuda"]) == [(0, 100)]
    large = sorted(20 + (number * 37) % 493 for number in range(4096))
    assert len(chunk_bounds(large, overhead=PASS_TOKENS["cuda"])) > 1
