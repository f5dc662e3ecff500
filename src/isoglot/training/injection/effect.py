"""What an injection did to pairs of words: before and after, pair by pair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from isoglot.records import FloatArray
from isoglot.retrieval.probe import CRITERIA, LEVEL, PairScores

Scores = Mapping[tuple[str, str], Mapping[str, PairScores]]
"""(languages, "trained" or "control") -> layer or output -> figures of the pairs."""


def effects(before: Scores, after: Scores) -> list[dict[str, Any]]:
    """A row for every group of pairs, layer and criterion; plain JSON values.

    {"pair", "words", "at", "n", "measure", "before", "after", "difference", "interval", "p", "d_z"}, see `paired`.
    """
    return [
        {
            "pair": pair,
            "words": words,
            "at": at,
            "n": len(scores.cosine),
            "measure": measure,
            **paired(scores.values()[measure], after[pair, words][at].values()[measure]),
        }
        for (pair, words), of_layer in before.items()
        for at, scores in of_layer.items()
        for measure in CRITERIA
    ]


def paired(before: FloatArray, after: FloatArray) -> dict[str, Any]:
    """The mean difference of n pairs with a paired t test, two-sided.

    `interval` is that of the mean difference at 95% (Student's t), `d_z` Cohen's: mean / standard deviation of the differences
    (Cohen 1988; Lakens 2013). Where all differences are the same there is no deviation: `p`, `d_z` and `interval` are None.

    Args:
        before, after: of the same n pairs, n > 1, shape (n,).
    """
    from scipy.stats import ttest_rel

    difference = after - before
    spread = float(difference.std(ddof=1))
    figures: dict[str, Any] = {
        "before": float(before.mean()),
        "after": float(after.mean()),
        "difference": float(difference.mean()),
        "interval": None,
        "p": None,
        "d_z": None,
    }
    if spread > 1e-12 * float(np.abs(difference).max()):
        test = ttest_rel(after, before)
        interval = test.confidence_interval(LEVEL)
        figures |= {"interval": [float(interval.low), float(interval.high)], "p": float(test.pvalue)}
        figures["d_z"] = figures["difference"] / spread
    return figures
