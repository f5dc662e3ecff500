"""Language bias in vectors: do translations rank the corpus alike, and can a linear classifier read the language?"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from isoglot.evaluation.cells import mean_by
from isoglot.processes import threads
from isoglot.records import Float32Array, FloatArray, IntArray
from isoglot.retrieval.scoring import Vectors

SAMPLE = 2000
"""Documents that are ranked; the error of a correlation over n sampled documents is at most about 1 / sqrt(n)."""

# queries that are ranked at once: bounds the matrix of scores and the products of their ranks
_AT_ONCE = 128

TEST_SHARE = 0.3
LIMIT = 6000
"""Texts that are used at most: whole groups are drawn until there are as many."""

# weight of the penalty beside the mean variance of a dimension: the result does not depend on the scale of the vectors
_RIDGE = 1e-3


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
    places = np.arange(n) - (n - 1) / 2

    def correlations(rows: IntArray) -> FloatArray:
        scores = np.asarray(queries[rows], dtype=np.float32) @ vectors
        centred = np.empty(scores.shape, dtype=np.float64)
        np.put_along_axis(centred, _best_first(scores), np.broadcast_to(places, scores.shape), axis=1)
        rho = centred @ centred.T / (n * (n**2 - 1) / 12)
        parallel = group[rows][:, None] == group[rows]
        np.fill_diagonal(parallel, False)
        means: FloatArray = (rho * parallel).sum(axis=1) / parallel.sum(axis=1)
        return means

    blocks = list(_blocks(group))
    # numpy sorts without holding up other threads
    with threadpool_limits(1), ThreadPoolExecutor(threads()) as pool:
        for rows, means in zip(blocks, pool.map(correlations, blocks)):
            values[rows] = means
    return values


def _best_first(scores: Float32Array) -> IntArray:
    """`argsort(-scores, axis=1, kind="stable")`, faster: by whole numbers of the same order, columns in their low half."""
    bits = (np.float32(0) - scores).view(np.int32).astype(np.int64)  # 0 - x: no zero is negative
    keys: IntArray = np.where(bits < 0, np.int64(-(2**31)) - bits, bits) << 32
    keys += np.arange(scores.shape[1])
    keys.sort(axis=1)
    keys &= 0xFFFFFFFF
    return keys


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


def language_classifier_accuracy(
    vectors: Float32Array,
    language: IntArray,
    group: IntArray,
    n_languages: int,
    *,
    test_share: float = TEST_SHARE,
    limit: int = LIMIT,
    seed: int = 0,
) -> FloatArray:
    """Accuracy of a linear language classifier per language, float64 of shape (n_languages,), 0 to 1; lower is better.

    The share of a language's test texts that the classifier gives to it. The mean over languages is 1 / n_languages where
    vectors hold no language (chance), 1 where a hyperplane tells each language from the others. Reading the language
    with a linear classifier as a test of language neutrality is from Libovicky, Rosa and Fraser 2020 (On the Language
    Neutrality of Pre-trained Multilingual Representations, arXiv 2004.05160). A retriever may hold the language in directions
    that its scores do not use: a high accuracy alone is no bias.

    The classifier is ridge regression on +1 / -1 targets, one per language, on centred vectors (scikit-learn's
    RidgeClassifier): (X'X + n r I) W = X'Y with r = 0.001 times the mean variance of a dimension; closed form, so
    equal on every run. Translations share a group and stay on one side of the split.

    NaN for a language that is missing on a side; everywhere with fewer than two languages in training.

    Args:
        vectors: shape (n, d); may be memory-mapped and float16.
        language: language numbers, shape (n,).
        group: texts that are translations of each other have one number, shape (n,).
        n_languages: how many languages the numbers run over.
        test_share: share of groups to test on (at least one, never all).
        limit, seed: of the draw of groups and of the split.
    """
    empty = np.full(n_languages, np.nan)
    train, test = _split(group, test_share, limit, np.random.default_rng(seed))
    known = np.unique(language[train])
    if len(known) < 2 or not len(test):
        return empty
    features = np.asarray(vectors[train], dtype=np.float64)
    mean = features.mean(axis=0)
    features -= mean
    targets = np.where(language[train][:, None] == known, 1.0, -1.0)
    middle = targets.mean(axis=0)
    gram = features.T @ features
    gram[np.diag_indices_from(gram)] += max(_RIDGE * np.trace(gram) / len(gram), np.finfo(np.float64).tiny)
    weights = np.linalg.solve(gram, features.T @ (targets - middle))
    given = known[((np.asarray(vectors[test], dtype=np.float64) - mean) @ weights + middle).argmax(axis=1)]
    accuracy = mean_by(language[test], given == language[test], n_languages)
    accuracy[~np.isin(np.arange(n_languages), known)] = np.nan
    return accuracy


def _split(group: IntArray, share: float, limit: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Row numbers for training and testing, by whole groups, at most about `limit` rows in all."""
    numbers, inverse, counts = np.unique(group, return_inverse=True, return_counts=True)
    order = rng.permutation(len(numbers))
    kept = order[: max(int(np.searchsorted(np.cumsum(counts[order]), limit, side="right")), min(2, len(order)))]
    n_test = min(max(round(share * len(kept)), 1), len(kept) - 1)
    side = np.zeros(len(numbers), dtype=np.int64)
    side[kept[n_test:]] = 1
    side[kept[:n_test]] = 2
    return np.flatnonzero(side[inverse] == 1), np.flatnonzero(side[inverse] == 2)
