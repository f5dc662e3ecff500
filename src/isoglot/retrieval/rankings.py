"""Rankings of a benchmark: by vectors, or by a ranker that scores documents itself (BM25, a cross-encoder, an API).

The order is that of `isoglot.retrieval.ranks`: by score, equal scores by the hash of the document id. Lexical rankers
need that rule more than others: most documents share no word with a query and all have the score zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, runtime_checkable

import numpy as np

from isoglot.data.benchmarks.qrels import judgments_of
from isoglot.errors import InputError
from isoglot.records import Benchmark, Float32Array, IntArray
from isoglot.retrieval.ranks import Ranks, exact_ranks
from isoglot.retrieval.scoring import Vectors
from isoglot.retrieval.ties import pooled_ties
from isoglot.retrieval.topk import top_k

Search = Callable[[str | None, int], tuple[IntArray, Float32Array]]
"""(document language or None for all, k) -> document numbers and scores of ALL queries, best first, (n_queries, <= k)."""

# scores held at once: 2**25 float32 are 128 MiB
_AT_ONCE = 1 << 25


def bounds(benchmark: Benchmark, language: str | None) -> tuple[int, int]:
    """First and end document number of a language; of all documents when it is None."""
    if language is None:
        return 0, benchmark.n_documents
    number = benchmark.corpus_languages.index(language)
    first, end = benchmark.document_offsets()[number : number + 2].tolist()
    return first, end


def rank_benchmark(
    benchmark: Benchmark, queries: Vectors, documents: Vectors, ties: IntArray | None = None, device: str | None = None
) -> Ranks:
    """Exact ranks of all judged documents of a benchmark, from vectors in pooled order; see `exact_ranks`."""
    order = pooled_ties(benchmark) if ties is None else ties
    judged = benchmark.indptr, benchmark.relevant
    return exact_ranks(queries, documents, *judged, order, benchmark.document_offsets(), device=device)


def vector_search(
    benchmark: Benchmark,
    queries: Vectors,
    documents: Vectors,
    *,
    device: str | None = None,
    ties: IntArray | None = None,
) -> Search:
    """Rankings by inner product; `device` and `ties` as in `top_k` (ties: those of the benchmark when None).

    All queries are searched at once and against all documents, also for one language: a matrix product of another shape
    need not have the same last bits as the one that `exact_ranks` counts in.
    """
    order = pooled_ties(benchmark) if ties is None else ties

    def search(language: str | None, k: int) -> tuple[IntArray, Float32Array]:
        return top_k(queries, documents, k, order, within=bounds(benchmark, language), device=device)

    return search


class Scorer(Protocol):
    """Scores of a benchmark's documents."""

    def scores(self, queries: IntArray, language: str | None) -> Float32Array:
        """Scores of some queries against the corpus of a language, or against the pooled corpora when it is None.

        Args:
            queries: pooled query numbers, shape (n,).
            language: one of the benchmark's corpus languages, or None.

        Returns:
            float32, shape (n, documents of that corpus in pooled order), finite.
        """


@runtime_checkable
class Ranker(Protocol):
    """What `evaluate` takes besides models and vectors."""

    def rank(self, benchmark: Benchmark) -> Ranks:
        """Exact ranks of all judged documents of a benchmark."""

    def search(self, benchmark: Benchmark) -> Search:
        """The function that finds the best documents of all queries."""


def ranks_from_scores(benchmark: Benchmark, scorer: Scorer) -> Ranks:
    """Rank every judged document in its own language's corpus and in the pooled one.

    The two ranks come from two calls, because a score may depend on the corpus (BM25 weighs words by their frequency in
    it). Not more than 128 MiB of scores are held at once, or those of one query.

    Raises:
        InputError: a score is not a finite number, or there are not as many as documents.
    """
    ties, judged = pooled_ties(benchmark), judgments_of(benchmark)
    ranks = Ranks(*np.zeros((2, len(judged.queries)), dtype=np.int64))
    for language in (None, *benchmark.corpus_languages):
        first, end = bounds(benchmark, language)
        target = ranks.pooled if language is None else ranks.own
        here = np.flatnonzero((judged.documents >= first) & (judged.documents < end))
        order = ties[first:end]
        asked = judged.queries[here]  # ascending
        for query, line in _lines(scorer, np.unique(asked), language, end - first):
            for j in here[slice(*np.searchsorted(asked, (query, query + 1)))]:
                document = judged.documents[j] - first
                score = line[document]
                tied = np.count_nonzero((line == score) & (order < order[document]))
                target[j] = 1 + np.count_nonzero(line > score) + tied
    return ranks


def scored_search(benchmark: Benchmark, scorer: Scorer) -> Search:
    """The rankings of a scorer for `export_runs`."""
    ties = pooled_ties(benchmark)

    def search(language: str | None, k: int) -> tuple[IntArray, Float32Array]:
        first, end = bounds(benchmark, language)
        width = min(k, end - first)
        n = benchmark.n_queries
        best, values = np.empty((n, width), dtype=np.int64), np.empty((n, width), dtype=np.float32)
        for query, line in _lines(scorer, np.arange(n), language, end - first):
            floor = np.partition(line, -width)[-width]
            keep = np.flatnonzero(line >= floor)  # with everything that ties with the last place
            keep = keep[np.lexsort((ties[first + keep], -line[keep]))[:width]]
            best[query], values[query] = first + keep, line[keep]
        return best, values

    return search


def _lines(scorer: Scorer, queries: IntArray, language: str | None, width: int) -> Iterator[tuple[int, Float32Array]]:
    """(query, its scores) in chunks of bounded size."""
    step = max(1, min(512, _AT_ONCE // max(width, 1)))
    for start in range(0, len(queries), step):
        chunk = queries[start : start + step]
        scores = scorer.scores(chunk, language)
        if scores.shape != (len(chunk), width):
            raise InputError(f"the ranker gave scores of shape {scores.shape}, expected {(len(chunk), width)}")
        if not np.isfinite(scores).all():
            raise InputError("the ranker gave a score that is NaN or infinite")
        yield from zip(chunk.tolist(), scores, strict=True)
