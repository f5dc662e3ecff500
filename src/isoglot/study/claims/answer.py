"""The question of the project, answered in a paragraph: with numbers and their uncertainty, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from isoglot.study.claims import lora, side
from isoglot.study.claims.contrasts import MIN_SEEDS
from isoglot.study.claims.lora import Duel, Measured
from isoglot.study.claims.records import MARGIN, Outcome
from isoglot.study.results_view import Recipe, StudyResults

_VERDICTS: dict[Outcome, str] = {
    "holds": "not inferior at a margin of {margin}",
    "fails": "inferior by more than a margin of {margin}",
    "undecided": "undecided at a margin of {margin}",
    "not tested": "not tested",
}


def answer(study: StudyResults) -> str:
    """How LoRA with hybrid batches changes zero-shot cross-lingual nDCG@10 against full fine-tuning, and at what cost.

    A study without such a pair whose cells form a series, over shares of monolingual batches or amounts of data, is answered by
    cross-lingual nDCG@10 along it.
    """
    found, problems = lora.measured(study)
    main = [item for item in found if item.duel.primary]
    if not main and (series := _series(study)):
        return " ".join(series)
    if not main:
        return f"Not answered by this study: {_why(study, problems)}."
    verdict = lora.non_inferior(study)
    states = {part.where: part.verdict for part in verdict.parts}
    changes = [f"{_change(item)}: {_VERDICTS[states[item.contrast.where]].format(margin=MARGIN)}" for item in main]
    duel = list(dict.fromkeys(item.duel for item in main))
    ranks = {one.lora.rank for one in duel}
    name = f"LoRA of rank {duel[0].lora.rank}" if len(ranks) == 1 and None not in ranks else "LoRA"
    opening = f"Under hybrid batches, {name} instead of full fine-tuning changes zero-shot cross-lingual nDCG@10 "
    sentences = [opening + "; ".join(changes) + "."]
    if len(main) > 1:
        value, (low, high) = lora.pooled(found)
        sentences.append(
            f"Over these {len(main)} comparisons the mean is {value:+.4f} (95% interval {low:+.4f} to {high:+.4f}), "
            f"and the claim of non-inferiority as a whole is: {verdict.verdict}."
        )
    sentences += [_cost(study, one, len(duel) > 1) for one in duel]
    if min(item.contrast.seeds for item in main) < MIN_SEEDS:
        sentences.append(
            "With one training seed this is about these models, not about the recipes: it decides nothing."
        )
    if study.audit is None:
        sentences.append("Training data and benchmarks were not audited: zero-shot is asserted.")
    return " ".join([*sentences, *_unfinished(study)])


def _unfinished(study: StudyResults) -> list[str]:
    return [f"{study.open_cells()} of {len(study.cells)} cells are not finished."] if study.open_cells() else []


def _series(study: StudyResults) -> list[str]:
    """Sentences on shares and amounts, as far as cells differ in them and in nothing else."""
    shares = _along(
        study,
        "share of monolingual batches",
        lambda recipe: recipe.share,
        lambda recipe: (str(recipe.arm), recipe.tuning),
        [recipe for recipe in study.recipes if recipe.cells[0]["strategy"] == "hybrid"],
    )
    amounts = _along(
        study,
        "share of the training pairs",
        lambda recipe: recipe.arm.amount if recipe.arm else None,
        lambda recipe: (
            recipe.arm and str(replace(recipe.arm, amount=1.0)),
            recipe.tuning,
            recipe.strategy,
            recipe.share,
        ),
        study.recipes,
    )
    if not shares and not amounts:
        return []
    stable = side.shares_are_stable(study)
    if shares and stable.verdict != "not tested":
        shares.append(f"That shares of .4 to .6 do equally well: {stable.verdict}.")
    ends = []
    if min(len(recipe.cells) for recipe in study.recipes) < MIN_SEEDS:
        ends.append("One training seed decides nothing about recipes.")
    return [*shares, *amounts, *ends, *_unfinished(study)]


def _along(
    study: StudyResults,
    what: str,
    place: Callable[[Recipe], float | None],
    rest: Callable[[Recipe], Any],
    recipes: Sequence[Recipe],
) -> list[str]:
    """A sentence per benchmark and group of recipes that differ in `place` alone, of two or more places."""
    groups: dict[Any, list[Recipe]] = {}
    for recipe in recipes:
        if recipe.arm is not None and place(recipe) is not None:
            groups.setdefault(rest(recipe), []).append(recipe)
    found = []
    for group in groups.values():
        first = group[0]
        cell = first.cells[0]
        if len({place(recipe) for recipe in group}) < 2:
            continue
        for name in first.benchmarks():
            values = {place(recipe): _cross(recipe, name) for recipe in group if name in recipe.benchmarks()}
            shown = [f"{at:g}: {value:.4f}" for at, value in sorted(values.items()) if value is not None]
            base = study.bases.get(first.base)
            start = _cross(base, name) if base and name in base.benchmarks() else None
            found.append(
                f"Cross nDCG@10 on {name} by {what} ({first.tuning}, {cell['strategy']}, {first.base} on {cell['data']}): "
                f"{', '.join(shown)}{f' (base {start:.4f})' if start is not None else ''}."
            )
    return found


def _cross(recipe: Recipe, benchmark: str) -> float | None:
    """Mean over seeds; None where it was not measured."""
    found = [cell["benchmarks"][benchmark]["settings"].get("cross", {}).get("nDCG@10") for cell in recipe.cells]
    return fmean(found) if found and None not in found else None


def _why(study: StudyResults, problems: Sequence[str]) -> str:
    if problems:
        return problems[0]
    if not study.done:
        return "no cell is finished"
    duels = lora.duels(study)
    if not duels:
        return "it has no finished pair of LoRA and full fine-tuning under hybrid batches with everything else equal"
    if any(study.leaked(data, name) for data, name in study.trained_pairs):
        return "the audit found its benchmarks in the training data, so nothing in it is zero-shot"
    return "LoRA and full fine-tuning were not measured on a common benchmark with the cross-lingual and multilingual settings"


def _change(item: Measured) -> str:
    low, high = item.contrast.interval()
    seeds = item.contrast.seeds
    counted = f"{seeds} seed{'s' if seeds > 1 else ''} each"
    arm = item.duel.lora.arm
    return (
        f"by {item.contrast.value:+.4f} (95% interval {low:+.4f} to {high:+.4f}, {counted}) on {item.benchmark} ({arm})"
    )


def _cost(study: StudyResults, duel: Duel, named: bool) -> str:
    """What LoRA costs of what full fine-tuning costs."""
    words = []
    for cost, what in (
        (lora.seconds, "of the training time"),
        (lora.memory, "of the peak memory"),
        (lora.parameters, "of the trained parameters"),
        (lora.stored, "of the bytes to store"),
    ):
        found = lora.ratio(study, duel, cost)
        if found is not None:
            words.append(f"{_percent(found.value)} {what}")
    where = f" ({duel.lora.arm})" if named else ""
    if not words:
        return f"What it costs was not recorded{where}."
    listed = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    return f"LoRA takes {listed} of full fine-tuning{where}."


def _percent(value: float) -> str:
    return f"{100 * value:.3g}%"
