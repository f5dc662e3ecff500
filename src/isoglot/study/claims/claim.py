"""What all kinds of claims have in common, what a study says to them, and the registry of kinds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from isoglot.evaluation.significance import Interval
from isoglot.registry import Registry, one_line_help
from isoglot.settings import Member
from isoglot.study.analysis.contrasts import Comparisons, Contrast
from isoglot.study.analysis.systems import System
from isoglot.study.claims.selection import Chosen, ChosenEach, Pair, Selection, apart, free_traits, full_data, pairs

Outcome = Literal["holds", "fails", "undecided", "not tested"]
MIN_SEEDS = 2
"""Training seeds per system below which nothing is decided: one model of each is no sample of anything."""


def are_enough(seeds: int) -> bool:
    """Whether so many seeds decide something: `MIN_SEEDS`, or none where nothing is drawn."""
    return not seeds or seeds >= MIN_SEEDS


KINDS: Registry[Any] = Registry("kind of claim", "isoglot.study.claims.kinds")
"""The kinds of claims, by the name that `kind:` gives."""


@dataclass(frozen=True)
class Finding:
    """One comparison or check behind a verdict.

    Attributes:
        where: base, data, benchmark, setting, what is compared.
        outcome: of this one alone.
        effect: ready to print.
        estimate, interval, unit: the numbers; None where there are none.
        p_holm: after Holm over the tests of the claim or its family; None without a test.
        counted: whether the verdict depends on it (others are shown for the record).
    """

    where: str
    outcome: Outcome
    effect: str
    estimate: float | None = None
    interval: Interval | None = None
    unit: str = ""
    p_holm: float | None = None
    counted: bool = True


@dataclass(frozen=True)
class Verdict:
    """What a study says to a claim; texts are ready to print.

    Attributes:
        outcome: holds, fails, undecided (the data allow both), not tested (no data speak to it).
        effect: the numbers in short, with intervals.
        confidence: what the verdict rests on.
        evidence: files and folders, relative to the study directory.
        note: what limits it.
        findings: single comparisons and checks.
        name, statement, source, test: of the claim: a short name, one sentence, whose claim it is, how it is tested.
    """

    outcome: Outcome
    effect: str = ""
    confidence: str = ""
    evidence: tuple[str, ...] = ()
    note: str = ""
    findings: tuple[Finding, ...] = ()
    name: str = ""
    statement: str = ""
    source: str = ""
    test: str = ""


def not_tested(why: str) -> Verdict:
    """Nothing in the study speaks to the claim."""
    return Verdict("not tested", note=why)


def counted(findings: Sequence[Finding], nothing: str, complete: bool = True, **words: Any) -> Verdict:
    """The verdict over facts; `nothing` says why there are none, `complete` whether none is missing; words of a verdict."""
    if not findings:
        return not_tested(nothing)
    words = {"evidence": ("results.json",), **words}
    return Verdict(overall(findings, complete=complete), findings=tuple(findings), **words)


def overall(findings: Iterable[Finding], *, complete: bool = True) -> Outcome:
    """A universal claim: fails where any counted finding fails, holds where all do and none is missing."""
    outcomes = {finding.outcome for finding in findings if finding.counted}
    if "fails" in outcomes:
        return "fails"
    if not outcomes - {"not tested"}:
        return "not tested"
    return "holds" if complete and outcomes == {"holds"} else "undecided"


class Claim(Member):
    """A claim and its test.

    Attributes:
        statement: one sentence.
        source: whose claim it is.
        test: in words what is tested: measure, setting, comparison, margin, level, correction.
        answer: opens a sentence of the study's answer with what was found.
        family: claims of one family are corrected together for how many tests they make.
    """

    statement: str = ""
    source: str = "this study"
    test: str = ""
    answer: str = ""
    family: str = ""

    def judge(self, comparisons: Comparisons, beside: Sequence[float] = ()) -> Verdict:
        """What the results say; `beside`: p values of the other claims of the family."""
        raise NotImplementedError

    def p_values(self, comparisons: Comparisons) -> list[float]:
        """Of the tests that the claim makes; [] where it makes none."""
        return []

    def sentences(self, comparisons: Comparisons, verdict: Verdict) -> list[str]:
        """The study's answer, as far as this claim can give it; [] where it cannot."""
        return []

    def spoken_of(self, comparisons: Comparisons) -> list[Contrast]:
        """The differences that its sentences tell; [] where they tell none, or another thing."""
        return []

    def selections(self) -> list[tuple[Selection, Selection]]:
        """What tells the two sides of its comparisons apart; [] where it compares nothing."""
        return []

    def states(self) -> str:
        """The claim in one sentence, where the spec gives none."""
        return one_line_help(type(self))


class Sides(Claim):
    """A claim about one selection of systems against others, wherever all else is equal.

    Attributes:
        of, against: the systems.
        counted: of several `of` in equal circumstances only these count, the others are shown.
        called: how sentences call `of` and `against`.
    """

    of: Chosen
    against: ChosenEach
    counted: Chosen | None = None
    called: tuple[str, ...] = Field((), max_length=2)

    @property
    def names(self) -> tuple[str, str]:
        """How sentences call the two sides."""
        if len(self.called) == 2:
            return self.called[0], self.called[1]
        own, others = zip(*self.selections())
        return own[0].called(), " and ".join(other.called() for other in others)

    def selections(self) -> list[tuple[Selection, Selection]]:
        """Only what tells the two sides apart."""
        return [apart(self.of, other) for other in self.against]

    def pairs(self, systems: Sequence[System]) -> tuple[list[Pair], list[Pair], list[str]]:
        """The pairs that decide, others beside them, which are shown, and what is missing, in words.

        Of several systems beside one and the same those decide that `counted` selects.
        """
        every, problems = pairs(full_data(systems, free_traits(self.of, *self.against)), self.of, self.against)
        groups: dict[tuple[str, System], list[System]] = {}
        for pair in every:
            groups.setdefault((pair.beside, pair.against), []).append(pair.of)
        choose = self.counted.choose if self.counted else list
        chosen = {system for group in groups.values() for system in choose(group)}
        shown = [pair for pair in every if pair.of not in chosen]
        return [pair for pair in every if pair.of in chosen], shown, problems
