"""What all kinds of claims have in common, and the registry of kinds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from isoglot.registry import Registry, one_line_help
from isoglot.settings import Member
from isoglot.study.analysis.contrasts import Comparisons
from isoglot.study.analysis.systems import System
from isoglot.study.claims.selection import Chosen, ChosenEach, Pair, Selection, apart, free_traits, full_data, pairs
from isoglot.study.claims.verdicts import Verdict

MIN_SEEDS = 2
"""Training seeds per system below which nothing is decided: one model of each is no sample of anything."""
KINDS: Registry[Any] = Registry("kind of claim", "isoglot.study.claims.kinds")
"""The kinds of claims, by the name that `kind:` gives."""


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
        chosen = {
            system for group in groups.values() for system in (self.counted.choose(group) if self.counted else group)
        }
        return (
            [pair for pair in every if pair.of in chosen],
            [pair for pair in every if pair.of not in chosen],
            problems,
        )
