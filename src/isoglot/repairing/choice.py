"""Which system is kept, and why: plain figures in, a sentence out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MEASURE = "nDCG@10"
HELD_OUT = "held-out"
"""The benchmark that decides: pairs of the training data that nothing was trained on."""
BASE = "base"


@dataclass(frozen=True)
class Scores:
    """Of a system on a benchmark: nDCG@10 in each setting, None where it has no query, and rank distance."""

    mono: float | None
    cross: float | None
    multi: float
    rank_distance: float | None

    @classmethod
    def of(cls, summary: Mapping[str, Any]) -> Scores:
        """Of a result's summary."""
        mono, cross, multi = (summary["settings"].get(name, {}).get(MEASURE) for name in ("mono", "cross", "multi"))
        return cls(mono, cross, multi, summary["bias"].get("rank_distance"))


@dataclass(frozen=True)
class System:
    """A model that was measured.

    Attributes:
        key: of its results.
        label: in tables.
        how: in a sentence.
        scores: by benchmark.
        is_candidate: whether it may be kept.
        seconds: that it took to make.
    """

    key: str
    label: str
    how: str
    scores: Mapping[str, Scores] = field(default_factory=dict)
    is_candidate: bool = True
    seconds: float = 0.0


@dataclass(frozen=True)
class Choice:
    """The key of the system that is kept, and why, in a sentence."""

    key: str
    why: str


def loss(base: System, system: System) -> float:
    """nDCG@10 that a system loses within one language, on the pairs held out; negative where it gains."""
    before, after = base.scores[HELD_OUT].mono, system.scores[HELD_OUT].mono
    return 0.0 if before is None or after is None else round(before - after, 9) + 0.0


def choose(systems: Sequence[System], max_loss: float) -> Choice:
    """The best of the candidates in multi nDCG@10 on the pairs held out, among those that lose at most so much in mono.

    Args:
        systems: the base first.
        max_loss: nDCG@10.
    """
    base, *others = systems
    tried = [system for system in others if system.is_candidate]
    allowed = [system for system in tried if loss(base, system) <= max_loss]
    before = base.scores[HELD_OUT].multi
    if not tried:
        return Choice(BASE, "nothing could be tried: the base is kept as it is")
    if not allowed:
        least = min(tried, key=lambda system: loss(base, system))
        lost = f"({least.label} least, {loss(base, least):.4f})"
        why = f"every repair loses more than {max_loss:g} nDCG@10 within one language {lost}"
        return Choice(BASE, f"{why}: the base is kept as it is")
    best = max(allowed, key=lambda system: system.scores[HELD_OUT].multi)
    after = best.scores[HELD_OUT].multi
    of = f"of the {len(allowed)} repairs that lose at most {max_loss:g} nDCG@10 within one language"
    if lost_more := len(tried) - len(allowed):
        of += f" ({lost_more} lost more)"
    if after <= before:
        why = f"{of} none is above the base's multi nDCG@10 of {before:.4f} (best: {best.label}, {after:.4f})"
        return Choice(BASE, f"{why}: the base is kept as it is")
    figures = f"{before:.4f} -> {after:.4f}; within one language {0.0 - loss(base, best):+.4f}"
    return Choice(
        best.key, f"kept: {best.label}, which {of} has the highest multi nDCG@10 on held-out pairs ({figures})"
    )
