"""Differences between recipes with their intervals and tests, and the rules by which they decide a claim."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from isoglot.errors import InputError
from isoglot.evaluation import significance
from isoglot.evaluation.matching import RANK_DISTANCE, Matched, match, require_comparable
from isoglot.evaluation.multiple import holm
from isoglot.evaluation.significance import Cells, Interval
from isoglot.records import FloatArray
from isoglot.study.claims.records import ALPHA, Outcome, Part, Verdict, overall
from isoglot.study.results_view import Recipe, StudyResults

Keep = Callable[[str, str], bool]
"""Which cells (query language, document language or "*") count."""

MIN_SEEDS = 2
"""Training seeds per recipe below which nothing is decided about recipes: one model of each is no sample of anything."""


@dataclass(frozen=True)
class Contrast:
    """System minus reference in one setting.

    Attributes:
        where: what is compared, in words.
        setting, measure: rank distance is a setting of its own.
        value: difference of the macro-averages, means over seeds.
        distribution: bootstrap values over groups of queries and, for recipes with several, training seeds; shape (resamples,).
        p: sign-flip permutation over groups of queries (paragraphs).
        seeds: of the trained recipe that has fewest, counted in different models.
        places: result folders.
    """

    where: str
    setting: str
    measure: str
    value: float
    distribution: FloatArray
    p: float
    seeds: int
    places: tuple[str, ...]

    @property
    def unit(self) -> str:
        return "ranks" if self.setting == RANK_DISTANCE else {"AP": "mAP"}.get(self.measure, self.measure)

    def interval(self, level: float = 1 - ALPHA) -> Interval:
        """Percentile interval of the difference."""
        return significance.percentile_interval(self.distribution, level)

    def shown(self) -> str:
        """The difference with its 95% interval."""
        return show(self.value, *self.interval(), self.unit)


def show(value: float, low: float, high: float, unit: str) -> str:
    """A difference with its interval, such as `+0.012 [+0.004, +0.020] nDCG@10`."""
    digits = 1 if unit == "ranks" else 4
    return f"{value:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}] {unit}"


def contrast(
    study: StudyResults,
    reference: Recipe,
    system: Recipe,
    benchmark: str,
    setting: str,
    measure: str = "nDCG@10",
    keep: Keep | None = None,
    where: str = "",
) -> Contrast:
    """Compare two recipes on a benchmark.

    Args:
        setting: mono, cross, multi or rank_distance (then the measure does not matter).
        keep: only these cells.
        where: how the result calls itself.

    Raises:
        InputError: results are missing or do not match, the measure is not there, no cell is kept, or all queries are of one
            group.
    """
    measure = RANK_DISTANCE if setting == RANK_DISTANCE else measure
    matched = _matched(study, reference, system, benchmark, setting, measure)
    if keep is not None:
        matched = _restrict(matched, keep)
    cells, (before, after) = matched.cells, matched.values
    if cells.n_groups < 2:
        raise InputError(f"{benchmark}, {setting}: all queries are of one group; an interval needs at least two")
    averages = significance.bootstrap_averages(cells, np.concatenate([before, after]), study.resamples, study.seed)
    spread = significance.bootstrap_difference(averages[:, : len(before)], averages[:, len(before) :], study.seed)
    rows = after.mean(axis=0) - before.mean(axis=0)
    parts = significance.contributions(cells, rows, by_group=True)[:, :1]
    p = float(significance.sign_flip(parts, study.resamples, study.seed)[0])
    seeds = min(study.seeds(recipe, benchmark) for recipe in (reference, system) if recipe.arm is not None)
    places = (*study.places(reference, benchmark), *study.places(system, benchmark))
    value = significance.macro_average(cells, rows)
    return Contrast(where, setting, measure, value, spread, p, seeds, places)


def _matched(
    study: StudyResults, reference: Recipe, system: Recipe, benchmark: str, setting: str, measure: str
) -> Matched:
    places = (*study.places(reference, benchmark), *study.places(system, benchmark))
    key = ("matched", len(reference.cells), places, setting, measure)
    if key not in study.cache:
        systems = [study.system(recipe, benchmark, [measure]) for recipe in (reference, system)]
        require_comparable(systems)
        study.cache[key] = match(systems, setting, measure)
    found: Matched = study.cache[key]
    return found


def _restrict(matched: Matched, keep: Keep) -> Matched:
    chosen = np.array([keep(*pair) for pair in matched.names])
    rows = chosen[matched.cells.cell]
    if not rows.any():
        raise InputError("no language pair is left to compare")
    labels = (np.unique(part[rows], return_inverse=True)[1] for part in _labels(matched.cells))
    names = [pair for pair, kept in zip(matched.names, chosen) if kept]
    return Matched(names, Cells(*labels), [values[:, rows] for values in matched.values])


def _labels(cells: Cells) -> tuple[np.ndarray, ...]:
    return cells.cell, cells.unit, cells.group


def directional(
    contrasts: Sequence[Contrast], *, complete: bool, guards: Sequence[Contrast] = (), lower_is_better: bool = False
) -> Verdict:
    """All differences are in favour of the system.

    A contrast speaks where its Holm-adjusted p is at most .05 and its 95% interval excludes 0. The claim holds if every
    contrast speaks for the system and nothing is missing; it fails if any contrast or guard speaks against it; otherwise
    it is undecided. With fewer than two training seeds a contrast does not speak at all: then it is one of models.

    Args:
        contrasts: what the claim says, at least one.
        complete: whether all comparisons that the claim speaks of could be made.
        guards: further comparisons of which none may be against the system; they count in Holm's family.
        lower_is_better: of the measure.
    """
    everything = [*contrasts, *guards]
    adjusted = holm([item.p for item in everything])
    sign = -1.0 if lower_is_better else 1.0
    parts = []
    for number, (item, p) in enumerate(zip(everything, adjusted.tolist())):
        state: Outcome = _direction(item, p, sign)
        guard = number >= len(contrasts)
        low, high = item.interval()
        # a guard can only refute
        counted = not guard or state == "fails"
        parts.append(Part(item.where, state, item.shown(), item.value, low, high, item.unit, p, counted))
    weakest = min(contrasts, key=lambda item: (sign * item.value, item.where))
    return Verdict(
        overall(parts, complete=complete),
        _summary(parts[: len(contrasts)], weakest),
        confidence(
            everything,
            f"sign-flip permutation over groups of queries, Holm over {len(everything)} test(s), "
            f"largest p {adjusted[: len(contrasts)].max():.2g}",
        ),
        evidence(everything),
        seed_note(everything),
        tuple(parts),
    )


def _direction(item: Contrast, p_holm: float, sign: float) -> Outcome:
    low, high = sorted(sign * end for end in item.interval())
    if item.seeds < MIN_SEEDS or p_holm > ALPHA or low <= 0 <= high:
        return "undecided"
    return "holds" if low > 0 else "fails"


def _summary(parts: Sequence[Part], weakest: Contrast) -> str:
    if len(parts) == 1:
        return weakest.shown()
    counts = {state: sum(part.verdict == state for part in parts) for state in ("holds", "undecided", "fails")}
    return (
        f"{len(parts)} comparisons: {counts['holds']} in favour, {counts['undecided']} open, {counts['fails']} against; weakest: "
        f"{weakest.shown()} ({weakest.where})"
    )


def confidence(contrasts: Sequence[Contrast], test: str = "") -> str:
    """What a verdict over contrasts rests on."""
    seeds = sorted({item.seeds for item in contrasts})
    if seeds == [1]:
        counted = "one seed: for these models, not for their recipes"
    else:
        counted = f"{seeds[0]} seeds" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} seeds"
    words = (
        f"95% interval, bootstrap over groups of queries{' and training seeds' if seeds[-1] > 1 else ''} ({counted})"
    )
    return f"{words}; {test}" if test else words


def seed_note(contrasts: Sequence[Contrast]) -> str:
    """What too few seeds mean."""
    fewest = min(item.seeds for item in contrasts)
    if fewest < MIN_SEEDS:
        return "one seed: at most undecided, because a claim about recipes needs at least two training seeds of each"
    return "intervals from fewer than 5 seeds are too narrow where seeds differ a lot" if fewest < 5 else ""


def evidence(contrasts: Sequence[Contrast]) -> tuple[str, ...]:
    """The result folders, each once."""
    return tuple(dict.fromkeys(place for item in contrasts for place in item.places))
