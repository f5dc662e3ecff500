"""Systems do equally well, within a margin: two selections, or all that differ in one number."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, ClassVar

from pydantic import Field

from isoglot.evaluation.significance import ALPHA
from isoglot.study.analysis.contrasts import Comparisons, Contrast
from isoglot.study.analysis.systems import System, axis_words
from isoglot.study.claims.claim import KINDS, Outcome, Sides, Verdict, not_tested
from isoglot.study.claims.paired import Compared, Paired, finding
from isoglot.study.claims.selection import ChosenEach, Pair, free_traits, full_data, in_common
from isoglot.tables import exact


@KINDS.register
class Equivalence(Sides, Paired):
    """Systems lie within a margin of each other, with their 95% intervals: two selections, or several values of one trait.

    That is two one-sided tests at 2.5% each (TOST: Schuirmann 1987, J. Pharmacokinet. Biopharm. 15, 657-680). All comparisons
    have to pass, which needs no correction (Berger 1982, Technometrics 24, 295-300).

    Attributes:
        of: the systems.
        against: those that they are equivalent to, all else equal.
        among: instead of `against`, {trait: values}, such as {mono_share: [.4, .5, .6]}; a study with one of the values says
            nothing about them.
        within: the margin, in the measure.
    """

    name: ClassVar[str] = "equivalence"

    against: ChosenEach = ()
    among: dict[str, tuple[Any, ...]] = Field({}, max_length=1)
    within: float = Field(gt=0)

    def check(self) -> None:
        if bool(self.against) == bool(self.among):
            raise ValueError("an equivalence has 'against' or 'among', and not both")

    def judge(self, comparisons: Comparisons, beside: Sequence[float] = ()) -> Verdict:
        """Holds if all intervals lie within the margin; fails if one lies beyond it at 95%, corrected by Bonferroni."""
        compared = self._sides(comparisons) if self.against else self._compare(comparisons)
        if not (contrasts := compared.counted):
            return not_tested([*compared.problems, self._nothing()][0])
        # some interval of m lies beyond the margin by chance: a refutation takes one at 1 - .05 / m
        strict = 1 - ALPHA / len(contrasts)
        findings = [finding(contrast, self._outcome(contrast, strict)) for contrast in contrasts]
        findings += [finding(shown, self._outcome(shown, strict), counted=False) for shown in compared.shown]
        widest = max(contrasts, key=lambda contrast: max(map(abs, contrast.interval())))
        effect = f"{len(contrasts)} differences; the one with the widest bounds: {widest.shown()} ({widest.name})"
        if len(contrasts) == 1:
            effect = widest.shown()
        rule = f"all intervals must lie within ±{self.within:g}"
        return compared.verdict(findings, effect, f"two one-sided tests at 2.5%: {rule}" if self.against else rule)

    def _nothing(self) -> str:
        if self.against:
            return f"no finished pair of {self.names[0]} and {self.names[1]}, all else equal"
        ((trait, values),) = self.among.items()
        return f"no {self.of.called()} cells of {_word(trait)}s {', '.join(map(str, values))}"

    def _sides(self, comparisons: Comparisons) -> Compared:
        counted, shown, problems = self.pairs(comparisons.systems)
        compared = Compared(comparisons, (self.of, *self.against), problems=problems)
        for into, pairs in ((compared.counted, counted), (compared.shown, shown)):
            for pair in pairs:
                compared.add_all(into, pair, self.whats)
        comparisons.zero_shot_first(compared.counted)
        return compared

    def _compare(self, comparisons: Comparisons) -> Compared:
        ((trait, values),) = self.among.items()
        compared, free, word = Compared(comparisons, [self.of]), free_traits(self.of) | {trait}, _word(trait)
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
                compared.add_all(compared.counted, pair, self.whats)
        return compared

    def _outcome(self, contrast: Contrast, strict: float) -> Outcome:
        low, high = contrast.interval(strict)
        if contrast.paired.equivalent(self.within):
            return "holds"
        return "fails" if low > self.within or high < -self.within else "undecided"

    def states(self) -> str:
        """Who does as well as whom in what."""
        if not self.against:
            return super().states()
        where = f"{self.measure} ({', '.join(setting for setting, _ in self.whats)})"
        return f"{self.names[0]} and {self.names[1]} differ by less than {self.within:g} in {where}."


def _word(trait: str) -> str:
    return axis_words(trait).split()[0]
