"""Figures of systems with their intervals, and differences between systems with intervals and tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from isoglot.evaluation import contrasts as paired
from isoglot.evaluation.matching import RANK_DISTANCE
from isoglot.evaluation.significance import ALPHA, Interval
from isoglot.study.analysis.systems import Field, Series, System

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
        name: what was changed, such as "lora − full".
        before, after: the systems.
        benchmark: on which.
        paired: the difference with its bootstrap values and test, see `isoglot.evaluation.contrasts.Contrast`.
        where: everything that tells this comparison from others, in words.
        p_holm: p after Holm's correction over the tests it belongs to; None where it was not corrected.
    """

    name: str
    before: System
    after: System
    benchmark: str
    paired: paired.Contrast
    where: str = ""
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
class Experiment(Field):
    """Systems of one base and training set on one benchmark, with everything that was found about them.

    Attributes:
        figures: by system and (setting, measure); see `figure`.
        contrasts: the differences that the study's claims speak of, wherever all else is equal, in the settings of `TESTED`;
            Holm over all of them.
        series: systems that differ in one number alone.
    """

    figures: dict[tuple[System, What], Figure] = field(default_factory=dict)
    contrasts: Sequence[Contrast] = ()
    series: Sequence[Series] = ()

    def figure(self, system: System, what: What) -> Figure | None:
        """A system's figure in a setting and measure; None where it was not measured."""
        return self.figures.get((system, what))
