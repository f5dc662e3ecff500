"""Systems side by side: quality, language bias, harm, and what each takes."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from isoglot.records import NATURAL, SETTINGS
from isoglot.study.analysis.contrasts import Experiment
from isoglot.study.analysis.systems import System, is_number

BIAS = {"language_preference": "own language first", "Lang-nDCG@10": "Lang-nDCG@10"}
"""Measures of bias that tell what a reader of the query's language has of an answer in it, and what tables call them."""
_POOL = "-natural"
"""The end of the name of a benchmark that is another one with each paragraph in one language."""


def are_rivals(systems: Sequence[System]) -> bool:
    """Whether systems differ in what they take beside time, as far as that was recorded."""
    needs = [system.needs for system in systems if not system.is_base and system.needs is not None]
    return any(own != needs[0] for own in needs)


def overview(experiments: Sequence[Experiment]) -> list[tuple[Experiment, Experiment | None]]:
    """Experiments whose systems are rivals, each with the one on the natural pool that belongs to it; None: there is none."""
    found = []
    for one in experiments:
        if are_rivals(one.systems) and any(setting in SETTINGS for _, (setting, _) in one.figures):
            beside = [
                other
                for other in experiments
                if (other.data, other.base) == (one.data, one.base)
                and other.benchmark == natural_pool(one.benchmark, [each.benchmark for each in experiments])
            ]
            found.append((one, next(iter(beside), None)))
    return found


def natural_pool(benchmark: str, benchmarks: Sequence[str]) -> str:
    """Where what a benchmark's systems do in a natural pool is measured: of its name with `-natural`, else it itself."""
    return f"{benchmark}{_POOL}" if f"{benchmark}{_POOL}" in benchmarks else benchmark


def bias_of(system: System, benchmark: str, measure: str) -> float | None:
    """One of `BIAS`, mean over seeds; None where it is not known."""
    known = [run["benchmarks"][benchmark].get("bias", {}).get(measure) for run in system.runs]
    numbers = [float(value) for value in known if is_number(value)]
    return fmean(numbers) if len(numbers) == len(known) else None


def takes(system: System) -> tuple[str, str, str]:
    """Data, texts whose language has to be known at search time, and whether an index is encoded again, in words."""
    if (needs := system.needs) is None:
        return "–", "–", "–"
    return ", ".join(needs["data"]) or "none", str(needs["labels"]), "yes" if needs["encoding"] else "no"


def is_natural(benchmark: str, systems: Sequence[System]) -> bool:
    """Whether it is measured in natural settings alone."""
    settings = {
        setting for system in systems if benchmark in system.benchmarks() for setting in system.settings(benchmark)
    }
    return bool(settings) and settings <= {*NATURAL}
