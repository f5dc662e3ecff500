"""Claims about hybrid batches: against both baselines, against the untrained base, on language bias."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from isoglot.errors import InputError
from isoglot.evaluation.matching import RANK_DISTANCE
from isoglot.study.claims.contrasts import Contrast, contrast, directional
from isoglot.study.claims.records import Verdict, not_tested
from isoglot.study.results_view import Arm, Recipe, StudyResults

SHARE = 0.5
"""The hybrid recipe that claims speak of: the best share of monolingual batches in the paper."""

LANGUAGE_SETTINGS = ("mono", "cross", "multi")


@dataclass(frozen=True)
class Group:
    """One base, data, tuning and benchmark with its hybrid recipe and whatever else there is beside it."""

    arm: Arm
    tuning: str
    benchmark: str
    hybrid: Recipe
    others: dict[str, Recipe]

    def __str__(self) -> str:
        return f"{self.arm}, {self.tuning}, {self.benchmark}"


def full_data(recipes: Iterable[Recipe]) -> list[Recipe]:
    """Recipes on all of their data; where a study has parts of the data only, those on the largest."""
    found = list(recipes)
    largest = {(r.arm.data, r.base): 0.0 for r in found if r.arm}
    for recipe in found:
        if recipe.arm:
            key = recipe.arm.data, recipe.base
            largest[key] = max(largest[key], recipe.arm.amount)
    return [recipe for recipe in found if recipe.arm and recipe.arm.amount == largest[recipe.arm.data, recipe.base]]


def parallel_benchmarks(study: StudyResults, recipe: Recipe) -> list[str]:
    """Benchmarks with the three settings on which the recipe's results are zero-shot as far as the audit knows."""
    assert recipe.arm is not None
    found = []
    for name in recipe.benchmarks():
        settings = recipe.cells[0]["benchmarks"][name]["settings"]
        if {"cross", "multi"} <= set(settings) and not study.leaked(recipe.arm.data, name):
            found.append(name)
    return found


def groups(study: StudyResults) -> list[Group]:
    """Every hybrid recipe of share .5 on every parallel benchmark that did not leak into its training."""
    recipes = full_data(study.recipes)
    made = []
    for hybrid in recipes:
        if hybrid.strategy != "hybrid" or hybrid.share != SHARE or hybrid.arm is None or hybrid.tuning is None:
            continue
        own = [r for r in recipes if (r.arm, r.tuning) == (hybrid.arm, hybrid.tuning)]
        # cells that were asked to be mono or cross come before the ends of a series over shares
        beside = {r.strategy: r for r in sorted(own, key=lambda r: r.cells[0]["strategy"] != "hybrid")}
        for benchmark in parallel_benchmarks(study, hybrid):
            others = {
                str(name): recipe
                for name, recipe in beside.items()
                if name in ("mono", "cross") and benchmark in recipe.benchmarks()
            }
            if (base := study.bases.get(hybrid.base)) is not None and benchmark in base.benchmarks():
                others["base"] = base
            made.append(Group(hybrid.arm, hybrid.tuning, benchmark, hybrid, others))
    return made


Wanted = Callable[[Group], Sequence[dict[str, Any]]]


@dataclass(frozen=True)
class Collected:
    """Contrasts that could be made, and what could not."""

    contrasts: list[Contrast]
    problems: list[str]


def collect(
    study: StudyResults, against: Sequence[str], settings: Sequence[str], measure: str, chosen: Sequence[Group]
) -> Collected:
    """Hybrid minus each of `against` in each setting, for all groups."""
    found = Collected([], [])
    for group in chosen:
        for name in against:
            if name not in group.others:
                found.problems.append(f"{group}: no finished {name} cells beside hybrid")
                continue
            for setting in settings:
                where = f"{group}, {setting}: hybrid - {name}"
                try:
                    one = contrast(
                        study, group.others[name], group.hybrid, group.benchmark, setting, measure, where=where
                    )
                except InputError as error:
                    found.problems.append(str(error))
                    continue
                found.contrasts.append(one)
    return found


def judge(study: StudyResults, found: Collected, *, guards: Sequence[Contrast] = (), lower: bool = False) -> Verdict:
    """The verdict over what was collected, with notes about what is missing."""
    if not found.contrasts:
        return not_tested(found.problems[0] if found.problems else _NO_HYBRID)
    complete = not found.problems and not study.open_cells()
    verdict = directional(found.contrasts, complete=complete, guards=guards, lower_is_better=lower)
    notes = [verdict.note, *found.problems[:1]]
    if study.open_cells():
        notes.append(f"{study.open_cells()} cells are not finished: what is universal cannot hold")
    if study.audit is None:
        notes.append("not audited: that results are zero-shot is asserted")
    return replace(verdict, note="; ".join(note for note in notes if note))


_NO_HYBRID = (
    f"no finished hybrid cells of share {SHARE} on a parallel benchmark that the audit did not find in training"
)


def best_in_multilingual(study: StudyResults) -> Verdict:
    """Hybrid beats mono and cross in mAP of the multilingual setting, for every base, data, tuning and benchmark."""
    return judge(study, collect(study, ("mono", "cross"), ("multi",), "AP", groups(study)))


def better_for_each_base(study: StudyResults) -> Verdict:
    """Hybrid beats mono and cross in mAP of all three settings for each base; it takes two bases to hold."""
    chosen = groups(study)
    verdict = judge(study, collect(study, ("mono", "cross"), LANGUAGE_SETTINGS, "AP", chosen))
    if verdict.verdict == "holds" and len({group.arm.base for group in chosen}) < 2:
        note = "one base in this study: at most undecided, because the claim is about each of several"
        return replace(verdict, verdict="undecided", note="; ".join(filter(None, [verdict.note, note])))
    return verdict


def less_bias(study: StudyResults) -> Verdict:
    """Rank distance of hybrid is below that of mono, for every base, data, tuning and benchmark."""
    return judge(study, collect(study, ("mono",), (RANK_DISTANCE,), RANK_DISTANCE, groups(study)), lower=True)


def strong_zero_shot(study: StudyResults) -> Verdict:
    """Hybrid beats the untrained base in cross and multi, and is below it in no query language."""
    if study.audit is None:
        return not_tested("not audited: whether results are zero-shot is not known")
    chosen = groups(study)
    found = collect(study, ("base",), ("cross", "multi"), "nDCG@10", chosen)
    guards = [guard for group in chosen if "base" in group.others for guard in _by_language(study, group)]
    return judge(study, found, guards=guards)


def _by_language(study: StudyResults, group: Group) -> list[Contrast]:
    """Hybrid minus base in cross, one query language at a time."""
    found = []
    matrix = group.hybrid.cells[0]["benchmarks"][group.benchmark]["per_language"]["cross"]["by_query"]
    for lang in sorted(matrix):
        where = f"{group}, cross, queries in {lang}: hybrid - base"

        def keep(query: str, document: str, lang: str = lang) -> bool:
            return query == lang

        try:
            base = group.others["base"]
            found.append(contrast(study, base, group.hybrid, group.benchmark, "cross", "nDCG@10", keep, where))
        except InputError:
            continue
    return found
