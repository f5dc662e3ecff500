"""Systems that differ in one number do equally well, within a margin."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, ClassVar, Literal

from pydantic import Field

from isoglot.errors import InputError
from isoglot.evaluation.significance import ALPHA
from isoglot.study.analysis.contrasts import MAIN_MEASURE, Comparisons, Contrast
from isoglot.study.analysis.systems import System, axis_words
from isoglot.study.claims.claim import KINDS, MIN_SEEDS, Chosen, Claim, free_traits, full_data, in_common, usable
from isoglot.study.claims.verdicts import Finding, Outcome, Verdict, not_tested, overall
from isoglot.study.claims.words import basis, evidence, limits


@KINDS.register
class Equivalence(Claim):
    """Systems of several values of one trait lie within a margin of each other, with their 95% intervals.

    Attributes:
        of: the systems.
        among: {trait: values}, such as {mono_share: [.4, .5, .6]}; a study with one of the values says nothing about them.
        within: the margin, in the measure.
        measure, setting: what is compared.
    """

    name: ClassVar[str] = "equivalence"

    of: Chosen
    among: dict[str, tuple[Any, ...]] = Field(min_length=1, max_length=1)
    within: float = Field(gt=0)
    measure: str = MAIN_MEASURE
    setting: tuple[Literal["mono", "cross", "multi"], ...] = ("cross",)

    @property
    def _trait(self) -> tuple[str, tuple[Any, ...], str]:
        """The trait, its values, and a short word for it."""
        ((trait, values),) = self.among.items()
        return trait, values, axis_words(trait).split()[0]

    def judge(self, comparisons: Comparisons, beside: Sequence[float] = ()) -> Verdict:
        """Holds if all intervals lie within the margin; fails if one lies beyond it at 95%, corrected by Bonferroni."""
        _, values, word = self._trait
        contrasts, problems = self._compare(comparisons)
        if not contrasts:
            listed = ", ".join(map(str, values))
            return not_tested(problems[0] if problems else f"no {self.of.called()} cells of {word}s {listed}")
        # some interval of m lies beyond the margin by chance: a refutation takes one at 1 - .05 / m
        findings = [self._finding(contrast, 1 - ALPHA / len(contrasts)) for contrast in contrasts]
        widest = max(contrasts, key=lambda contrast: max(map(abs, contrast.interval())))
        return Verdict(
            overall(findings, complete=not problems and not comparisons.study.n_open),
            f"{len(contrasts)} differences; the one with the widest bounds: {widest.shown()} ({widest.where})",
            basis(contrasts, f"all intervals must lie within ±{self.within:g}"),
            evidence(contrasts),
            "; ".join(limits(comparisons, contrasts, problems)),
            tuple(findings),
        )

    def _compare(self, comparisons: Comparisons) -> tuple[list[Contrast], list[str]]:
        trait, values, word = self._trait
        free = free_traits(self.of) | {trait}
        groups: dict[str, dict[Any, System]] = {}
        for system in self.of.choose(full_data(comparisons.systems, free)):
            if system.traits[trait] in values:
                groups.setdefault(in_common(system, free), {})[system.traits[trait]] = system
        contrasts: list[Contrast] = []
        problems: list[str] = []
        for beside, by_value in groups.items():
            missing = ", ".join(f"{value:g}" for value in values if value not in by_value)
            if missing and len(by_value) > 1:
                problems.append(f"{beside}: no finished cells of {word} {missing}")
            for one, two in combinations(values, 2) if not missing else ():
                names = f"{word} {two:g} - {one:g}"
                self._add(contrasts, problems, comparisons, (by_value[one], by_value[two]), beside, names)
        return contrasts, problems

    def _add(
        self,
        contrasts: list[Contrast],
        problems: list[str],
        comparisons: Comparisons,
        pair: tuple[System, System],
        beside: str,
        names: str,
    ) -> None:
        for benchmark in usable(comparisons, pair, self.setting):
            for setting in self.setting:
                where = f"{beside}, {benchmark}, {setting}: {names}"
                try:
                    contrasts.append(comparisons.contrast(*pair, benchmark, (setting, self.measure), where=where))
                except (InputError, KeyError) as error:
                    problems.append(f"{where}: {error}")

    def _finding(self, contrast: Contrast, strict: float) -> Finding:
        low, high = contrast.paired.interval(strict)
        outcome: Outcome = "undecided"
        if contrast.seeds >= MIN_SEEDS and contrast.paired.equivalent(self.within):
            outcome = "holds"
        elif contrast.seeds >= MIN_SEEDS and (low > self.within or high < -self.within):
            outcome = "fails"
        numbers = (contrast.difference, contrast.interval(), contrast.unit)
        return Finding(contrast.where, outcome, contrast.shown(), *numbers)

    def states(self) -> str:
        """What is within which margin."""
        _, values, word = self._trait
        return f"{self.measure} of {word} {', '.join(map(str, values))} is the same within {self.within:g}."
