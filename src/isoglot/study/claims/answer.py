"""The question of the project, answered in a paragraph: with numbers and their uncertainty, or not at all."""

from __future__ import annotations

from collections.abc import Sequence

from isoglot.study.claims import lora
from isoglot.study.claims.contrasts import MIN_SEEDS
from isoglot.study.claims.lora import Duel, Measured
from isoglot.study.claims.records import MARGIN, Outcome
from isoglot.study.results_view import StudyResults

_VERDICTS: dict[Outcome, str] = {
    "holds": "not inferior at a margin of {margin}",
    "fails": "inferior by more than a margin of {margin}",
    "undecided": "undecided at a margin of {margin}",
    "not tested": "not tested",
}


def answer(study: StudyResults) -> str:
    """How LoRA with hybrid batches changes zero-shot cross-lingual nDCG@10 against full fine-tuning, and at what cost."""
    found, problems = lora.measured(study)
    main = [item for item in found if item.duel.primary]
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
    if study.open_cells():
        sentences.append(f"{study.open_cells()} of {len(study.cells)} cells are not finished.")
    return " ".join(sentences)


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
