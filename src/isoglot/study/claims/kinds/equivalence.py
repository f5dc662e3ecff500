"""Systems that differ in one number do equally well, within a margin."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, ClassVar

from pydantic import Field

from isoglot.evaluation.significance import ALPHA
from isoglot.study.analysis.contrasts import Comparisons, Contrast
from isoglot.study.analysis.systems import System, axis_words
from isoglot.study.claims.claim import KINDS, Outcome, Verdict, not_tested
from isoglot.study.claims.paired import Compared, Paired, finding
from isoglot.study.claims.selection import Chosen, Pair, free_traits, full_data, in_common
from isoglot.tables import exact


@KINDS.register
class Equivalence(Paired):
    """Systems of several values of one trait lie within a margin of each other, with their 95% intervals.

    Attributes:
        of: the systems.
        among: {trait: values}, such as {mono_share: [.4, .5, .6]}; a study with one of the values says nothing about them.
        within: the margin, in the measure.
    """

    name: ClassVar[str] = "equivalence"

    of: Chosen
    among: dict[str, tuple[Any, ...]] = Field(min_length=1, max_length=1)
    within: float = Field(gt=0)

    def judge(self, comparisons: Comparisons, beside: Sequence[float] = ()) -> Verdict:
        """Holds if all intervals lie within the margin; fails if one lies beyond it at 95%, corrected by Bonferroni."""
        ((trait, values),) = self.among.items()
        word = axis_words(trait).split()[0]
        compared = self._compare(comparisons, trait, values, word)
        if not (contrasts := compared.counted):
            nothing = f"no {self.of.called()} cells of {word}s {', '.join(map(str, values))}"
            return not_tested([*compared.problems, nothing][0])
        # some interval of m lies beyond the margin by chance: a refutation takes one at 1 - .05 / m
        findings = [finding(contrast, self._outcome(contrast, 1 - ALPHA / len(contrasts))) for contrast in contrasts]
        widest = max(contrasts, key=lambda contrast: max(map(abs, contrast.interval())))
        effect = f"{len(contrasts)} differences; the one with the widest bounds: {widest.shown()} ({widest.name})"
        return compared.verdict(findings, effect, f"all intervals must lie within ±{self.within:g}")

    def _compare(self, comparisons: Comparisons, trait: str, values: Sequence[Any], word: str) -> Compared:
        compared, free = Compared(comparisons), free_traits(self.of) | {trait}
        groups: dict[str, dict[Any, System]] = {}
        for system in self.of.choose(full_data(comparisons.systems, free)):
            if system.traits[trait] in values:
                groups.setdefault(in_common(system, free), {})[system.traits[trait]] = system
        for beside, by_value in groups.items():
            missing = ", ".join(exact(value) for value in values if value not in by_value)
            if missing and len(by_value) > 1:
                compared.problems.append(f"{beside}: no finished cells of {word} {missing}")
            for one, two in combinations(values, 2) if not missing else ():
                pair = Pair(by_value[two], by_value[one], (f"{word} {exact(two)}", exact(one)), beside)
                for benchmark in compared.benchmarks(pair, self.whats):
                    for what in self.whats:
                        compared.add(compared.counted, pair, benchmark, what)
        return compared

    def _outcome(self, contrast: Contrast, strict: float) -> Outcome:
        low, high = contrast.interval(strict)
        if contrast.paired.equivalent(self.within):
            return "holds"
        return "fails" if low > self.within or high < -self.within else "undecided"
