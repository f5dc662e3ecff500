"""The paper's side claims: shares of monolingual batches from .4 to .6 do equally well, and unseen languages gain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations

from isoglot.errors import InputError
from isoglot.study.claims.contrasts import MIN_SEEDS, Contrast, confidence, contrast, evidence, seed_note
from isoglot.study.claims.hybrid import LANGUAGE_SETTINGS, Collected, full_data, groups, judge, parallel_benchmarks
from isoglot.study.claims.records import ALPHA, MARGIN, Outcome, Part, Verdict, not_tested, overall
from isoglot.study.results_view import Recipe, StudyResults

STABLE = (0.4, 0.5, 0.6)


def shares_are_stable(study: StudyResults) -> Verdict:
    """All differences among shares .4, .5 and .6 lie within .01 nDCG@10, with their intervals, in all three settings."""
    contrasts: list[Contrast] = []
    problems: list[str] = []
    for recipes in _by_share(study):
        missing = [f"{share:g}" for share in STABLE if share not in recipes]
        if missing:
            problems.append(f"{recipes[min(recipes)].arm}: no finished cells of share {', '.join(missing)}")
            continue
        _among(study, recipes, contrasts, problems)
    if not contrasts:
        return not_tested(problems[0] if problems else f"no hybrid cells of shares {', '.join(map(str, STABLE))}")
    complete = not problems and not study.open_cells()
    # some interval of m lies beyond the margin by chance: a refutation takes one at 1 - .05 / m
    strict = 1 - ALPHA / len(contrasts)
    parts = [_equivalence(item, strict) for item in contrasts]
    widest = max(contrasts, key=lambda item: max(map(abs, item.interval())))
    notes = [seed_note(contrasts), *problems[:1]]
    return Verdict(
        overall(parts, complete=complete),
        f"{len(contrasts)} differences; the one with the widest bounds: {widest.shown()} ({widest.where})",
        confidence(contrasts, f"all intervals must lie within ±{MARGIN}"),
        evidence(contrasts),
        "; ".join(note for note in notes if note),
        tuple(parts),
    )


def _by_share(study: StudyResults) -> list[dict[float, Recipe]]:
    found: dict[tuple[object, str | None], dict[float, Recipe]] = {}
    for recipe in full_data(study.recipes):
        if recipe.strategy == "hybrid" and recipe.share in STABLE:
            found.setdefault((recipe.arm, recipe.tuning), {})[recipe.share] = recipe
    # a study with one share does not speak of the others
    return [recipes for recipes in found.values() if len(recipes) > 1]


def _among(study: StudyResults, recipes: dict[float, Recipe], contrasts: list[Contrast], problems: list[str]) -> None:
    """Add the differences among the shares of one arm and tuning."""
    for one, two in combinations(STABLE, 2):
        reference, system = recipes[one], recipes[two]
        for benchmark in parallel_benchmarks(study, system):
            for setting in LANGUAGE_SETTINGS:
                where = f"{system.arm}, {system.tuning}, {benchmark}, {setting}: share {two:g} - {one:g}"
                try:
                    contrasts.append(contrast(study, reference, system, benchmark, setting, where=where))
                except (InputError, KeyError) as error:
                    problems.append(f"{where}: {error}")


def _equivalence(item: Contrast, strict: float) -> Part:
    low, high = item.interval()
    far_low, far_high = item.interval(strict)
    state: Outcome = "undecided"
    if item.seeds >= MIN_SEEDS:
        if low > -MARGIN and high < MARGIN:
            state = "holds"
        elif far_low > MARGIN or far_high < -MARGIN:
            state = "fails"
    return Part(item.where, state, item.shown(), item.value, low, high, item.unit)


def unseen_languages_gain(study: StudyResults) -> Verdict:
    """Hybrid beats the untrained base in languages that were not trained on."""
    found = Collected([], [])
    for group in groups(study):
        trained = set(group.arm.languages)
        languages = sorted(set(group.hybrid.cells[0]["benchmarks"][group.benchmark]["counts"]["queries"]) - trained)
        if not languages:
            continue
        if "base" not in group.others:
            found.problems.append(f"{group}: the untrained base was not measured")
            continue
        named = " ".join(languages)
        for setting, keep in _unseen(languages):
            where = f"{group}, {setting} in {named}: hybrid - base"
            try:
                base = group.others["base"]
                one = contrast(study, base, group.hybrid, group.benchmark, setting, "nDCG@10", keep, where)
            except InputError as error:
                found.problems.append(str(error))
                continue
            found.contrasts.append(one)
    if not found.contrasts:
        why = found.problems[0] if found.problems else "every language that was measured was trained on"
        return not_tested(why)
    verdict = judge(study, found)
    note = "untrained languages were seen when the base was pre-trained"
    return replace(verdict, note="; ".join(filter(None, [verdict.note, note])))


def _unseen(languages: Sequence[str]) -> list[tuple[str, Callable[[str, str], bool]]]:
    """Settings and their cells: questions, and in cross also passages, in unseen languages."""
    unseen = set(languages)
    settings: list[tuple[str, Callable[[str, str], bool]]] = [("multi", lambda query, document: query in unseen)]
    if len(unseen) > 1:
        settings.insert(0, ("cross", lambda query, document: query in unseen and document in unseen))
    else:
        settings.insert(0, ("cross", lambda query, document: query in unseen or document in unseen))
    return settings
