"""Exact ranks and top-k against a brute-force sort, with ties, duplicates and chunks."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from isoglot.retrieval.ranks import exact_ranks
from isoglot.retrieval.ties import tie_positions
from isoglot.retrieval.topk import top_k


def brute_order(scores: np.ndarray, ties: np.ndarray) -> np.ndarray:
    """Document numbers, best first: score descending, then tie position."""
    return np.lexsort((ties, -scores))


def small_case(seed: int) -> tuple[np.ndarray, ...]:
    """Whole-number vectors: every product is exact in float32, and many scores are equal."""
    rng = np.random.default_rng(seed)
    offsets = np.array([0, 7, 30, 41])
    documents = rng.integers(-1, 2, size=(41, 4)).astype(np.float32)
    queries = rng.integers(-1, 2, size=(23, 4)).astype(np.float32)
    relevant = [np.sort(rng.choice(41, size=rng.integers(0, 6), replace=False)) for _ in queries]
    indptr = np.cumsum([0, *map(len, relevant)])
    ties = rng.permutation(41)
    return queries, documents, indptr, np.concatenate(relevant).astype(np.int64), ties, offsets


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("chunks", [(512, 65_536), (5, 65_536), (23, 3), (4, 1)])
def test_ranks_equal_a_brute_force_sort(seed: int, chunks: tuple[int, int]) -> None:
    queries, documents, indptr, relevant, ties, offsets = small_case(seed)
    ranks = exact_ranks(
        queries, documents, indptr, relevant, ties, offsets, query_chunk=chunks[0], document_chunk=chunks[1]
    )
    scores = queries @ documents.T
    for q in range(len(queries)):
        pooled = brute_order(scores[q], ties).tolist()
        for j in range(indptr[q], indptr[q + 1]):
            document = relevant[j]
            language = np.searchsorted(offsets, document, side="right") - 1
            first, end = offsets[language], offsets[language + 1]
            own = [d for d in pooled if first <= d < end]
            assert ranks.pooled[j] == pooled.index(document) + 1
            assert ranks.own[j] == own.index(document) + 1


@pytest.mark.parametrize("chunks", [(512, 65_536), (5, 3)])
@pytest.mark.parametrize("k", [1, 6, 41, 100])
@pytest.mark.parametrize("within", [None, (7, 30)])
def test_top_k_equals_a_brute_force_sort(chunks: tuple[int, int], k: int, within: tuple[int, int] | None) -> None:
    queries, documents, _, _, ties, _ = small_case(11)
    numbers, values = top_k(queries, documents, k, ties, within=within, query_chunk=chunks[0], document_chunk=chunks[1])
    scores = queries @ documents.T
    first, end = within or (0, 41)
    for q in range(len(queries)):
        expected = [d for d in brute_order(scores[q], ties).tolist() if first <= d < end][:k]
        assert numbers[q].tolist() == expected
        np.testing.assert_array_equal(values[q], scores[q][expected])


def test_top_k_and_ranks_agree_on_real_valued_vectors() -> None:
    rng = np.random.default_rng(3)
    queries, documents = (rng.normal(size=(n, 16)).astype(np.float32) for n in (40, 900))
    relevant = rng.integers(0, 900, size=40)
    ties = rng.permutation(900)
    ranks = exact_ranks(queries, documents, np.arange(41), relevant, ties, np.array([0, 400, 900]))
    numbers, _ = top_k(queries, documents, 900, ties)
    for q in range(40):
        assert numbers[q, ranks.pooled[q] - 1] == relevant[q]


def test_equal_texts_tie_exactly_wherever_they_stand() -> None:
    """200 copies of one awkward vector among others: all of them are level, so only the tie order ranks them."""
    rng = np.random.default_rng(5)
    documents = rng.normal(size=(3001, 384)).astype(np.float32)
    documents /= np.linalg.norm(documents, axis=1, keepdims=True)
    copies = np.sort(rng.choice(3001, size=200, replace=False))
    documents[copies] = documents[copies[0]]
    query = documents[copies[:1]] + rng.normal(size=(1, 384)).astype(np.float32) * 1e-3
    ties = rng.permutation(3001)
    for chunk in (65_536, 250):
        ranks = exact_ranks(
            query, documents, np.array([0, 200]), copies, ties, np.array([0, 3001]), document_chunk=chunk
        )
        by_tie = copies[np.argsort(ties[copies])]
        np.testing.assert_array_equal(copies[np.argsort(ranks.pooled)], by_tie)
        assert sorted(ranks.pooled.tolist()) == list(range(1, 201))


def test_float16_documents_are_cast() -> None:
    queries, documents, indptr, relevant, ties, offsets = small_case(2)
    half = exact_ranks(queries, documents.astype(np.float16), indptr, relevant, ties, offsets, document_chunk=5)
    full = exact_ranks(queries, documents, indptr, relevant, ties, offsets)
    np.testing.assert_array_equal(half.pooled, full.pooled)


def test_bad_input_is_refused() -> None:
    queries, documents, indptr, relevant, ties, offsets = small_case(2)
    with pytest.raises(ValueError, match="one width"):
        exact_ranks(queries[:, :2], documents, indptr, relevant, ties, offsets)
    with pytest.raises(ValueError, match="tie positions"):
        exact_ranks(queries, documents, indptr, relevant, ties[1:], offsets)
    with pytest.raises(ValueError, match="do not fit"):
        exact_ranks(queries[1:], documents, indptr, relevant, ties, offsets)
    documents[3] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        exact_ranks(queries, documents, indptr, relevant, ties, offsets)
    with pytest.raises(ValueError, match="at least 1"):
        top_k(queries, documents, 0, ties)


def test_tie_order_is_that_of_the_hash() -> None:
    ids = [f"{lang}-{i}" for lang in ("ar", "en", "zh") for i in range(50)]
    positions = tie_positions(ids)
    by_hash = sorted(range(150), key=lambda i: hashlib.blake2b(ids[i].encode(), digest_size=8).digest())
    assert np.argsort(positions).tolist() == by_hash
    # no language first: the mean place of each language is near the middle (74.5; standard error about 6)
    assert all(abs(positions[start : start + 50].mean() - 74.5) < 20 for start in (0, 50, 100))


def test_the_same_id_in_two_languages_favours_none() -> None:
    ids = [f"d{i}" for i in range(400)] * 2
    positions = tie_positions(ids, ["en"] * 400 + ["sw"] * 400)
    assert sorted(positions.tolist()) == list(range(800))
    wins = int((positions[:400] < positions[400:]).sum())
    assert 150 < wins < 250
    # the two copies of an id stay neighbours: the id's own hash comes first
    assert (np.abs(positions[:400] - positions[400:]) == 1).all()
    # and the order does not depend on which language is read first
    swapped = tie_positions(ids, ["sw"] * 400 + ["en"] * 400)
    assert int((swapped[:400] < swapped[400:]).sum()) == 400 - wins
