"""Figures of systems with their intervals, and differences between systems with intervals and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from isoglot.data.audit.exposures import exposures
from isoglot.errors import InputError
from isoglot.evaluation import contrasts as paired
from isoglot.evaluation import matching
from isoglot.evaluation.matching import RANK_DISTANCE
from isoglot.evaluation.significance import ALPHA, Interval
from isoglot.records import NATURAL, SETTINGS
from isoglot.study.analysis.reading import Study
from isoglot.study.analysis.systems import Series, System, measured_together, systems_of

MAIN_MEASURE = "nDCG@10"
What = tuple[str, str]
"""Setting and measure; rank distance is a setting of its own."""
TESTED: tuple[What, ...] = (
    *((setting, MAIN_MEASURE) for setting in SETTINGS),
    (RANK_DISTANCE, RANK_DISTANCE),
    *((setting, MAIN_MEASURE) for setting in NATURAL),
)
"""What differences are tested in."""
CROSS: What = ("cross", MAIN_MEASURE)
COLUMNS: tuple[What, ...] = (*((setting, "AP") for setting in SETTINGS), *TESTED)
"""What a table of results shows."""
Cells = frozenset[tuple[str, str]]
"""Query and document language ("*" in multi) of the cells that count."""


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
        benchmark, setting, measure: in what; the setting may be rank_distance.
        paired: the difference with its bootstrap values and test, see `isoglot.evaluation.contrasts.Contrast`.
        difference: of the macro-averages, means over seeds.
        p: two-sided sign-flip permutation over groups of queries (paragraphs; the ids where there are none).
        seeds: training seeds of the system that has fewest, counted in different models; 0 where neither draws anything.
        p_holm: p after Holm's correction over the tests it belongs to; None where it was not corrected.
    """

    name: str
    before: System
    after: System
    benchmark: str
    setting: str
    measure: str
    paired: paired.Contrast
    difference: float
    p: float
    seeds: int
    p_holm: float | None = None

    @property
    def unit(self) -> str:
        """How the difference is called: nDCG@10, mAP, ranks."""
        return "ranks" if self.setting == RANK_DISTANCE else {"AP": "mAP"}.get(self.measure, self.measure)

    @property
    def paths(self) -> tuple[str, ...]:
        """Folders of the results."""
        return (*self.before.paths(self.benchmark), *self.after.paths(self.benchmark))

    def interval(self, level: float = 1 - ALPHA) -> Interval:
        """Percentile interval over groups of queries and, for systems with several, training seeds."""
        return self.paired.interval(level)

    def shown(self) -> str:
        """The difference with its 95% interval, such as `+0.012 [+0.004, +0.020] nDCG@10`."""
        return show(self.difference, self.interval(), self.unit)


def exposed(base: str, benchmark: str) -> list[str]:
    """What is known of a base's own training that makes its figures on a benchmark no zero-shot ones, with the sources."""
    return list(exposures([base], [benchmark]))


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
        sampling: cross-lingual, hybrid batches against cross ones with all else equal; None where the study has not both.
    """

    data: str | None
    base: str
    benchmark: str
    systems: Sequence[System]
    figures: Mapping[tuple[System, What], Figure]
    contrasts: Sequence[Contrast]
    series: Sequence[Series]
    sampling: Contrast | None = None

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


class Comparisons:
    """Compares the systems of a study; whatever was matched or resampled once is kept.

    Attributes:
        study: its files.
        systems: all that have finished runs.
        open: systems of runs that have not finished.
        groups: see `measured_together`; those first of which nothing says that the base has seen the benchmark.
    """

    def __init__(self, study: Study, *, resamples: int = paired.RESAMPLES, seed: int = paired.SEED) -> None:
        self.study = study
        self.systems, self.open = systems_of(study, study.done), systems_of(study, study.open)
        groups = measured_together(self.systems)
        self.groups = dict(sorted(groups.items(), key=lambda group: bool(exposed(*group[0][1:]))))
        self._resamples, self._seed = resamples, seed
        self._rows: dict[tuple[Any, ...], paired.PairedRows] = {}
        self._contrasts: dict[tuple[Any, ...], Contrast] = {}

    def zero_shot_first(self, contrasts: list[Contrast]) -> None:
        """Bring differences into the order of `groups`, in place: else they stay as they are."""
        contrasts.sort(key=lambda contrast: bool(exposed(contrast.after.base, contrast.benchmark)))

    def rows(
        self, systems: Sequence[System], benchmark: str, what: What, only: Cells | None = None
    ) -> paired.PairedRows:
        """Rows per query of systems in one setting and measure, resampled together. InputError where they do not match."""
        key = (*systems, benchmark, what, only)
        if key not in self._rows and only is not None:
            self._rows[key] = self.rows(systems, benchmark, what).only(lambda *cell, kept=only: cell in kept)
        elif key not in self._rows:
            folders = [(system.key, system.paths(benchmark)) for system in systems]
            sides = [matching.System(name, tuple(map(self.study.result, paths)), paths) for name, paths in folders]
            self._rows[key] = paired.PairedRows(sides, *what, resamples=self._resamples, seed=self._seed)
        return self._rows[key]

    def contrast(
        self, before: System, after: System, benchmark: str, what: What, name: str = "", only: Cells | None = None
    ) -> Contrast:
        """After minus before. InputError where their results are missing or do not match."""
        key = (before, after, benchmark, what, only)
        if key not in self._contrasts:
            both, beside = (before, after), self.measured(after.data, after.base, benchmark, what)
            try:
                rows = self.rows(beside if {*both} <= {*beside} else both, benchmark, what, only)
            except InputError:
                rows = self.rows(both, benchmark, what, only)  # others spoil the rows, which are the same
            by_seed = after.goes_on_from(before) or before.goes_on_from(after)
            difference = rows.contrast(before.key, after.key, by_seed=by_seed)
            seeds = min((n for n, system in zip(difference.models, both) if system.is_drawn), default=0)
            numbers: dict[str, Any] = {"difference": difference.difference, "p": difference.p_group, "seeds": seeds}
            self._contrasts[key] = Contrast(name, before, after, benchmark, *what, difference, **numbers)
        return replace(self._contrasts[key], name=name)

    def measured(self, data: str | None, base: str, benchmark: str, what: What) -> list[System]:
        """The systems of a group that have a figure in a setting and measure."""
        group = self.groups.get((data, base, benchmark), [])
        return [system for system in group if system.stated(benchmark, *what) is not None]
