"""Reciprocal rank fusion of vectors and of what scores documents itself (BM25): the scores of a ranking of their ranks.

(Cormack, Clarke and Buettcher 2009, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods", SIGIR.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isoglot.records import Benchmark, BoolArray, Float32Array, FloatArray, IntArray
from isoglot.retrieval.rankings import Scorer, bounds
from isoglot.retrieval.scoring import Vectors


@dataclass(frozen=True)
class Reciprocal:
    """A `Scorer` of both.

    Attributes:
        benchmark: that is ranked.
        queries, documents: vectors in pooled order, compared by their inner product.
        ties: places of the documents in the order that breaks ties, shape (n_documents,).
        other: the other scorer; documents to which it gives 0 or less are none of its ranking.
        constant: c of 1 / (c + rank).
    """

    benchmark: Benchmark
    queries: Float32Array
    documents: Vectors
    ties: IntArray
    other: Scorer
    constant: float

    def scores(self, queries: IntArray, language: str | None) -> Float32Array:
        """See `Scorer`: sums of reciprocal ranks."""
        first, end = bounds(self.benchmark, language)
        chunk = np.asarray(self.documents[first:end], dtype=np.float64)
        own = (self.queries[queries].astype(np.float64) @ chunk.T).astype(np.float32)
        others = self.other.scores(queries, language)
        order = np.argsort(self.ties[first:end])
        every = np.ones_like(own, dtype=np.bool_)
        both = (_reciprocal(own, every, order, self.constant), _reciprocal(others, others > 0, order, self.constant))
        return np.asarray(sum(both), dtype=np.float32)


def _reciprocal(scores: Float32Array, ranked: BoolArray, order: IntArray, constant: float) -> FloatArray:
    """1 / (c + rank) of every document for every query, 0 of those that are not ranked; all of shape (n_queries, n)."""
    best = np.argsort(-scores[:, order], axis=1, kind="stable")
    parts = np.empty(scores.shape)
    line = np.broadcast_to(1.0 / (constant + np.arange(1, scores.shape[1] + 1)), scores.shape)
    np.put_along_axis(parts, order[best], line, axis=1)
    return np.where(ranked, parts, 0.0)
