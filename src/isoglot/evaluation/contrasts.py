"""Systems on the same rows: averages and differences with intervals at any level and permutation tests.

    rows = PairedRows([base, before, after], "cross", "nDCG@10")  # each system: one result per training seed
    contrast = rows.contrast("before", "after")                   # after minus before
    rows.average("after").interval(), contrast.difference, contrast.interval(0.90), contrast.p_group

Whatever systems are compared beside each other, the same seed gives the same resamples, so the same figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from isoglot.errors import InputError
from isoglot.evaluation import significance
from isoglot.evaluation.matching import RANK_DISTANCE, Matched, System, match, require_comparable
from isoglot.evaluation.significance import ALPHA, Interval
from isoglot.records import FloatArray

RESAMPLES, SEED = 9999, 0


@dataclass(frozen=True)
class _Resampled:
    """A figure with its bootstrap values, shape (resamples,), over groups of queries and, where several, training seeds."""

    distribution: FloatArray

    def interval(self, level: float = 1 - ALPHA) -> Interval:
        """Percentile interval."""
        return significance.percentile_interval(self.distribution, level)


@dataclass(frozen=True)
class Average(_Resampled):
    """A system's macro-average in one setting.

    Attributes:
        mean: over training seeds.
        seeds: the macro-average of every training seed, shape (n_seeds,).
    """

    mean: float
    seeds: FloatArray


@dataclass(frozen=True)
class Contrast(_Resampled):
    """System minus reference in one setting; lower is better for rank distance, higher for everything else.

    Attributes:
        reference, system: names.
        setting, measure: what is compared; rank distance is a setting of its own.
        rows: which rows and cells, see `Matched`.
        before, after: values of reference and system per row, means over training seeds, shape (n,).
        seed: of bootstrap and permutation.
        models: different models of reference and of system (the very same model twice is no second training seed).
    """

    reference: str
    system: str
    setting: str
    measure: str
    rows: Matched
    before: FloatArray
    after: FloatArray
    seed: int
    models: tuple[int, int]

    @property
    def higher_is_better(self) -> bool:
        return self.setting != RANK_DISTANCE

    @cached_property
    def difference(self) -> float:
        """Of the macro-averages."""
        return significance.macro_average(self.rows.cells, self.after - self.before)

    @cached_property
    def by_id(self) -> FloatArray:
        """What every query id adds to the difference and to that of every cell, shape (n_ids, 1 + n_cells)."""
        return significance.contributions(self.rows.cells, self.after - self.before)

    @cached_property
    def p_id(self) -> FloatArray:
        """Sign-flip permutation p over query ids, shape (1 + n_cells,): of the macro-average, then of every cell."""
        return significance.sign_flip(self.by_id, len(self.distribution), self.seed)

    @cached_property
    def p_group(self) -> float:
        """Sign-flip permutation p of the macro-average with all ids of a group (paragraph) flipped together."""
        grouped = significance.contributions(self.rows.cells, self.after - self.before, by_group=True)[:, :1]
        return float(significance.sign_flip(grouped, len(self.distribution), self.seed)[0])

    def non_inferior(self, margin: float) -> bool:
        """Whether the system is at most `margin` worse, at one-sided 95%; see `significance.non_inferior`."""
        return significance.non_inferior(self.interval(1 - 2 * ALPHA), margin, higher_is_better=self.higher_is_better)

    def equivalent(self, margin: float, level: float = 1 - ALPHA) -> bool:
        """Whether the whole interval lies within +-margin (two one-sided tests at (1 - level) / 2; Schuirmann 1987)."""
        low, high = self.interval(level)
        return -margin < low and high < margin


class PairedRows:
    """Several systems on the same rows of one setting, resampled together.

    Args:
        systems: one or more, each with one result per training seed; names must differ.
        setting: mono, cross, multi, or "rank_distance" (then `measure` does not matter).
        measure: a column of the per-query rows.
        resamples, seed: of bootstrap and permutation.

    Raises:
        InputError: results that cannot be compared (see `require_comparable` and `match`), or all queries are of one group.
    """

    def __init__(
        self, systems: Sequence[System], setting: str, measure: str, *, resamples: int = RESAMPLES, seed: int = SEED
    ) -> None:
        self.setting, self.measure = setting, RANK_DISTANCE if setting == RANK_DISTANCE else measure
        self.resamples, self.seed = resamples, seed
        require_comparable(systems)
        self.matched = match(systems, setting, self.measure)
        self._systems = {system.name: number for number, system in enumerate(systems)}
        self._models = [system.n_models for system in systems]
        self._require_groups()

    def only(self, keep: Callable[[str, str], bool]) -> PairedRows:
        """Some cells alone; `keep` is asked with query language and document language (or "*").

        Raises:
            InputError: no cell is kept, or all queries are of one group.
        """
        rows = copy(self)
        rows.matched = self.matched.only(keep)
        rows.__dict__.pop("_resampled", None)
        rows._require_groups()
        return rows

    def _require_groups(self) -> None:
        if self.matched.cells.n_groups < 2:
            raise InputError(f"setting '{self.setting}': all queries are of one group; an interval needs at least two")

    def average(self, name: str) -> Average:
        """One system's own figure."""
        number = self._systems[name]
        seeds = np.array([significance.macro_average(self.matched.cells, row) for row in self.matched.values[number]])
        nothing = np.zeros((self.resamples, 1))
        distribution = significance.bootstrap_difference(nothing, self._resampled[number], self.seed)
        return Average(distribution, float(np.mean(seeds)), seeds)

    def contrast(self, reference: str, system: str, *, by_seed: bool = False) -> Contrast:
        """One system against another; `by_seed`: result i of the one goes on from result i of the other."""
        before, after = self._systems[reference], self._systems[system]
        averages = self._resampled[before], self._resampled[after]
        distribution = significance.bootstrap_difference(*averages, self.seed, by_seed=by_seed)
        values = [self.matched.values[number].mean(axis=0) for number in (before, after)]
        models, rows = (self._models[before], self._models[after]), self.matched
        return Contrast(
            distribution, reference, system, self.setting, self.measure, rows, values[0], values[1], self.seed, models
        )

    @cached_property
    def _resampled(self) -> list[FloatArray]:
        """Macro-averages over resampled groups, per system, shape (resamples, n_seeds)."""
        values = np.concatenate(self.matched.values)
        averages = significance.bootstrap_averages(self.matched.cells, values, self.resamples, self.seed)
        return np.split(averages, np.cumsum([len(rows) for rows in self.matched.values])[:-1], axis=1)


def pooled(contrasts: Sequence[Contrast]) -> Average:
    """The mean of several differences with its bootstrap values: of these benchmarks and bases, and no others.

    Values of one resample are averaged over the contrasts. Those on one benchmark share their resampled groups, so that
    what they have in common is not averaged away.
    """
    differences = np.array([item.difference for item in contrasts])
    distribution: FloatArray = np.mean([item.distribution for item in contrasts], axis=0)
    return Average(distribution, float(np.mean(differences)), differences)
