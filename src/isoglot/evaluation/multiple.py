"""Many tests at once: adjusted p values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isoglot.records import FloatArray


def holm(p: Sequence[float] | FloatArray) -> FloatArray:
    """Adjusted p values that hold the probability of any false rejection in the family (Holm 1979).

    With p_(1) <= ... <= p_(m), the adjusted p_(i) = max_{j <= i} min(1, (m - j + 1) p_(j)). Valid however the tests depend
    on each other.

    Args:
        p: shape (m,).

    Returns:
        Shape (m,), in the order given.
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(np.arange(len(values), 0, -1) * values[order]))
    return adjusted


def benjamini_hochberg(p: Sequence[float] | FloatArray) -> FloatArray:
    """Adjusted p values that hold the expected share of false rejections among all (Benjamini and Hochberg 1995).

    The adjusted p_(i) = min_{j >= i} min(1, m p_(j) / j). Valid for independent and for positively dependent tests
    (Benjamini and Yekutieli 2001), as those of language pairs that share their queries are.

    Args:
        p: shape (m,).

    Returns:
        Shape (m,), in the order given.
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * len(values) / np.arange(1, len(values) + 1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return adjusted
