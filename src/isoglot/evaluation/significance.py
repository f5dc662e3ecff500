"""Intervals and tests for macro-averages over language cells, with queries that are translations; adjusted p values.

What is reported is what is tested: the statistic is the mean over cells (a language, or a pair of languages) of the cell's
mean over queries. A query id occurs in many cells and several ids share a paragraph, so rows are not independent: a
permutation flips all rows of an id together, a bootstrap draws all rows of a paragraph together. Plain arrays in and
out; nothing loops over resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from isoglot.records import FloatArray, IntArray

ALPHA = 0.05
POWER = 0.8
Interval = tuple[float, float]

_CHUNK = 4_000_000  # numbers per block of resamples: 32 MB
_GROUPS, _REFERENCE_SEEDS, _SYSTEM_SEEDS, _SIGNS = range(4)  # streams of random numbers


@dataclass(frozen=True)
class Cells:
    """The cell that each of n rows is averaged in, its query id, and what is resampled (its paragraph, else the query id).

    All are numbers from 0 without holes, int64, shape (n,).
    """

    cell: IntArray
    unit: IntArray
    group: IntArray

    @property
    def n_cells(self) -> int:
        return int(self.cell.max()) + 1

    @property
    def n_units(self) -> int:
        return int(self.unit.max()) + 1

    @property
    def n_groups(self) -> int:
        return int(self.group.max()) + 1

    @property
    def sizes(self) -> IntArray:
        """Rows per cell, shape (n_cells,)."""
        return np.bincount(self.cell)


def cell_means(cells: Cells, values: FloatArray) -> FloatArray:
    """The mean of values of shape (n,) in every cell, shape (n_cells,)."""
    return np.asarray(np.bincount(cells.cell, weights=values) / cells.sizes)


def macro_average(cells: Cells, values: FloatArray) -> float:
    """The mean over cells of the cells' means."""
    return float(np.mean(cell_means(cells, values)))


def contributions(cells: Cells, differences: FloatArray, *, by_group: bool = False) -> FloatArray:
    """What every query id adds to the macro-average and to every cell's mean.

    An id with differences d_r in its rows r adds sum_r d_r / (n_cell(r) n_cells) to the macro-average and, to the mean of
    one cell, the sum over its rows there of d_r / n_cell. Both sum over ids to the statistic itself.

    Args:
        cells, differences: of the rows; differences of shape (n,).
        by_group: per group instead of per query id.

    Returns:
        Shape (n_units, 1 + n_cells): column 0 for the macro-average, then the cells.
    """
    label, count = (cells.group, cells.n_groups) if by_group else (cells.unit, cells.n_units)
    n_cells = cells.n_cells
    share = differences / cells.sizes[cells.cell]
    slot = label * n_cells + cells.cell
    per_cell = np.bincount(slot, weights=share, minlength=count * n_cells).reshape(count, n_cells)
    return np.hstack([per_cell.mean(axis=1, keepdims=True), per_cell])


def sign_flip(shares: FloatArray, resamples: int, seed: int) -> FloatArray:
    """Two-sided p values of the paired permutation test (Fisher's randomization test; Smucker, Allan and Carterette 2007).

    If two systems are the same, exchanging their values on one query id changes the sign of what the id adds and is as
    likely as not. The p value is the share of sign vectors s with |sum_u s_u c_u| >= |sum_u c_u|: over all 2^n_units of them
    where these are at most `resamples`, else (b + 1) / (resamples + 1) from random ones (Phipson and Smyth 2010).
    Every column is tested under the same signs. Query ids have to be independent of each other under the null hypothesis.

    Args:
        shares: c, shape (n_units, k).
        resamples, seed: of the random sign vectors.

    Returns:
        Shape (k,).
    """
    n_units = len(shares)
    # sums that are equal on paper differ in their last digits: those count as equal
    bound = np.abs(shares.sum(axis=0)) - 1e-12 * np.abs(shares).sum(axis=0)
    exact = n_units < 40 and 2**n_units <= resamples
    if exact:
        blocks: Iterable[IntArray] = [(np.arange(2**n_units)[:, None] >> np.arange(n_units)) & 1]
    else:
        random = _generator(seed, _SIGNS)
        sizes = _chunks(resamples, n_units)
        blocks = (random.integers(0, 2, size=(size, n_units), dtype=np.int8) for size in sizes)
    reached = sum((np.abs((bits.astype(np.float64) * 2 - 1) @ shares) >= bound).sum(axis=0) for bits in blocks)
    return np.asarray(reached / 2**n_units if exact else (reached + 1) / (resamples + 1))


def bootstrap_averages(cells: Cells, values: FloatArray, resamples: int, seed: int) -> FloatArray:
    """Macro-averages of k systems over groups drawn with replacement (Efron and Tibshirani 1993, chapters 6 and 8).

    A resample draws as many groups as there are. A group that is drawn w times counts w times in every cell, so that the rows
    of a paragraph stay together over ids and languages. With sums S and counts N per cell c and group g, the macro-average
    is the mean over c of sum_g w_g S_cg / sum_g w_g N_cg. A cell that a resample leaves empty does not count in it.
    All systems are averaged over the same resamples.

    Args:
        cells, values: of the rows; values of shape (k, n).
        resamples, seed: of the draws; the same seed gives the same draws for the same number of groups.

    Returns:
        Shape (resamples, k).
    """
    n_cells, n_groups = cells.n_cells, cells.n_groups
    slot, size = cells.group * n_cells + cells.cell, n_groups * n_cells
    counts, *sums = (
        np.bincount(slot, weights=row, minlength=size).reshape(n_groups, n_cells)
        for row in (np.ones(len(slot)), *values)
    )
    random = _generator(seed, _GROUPS)
    blocks = []
    for size in _chunks(resamples, n_groups + n_cells):
        weights = _multiplicities(random, size, n_groups, n_groups)
        drawn = weights @ counts
        present = (drawn > 0).sum(axis=1)
        np.maximum(drawn, 1.0, out=drawn)
        blocks.append(np.stack([(weights @ total / drawn).sum(axis=1) / present for total in sums], axis=1))
    return np.concatenate(blocks)


def bootstrap_difference(reference: FloatArray, system: FloatArray, seed: int, *, by_seed: bool = False) -> FloatArray:
    """Differences of two systems over resampled groups and resampled training seeds.

    A system that was trained with several seeds is the mean over these. Rows and seeds are crossed (every seed sees every
    query), so both are drawn, independently (the pigeonhole bootstrap, Owen 2007, which errs on the wide side), and the seeds
    of the two systems independently of each other. Of s seeds s - 1 are drawn, because s draws of so few would make the
    variance too small by (s - 1) / s (Rao and Wu 1988). A single seed is kept: then nothing is said about other seeds.

    Args:
        reference, system: macro-averages from the same resampled groups, shapes (resamples, seeds).
        seed: of the draws of training seeds.
        by_seed: column i of both is of one training: the system goes on from the reference, or the other way round. Then seeds
            are drawn for both together, because what a seed gave the one it gave the other.

    Returns:
        System minus reference, shape (resamples,).
    """
    if by_seed:
        return _over_seeds(system - reference, seed, _SYSTEM_SEEDS)
    return np.asarray(_over_seeds(system, seed, _SYSTEM_SEEDS) - _over_seeds(reference, seed, _REFERENCE_SEEDS))


def _over_seeds(averages: FloatArray, seed: int, stream: int) -> FloatArray:
    resamples, n_seeds = averages.shape
    if n_seeds == 1:
        return averages[:, 0]
    weights = _multiplicities(_generator(seed, stream), resamples, n_seeds, n_seeds - 1)
    return np.asarray((weights * averages).sum(axis=1) / (n_seeds - 1))


def percentile_interval(distribution: FloatArray, level: float) -> Interval:
    """The central `level` of bootstrap values (percentile interval; Efron and Tibshirani 1993, chapter 13)."""
    low, high = np.quantile(distribution, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def effect_size(shares: FloatArray) -> float | None:
    """Cohen's d_z over query ids: mean / standard deviation of d_u = n_units c_u (Cohen 1988; Lakens 2013).

    d_u is the difference of one id on the scale of the macro-average: the mean of d_u is the macro-averaged difference. The
    standard deviation divides by n_units - 1.

    Args:
        shares: what every query id adds to the macro-averaged difference, shape (n_units,).

    Returns:
        None where there is no deviation to divide by.
    """
    spread = float(np.std(shares, ddof=1)) if len(shares) > 1 else 0.0
    # all the same on paper, but not in the last digits
    if spread <= 1e-12 * float(np.abs(shares).max()):
        return None
    return float(np.mean(shares)) / spread


def resolvable(standard_error: float, alpha: float = ALPHA, power: float = POWER) -> float:
    """The smallest true difference that a two-sided test at `alpha` finds with probability `power`.

    (z_{1 - alpha/2} + z_power) standard errors: 2.80 of them for 0.05 and 0.8 (Bloom 1995, minimum detectable effect).
    It belongs to a benchmark and a pair of systems: systems that agree more on single queries can be told apart better.
    """
    normal = NormalDist()
    return (normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power)) * standard_error


def non_inferior(interval_90: Interval, margin: float, *, higher_is_better: bool = True) -> bool:
    """Whether a system is at most `margin` worse than its reference, at one-sided 95%.

    The one-sided 95% bound is the end of the two-sided 90% interval (Walker and Nowacki 2011): the whole interval must lie on
    the good side of the margin, low > -margin, or high < margin where lower is better.

    Args:
        interval_90: of the difference, system minus reference, at 90% (not at 95%: that would test at 2.5%).
        margin: > 0, fixed before looking at the results.

    Raises:
        ValueError: the margin is not positive.
    """
    if not margin > 0:
        raise ValueError(f"a non-inferiority margin is positive, got {margin}")
    low, high = interval_90
    return low > -margin if higher_is_better else high < margin


def holm(p: Sequence[float] | FloatArray) -> FloatArray:
    """Adjusted p values that hold the probability of any false rejection in the family (Holm 1979).

    With p_(1) <= ... <= p_(m), the adjusted p_(i) = max_{j <= i} min(1, (m - j + 1) p_(j)). Valid however the tests depend
    on each other.

    Args:
        p: shape (m,).

    Returns:
        Shape (m,), in the order given.
    """
    return _in_order(p, lambda ordered: np.maximum.accumulate(np.arange(len(ordered), 0, -1) * ordered))


def benjamini_hochberg(p: Sequence[float] | FloatArray) -> FloatArray:
    """Adjusted p values that hold the expected share of false rejections among all (Benjamini and Hochberg 1995).

    The adjusted p_(i) = min_{j >= i} min(1, m p_(j) / j). Valid for independent and for positively dependent tests
    (Benjamini and Yekutieli 2001), as those of language pairs that share their queries are.

    Args:
        p: shape (m,).

    Returns:
        Shape (m,), in the order given.
    """

    def adjust(ordered: FloatArray) -> FloatArray:
        scaled = ordered * len(ordered) / np.arange(1, len(ordered) + 1)
        return np.minimum.accumulate(scaled[::-1])[::-1]

    return _in_order(p, adjust)


def _in_order(p: Sequence[float] | FloatArray, adjust: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """What `adjust` makes of the ascending p values, at most 1, in the order given."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, adjust(values[order]))
    return adjusted


def _generator(seed: int, stream: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence((seed, stream)))


def _chunks(resamples: int, width: int) -> Iterator[int]:
    size = max(1, _CHUNK // width)
    for start in range(0, resamples, size):
        yield min(size, resamples - start)


def _multiplicities(random: np.random.Generator, rows: int, count: int, draws: int) -> FloatArray:
    """How often each of `count` things is drawn in `draws` draws with replacement, shape (rows, count)."""
    drawn = random.integers(0, count, size=(rows, draws)) + np.arange(rows)[:, None] * count
    return np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)
