"""Each loss term against its formula in plain numpy, and in all ways in which training computes a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from isoglot.batching.plan import BatchPlan, PlanSettings
from isoglot.batching.sampler import PlanDataset
from isoglot.batching.strategies.cross import Cross
from isoglot.batching.strategies.mono import Mono
from isoglot.errors import InputError
from isoglot.models.content import content_of
from isoglot.models.tunings.lora import Lora
from isoglot.training import gradcache
from isoglot.training.collate import Collator, columns_of
from isoglot.training.gradcache import CachedBatchLoss
from isoglot.training.loss import BatchLoss
from isoglot.training.losses import LOSSES, EmbeddedBatch, RunFacts
from isoglot.training.settings import TrainSettings
from isoglot.training.teacher import Marker
from tests.training.everything import Everything
from tests.training.tiny import load_tuned, pair_table

S, T = 7.0, 11.0
ALL = {name: {"scale": S} if "scale" in LOSSES[name].model_fields else {} for name in LOSSES.names()}
ALL["distill"]["teacher_scale"] = T
QUERY_PAIRS, PASSAGE_PAIRS = [3, 0, 1, 0, 3, 2, 0], [0, 0, 3, 1, 1, 2, 2, 0, 3]
QUERY_LANGUAGES, PASSAGE_LANGUAGES = [0, 2, 1, 1, 2, 1, 0], [1, 0, 1, 0, 2, 1, 0, 2, 0]
PIVOT = 1  # among the queries of pairs 1 (alone), 0 (of three) and 2 (alone); pair 3 has two queries and none in it

Array = np.ndarray[Any, np.dtype[np.float64]]


def unit(rows: Array) -> Array:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def softmax(scores: Array) -> Array:
    return np.exp(scores) / np.exp(scores).sum()


def contrast(row: Array, hits: list[Array], others: list[Array]) -> float:
    """-log p of each hit against the others, averaged; 0 without hits."""
    wrong = sum(np.exp(S * row @ other) for other in others)
    losses = [-np.log(np.exp(S * row @ hit) / (np.exp(S * row @ hit) + wrong)) for hit in hits]
    return float(np.mean(losses)) if losses else 0.0


class Reference:
    """The formulas of the docstrings, text by text; every method is an average over queries or passages.

    `fixed`: (queries, passages) in the place of what gets no gradient.
    """

    def __init__(
        self, queries: Array, passages: Array, teachers: tuple[Array, Array], fixed: tuple[Array, Array]
    ) -> None:
        self.q, self.p, self.teachers = unit(queries), unit(passages), teachers
        self.fixed = unit(fixed[0]), unit(fixed[1])

    def among(self, texts: Array, pairs: list[int]) -> float:
        numbers = range(len(texts))
        return float(
            np.mean(
                [
                    contrast(
                        texts[i],
                        [texts[j] for j in numbers if j != i and pairs[j] == pairs[i]],
                        [texts[j] for j in numbers if pairs[j] != pairs[i]],
                    )
                    for i in numbers
                ]
            )
        )

    def queries(self) -> float:
        return self.among(self.q, QUERY_PAIRS)

    def passages(self) -> float:
        return self.among(self.p, PASSAGE_PAIRS)

    def reverse(self) -> float:
        losses = []
        for row, pair, lang in zip(self.p, PASSAGE_PAIRS, PASSAGE_LANGUAGES):
            hits, others = ([q for q, o in zip(self.q, QUERY_PAIRS) if (o == pair) is own] for own in (True, False))
            losses.append(contrast(row, hits, others) if lang == PIVOT else 0.0)
        return float(np.mean(losses))

    def distill(self) -> float:
        kl = 0.0
        for row, teacher in zip(self.q, self.teachers[0]):
            target, student = softmax(T * self.teachers[1] @ teacher), softmax(S * self.p @ row)
            kl += float((target * np.log(target / student)).sum())
        return kl / len(self.q)

    def pivot(self) -> float:
        sides = zip((self.q, self.p), self.teachers)
        return float(np.mean([np.mean([1 - row @ t for row, t in zip(rows, own)]) for rows, own in sides]))

    def rankings(self) -> float:
        kl = 0.0
        for row, pair, lang in zip(self.q, QUERY_PAIRS, QUERY_LANGUAGES):
            parallel = [i for i, other in enumerate(QUERY_PAIRS) if other == pair]
            if lang == PIVOT or len(parallel) == 1:
                continue
            chosen = [i for i in parallel if QUERY_LANGUAGES[i] == PIVOT] or parallel
            target = np.mean([softmax(S * self.fixed[1] @ self.fixed[0][i]) for i in chosen], axis=0)
            student = softmax(S * self.p @ row)
            kl += float((target * np.log(target / student)).sum())
        return kl / len(self.q)


def batch_of(queries: torch.Tensor, passages: torch.Tensor, teachers: tuple[Array, Array]) -> EmbeddedBatch:
    rows = [torch.nn.functional.normalize(side, dim=1) for side in (queries, passages)]
    numbers = [torch.tensor(x) for x in (QUERY_PAIRS, PASSAGE_PAIRS, QUERY_LANGUAGES, PASSAGE_LANGUAGES)]
    own = range(len(queries)), range(len(passages))
    known = {"query_languages": numbers[2], "passage_languages": numbers[3], "pivot": PIVOT}
    taught = {f"{side}_teachers": torch.tensor(rows) for side, rows in zip(("query", "passage"), teachers)}
    negatives = torch.nn.functional.normalize(torch.ones(2, 5, dtype=torch.float64), dim=1)
    return EmbeddedBatch(rows[0], rows[1], negatives, numbers[0], numbers[1], *own, **known, **taught)


@pytest.mark.parametrize("name", sorted({*ALL} - {"infonce"}))
def test_value_and_gradient_are_those_of_the_formula(name: str) -> None:
    random = np.random.default_rng(8)
    given = [random.normal(size=(len(pairs), 5)) for pairs in (QUERY_PAIRS, PASSAGE_PAIRS)]
    # a teacher may have another width, but for the term that compares vectors
    width = 5 if name == "pivot" else 4
    teachers = unit(random.normal(size=(7, width))), unit(random.normal(size=(9, width)))
    leaves = [torch.tensor(side, requires_grad=True) for side in given]
    batch, term = batch_of(leaves[0], leaves[1], teachers), LOSSES[name](**ALL[name])
    found = term.sum(batch, range(7), range(9)) / 7
    expected = getattr(Reference(given[0], given[1], teachers, (given[0], given[1])), name)()
    assert expected > 0.05
    assert found.item() == pytest.approx(expected, rel=1e-12)
    # blocks of rows, also empty ones, add up
    cuts = [(range(3), range(0)), (range(3, 4), range(5)), (range(4, 7), range(5, 9))]
    assert sum(term.sum(batch, *cut).item() for cut in cuts) == pytest.approx(7 * expected, rel=1e-12)
    step = 1e-6
    for side, gradient in enumerate(torch.autograd.grad(found, leaves, allow_unused=True)):
        numeric = np.zeros_like(given[side])
        for place in np.ndindex(*numeric.shape):
            values = []
            for sign in (step, -step):
                moved = [rows.copy() for rows in given]
                moved[side][place] += sign
                values.append(getattr(Reference(moved[0], moved[1], teachers, (given[0], given[1])), name)())
            numeric[place] = (values[0] - values[1]) / (2 * step)
        exact = np.zeros_like(numeric) if gradient is None else gradient.numpy()
        assert np.abs(exact - numeric).max() < 1e-8


@pytest.mark.parametrize("name", sorted(ALL))
def test_one_text_per_pair_and_side(name: str) -> None:
    """Aligned batches: terms over parallel texts are 0, all can be differentiated."""
    random = torch.Generator().manual_seed(3)
    rows = [torch.randn(4, 5, generator=random, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    unit_rows = [torch.nn.functional.normalize(side, dim=1) for side in rows]
    languages = torch.tensor([0, 1, 1, 2])
    known = {"query_languages": languages, "passage_languages": languages.flip(0), "pivot": 1}
    taught = {f"{side}_teachers": unit_rows[1].detach() for side in ("query", "passage")}
    batch = EmbeddedBatch(*unit_rows, unit_rows[0][:0], None, None, range(4), range(4), **known, **taught)
    loss = LOSSES[name](**ALL[name]).sum(batch, range(4), range(4))
    assert (loss.item() == 0) == (name in ("queries", "passages", "rankings"))
    gradients = torch.autograd.grad(loss, rows, allow_unused=True)
    assert all(gradient is None or bool(gradient.isfinite().all()) for gradient in gradients)
    assert any(gradient is not None for gradient in gradients)


@pytest.fixture(scope="module")
def stepped(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Any], tuple[Any, list[dict[str, Any]]]]:
    """Of a strategy: (a model with random adapters in float64, the columns of a step with all that terms need)."""
    table = pair_table(negatives=True)
    cache = str(tmp_path_factory.mktemp("cache"))

    @lru_cache
    def get(strategy: Any) -> tuple[Any, list[dict[str, Any]]]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ISOGLOT_CACHE", cache)
            settings = TrainSettings(pairs=("made",), base=str(base), output="run", loss=dict.fromkeys(ALL, 1))
            model = load_tuned(str(base), Lora(rank=4), dropout=0.0, device="cpu").double()
            marker = Marker(settings, table, model, content_of(str(base)))
            steps = PlanDataset(
                table, BatchPlan(table.index, PlanSettings(strategy=strategy, batch_size=6)), 3, negatives=1
            )
            marker.prepare([steps])
            torch.manual_seed(1)
            for weights in model.parameters():
                if weights.requires_grad:
                    torch.nn.init.normal_(weights, std=0.3)
            columns = columns_of(Collator(model, marks=marker)([steps[1]]))
        return model, columns

    return get


def ways(model: Any, terms: Any) -> Iterator[tuple[str, Any]]:
    yield "one padded batch", BatchLoss(model, terms, chunks=1)
    yield "in chunks", BatchLoss(model, terms, chunks=3)
    yield "chosen chunks", BatchLoss(model, terms)
    yield "cached", CachedBatchLoss(model, terms, tokens=40)
    yield "without padding", BatchLoss(model, terms, unpadded=True)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize(
    ("strategy", "name"),
    [*((Everything(), name) for name in sorted({*ALL} - {"infonce"})), (Cross(), "all"), (Mono(), "all")],
)
def test_every_way_to_compute_a_step_gives_the_same(
    stepped: Any, strategy: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradcache, "MOST_SCORES", 100)  # several blocks of scores
    model, columns = stepped(strategy)
    chosen = sorted(ALL) if name == "all" else [name]
    terms = [LOSSES[one](weight=0.5 + number, **ALL[one]) for number, one in enumerate(chosen)]
    found = {}
    for way, loss in ways(model, terms):
        model.zero_grad()
        value = loss([dict(column) for column in columns], None)
        value.backward()
        gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
        found[way] = value.item(), torch.cat([gradient.flatten() for gradient in gradients])
    value, gradient = found.pop("one padded batch")
    assert value > 1e-3
    for way, (other, other_gradient) in found.items():
        assert other == pytest.approx(value, abs=1e-10), way
        assert float((other_gradient - gradient).abs().max() / gradient.abs().max()) < 1e-10, way


def test_what_a_run_cannot_give_is_refused() -> None:
    facts = RunFacts(("de", "zh"), "en", 32, 16)
    for name in set(ALL) - {"pivot", "reverse"}:
        LOSSES[name]().check_run(facts)
    with pytest.raises(InputError, match="vectors have 16 dimensions, the model's 32; give a teacher of as many"):
        LOSSES["pivot"]().check_run(facts)
    with pytest.raises(InputError, match="no pair is in the pivot language 'en', only in de, zh"):
        LOSSES["reverse"]().check_run(facts)
    batch = EmbeddedBatch(*[torch.ones(2, 3)] * 3, None, None, range(2), range(2))
    for name in ("distill", "rankings"):
        with pytest.raises(ValueError, match="this batch"):
            LOSSES[name]().sum(batch, range(2), range(2))


def test_settings() -> None:
    given: dict[str, Any] = {"pairs": ("x",), "output": "y"}
    plain = TrainSettings(**given)
    assert "teacher" not in {**plain.to_flat(), **plain.deciding()}
    assert not plain.needs
    asked = TrainSettings(
        **given,
        loss={"infonce": 1, "distill": {"weight": 0.5, "teacher_scale": 30}, "queries": 0.25, "pivot": 2},
        scale=20,
    )
    assert [(term.name, term.weight, getattr(term, "scale", None)) for term in asked.loss] == [
        ("infonce", 1, 20),
        ("distill", 0.5, 20),
        ("queries", 0.25, 20),
        ("pivot", 2, None),
    ]
    assert TrainSettings(**asked.to_flat()) == asked
    assert asked.deciding()["teacher"] == {"language": "en"}
    other = asked.replace(teacher={"language": "deu"})
    assert other.to_flat()["teacher"] == {"model": "base", "language": "de"}
    assert other.deciding() != asked.deciding()
    # a language that no term looks for decides nothing
    with pytest.raises(InputError, match=r"teacher\.language .* none is asked for"):
        plain.replace(teacher={"language": "de"})
    with pytest.raises(InputError, match=r"give a language as teacher\.language: loss terms rankings look"):
        TrainSettings(**given, loss={"infonce": 1, "rankings": 1}, teacher={"language": "best"})
