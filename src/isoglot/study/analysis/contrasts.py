"""Figures of systems with their intervals, and differences between systems with intervals and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from isoglot.errors import InputError
from isoglot.evaluation import contrasts as paired
from isoglot.evaluation import matching
from isoglot.evaluation.matching import RANK_DISTANCE
from isoglot.evaluation.results import Result
from isoglot.evaluation.significance import ALPHA, Interval
from isoglot.study.analysis.reading import ROW_KEYS, Study
from isoglot.study.analysis.systems import Series, System, measured_together, systems_of

MAIN_MEASURE = "nDCG@10"
What = tuple[str, str]
"""Setting and measure; rank distance is a setting of its own."""
COLUMNS: tuple[What, ...] = (
    ("mono", "AP"),
    ("cross", "AP"),
    ("multi", "AP"),
    ("mono", MAIN_MEASURE),
    ("cross", MAIN_MEASURE),
    ("multi", MAIN_MEASURE),
    (RANK_DISTANCE, RANK_DISTANCE),
)
"""What a table of results shows."""
TESTED = COLUMNS[3:]
"""What differences are tested in."""


@dataclass(frozen=True)
class Figure:
    """A system's macro-average in one setting and measure.

    Attributes:
        mean: over training seeds.
        seeds: of every seed, in the order of the system's runs.
        interval: 95%, by bootstrap over groups of queries (paragraphs) and, where there are several, seeds; None where the
            rows per query cannot be used.
    """

    mean: float
    seeds: tuple[float, ...]
    interval: Interval | None = None


@dataclass(frozen=True, eq=False)
class Contrast:
    """One system against another on one benchmark: after minus before.

    Attributes:
        name: what was changed, such as "lora − full"; in a claim everything that tells this comparison from others.
        before, after: the systems.
        benchmark: on which.
        paired: the difference with its bootstrap values and test, see `isoglot.evaluation.contrasts.Contrast`.
        p_holm: p after Holm's correction over the tests it belongs to; None where it was not corrected.
    """

    name: str
    before: System
    after: System
    benchmark: str
    paired: paired.Contrast
    p_holm: float | None = None

    @property
    def setting(self) -> str:
        """mono, cross, multi or rank_distance."""
        return self.paired.setting

    @property
    def measure(self) -> str:
        return self.paired.measure

    @property
    def unit(self) -> str:
        """How the difference is called: nDCG@10, mAP, ranks."""
        return "ranks" if self.setting == RANK_DISTANCE else {"AP": "mAP"}.get(self.measure, self.measure)

    @property
    def difference(self) -> float:
        """Of the macro-averages, means over seeds."""
        return self.paired.difference

    def interval(self, level: float = 1 - ALPHA) -> Interval:
        """Percentile interval over groups of queries and, for systems with several, training seeds."""
        return self.paired.interval(level)

    @property
    def p(self) -> float:
        """Two-sided sign-flip permutation over groups of queries (paragraphs; the ids where there are none)."""
        return self.paired.p_group

    @property
    def seeds(self) -> int:
        """Training seeds of the trained system that has fewest, counted in different models."""
        counts = zip(self.paired.models, (self.before, self.after))
        return min(models for models, system in counts if not system.is_base)

    @property
    def paths(self) -> tuple[str, ...]:
        """Folders of the results."""
        return (*self.before.paths(self.benchmark), *self.after.paths(self.benchmark))

    def shown(self) -> str:
        """The difference with its 95% interval, such as `+0.012 [+0.004, +0.020] nDCG@10`."""
        return show(self.difference, self.interval(), self.unit)


def show(value: float, interval: Interval, unit: str) -> str:
    """A difference with its interval, such as `+0.012 [+0.004, +0.020] nDCG@10`."""
    digits = 1 if unit == "ranks" else 4
    low, high = interval
    return f"{value:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}] {unit}"


@dataclass(frozen=True, eq=False)
class Experiment:
    """Systems of one base and training set on one benchmark, with everything that was found about them.

    Attributes:
        data: name of the training set; None where nothing but the base was measured.
        base, benchmark: names.
        systems: the untrained base first where it was measured, then the trained ones.
        figures: by system and (setting, measure); see `figure`.
        contrasts: the differences that the study's claims speak of, wherever all else is equal, in the settings of `TESTED`;
            Holm over all of them.
        series: systems that differ in one number alone.
    """

    data: str | None
    base: str
    benchmark: str
    systems: tuple[System, ...]
    figures: Mapping[tuple[System, What], Figure]
    contrasts: Sequence[Contrast] = ()
    series: Sequence[Series] = ()

    @property
    def title(self) -> str:
        return f"{self.data} → {self.benchmark}" if self.data else self.benchmark

    @property
    def before(self) -> System | None:
        """The untrained base."""
        return next((system for system in self.systems if system.is_base), None)

    @property
    def trained(self) -> list[System]:
        return [system for system in self.systems if not system.is_base]

    def figure(self, system: System, what: What) -> Figure | None:
        """A system's figure in a setting and measure; None where it was not measured."""
        return self.figures.get((system, what))


@dataclass(frozen=True)
class Only:
    """Which cells count: queries in some languages and, where they are given, passages in others (`either`: or)."""

    queries: frozenset[str]
    passages: frozenset[str] | None = None
    either: bool = False

    def __call__(self, query: str, passage: str) -> bool:
        if self.passages is None:
            return query in self.queries
        return (any if self.either else all)((query in self.queries, passage in self.passages))


class Comparisons:
    """Compares the systems of a study; whatever was matched or resampled once is kept.

    Attributes:
        study: its files.
        systems: all of them.
        groups: see `measured_together`.
    """

    def __init__(self, study: Study, *, resamples: int = paired.RESAMPLES, seed: int = paired.SEED) -> None:
        self.study = study
        self.systems = systems_of(study)
        self.groups = measured_together(self.systems)
        self._resamples, self._seed = resamples, seed
        self._rows: dict[tuple[Any, ...], paired.PairedRows] = {}
        self._contrasts: dict[tuple[Any, ...], paired.Contrast] = {}

    def rows(
        self, systems: Sequence[System], benchmark: str, what: What, only: Only | None = None
    ) -> paired.PairedRows:
        """Rows per query of systems in one setting and measure, resampled together. InputError where they do not match."""
        key = (*systems, benchmark, what, only)
        if key not in self._rows and only:
            self._rows[key] = self.rows(systems, benchmark, what).only(only)
        elif key not in self._rows:
            sides = []
            for system in systems:
                paths = system.paths(benchmark)
                results = [self.study.result(path) for path in paths]
                results = [Result(one.summary, _columns(one.per_query, what[1])) for one in results]
                sides.append(matching.System(system.key, tuple(results), paths))
            self._rows[key] = paired.PairedRows(sides, *what, resamples=self._resamples, seed=self._seed)
        return self._rows[key]

    def contrast(
        self, before: System, after: System, benchmark: str, what: What, name: str = "", only: Only | None = None
    ) -> Contrast:
        """After minus before. InputError where their results are missing or do not match."""
        key = (before, after, benchmark, what, only)
        if key not in self._contrasts:
            both, beside = (before, after), self.measured(after.data, after.base, benchmark, what)
            try:
                rows = self.rows(beside if {*both} <= {*beside} else both, benchmark, what, only)
            except InputError:
                rows = self.rows(both, benchmark, what, only)  # others spoil the rows, which are the same
            self._contrasts[key] = rows.contrast(before.key, after.key)
        return Contrast(name, before, after, benchmark, self._contrasts[key])

    def measured(self, data: str | None, base: str, benchmark: str, what: What) -> list[System]:
        """The systems of a group that have a figure in a setting and measure."""
        group = self.groups.get((data, base, benchmark), [])
        return [system for system in group if system.stated(benchmark, *what) is not None]


def _columns(table: pa.Table, measure: str) -> pa.Table:
    return table.select([name for name in (*ROW_KEYS, measure) if name in table.column_names])
