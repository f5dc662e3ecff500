"""What one selection of systems costs of what another costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, ClassVar, Literal

from isoglot.study.analysis.contrasts import Comparisons
from isoglot.study.analysis.systems import System, is_number
from isoglot.study.claims.claim import KINDS, MIN_SEEDS, Sides, counted
from isoglot.study.claims.selection import counted_pairs, pairs
from isoglot.study.claims.verdicts import Finding, Outcome, Verdict

COSTS = {
    "seconds": (("train_seconds",), "training time"),
    "memory": (("gpu_peak_memory_bytes", "peak_memory_bytes"), "peak memory"),
    "parameters": (("trainable_parameters",), "trained parameters"),
    "bytes": (("adapter_bytes", "model_bytes"), "bytes to store"),
}
"""Keys of `cost.json`, of which the first that is known counts, and words: memory of the GPU where there is one."""


@dataclass(frozen=True)
class Ratio:
    """A cost over another: mean over mean, the extremes over all pairs of seeds, and how many seeds there are of each."""

    value: float
    low: float
    high: float
    seeds: int


def ratio(of: System, against: System, cost: str) -> Ratio | None:
    """The cost of a system over that of another; None where a run's is not known."""
    sides: list[list[float]] = []
    for system in (of, against):
        values = [next((run[key] for key in COSTS[cost][0] if run.get(key)), None) for run in system.costs]
        sides.append([float(value) for value in values if is_number(value) and value > 0])
        if len(sides[-1]) < len(values):
            return None
    one, two = sides
    return Ratio(fmean(one) / fmean(two), min(one) / max(two), max(one) / min(two), min(len(one), len(two)))


def at_a_time(costs: Iterable[Mapping[str, Any] | None]) -> str:
    """How many cells ran at the same time, in words; "" where it was not recorded for all of them."""
    recorded = [((cost or {}).get("machine") or {}).get("cells_at_a_time") for cost in costs]
    numbers = [number for number in recorded if isinstance(number, int)]
    if not recorded or len(numbers) < len(recorded):
        return ""
    return "cells ran one at a time" if max(numbers) == 1 else f"up to {max(numbers)} cells ran at a time"


def cost_sentence(of: System, against: System, names: Sequence[str], where: str = "") -> str:
    """What a system takes of every cost of another."""
    ratios = {words: ratio(of, against, cost) for cost, (_, words) in COSTS.items()}
    words = [f"{100 * known.value:.3g}% of the {what}" for what, known in ratios.items() if known]
    listed = " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
    return f"{names[0]} takes {listed} of {names[1]}{where}." if words else f"What it costs was not recorded{where}."


@KINDS.register
class Cost(Sides):
    """One selection of systems costs less than another, for every pair of seeds, wherever all else is equal.

    Attributes:
        cost: `seconds` of training, `memory` at its peak, trained `parameters`, or `bytes` to store.
    """

    name: ClassVar[str] = "cost"

    cost: Literal["seconds", "memory", "parameters", "bytes"]

    def judge(self, comparisons: Comparisons, beside: Sequence[float] = ()) -> Verdict:
        """Below 1 for every pair of seeds; what varies from run to run takes two seeds of each to decide."""
        study, varies = comparisons.study, self.cost in ("seconds", "memory")
        findings, ratios, missing = [], [], []
        for pair in counted_pairs(pairs(comparisons.systems, self.of, self.against)[0], self.counted):
            where = f"{pair.beside}: {pair.names[0]} - {pair.names[1]}"
            known = ratio(pair.of, pair.against, self.cost)
            if known is None:
                missing.append(f"{where}: not in cost.json")
                continue
            outcome: Outcome = "holds" if known.high < 1 else "fails" if known.low > 1 else "undecided"
            if varies and known.seeds < MIN_SEEDS:
                outcome = "undecided"
            ratios.append(known)
            shown = f"x{known.value:.3g} [{known.low:.3g}, {known.high:.3g}]"
            findings.append(
                Finding(where, outcome, shown, known.value, (known.low, known.high), " / ".join(self.names))
            )
        name, other = self.names
        values, fewest = [known.value for known in ratios], min((known.seeds for known in ratios), default=0)
        effect = f"{findings[0].effect} of {other}" if len(findings) == 1 else ""
        if len(findings) > 1:
            effect = f"{len(findings)} comparisons: x{min(values):.3g} to x{max(values):.3g} of {other}"
        together = at_a_time(study.costs.get(run["id"]) for run in study.done if run["kind"] != "base")
        rests = (together or "comparable if cells ran one at a time") if varies else "the same in every run"
        notes = ["one seed: at most undecided"] if varies and fewest < MIN_SEEDS else []
        return counted(
            findings,
            effect,
            f"range over pairs of seeds ({fewest} or more of each); {rests}",
            missing[0] if missing else f"no finished pair of {name} and {other}, all else equal",
            evidence=("cost.json",),
            note="; ".join([*notes, *missing[:1]]),
            complete=not missing,
        )
