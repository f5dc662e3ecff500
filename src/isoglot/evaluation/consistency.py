"""Rank consistency: does the same question rank the corpus the same way in every language?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from isoglot.records import Float32Array, FloatArray, IntArray
from isoglot.retrieval.scoring import Vectors

SAMPLE = 2000
"""Documents that are ranked; the error of a correlation over n sampled documents is at most about 1 / sqrt(n)."""

# queries that are ranked at once: bounds the matrix of scores and the products of their ranks
_AT_ONCE = 128


def rank_consistency(
    queries: Float32Array, documents: Vectors, ties: IntArray, group: IntArray, *, sample: int = SAMPLE, seed: int = 0
) -> FloatArray:
    """Mean Spearman correlation of a query's ranking with those of its translations, float64 of shape (n_queries,).

    From -1 to 1; higher is better, 1 means that the language of the question does not change the ranking. For rankings
    without ties, rho = 1 - 6 sum d^2 / (n (n^2 - 1)) with d the differences of the n documents' places. Averaged over
    the other languages of the same question, then over the queries of a language, it is the Mean Rank Correlation of
    Yang, Jiang and Baldwin 2024 (Language Bias in Information Retrieval, arXiv 2509.06195), who rank the whole collection.

    Here a seeded sample of the pooled corpus is ranked, without replacement: the same one for all queries, the whole
    corpus where it is not larger. Equal scores stand in the order of `ties`. Irrelevant documents, which are nearly all,
    rule the figure: read it beside rank distance, not instead of it.

    NaN where a query has no translation.

    Args:
        queries: float32, shape (n_queries, d).
        documents: shape (n_documents, d); may be memory-mapped and float16.
        ties: place of every document in the order that breaks ties, shape (n_documents,).
        group: the parallel question of each query, shape (n_queries,), at most one query per language in each.
        sample: documents to rank.
        seed: of the sample.
    """
    chosen = np.sort(np.random.default_rng(seed).choice(len(documents), min(sample, len(documents)), replace=False))
    vectors = np.asarray(documents[chosen], dtype=np.float32)[np.argsort(ties[chosen])].T
    values = np.full(len(queries), np.nan)
    n = len(chosen)
    if n < 2:
        return values
    for rows in _blocks(group):
        scores = np.asarray(queries[rows], dtype=np.float32) @ vectors
        centred = np.empty(scores.shape, dtype=np.float64)
        order = np.argsort(-scores, axis=1, kind="stable")
        np.put_along_axis(centred, order, np.broadcast_to(np.arange(n) - (n - 1) / 2, scores.shape), axis=1)
        rho = centred @ centred.T / (n * (n**2 - 1) / 12)
        parallel = group[rows][:, None] == group[rows]
        np.fill_diagonal(parallel, False)
        values[rows] = (rho * parallel).sum(axis=1) / parallel.sum(axis=1)
    return values


def _blocks(group: IntArray) -> Iterator[IntArray]:
    """Query numbers of whole groups of two or more, about `_AT_ONCE` at a time."""
    _, inverse, counts = np.unique(group, return_inverse=True, return_counts=True)
    parallel = np.flatnonzero(counts[inverse] > 1)
    parallel = parallel[np.argsort(inverse[parallel], kind="stable")]
    starts = np.flatnonzero(np.diff(inverse[parallel], prepend=-1))
    while len(starts):
        ahead = np.flatnonzero(starts >= starts[0] + _AT_ONCE)
        end = int(starts[ahead[0]]) if len(ahead) else len(parallel)
        yield parallel[starts[0] : end]
        starts = starts[starts >= end]
