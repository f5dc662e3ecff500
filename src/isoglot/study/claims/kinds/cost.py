"""What one selection of systems costs of what another costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, ClassVar, Literal

from pydantic import Field

from isoglot.study.analysis.contrasts import Comparisons
from isoglot.study.analysis.systems import System, is_number
from isoglot.study.claims.claim import KINDS, MIN_SEEDS, Chosen, Claim, called_by, counted_pairs, pairs
from isoglot.study.claims.verdicts import Finding, Outcome, Verdict, not_tested, overall

COSTS = {
    "seconds": (("train_seconds",), "training time"),
    "memory": (("gpu_peak_memory_bytes", "peak_memory_bytes"), "peak memory"),
    "parameters": (("trainable_parameters",), "trained parameters"),
    "bytes": (("adapter_bytes", "model_bytes"), "bytes to store"),
}
"""Keys of `cost.json`, of which the first that is known counts, and words: memory of the GPU where there is one."""
_VARYING = ("seconds", "memory")


@dataclass(frozen=True)
class Ratio:
    """A cost over another: mean over mean, and the extremes over all pairs of seeds."""

    value: float
    low: float
    high: float
    seeds: int


def ratio(of: System, against: System, cost: str) -> Ratio | None:
    """The cost of a system over that of another; None where a run's is not known."""
    sides = []
    for system in (of, against):
        values = [next((run[key] for key in COSTS[cost][0] if run.get(key)), None) for run in system.costs]
        if not all(is_number(value) and value > 0 for value in values):
            return None
        sides.append([float(value) for value in values if value])
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
    if not words:
        return f"What it costs was not recorded{where}."
    listed = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    return f"{names[0]} takes {listed} of {names[1]}{where}."


@KINDS.register
class Cost(Claim):
    """One selection of systems costs less than another, for every pair of seeds, wherever all else is equal.

    Attributes:
        of, against: the systems.
        cost: `seconds` of training, `memory` at its peak, trained `parameters`, or `bytes` to store.
        counted: of several `of` in equal circumstances only these count.
        called: how sentences call `of` and `against`.
    """

    name: ClassVar[str] = "cost"

    of: Chosen
    against: Chosen
    cost: Literal["seconds", "memory", "parameters", "bytes"]
    counted: Chosen | None = None
    called: tuple[str, ...] = Field((), max_length=2)

    def judge(self, comparisons: Comparisons, beside: Sequence[float] = ()) -> Verdict:
        """Below 1 for every pair of seeds; what varies from run to run takes two seeds of each to decide."""
        found, _ = pairs(comparisons.systems, self.of, [self.against])
        varies = self.cost in _VARYING
        findings, known, missing = [], [], []
        name, other = called_by(self.called, self.of, [self.against])
        for pair in counted_pairs(found, self.counted):
            where = f"{pair.beside}: {pair.names[0]} - {pair.names[1]}"
            measured = ratio(pair.of, pair.against, self.cost)
            if measured is None:
                missing.append(f"{where}: not in cost.json")
                continue
            outcome: Outcome = "undecided"
            if measured.seeds >= MIN_SEEDS or not varies:
                outcome = "holds" if measured.high < 1 else "fails" if measured.low > 1 else "undecided"
            known.append(measured)
            shown = f"x{measured.value:.3g} [{measured.low:.3g}, {measured.high:.3g}]"
            interval = (measured.low, measured.high)
            findings.append(Finding(where, outcome, shown, measured.value, interval, f"{name} / {other}"))
        if not findings:
            return not_tested(missing[0] if missing else f"no finished pair of {name} and {other}, all else equal")
        values, fewest = [each.value for each in known], min(each.seeds for each in known)
        span = f"{len(findings)} comparisons: x{min(values):.3g} to x{max(values):.3g} of {other}"
        together = at_a_time(comparisons.study.costs.get(run["id"]) for run in comparisons.study.done if run["data"])
        note = ["one seed: at most undecided"] if varies and fewest < MIN_SEEDS else []
        return Verdict(
            overall(findings, complete=not missing),
            f"{findings[0].effect} of {other}" if len(findings) == 1 else span,
            f"range over pairs of seeds ({fewest} or more of each); "
            + ((together or "comparable if cells ran one at a time") if varies else "the same in every run"),
            ("cost.json",),
            "; ".join([*note, *missing[:1]]),
            tuple(findings),
        )

    def states(self) -> str:
        """Who costs less of what."""
        name, other = called_by(self.called, self.of, [self.against])
        return f"{name} takes less of the {COSTS[self.cost][1]} than {other}."
