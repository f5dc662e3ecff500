"""Batches whose pairs have several queries and passages: every parallel passage is a positive, none a negative."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from isoglot.batching.plan import BatchPlan, PlanSettings
from isoglot.batching.sampler import PlanDataset, TextBatch
from isoglot.batching.strategies import Strategy
from isoglot.models.load import load_model
from isoglot.training.collate import Collator
from isoglot.training.loss import take_marks
from isoglot.training.losses import EmbeddedBatch
from isoglot.training.losses.infonce import InfoNCE
from tests.training.everything import Everything
from tests.training.tiny import info_nce, pair_table

SCALE = 7.0


def plan_of(strategy: Strategy, **more: Any) -> tuple[Any, BatchPlan]:
    table = pair_table(negatives=True)
    return table, BatchPlan(table.index, PlanSettings(strategy=strategy, batch_size=6, **more))


def test_every_text_knows_its_pair_side_and_language() -> None:
    table, plan = plan_of(Everything())
    for batch in plan[:20]:
        assert not batch.is_aligned
        for side, most in ((batch.queries, 2), (batch.passages, 3)):
            assert table.column("id", side.rows) == [table.column("id", table.index.rows[p][:1])[0] for p in side.pairs]
            assert table.column("lang", side.rows) == [table.languages[lang] for lang in side.languages.tolist()]
            assert Counter(side.places.tolist()) == dict.fromkeys(range(6), most)
        parts = [batch.part(rank, 3) for rank in range(3)]
        assert np.array_equal(np.concatenate([part.passages.rows for part in parts]), batch.passages.rows)
        assert [part.queries.places.tolist() for part in parts] == [[0, 0, 1, 1], [2, 2, 3, 3], [4, 4, 5, 5]]


def test_texts_of_the_same_tokens_are_of_one_pair(base: Path) -> None:
    collator = Collator(load_model(str(base), query_prompt="", passage_prompt="", device="cpu"), max_length=4)
    queries = ["de1 de2", "de3 de4", "de5", "de6"]
    passages = ["en1 en2 en3", "en4 en5", "en1 en2 en4", "en6"]  # the first and the third are cut before they differ
    batch = collator([TextBatch(0, queries, passages, [])])
    assert batch["query_pairs"].tolist() == batch["passage_pairs"].tolist() == [0, 1, 0, 2]
    batch = collator([TextBatch(0, queries, passages, [], np.array([0, 0, 1, 2]), np.array([0, 1, 2, 2]))])
    assert (batch["query_pairs"].tolist(), batch["passage_pairs"].tolist()) == ([0, 0, 1, 0], [0, 1, 0, 0])
    assert "query_pairs" not in collator([TextBatch(0, queries[:2], passages[:2], [])])


def naive(queries: Any, passages: Any, query_pairs: Any, passage_pairs: Any, negatives: Any) -> float:
    """The formula of the docstring, text by text, in Python floats."""

    def cosine(one: Any, two: Any) -> float:
        return float(one @ two)

    total = 0.0
    for query, pair in zip(queries, query_pairs):
        others = [math.exp(SCALE * cosine(query, p)) for p, other in zip(passages, passage_pairs) if other != pair]
        others += [math.exp(SCALE * cosine(query, n)) for n in negatives]
        own = [math.exp(SCALE * cosine(query, p)) for p, other in zip(passages, passage_pairs) if other == pair]
        total += sum(-math.log(hit / (hit + sum(others))) for hit in own) / len(own)
    return total


@pytest.mark.parametrize("n_negatives", [0, 3])
@pytest.mark.parametrize("symmetric", [False, True])
def test_the_loss_is_that_of_the_formula(symmetric: bool, n_negatives: int) -> None:
    random = torch.Generator().manual_seed(1)
    columns = [
        torch.nn.functional.normalize(torch.randn(n, 5, generator=random, dtype=torch.float64), dim=1)
        for n in (5, 7, n_negatives)
    ]
    query_pairs, passage_pairs = torch.tensor([0, 0, 1, 2, 2]), torch.tensor([0, 0, 0, 1, 1, 2, 2])
    batch = EmbeddedBatch(columns[0], columns[1], columns[2], query_pairs, passage_pairs, range(5), range(7))
    expected = naive(columns[0], columns[1], query_pairs.tolist(), passage_pairs.tolist(), columns[2])
    if symmetric:
        back = naive(columns[1], columns[0], passage_pairs.tolist(), query_pairs.tolist(), [])
        expected = (expected / 5 + back / 7) / 2 * 5
    found = InfoNCE(scale=SCALE, symmetric=symmetric).sum(batch, range(5), range(7))
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_one_text_per_side_gives_the_usual_loss() -> None:
    random = torch.Generator().manual_seed(2)
    queries, passages = (
        torch.nn.functional.normalize(torch.randn(6, 5, generator=random, dtype=torch.float64), dim=1) for _ in range(2)
    )
    aligned = EmbeddedBatch(queries, passages, passages[:0], None, None, range(6), range(6))
    told = aligned._replace(query_pairs=torch.arange(6), passage_pairs=torch.arange(6))
    for symmetric in (False, True):
        term = InfoNCE(scale=SCALE, symmetric=symmetric)
        usual, general = (term.sum(batch, range(6), range(6)).item() for batch in (aligned, told))
        assert general == pytest.approx(usual, rel=1e-12)


def test_tokens_pairs_and_gradient_caching(base: Any, tmp_path: Any) -> None:
    """The collator hands the pairs on, from texts and from stored tokens, and caching changes neither loss nor gradients."""
    model = load_model(str(base), device="cpu", dropout=0.0).double()
    table, plan = plan_of(Everything())
    steps = PlanDataset(table, plan, 4, negatives=1)
    reading, stored = Collator(model, root=tmp_path), Collator(model, root=tmp_path)
    assert stored.prepare(steps)
    features = split(stored([steps[2]]))
    for one, two in zip(split(reading([steps[2]])), features):
        assert torch.equal(one["input_ids"], two["input_ids"])
    assert features[0]["pairs"].tolist() == [place for place in range(6) for _ in range(2)]
    assert features[1]["pairs"].tolist() == [place for place in range(6) for _ in range(3)]
    losses, gradients = [], []
    for tokens in (0, 40):
        model.zero_grad()
        loss = info_nce(model, scale=SCALE, symmetric=True, tokens=tokens)(features, None)
        loss.backward()
        losses.append(loss.item())
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    assert losses[0] == pytest.approx(losses[1], rel=1e-10)
    assert max((one - two).abs().max().item() for one, two in zip(*gradients)) < 1e-10


def split(batch: dict[str, Any]) -> list[dict[str, Any]]:
    """Features by column, as the trainer gives them to the loss."""
    return [
        {key.removeprefix(name): value for key, value in batch.items() if key.startswith(name)}
        for name in ("query_", "passage_", "negative_")
    ]


def test_features_keep_their_pairs_for_the_next_call() -> None:
    columns, marks = take_marks([{"x": 1, "pairs": torch.tensor([0, 1])}, {"pairs": torch.tensor([0, 1])}, {"x": 2}])
    assert columns == [{"x": 1}, {}, {"x": 2}]
    assert list(marks) == ["pairs"]
    assert marks["pairs"][0].tolist() == [0, 1]
