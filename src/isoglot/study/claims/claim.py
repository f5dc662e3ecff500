"""What all kinds of claims have in common, and the registry of kinds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pydantic import Field

from isoglot.errors import InputError
from isoglot.registry import Registry, one_line_help
from isoglot.settings import Member
from isoglot.study.analysis.contrasts import MAIN_MEASURE, Comparisons, Contrast, Only, What
from isoglot.study.claims.selection import Chosen, ChosenEach, Pair, Selection, apart
from isoglot.study.claims.verdicts import Finding, Verdict, not_tested, overall

MIN_SEEDS = 2
"""Training seeds per system below which nothing is decided: one model of each is no sample of anything."""
KINDS: Registry[Any] = Registry("kind of claim", "isoglot.study.claims.kinds")
"""The kinds of claims, by the name that `kind:` gives."""
Setting = Literal["mono", "cross", "multi"]


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
        others = [two.called() for _, two in self.selections()]
        own = (self.selections()[0][0].called(), " and ".join(others))
        return (self.called[0], self.called[1]) if len(self.called) == 2 else own

    def selections(self) -> list[tuple[Selection, Selection]]:
        """Only what tells the two sides apart."""
        return [apart(self.of, other) for other in self.against]


class Figures(Claim):
    """What a claim about figures is measured in.

    Attributes:
        measure, setting: what is compared; the measure `rank_distance` has no settings.
    """

    measure: str = MAIN_MEASURE
    setting: tuple[Setting, ...] = ("cross",)

    @property
    def whats(self) -> list[What]:
        """Settings and measures that are compared."""
        settings = [self.measure] if self.measure == "rank_distance" else self.setting
        return [(setting, self.measure) for setting in settings]


def usable(comparisons: Comparisons, pair: Pair, whats: Iterable[What]) -> list[str]:
    """Benchmarks on which both systems have all settings and which the audit did not find in what they were trained on."""
    sides, settings = (pair.of, pair.against), {setting for setting, _ in whats}
    return [
        name
        for name in pair.of.benchmarks()
        if all(name in side.benchmarks() and settings <= side.settings(name) for side in sides)
        and not any(comparisons.study.leaked(side.data, name) for side in sides)
    ]


def add_contrast(
    into: list[Contrast],
    problems: list[str],
    comparisons: Comparisons,
    pair: Pair,
    benchmark: str,
    what: What,
    only: Only | None = None,
    words: str = "",
) -> None:
    """Compare a pair in one setting; where its results cannot be used, note why."""
    where = f"{pair.beside}, {benchmark}, {words or what[0]}: {pair.names[0]} - {pair.names[1]}"
    try:
        into.append(comparisons.contrast(pair.against, pair.of, benchmark, what, where=where, only=only))
    except (InputError, KeyError) as error:
        problems.append(f"{where}: {error}")


def counted(findings: Sequence[Finding], effect: str, confidence: str, nothing: str, **more: Any) -> Verdict:
    """The verdict over facts: `nothing` says why there is none; `evidence`, `note`, `complete` as they are given."""
    if not findings:
        return not_tested(nothing)
    complete, evidence = more.pop("complete", True), more.pop("evidence", ("results.json",))
    return Verdict(overall(findings, complete=complete), effect, confidence, evidence, findings=tuple(findings), **more)
