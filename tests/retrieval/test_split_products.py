"""Products in bfloat16 parts, on the CPU: the same ranks, within the bound that is claimed, also as tensor cores sum."""

from __future__ import annotations

import hypothesis.extra.numpy as numbers
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from isoglot.retrieval import split_products
from isoglot.retrieval.engines import NumpyEngine
from isoglot.retrieval.ranks import exact_ranks
from isoglot.retrieval.scoring import float32_error, lengths, margins, pair_scores
from isoglot.retrieval.topk import top_k
from isoglot.retrieval.torch_engine import TorchEngine
from tests.retrieval.test_ranks import defined_scores, near_ties

# numbers of every size, as long as float32 can hold the products
ANY = st.floats(-(2.0**50), 2.0**50, width=32)
PAIRS = st.integers(1, 12).flatmap(
    lambda width: st.tuples(
        *(numbers.arrays(np.float32, st.tuples(st.integers(1, 4), st.just(width)), elements=ANY) for _ in range(2))
    )
)


@pytest.fixture(autouse=True)
def _in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split_products, "can_split", lambda queries: True)


def tensor_cores(block: int) -> object:
    """bfloat16 products as tensor cores add them: a block at a time, every addend cut off at the last bit of the largest."""

    def multiply(queries: torch.Tensor, documents: torch.Tensor) -> torch.Tensor:
        wide = [matrix.to(torch.float64).numpy() for matrix in (queries, documents)]
        total = np.zeros((len(queries), len(documents)))
        for start in range(0, queries.shape[1], block):
            left, right = (matrix[:, start : start + block] for matrix in wide)
            terms = np.concatenate([total[:, :, None], left[:, None] * right[None]], axis=2)
            total = _cut(_cut(terms, np.abs(terms).max(axis=2, keepdims=True)).sum(axis=2))
        return torch.from_numpy(total.astype(np.float32))

    return multiply


def _cut(values: np.ndarray, largest: np.ndarray | None = None) -> np.ndarray:
    """Values without the bits below the 24th of the largest (of themselves where None), or below the least of float32."""
    exponent = np.frexp(np.abs(values) if largest is None else largest)[1]
    bit = np.ldexp(1.0, np.maximum(exponent - 24, -149))
    return np.trunc(values / bit) * bit


def errors(engine: NumpyEngine | TorchEngine, queries: np.ndarray, documents: np.ndarray) -> tuple[np.ndarray, ...]:
    """How far the products are from the scores, and how far they may be, both of shape (n_queries, n_documents)."""
    margin = margins(lengths(queries), engine.load(documents), queries.shape[1], engine.error)
    products = np.asarray(engine.scores(slice(0, len(queries)))._products)
    return np.abs(products.astype(np.float64) - defined_scores(queries, documents)), margin[:, None]


@settings(max_examples=150, deadline=None)
@given(PAIRS, st.sampled_from([None, 2, 8, 16]))
def test_products_of_numbers_of_every_size_are_within_the_margin(
    pair: tuple[np.ndarray, np.ndarray], block: int | None
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if block is not None:
            patch.setattr(split_products, "_multiply", tensor_cores(block))
        error, margin = errors(TorchEngine(pair[0], "cpu"), *pair)
        assert (error <= margin).all()
    error, margin = errors(NumpyEngine(pair[0]), *pair)
    assert (error <= margin).all()


@settings(max_examples=60, deadline=None)
@given(PAIRS)
@example((np.array([[1e-40]], dtype=np.float32), np.array([[2.0**50]], dtype=np.float32)))
def test_numbers_below_the_normal_ones_may_be_taken_for_zero(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """As on a device that has no subnormal numbers, in parts and in sums."""
    tiny, cut = float(np.finfo(np.float32).tiny), split_products.parts

    def flushed(matrix: torch.Tensor) -> torch.Tensor:
        return torch.where(matrix.abs() < tiny, torch.zeros_like(matrix), matrix)

    def multiply(queries: torch.Tensor, documents: torch.Tensor) -> torch.Tensor:
        terms = flushed(queries.float())[:, None] * flushed(documents.float())[None]
        return flushed(flushed(terms).sum(dim=2))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split_products, "parts", lambda vectors, **more: flushed(cut(flushed(vectors), **more)))
        patch.setattr(split_products, "_multiply", multiply)
        error, margin = errors(TorchEngine(pair[0], "cpu"), *pair)
        assert (error <= margin).all()


@pytest.mark.parametrize("block", [2, 8, 16])
def test_sums_of_tensor_cores_need_the_wider_margin(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """1 and then terms that are all cut off: the worst that truncation does; float32's bound would not hold."""
    vectors = np.full((1, 2001), 1.40625 * 2.0**-12, dtype=np.float32)
    vectors[0, 0] = 1
    monkeypatch.setattr(split_products, "_multiply", tensor_cores(block))
    error, margin = errors(TorchEngine(vectors, "cpu"), vectors, vectors)
    assert 1.5 * float32_error(2001) < error.item() < margin.item()


@pytest.mark.parametrize("block", [None, 8])
@pytest.mark.parametrize("seed", range(6))
def test_near_ties_are_ranked_as_defined(seed: int, block: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    queries, documents, indptr, relevant, ties, offsets = near_ties(seed)
    expected = exact_ranks(queries, documents, indptr, relevant, ties, offsets)
    best = top_k(queries, documents, 20, ties)
    if block is not None:
        monkeypatch.setattr(split_products, "_multiply", tensor_cores(block))
    for size in (None, 37):
        found = exact_ranks(queries, documents, indptr, relevant, ties, offsets, device="cpu", document_chunk=size)
        np.testing.assert_array_equal(found.own, expected.own)
        np.testing.assert_array_equal(found.pooled, expected.pooled)
        for one, other in zip(top_k(queries, documents, 20, ties, device="cpu", document_chunk=size), best):
            np.testing.assert_array_equal(one, other)


def test_float16_is_two_parts_without_a_rest() -> None:
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    halves = torch.from_numpy(every[np.isfinite(every)].astype(np.float32)[:, None])
    assert torch.equal(split_products.parts(halves).double().sum(dim=1), halves[:, 0].double())


@pytest.mark.parametrize("seed", range(4))
def test_scores_that_a_device_knows_are_the_defined_ones(seed: int) -> None:
    queries, documents, *_ = near_ties(seed)
    engine = TorchEngine(queries, "cpu")
    engine.load(documents)
    rows, columns = (grid.ravel() for grid in np.indices((len(queries), len(documents))))
    known = engine.scores(slice(0, len(queries)))._known(torch.from_numpy(rows), torch.from_numpy(columns))
    assert known is not None
    sure = ~np.isnan(known)
    assert sure.mean() > 0.99
    np.testing.assert_array_equal(known[sure], pair_scores(queries, rows, documents, columns)[sure])


def test_a_score_that_float64_cannot_settle_is_left_open() -> None:
    """The sum lies halfway between two float32, so that its last bit in float64 decides."""
    queries = np.ones((1, 3), dtype=np.float32)
    documents = np.array([[1, 2.0**-24, 0], [1, 2.0**-24, 2.0**-60], [1, 2.0**-23, 0]], dtype=np.float32)
    engine = TorchEngine(queries, "cpu")
    engine.load(documents)
    known = engine.scores(slice(0, 1))._known(torch.zeros(3, dtype=torch.int64), torch.arange(3))
    assert known is not None
    np.testing.assert_array_equal(np.isnan(known), [True, True, False])
    ties = np.arange(3)
    ranks = exact_ranks(queries, documents, np.array([0, 3]), ties, ties, np.array([0, 3]), device="cpu")
    np.testing.assert_array_equal(ranks.pooled, [2, 3, 1])


def test_without_tensor_cores_products_are_those_of_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    queries = np.ones((2, 8), dtype=np.float32)
    assert not split_products.can_split(torch.from_numpy(queries))
    assert TorchEngine(queries, "cpu").error == NumpyEngine(queries).error == float32_error(8)


@pytest.mark.parametrize("device", [None, "cpu"])
def test_ranks_within_mixed_precision_are_exact(device: str | None) -> None:
    queries, documents, indptr, relevant, ties, offsets = near_ties(1)
    expected = exact_ranks(queries, documents, indptr, relevant, ties, offsets)
    with torch.autocast("cpu", torch.bfloat16):
        found = exact_ranks(queries, documents, indptr, relevant, ties, offsets, device=device)
    np.testing.assert_array_equal(found.pooled, expected.pooled)
    np.testing.assert_array_equal(found.own, expected.own)
