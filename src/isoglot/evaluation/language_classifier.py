"""Can a linear classifier read the language from a vector?"""

from __future__ import annotations

import numpy as np

from isoglot.evaluation.cells import mean_by
from isoglot.records import Float32Array, FloatArray, IntArray

TEST_SHARE = 0.3
LIMIT = 6000
"""Texts that are used at most: whole groups are drawn until there are as many."""

# weight of the penalty beside the mean variance of a dimension: the result does not depend on the scale of the vectors
_RIDGE = 1e-3


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
