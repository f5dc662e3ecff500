"""`analyse`: everything that a study found, for whoever prints it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from isoglot.errors import InputError
from isoglot.evaluation.contrasts import RESAMPLES, SEED
from isoglot.evaluation.significance import holm
from isoglot.study.analysis.contrasts import COLUMNS, TESTED, Comparisons, Contrast, Experiment, Figure, What
from isoglot.study.analysis.reading import Study, read_study
from isoglot.study.analysis.systems import System, all_else_equal, series_of
from isoglot.study.claims.answer import answer
from isoglot.study.claims.claim import Claim
from isoglot.study.claims.judge import claims_of, judge_claims
from isoglot.study.claims.selection import free_traits
from isoglot.study.claims.verdicts import Verdict


@dataclass(frozen=True, eq=False)
class Analysis:
    """What a study found.

    Attributes:
        study: its files: name, question, spec, runs (records), costs, audit, `missing` files.
        systems: bases first, then trained systems by name.
        experiments: per base, training set and benchmark.
        claims: a verdict per claim that the study states, in its order.
        answer: the question answered in a paragraph, or why it is not.
        notes: what could not be computed, and why; each once.
    """

    study: Study
    systems: Sequence[System]
    experiments: Sequence[Experiment]
    claims: Sequence[Verdict]
    answer: str
    notes: Sequence[str] = ()


def analyse(directory: str | Path, *, resamples: int = RESAMPLES, seed: int = SEED) -> Analysis:
    """Analyse a study directory or an export.

    Args:
        directory: of `isoglot study run --output` or `isoglot study export`.
        resamples, seed: of bootstrap and permutation.

    Raises:
        InputError: no study there, a damaged file, a claim that cannot be read.
    """
    comparisons = Comparisons(read_study(directory), resamples=resamples, seed=seed)
    claims = claims_of(comparisons.study)
    notes: list[str] = []
    experiments = [_experiment(comparisons, key, claims, notes) for key in comparisons.groups]
    verdicts = judge_claims(comparisons, claims)
    text = answer(comparisons, claims, verdicts)
    return Analysis(comparisons.study, comparisons.systems, experiments, verdicts, text, list(dict.fromkeys(notes)))


def answer_of(comparisons: Comparisons) -> str:
    """The answer alone."""
    claims = claims_of(comparisons.study)
    return answer(comparisons, claims, judge_claims(comparisons, claims))


def _experiment(
    comparisons: Comparisons, key: tuple[str | None, str, str], claims: Mapping[str, Claim], notes: list[str]
) -> Experiment:
    """Figures and contrasts of one group; without intervals, and with a note, where the rows per query cannot be used."""
    data, base, benchmark = key
    systems = comparisons.groups[key]
    figures: dict[tuple[System, What], Figure] = {}
    contrasts: list[Contrast] = []
    for what in COLUMNS:
        measured = comparisons.measured(*key, what)
        for system in measured:
            seeds = system.stated(benchmark, *what) or ()
            figures[system, what] = Figure(fmean(seeds), seeds)
        if not measured:
            continue
        try:
            rows = comparisons.rows(measured, benchmark, what)
        except InputError as error:
            why = f"no intervals and no tests, for the rows per query cannot be used ({error})"
            notes.append(f"{data or base} → {benchmark}: {why}")
            continue
        for system in measured:
            figures[system, what] = replace(figures[system, what], interval=rows.average(system.key).interval())
        for name, before, after in contrasted(systems, claims) if what in TESTED else ():
            if before in measured and after in measured:
                contrasts.append(comparisons.contrast(before, after, benchmark, what, name=name))
    adjusted = holm([contrast.p for contrast in contrasts]).tolist() if contrasts else []
    tested = [replace(contrast, p_holm=p) for contrast, p in zip(contrasts, adjusted)]
    trained = [system for system in systems if not system.is_base]
    return Experiment(data, base, benchmark, tuple(systems), figures, tested, series_of(trained))


def contrasted(systems: Sequence[System], claims: Mapping[str, Claim]) -> list[tuple[str, System, System]]:
    """(name, before, after) of trained systems: the differences that the claims speak of, wherever all else is equal.

    Where no claim speaks of any: every two systems that differ in strategy, tuning or stages alone.
    """
    trained = [system for system in systems if not system.is_base]
    found: dict[tuple[System, System], str] = {}
    for of, against in (two for claim in claims.values() for two in claim.selections()):
        free = free_traits(of, against)
        for after in of.choose(trained):
            for before in against.choose(
                other for other in trained if other is not after and all_else_equal(after, other, free)
            ):
                found.setdefault((before, after), f"{of.called(system=after)} − {against.called()}")
    if found:
        return [(name, *pair) for pair, name in found.items()]
    return [
        (f"{after.label} − {before.label}", before, after)
        for key in ("strategy", "tuning", "stages")
        for i, before in enumerate(trained)
        for after in trained[i + 1 :]
        if before.traits[key] != after.traits[key] and all_else_equal(before, after, {key})
    ]
