"""`analyse`: everything that a study found, for whoever prints it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from statistics import fmean

from isoglot.errors import InputError
from isoglot.evaluation.contrasts import RESAMPLES, SEED
from isoglot.evaluation.significance import holm
from isoglot.study.analysis.contrasts import COLUMNS, CROSS, TESTED, Comparisons, Contrast, Experiment, Figure, What
from isoglot.study.analysis.reading import Study, read_study
from isoglot.study.analysis.systems import System, all_else_equal, series_of
from isoglot.study.claims.claim import Claim, Sides, Verdict
from isoglot.study.claims.judge import answer, claims_of, judge_claims, spoken_of
from isoglot.study.claims.selection import pairs


@dataclass(frozen=True, eq=False)
class Analysis:
    """What a study found.

    Attributes:
        study: its files: name, question, spec, runs (records), costs, audit, `missing` files.
        systems: bases first, then trained systems by name.
        experiments: per base, training set and benchmark.
        stated: the claims that the study states, by name.
        claims: a verdict for each, in their order.
        answer: the question answered in a paragraph, or why it is not.
        spoken_of: the differences that the answer speaks of.
        notes: what could not be computed, and why; each once.
    """

    study: Study
    systems: Sequence[System]
    experiments: Sequence[Experiment]
    stated: Mapping[str, Claim]
    claims: Sequence[Verdict]
    answer: str
    spoken_of: Sequence[Contrast] = ()
    notes: Sequence[str] = ()

    def spoken(self, experiment: Experiment) -> Contrast | None:
        """The first of them that is of an experiment."""
        own = [contrast for contrast in self.spoken_of if contrast.benchmark == experiment.benchmark]
        return next((contrast for contrast in own if contrast.after in experiment.trained), None)

    @property
    def checks(self) -> list[Verdict]:
        """The claims that say nothing of what the study asks: facts that hold, and what nothing in it can speak to."""
        return [verdict for verdict in self.claims if self._is_check(verdict)]

    @property
    def findings(self) -> list[Verdict]:
        """All others."""
        return [verdict for verdict in self.claims if not self._is_check(verdict)]

    def _is_check(self, verdict: Verdict) -> bool:
        is_fact = not isinstance(self.stated.get(verdict.name), Sides)
        return verdict.outcome == "not tested" or (is_fact and verdict.outcome == "holds")


def analyse(directory: str | Path, *, resamples: int = RESAMPLES, seed: int = SEED) -> Analysis:
    """Analyse a study directory or an export.

    Args:
        directory: of `isoglot study run --output` or `isoglot study export`.
        resamples, seed: of bootstrap and permutation.

    Raises:
        InputError: no study there, a damaged file, a claim that cannot be read.
    """
    comparisons = Comparisons(read_study(directory), resamples=resamples, seed=seed)
    claims, notes = claims_of(comparisons.study), dict[str, None]()
    experiments = [_experiment(comparisons, key, claims, notes) for key in comparisons.groups]
    verdicts = judge_claims(comparisons, claims)
    said = answer(comparisons, claims, verdicts), spoken_of(comparisons, claims, verdicts)
    return Analysis(comparisons.study, comparisons.systems, experiments, claims, verdicts, *said, list(notes))


def answer_of(comparisons: Comparisons) -> str:
    """The answer alone."""
    claims = claims_of(comparisons.study)
    return answer(comparisons, claims, judge_claims(comparisons, claims))


def _experiment(
    comparisons: Comparisons, key: tuple[str | None, str, str], claims: Mapping[str, Claim], notes: dict[str, None]
) -> Experiment:
    """Figures and contrasts of one group; without intervals, and with a note, where the rows per query cannot be used."""
    (data, base, benchmark), systems = key, comparisons.groups[key]
    figures: dict[tuple[System, What], Figure] = {}
    contrasts: list[Contrast] = []
    for what in COLUMNS:
        measured = comparisons.measured(*key, what)
        stated = {system: system.stated(benchmark, *what) or () for system in measured}
        figures |= {(system, what): Figure(fmean(seeds), seeds) for system, seeds in stated.items()}
        if not measured:
            continue
        try:
            rows = comparisons.rows(measured, benchmark, what)
        except InputError as error:
            why = f"no intervals and no tests, for the rows per query cannot be used ({error})"
            notes[f"{data or base} → {benchmark}: {why}"] = None
            continue
        for system in measured:
            figures[system, what] = replace(figures[system, what], interval=rows.average(system.key).interval())
        for name, before, after in contrasted(systems, claims) if what in TESTED else ():
            if {before, after} <= {*measured}:
                contrasts.append(comparisons.contrast(before, after, benchmark, what, name))
    adjusted = holm([contrast.p for contrast in contrasts]).tolist() if contrasts else []
    tested = [replace(contrast, p_holm=p) for contrast, p in zip(contrasts, adjusted)]
    trained = [system for system in systems if not system.is_base]
    return Experiment(
        data, base, benchmark, systems, figures, tested, series_of(trained), _sampling(comparisons, key, figures)
    )


def _sampling(
    comparisons: Comparisons, key: tuple[str | None, str, str], figures: Mapping[tuple[System, What], Figure]
) -> Contrast | None:
    """The best hybrid system against a cross one that differs from it in nothing but its batches."""
    known = {system: figure.mean for (system, what), figure in figures.items() if what == CROSS and figure.interval}
    pairs = [
        (cross, hybrid)
        for hybrid in sorted(known, key=known.__getitem__, reverse=True)
        for cross in known
        if (hybrid.traits["strategy"], cross.traits["strategy"]) == ("hybrid", "cross")
        and all_else_equal(hybrid, cross, {"strategy", "mono_share"})
    ]
    return comparisons.contrast(*pairs[0], key[2], CROSS, "hybrid − cross") if pairs else None


def contrasted(systems: Sequence[System], claims: Mapping[str, Claim]) -> list[tuple[str, System, System]]:
    """(name, before, after) of trained systems: the differences that the claims speak of, wherever all else is equal.

    Where no claim speaks of any: every two systems that differ in strategy, tuning or stages alone.
    """
    trained = [system for system in systems if not system.is_base]
    names: dict[tuple[System, System], str] = {}
    for of, against in (sides for claim in claims.values() for sides in claim.selections()):
        for pair in pairs(trained, of, [against])[0]:
            names.setdefault((pair.against, pair.of), " − ".join(pair.names))
    for key in ("strategy", "tuning", "stages") if not names else ():
        for before, after in combinations(trained, 2):
            if before.traits[key] != after.traits[key] and all_else_equal(before, after, {key}):
                names[before, after] = f"{after.label} − {before.label}"
    return [(name, before, after) for (before, after), name in names.items()]
