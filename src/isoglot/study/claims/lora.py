"""The project's question: what LoRA changes against full fine-tuning under hybrid batches, and at what cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from isoglot.errors import InputError
from isoglot.evaluation import significance
from isoglot.evaluation.multiple import holm
from isoglot.evaluation.significance import Interval
from isoglot.study.claims.contrasts import MIN_SEEDS, Contrast, confidence, contrast, evidence, seed_note, show
from isoglot.study.claims.hybrid import SHARE, full_data, parallel_benchmarks
from isoglot.study.claims.records import ALPHA, MARGIN, Outcome, Part, Verdict, not_tested, overall
from isoglot.study.results_view import Recipe, StudyResults, at_a_time

RANK = 16
"""The LoRA that the question is about, where a study has several: this rank, else the highest."""


@dataclass(frozen=True)
class Duel:
    """LoRA and full fine-tuning with everything else equal.

    Attributes:
        lora, full: hybrid recipes of one arm.
        primary: whether verdicts depend on it (LoRA of rank 16, or else of the highest rank).
    """

    lora: Recipe
    full: Recipe
    primary: bool

    def __str__(self) -> str:
        rank = f" (rank {self.lora.rank})" if self.lora.rank is not None else ""
        return f"{self.lora.arm}: {self.lora.tuning}{rank} - {self.full.tuning}"


def duels(study: StudyResults) -> list[Duel]:
    """All pairs of LoRA and full fine-tuning under hybrid batches of share .5."""
    recipes = [r for r in full_data(study.recipes) if r.strategy == "hybrid" and r.share == SHARE]
    found = []
    for full in (recipe for recipe in recipes if recipe.kind == "full"):
        beside = [recipe for recipe in recipes if recipe.kind == "lora" and recipe.arm == full.arm]
        ranks = [recipe.rank or 0 for recipe in beside]
        wanted = RANK if RANK in ranks else max(ranks, default=0)
        found += [Duel(lora, full, (lora.rank or 0) == wanted) for lora in beside]
    return sorted(found, key=lambda duel: (str(duel.lora.arm), not duel.primary, str(duel)))


@dataclass(frozen=True)
class Measured:
    """A duel on one benchmark in cross."""

    duel: Duel
    benchmark: str
    contrast: Contrast


def measured(study: StudyResults) -> tuple[list[Measured], list[str]]:
    """LoRA minus full in cross nDCG@10 wherever both were measured, primary ones first, and what could not be compared."""
    if "lora" in study.cache:
        cached: tuple[list[Measured], list[str]] = study.cache["lora"]
        return cached
    found, problems = [], []
    for duel in duels(study):
        for benchmark in parallel_benchmarks(study, duel.lora):
            where = f"{duel}, {benchmark}, cross"
            try:
                one = contrast(study, duel.full, duel.lora, benchmark, "cross", "nDCG@10", where=where)
            except (InputError, KeyError) as error:
                problems.append(f"{where}: {error}")
                continue
            found.append(Measured(duel, benchmark, one))
    study.cache["lora"] = found, problems
    return found, problems


_NOTHING = (
    "no finished pair of LoRA and full fine-tuning under hybrid batches, all else equal, on a parallel benchmark that the audit "
    "did not find in training"
)


def pooled(found: Sequence[Measured]) -> tuple[float, Interval]:
    """The mean of the primary differences with its 95% interval: of these bases and data, and no others.

    Bootstrap values of one resample are averaged over the comparisons: those on one benchmark share their resampled groups, so
    that what they have in common is not averaged away.
    """
    main = [item.contrast for item in found if item.duel.primary]
    together = np.mean([item.distribution for item in main], axis=0)
    return float(np.mean([item.value for item in main])), significance.percentile_interval(together, 1 - ALPHA)


def non_inferior(study: StudyResults) -> Verdict:
    """LoRA is at most .01 nDCG@10 below full fine-tuning in cross, for every base, data direction and benchmark."""
    found, problems = measured(study)
    if not any(item.duel.primary for item in found):
        return not_tested(problems[0] if problems else _NOTHING)
    parts = [_part(item, _non_inferior(item.contrast)) for item in found]
    test = f"holds if the lower bound is above -{MARGIN}, fails if the upper bound is below -{MARGIN}"
    return _verdict(study, found, parts, problems, test)


def _non_inferior(item: Contrast) -> Outcome:
    low, high = item.interval()
    if item.seeds < MIN_SEEDS or low <= -MARGIN <= high:
        return "undecided"
    return "holds" if low > -MARGIN else "fails"


def superior(study: StudyResults) -> Verdict:
    """LoRA is above full fine-tuning in cross nDCG@10, for every base, data direction and benchmark."""
    found, problems = measured(study)
    main = [item for item in found if item.duel.primary]
    if not main:
        return not_tested(problems[0] if problems else _NOTHING)
    adjusted = dict(zip((id(item) for item in main), holm([item.contrast.p for item in main]).tolist()))
    parts = []
    for item in found:
        p = adjusted.get(id(item), item.contrast.p)
        low, high = item.contrast.interval()
        state: Outcome = "undecided"
        if item.contrast.seeds >= MIN_SEEDS and p <= ALPHA and not low <= 0 <= high:
            state = "holds" if low > 0 else "fails"
        parts.append(replace(_part(item, state), p_holm=p if item.duel.primary else None))
    test = f"sign-flip permutation over groups of queries, Holm over {len(main)} test(s), largest p {max(adjusted.values()):.2g}"
    return _verdict(study, found, parts, problems, test)


def _part(item: Measured, state: Outcome) -> Part:
    one = item.contrast
    return Part(one.where, state, one.shown(), one.value, *one.interval(), one.unit, counted=item.duel.primary)


def _verdict(
    study: StudyResults, found: Sequence[Measured], parts: list[Part], problems: Sequence[str], test: str
) -> Verdict:
    main = [item.contrast for item in found if item.duel.primary]
    effect = main[0].shown()
    if len(main) > 1:
        value, interval = pooled(found)
        counts = [
            sum(part.verdict == state for part in parts if part.counted) for state in ("holds", "undecided", "fails")
        ]
        effect = (
            f"mean of {len(main)} comparisons {show(value, *interval, 'nDCG@10')}; by comparison: {counts[0]} hold, "
            f"{counts[1]} undecided, {counts[2]} fail"
        )
    notes = [seed_note(main), *problems[:1]]
    if study.open_cells():
        notes.append(f"{study.open_cells()} cells are not finished")
    if len(main) < len(found):
        notes.append("LoRA of other ranks is shown and not counted")
    complete = not problems and not study.open_cells()
    note = "; ".join(note for note in notes if note)
    return Verdict(
        overall(parts, complete=complete), effect, confidence(main, test), evidence(main), note, tuple(parts)
    )


@dataclass(frozen=True)
class Ratio:
    """LoRA over full fine-tuning: mean over mean, and the extremes over all pairs of seeds."""

    value: float
    low: float
    high: float
    lora: float
    full: float
    seeds: int


Cost = Callable[[Mapping[str, Any], bool], Any]


def seconds(cost: Mapping[str, Any], lora: bool) -> Any:
    """Wall time of training."""
    return cost.get("train_seconds")


def memory(cost: Mapping[str, Any], lora: bool) -> Any:
    """Peak memory in bytes: of the GPU where there is one, else of the process."""
    return cost.get("gpu_peak_memory_bytes") or cost.get("peak_memory_bytes")


def parameters(cost: Mapping[str, Any], lora: bool) -> Any:
    """Trained parameters."""
    return cost.get("trainable_parameters")


def stored(cost: Mapping[str, Any], lora: bool) -> Any:
    """Bytes to keep: the adapter of LoRA, the whole model of full fine-tuning."""
    return cost.get("adapter_bytes" if lora else "model_bytes")


def ratio(study: StudyResults, duel: Duel, cost: Cost) -> Ratio | None:
    """The cost of LoRA over that of full fine-tuning; None where a cell's cost is not known."""
    sides = []
    for recipe, is_lora in ((duel.lora, True), (duel.full, False)):
        values = [cost(study.costs.get(str(cell["id"])) or {}, is_lora) for cell in recipe.cells]
        if not all(isinstance(value, (int, float)) and value > 0 for value in values):
            return None
        sides.append(values)
    lora, full = sides
    means = float(np.mean(lora)), float(np.mean(full))
    return Ratio(means[0] / means[1], min(lora) / max(full), max(lora) / min(full), *means, min(len(lora), len(full)))


def cheaper(cost: Cost, *, measured_time: bool) -> Callable[[StudyResults], Verdict]:
    """A claim that LoRA costs less of something for every base and data.

    Args:
        cost: what it costs.
        measured_time: whether it varies from run to run; then it takes two seeds of each to decide.
    """

    def evaluate(study: StudyResults) -> Verdict:
        parts: list[Part] = []
        ratios: list[Ratio] = []
        missing = []
        for duel in (duel for duel in duels(study) if duel.primary):
            found = ratio(study, duel, cost)
            if found is None:
                missing.append(f"{duel}: not in cost.json")
                continue
            state: Outcome = "undecided"
            if found.seeds >= MIN_SEEDS or not measured_time:
                state = "holds" if found.high < 1 else "fails" if found.low > 1 else "undecided"
            ratios.append(found)
            shown = f"x{found.value:.3g} [{found.low:.3g}, {found.high:.3g}]"
            parts.append(Part(str(duel), state, shown, found.value, found.low, found.high, "LoRA / full"))
        if not parts:
            return not_tested(
                missing[0] if missing else "no finished pair of LoRA and full fine-tuning, all else equal"
            )
        values = [item.value for item in ratios]
        span = f"{len(parts)} comparisons: x{min(values):.3g} to x{max(values):.3g} of full fine-tuning"
        together = at_a_time(study.costs.get(str(cell["id"])) for cell in study.done if cell["kind"] != "base")
        together = together or "comparable if cells ran one at a time"
        few = measured_time and min(item.seeds for item in ratios) < MIN_SEEDS
        note = "one seed: at most undecided" if few else ""
        return Verdict(
            overall(parts, complete=not missing),
            f"{parts[0].effect} of full fine-tuning" if len(parts) == 1 else span,
            f"range over pairs of seeds ({min(item.seeds for item in ratios)} or more of each)"
            + (f"; {together}" if measured_time else "; the same in every run"),
            ("cost.json",),
            "; ".join(filter(None, [note, *missing[:1]])),
            tuple(parts),
        )

    return evaluate
