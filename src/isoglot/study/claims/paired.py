"""Claims about differences between systems: which differences they take, and what a verdict over them rests on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from isoglot.errors import InputError
from isoglot.records import Setting
from isoglot.study.analysis.contrasts import MAIN_MEASURE, Cells, Comparisons, Contrast, What
from isoglot.study.claims.claim import MIN_SEEDS, Claim, Finding, Outcome, Verdict, are_enough, overall
from isoglot.study.claims.selection import Pair, Selection


class Paired(Claim):
    """A claim about differences between systems.

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


@dataclass
class Compared:
    """The differences between `sides` that decide a claim, those that can only refute it, others, and what is missing."""

    comparisons: Comparisons
    sides: Sequence[Selection]
    counted: list[Contrast] = field(default_factory=list)
    guards: list[Contrast] = field(default_factory=list)
    shown: list[Contrast] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def tested(self) -> list[Contrast]:
        """Those that decide, then those that can refute."""
        return [*self.counted, *self.guards]

    def benchmarks(self, pair: Pair, whats: Iterable[What]) -> list[str]:
        """On which both systems have all settings, and which the audit did not find in what they were trained on."""
        settings, study = {setting for setting, _ in whats}, self.comparisons.study
        names = [name for name in pair.of.benchmarks() if name in pair.against.benchmarks()]
        names = [name for name in names if settings <= pair.of.settings(name) & pair.against.settings(name)]
        return [name for name in names if not any(study.leaked(side.data, name) for side in pair[:2])]

    def add(
        self, into: list[Contrast], pair: Pair, benchmark: str, what: What, only: Cells | None = None, words: str = ""
    ) -> None:
        """Compare a pair in one setting; where its results cannot be used, note why (of guards there is no need)."""
        name = f"{pair.beside}, {benchmark}, {what[0]}{words}: {pair.names[0]} - {pair.names[1]}"
        try:
            into.append(self.comparisons.contrast(pair.against, pair.of, benchmark, what, name, only))
        except (InputError, KeyError) as error:
            self.problems += [f"{name}: {error}"] if into is not self.guards else []

    def add_all(self, into: list[Contrast], pair: Pair, whats: Sequence[What]) -> None:
        """Compare a pair in all settings, on every benchmark that has them."""
        for benchmark in self.benchmarks(pair, whats):
            for what in whats:
                self.add(into, pair, benchmark, what)

    def verdict(
        self, findings: Sequence[Finding], effect: str, rule: str, notes: Iterable[str] = (), lacks: str = ""
    ) -> Verdict:
        """What the findings come to; `rule` is how each was tested, `lacks` what keeps the claim from holding, in words."""
        complete = not self.problems and not self._n_open
        evidence = dict.fromkeys(path for contrast in self.tested for path in contrast.paths)
        notes, outcome = [*self._limits(), *notes], overall(findings, complete=complete)
        if outcome == "holds" and lacks:
            notes, outcome = [*notes, lacks], "undecided"
        seeds = self._seeds or [0]
        counted = f"{seeds[0]} seeds" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} seeds"
        counted = "one seed: for these models, not for their recipes" if seeds == [1] else counted
        counted = counted if self._seeds else "nothing in these systems is drawn by chance"
        drawn = "groups of queries and training seeds" if seeds[-1] > 1 else "groups of queries"
        basis = f"95% interval, bootstrap over {drawn} ({counted}); {rule}"
        return Verdict(outcome, effect, basis, tuple(evidence), "; ".join(notes), tuple(findings))

    @property
    def _seeds(self) -> list[int]:
        """How many seeds differences have that have any, ascending."""
        return sorted({contrast.seeds for contrast in self.tested} - {0})

    @property
    def _n_open(self) -> int:
        """How many runs of these systems have not finished."""
        return sum(len(own.runs) for own in self.comparisons.open if any(side.may_choose(own) for side in self.sides))

    def _limits(self) -> list[str]:
        """What too few seeds, missing or unfinished runs and a missing audit mean."""
        study, fewest = self.comparisons.study, min(self._seeds, default=5)
        few = "intervals from fewer than 5 seeds are too narrow where seeds differ a lot"
        if fewest < MIN_SEEDS:
            few = "one seed: at most undecided, because a claim about recipes needs at least two training seeds of each"
        notes = [few] if fewest < 5 else []
        notes += self.problems[:1]
        if self._n_open:
            notes.append(f"{self._n_open} of its cells are not finished: what is universal cannot hold")
        return notes + (["not audited: that results are zero-shot is asserted"] if study.audit is None else [])


def finding(contrast: Contrast, outcome: Outcome, p_holm: float | None = None, *, counted: bool = True) -> Finding:
    """What a difference says; with too few seeds it is undecided."""
    decided = outcome if are_enough(contrast.seeds) else "undecided"
    numbers = (contrast.difference, contrast.interval(), contrast.unit)
    return Finding(contrast.name, decided, contrast.shown(), *numbers, p_holm, counted)
