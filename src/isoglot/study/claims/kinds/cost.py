"""What one selection of systems costs of what another costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import ClassVar, Literal, NamedTuple

from isoglot.study.analysis.contrasts import Comparisons
from isoglot.study.analysis.systems import System, encoder_share, is_number
from isoglot.study.claims.claim import KINDS, MIN_SEEDS, Finding, Outcome, Sides, Verdict, counted, not_tested

COSTS: Mapping[str, Mapping[str, str]] = {
    "seconds": {"train_seconds": "training time"},
    "memory": {"gpu_peak_memory_bytes": "peak GPU memory", "peak_memory_bytes": "peak resident memory"},
    "parameters": {"trainable_parameters": "trained parameters"},
    "bytes": {"adapter_bytes": "bytes to store", "model_bytes": "bytes to store"},
}
"""Keys of `cost.json` in the order in which they are looked for, and words: memory of the GPU where there is one."""

_DOUBTFUL = 0.1  # of the time lost to other work
_STEADY = 1.2  # of a cost that is told without its range over pairs of seeds, the largest over the smallest


class Ratio(NamedTuple):
    """A cost over another: mean over mean, the extremes over all pairs of seeds, how many seeds each has, what in words."""

    value: float
    low: float
    high: float
    seeds: int
    what: str


def ratio(of: System, against: System, cost: str) -> Ratio | None:
    """The cost of a system over that of another; None where a run's is not known."""
    sides, names = [], []
    for system in (of, against):
        keys = [next((key for key in COSTS[cost] if run.get(key)), None) for run in system.costs]
        names += [COSTS[cost][key] for key in keys if key]
        values = [run[key] if key else None for run, key in zip(system.costs, keys)]
        sides.append([float(value) for value in values if is_number(value) and value > 0])
        if len(sides[-1]) < len(values):
            return None
    if len(set(names)) != 1:  # of a GPU here and of a CPU there: not the same thing
        return None
    one, two = sides
    ends = (min(one) / max(two), max(one) / min(two))
    return Ratio(fmean(one) / fmean(two), *ends, min(len(one), len(two)), names[0])


def waited(systems: Iterable[System]) -> float:
    """The largest share of a run's training time on a CPU in which other work had the processor; 0 where it was not recorded."""
    shares = [0.0]
    for cost in (cost for system in systems for cost in system.costs if not (cost.get("machine") or {}).get("gpu")):
        seconds, cpu = cost.get("train_seconds"), cost.get("cpu_seconds")
        if is_number(seconds) and is_number(cpu) and seconds > 0:
            shares.append(1.0 - cpu / seconds)
    return max(shares)


def cost_sentence(of: System, against: System, names: Sequence[str], where: str = "") -> str:
    """What a system takes of every cost of another."""
    words = []
    shares = [share for run in of.runs if (share := encoder_share(run)) is not None]  # earlier runs did not record it
    for cost in COSTS:
        if known := ratio(of, against, cost):
            words.append(f"{100 * known.value:.3g}% of the {known.what}")
            if known.high > _STEADY * known.low:
                words[-1] += f" ({known.low:.0%} to {known.high:.0%} over pairs of seeds)"
            if cost == "parameters" and shares:
                words[-1] += f" ({100 * shares[0]:.3g}% of the encoder without its embeddings)"
    listed = " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
    if not words:
        return f"What it costs was not recorded{where}."
    lost = waited((of, against))
    doubt = (
        f" Times are no comparison: up to {lost:.0%} of them other work had the processor." if lost > _DOUBTFUL else ""
    )
    return f"{names[0]} takes {listed} of {names[1]}{where}.{doubt}"


@KINDS.register
class Cost(Sides):
    """One selection of systems costs less than another, for every pair of seeds, wherever all else is equal.

    Attributes:
        cost: `seconds` of training, `memory` at its peak (on a GPU what PyTorch allocated, else the resident size of the
            process), trained `parameters`, or `bytes` to store.
    """

    name: ClassVar[str] = "cost"

    cost: Literal["seconds", "memory", "parameters", "bytes"]

    def judge(self, comparisons: Comparisons, beside: Sequence[float] = ()) -> Verdict:
        """Below 1 for every pair of seeds; what varies from run to run takes two seeds of each to decide."""
        varies, (name, other) = self.cost in ("seconds", "memory"), self.names
        findings, ratios, missing = [], [], []
        for pair in self.pairs(comparisons.systems)[0]:
            where = f"{pair.beside}: {pair.names[0]} - {pair.names[1]}"
            if known := ratio(pair.of, pair.against, self.cost):
                ratios.append(known)
                outcome: Outcome = "holds" if known.high < 1 else "fails" if known.low > 1 else "undecided"
                decided = outcome if not varies or known.seeds >= MIN_SEEDS else "undecided"
                shown, ends = f"x{known.value:.3g} [{known.low:.3g}, {known.high:.3g}]", (known.low, known.high)
                findings.append(Finding(where, decided, shown, known.value, ends, f"{name} / {other}"))
            else:
                missing.append(f"{where}: not in cost.json")
        nothing = [*missing, f"no finished pair of {name} and {other}, all else equal"][0]
        if not ratios:
            return not_tested(nothing)
        fewest, values = min(known.seeds for known in ratios), [known.value for known in ratios]
        effect = f"{len(ratios)} comparisons: x{min(values):.3g} to x{max(values):.3g} of {other}"
        if len(ratios) == 1:
            effect = f"{findings[0].effect} of {other}"
        rests = _at_a_time(comparisons.systems) if varies else "the same in every run"
        if self.cost == "seconds" and (lost := waited(comparisons.systems)) > _DOUBTFUL:
            rests += f"; up to {lost:.0%} of a run's time other work had the processor"
        confidence = f"range over pairs of seeds ({fewest} or more of each); {rests}"
        notes = [*(["one seed: at most undecided"] if varies and fewest < MIN_SEEDS else []), *missing[:1]]
        words = {"effect": effect, "confidence": confidence, "note": "; ".join(notes)}
        return counted(findings, nothing, not missing, evidence=("cost.json",), **words)


def _at_a_time(systems: Iterable[System]) -> str:
    """How many trained cells ran at the same time, in words."""
    costs = [cost for system in systems if not system.is_base for cost in system.costs]
    numbers = [(cost.get("machine") or {}).get("cells_at_a_time") for cost in costs]
    recorded = [number for number in numbers if is_number(number)]
    if len(recorded) < len(numbers):  # cells of before it was recorded
        return "comparable if cells ran one at a time"
    return "cells ran one at a time" if max(recorded) == 1 else f"up to {max(recorded)} cells ran at a time"
