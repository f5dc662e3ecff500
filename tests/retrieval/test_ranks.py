"""Exact ranks and top-k against a brute-force sort, with ties, duplicates and chunks."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from isoglot.errors import InputError
from isoglot.retrieval.ranks import exact_ranks
from isoglot.retrieval.scoring import ImpreciseProductError, float32_error, lengths, margins, pair_scores
from isoglot.retrieval.shards import ShardedRows
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


def near_ties(seed: int) -> tuple[np.ndarray, ...]:
    """Real-valued vectors, many of them equal or equal up to the last bits, over several languages."""
    rng = np.random.default_rng(seed)
    n, width = int(rng.integers(2, 400)), int(rng.integers(1, 70))
    base = rng.normal(size=(max(1, n // 3), width)).astype(rng.choice(["float32", "float16"]))
    documents = base[rng.integers(0, len(base), size=n)]
    nudged = rng.random(n) < 0.3
    documents[nudged] = np.nextafter(documents[nudged], documents.dtype.type(9))
    queries = rng.normal(size=(int(rng.integers(1, 30)), width)).astype(np.float32)
    queries[rng.random(len(queries)) < 0.2] = 0  # every document ties
    offsets = np.array([0, *np.sort(rng.integers(0, n + 1, size=3)), n])
    relevant = [np.sort(rng.choice(n, size=rng.integers(0, min(n, 40) + 1), replace=False)) for _ in queries]
    indptr = np.cumsum([0, *map(len, relevant)])
    return queries, documents, indptr, np.concatenate(relevant).astype(np.int64), rng.permutation(n), offsets


def defined_scores(queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
    """Inner products in float64, rounded once to float32."""
    wide = documents.astype(np.float64)
    return np.stack([(wide * query).sum(axis=1) for query in queries.astype(np.float64)]).astype(np.float32)


@pytest.mark.parametrize("device", [None, "cpu"])
@pytest.mark.parametrize("seed", range(12))
def test_ranks_and_top_k_are_those_of_the_definition(seed: int, device: str | None) -> None:
    queries, documents, indptr, relevant, ties, offsets = near_ties(seed)
    rng = np.random.default_rng(seed)
    scores = defined_scores(queries, documents)
    order = np.stack([brute_order(line, ties) for line in scores])
    n = len(documents)
    for _ in range(3):
        chunks = {"query_chunk": int(rng.integers(1, 40)), "document_chunk": int(rng.integers(1, n + 5))}
        ranks = exact_ranks(queries, documents, indptr, relevant, ties, offsets, device=device, **chunks)
        k = int(rng.integers(1, n + 1))
        numbers, values = top_k(queries, documents, k, ties, device=device, **chunks)
        np.testing.assert_array_equal(numbers, order[:, :k])
        np.testing.assert_array_equal(values, np.take_along_axis(scores, order[:, :k], axis=1))
        for q in range(len(queries)):
            for j in range(indptr[q], indptr[q + 1]):
                first, end = next((a, b) for a, b in zip(offsets, offsets[1:]) if a <= relevant[j] < b)
                own = order[q][(order[q] >= first) & (order[q] < end)]
                assert order[q][ranks.pooled[j] - 1] == relevant[j]
                assert own[ranks.own[j] - 1] == relevant[j]


def test_a_collapsed_model_is_ranked_exactly_too() -> None:
    """All scores lie within a few units of the last place, so every pair is scored one by one."""
    rng = np.random.default_rng(8)
    documents = (1 + rng.normal(size=(700, 32)) * 1e-7).astype(np.float32)
    queries = (1 + rng.normal(size=(20, 32)) * 1e-7).astype(np.float32)
    ties = rng.permutation(700)
    relevant = np.tile(np.arange(0, 700, 20), 20)
    indptr, offsets = np.arange(0, len(relevant) + 1, 35), np.array([0, 700])
    order = [brute_order(line, ties) for line in defined_scores(queries, documents)]
    for chunk in (None, 64):
        ranks = exact_ranks(queries, documents, indptr, relevant, ties, offsets, document_chunk=chunk)
        for j in range(len(relevant)):
            assert order[j // 35][ranks.pooled[j] - 1] == relevant[j]
        np.testing.assert_array_equal(
            top_k(queries, documents, 50, ties, document_chunk=chunk)[0], np.stack(order)[:, :50]
        )


def test_the_score_of_a_pair_depends_on_its_vectors_only() -> None:
    rng = np.random.default_rng(1)
    documents = rng.normal(size=(997, 385)).astype(np.float32)
    query = rng.normal(size=(1, 385)).astype(np.float32)
    zeros = np.zeros(997, dtype=np.int64)
    together = pair_scores(query, zeros, documents, np.arange(997))
    for number in range(0, 997, 31):
        alone = pair_scores(query, zeros[:1], documents[number : number + 1], zeros[:1])
        assert alone[0] == together[number]
    exact = [math.fsum(a * b for a, b in zip(query[0].tolist(), row.tolist())) for row in documents[:50]]
    np.testing.assert_array_equal(together[:50], np.array(exact, dtype=np.float32))


def test_products_stay_within_the_margin_and_coarser_ones_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    queries, documents = (rng.normal(size=(n, 300)).astype(np.float32) for n in (50, 800))
    longest = float(np.linalg.norm(documents, axis=1).max())
    margin = margins(lengths(queries), longest, 300, float32_error(300))[:, None]
    assert (np.abs((queries @ documents.T).astype(np.float64) - defined_scores(queries, documents)) < margin).all()
    arguments = (queries, documents, np.arange(51), np.arange(50), np.arange(800), np.array([0, 800]))
    exact_ranks(*arguments)

    def coarse(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
        """Ten bits of mantissa, as in TF32."""
        cut = [(x.copy().view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32) for x in (a, b)]
        np.matmul(cut[0], cut[1].T, out=out)

    monkeypatch.setattr("isoglot.retrieval.engines.multiply", coarse)
    with pytest.raises(ImpreciseProductError, match="less precise"):
        exact_ranks(*arguments)
    with pytest.raises(ImpreciseProductError, match="TF32"):
        top_k(*arguments[:2], 10, arguments[4])


def test_maps_and_shards_are_read_chunk_by_chunk(tmp_path: Path) -> None:
    queries, documents, indptr, relevant, ties, offsets = near_ties(3)
    np.save(tmp_path / "documents.npy", documents)
    mapped = np.load(tmp_path / "documents.npy", mmap_mode="r")
    sharded = ShardedRows([mapped[i : i + 9] for i in range(0, len(mapped), 9)])
    expected = exact_ranks(queries, documents, indptr, relevant, ties, offsets)
    for held in (mapped, sharded):
        ranks = exact_ranks(queries, held, indptr, relevant, ties, offsets, document_chunk=20)
        np.testing.assert_array_equal(ranks.pooled, expected.pooled)
        np.testing.assert_array_equal(ranks.own, expected.own)
        numbers, _ = top_k(queries, held, 5, ties, within=(3, len(held)), document_chunk=7)
        np.testing.assert_array_equal(numbers, top_k(queries, documents, 5, ties, within=(3, len(held)))[0])


def test_a_device_that_is_not_there_is_one_line() -> None:
    queries, documents, indptr, relevant, ties, offsets = small_case(2)
    with pytest.raises(InputError, match="device 'cuda:99' cannot be used"):
        exact_ranks(queries, documents, indptr, relevant, ties, offsets, device="cuda:99")
    with pytest.raises(InputError, match="device 'gpu' cannot be used"):
        top_k(queries, documents, 3, ties, device="gpu")


@pytest.mark.parametrize("device", [None, "cpu"])
def test_vectors_that_are_not_finite_or_too_long_are_refused(device: str | None) -> None:
    queries, documents, indptr, relevant, ties, offsets = small_case(2)
    for bad in (np.nan, np.inf, 1e30):
        documents[30, 2] = bad
        with pytest.raises(ValueError, match=r"NaN or infinity|too long"), np.errstate(all="ignore"):
            exact_ranks(queries, documents, indptr, relevant, ties, offsets, device=device)
    documents[30, 2] = 1e18
    queries[0, 0] = 1e25
    with pytest.raises(ValueError, match="too long"):
        exact_ranks(queries, documents, indptr, relevant, ties, offsets, device=device)


def test_importing_the_ranks_does_not_import_torch() -> None:
    code = "import sys, isoglot.retrieval.ranks, isoglot.retrieval.topk, isoglot.retrieval.store; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize("chunk", [None, 37, 1000])
@pytest.mark.parametrize("k", [1, 100])
def test_more_equal_scores_than_are_kept_and_ever_longer_documents(k: int, chunk: int | None) -> None:
    """A query of zeros ties with all documents; the others meet longer documents, thus wider margins, later on."""
    rng = np.random.default_rng(6)
    documents = (rng.normal(size=(2500, 8)) * np.linspace(0.1, 50, 2500)[:, None]).astype(np.float32)
    documents[::3] = documents[1]
    queries = rng.normal(size=(7, 8)).astype(np.float32)
    queries[2] = 0
    queries[3] = documents[1]
    queries[4] = -documents[-1]
    ties = rng.permutation(2500)
    scores = defined_scores(queries, documents)
    order = np.stack([brute_order(line, ties) for line in scores])[:, :k]
    numbers, values = top_k(queries, documents, k, ties, query_chunk=4, document_chunk=chunk)
    np.testing.assert_array_equal(numbers, order)
    np.testing.assert_array_equal(values, np.take_along_axis(scores, order, axis=1))


def test_numpy_and_torch_products_lead_to_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, documents, indptr, relevant, ties, offsets = near_ties(5)
    answers = []
    for there in (True, False):
        monkeypatch.setattr("isoglot.retrieval.engines._torch_is_there", lambda there=there: there)
        ranks = exact_ranks(queries, documents.astype(np.float16), indptr, relevant, ties, offsets)
        answers.append([ranks.own, ranks.pooled, *top_k(queries, documents.astype(np.float16), 20, ties)])
    for one, other in zip(*answers):
        np.testing.assert_array_equal(one, other)


def test_no_queries_have_no_answer() -> None:
    numbers, values = top_k(np.empty((0, 4), dtype=np.float32), np.ones((9, 4), dtype=np.float32), 3, np.arange(9))
    assert numbers.shape == values.shape == (0, 3)
