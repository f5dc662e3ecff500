"""A difference between systems: better, worse, or not worse by more than a bound, wherever all else is equal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from pydantic import Field

from isoglot.errors import InputError
from isoglot.evaluation.contrasts import pooled
from isoglot.evaluation.matching import RANK_DISTANCE
from isoglot.evaluation.multiple import holm
from isoglot.evaluation.significance import ALPHA
from isoglot.study.analysis.contrasts import MAIN_MEASURE, Comparisons, Contrast, Only, What, show
from isoglot.study.claims.claim import (
    KINDS,
    MIN_SEEDS,
    Chosen,
    Claim,
    Pair,
    Selection,
    called_by,
    counted_pairs,
    differing,
    pairs,
    usable,
)
from isoglot.study.claims.kinds.cost import cost_sentence
from isoglot.study.claims.verdicts import Finding, Outcome, Verdict, not_tested, overall
from isoglot.study.claims.words import basis, evidence, limits


@dataclass
class Compared:
    """What could be compared, and what could not.

    Attributes:
        counted: decide the claim.
        guards: can only refute it.
        shown: for the record.
        problems: what is missing, in words.
    """

    counted: list[Contrast] = field(default_factory=list)
    guards: list[Contrast] = field(default_factory=list)
    shown: list[Contrast] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@KINDS.register
class Difference(Claim):
    """One selection of systems is better than another, or not worse by more than a bound, wherever all else is equal.

    Attributes:
        of, against: the systems; the claim is about every pair in which all is equal but what these speak of.
        measure, setting: what is compared; in the measure `rank_distance` there are no settings.
        better: the direction; by default higher, of rank distance lower.
        not_below: instead of a direction: the lower bound of the 95% interval is above this.
        counted: of several `of` in equal circumstances only these count, the others are shown.
        languages: `untrained`: only questions (in cross: and passages) in languages without training pairs.
        no_language_worse: no query language may be significantly worse in cross.
        audited: without an audit nothing is tested.
        at_least: {trait: number of different values} that it takes for the claim to hold, such as {base: 2}.
        effect: `mean` over the comparisons, or the `weakest` of them.
        called: how sentences call `of` and `against`.
    """

    name: ClassVar[str] = "difference"
    is_default: ClassVar[bool] = True

    of: Chosen
    against: tuple[Chosen, ...] = Field(min_length=1)
    measure: str = MAIN_MEASURE
    setting: tuple[Literal["mono", "cross", "multi"], ...] = ("cross",)
    better: Literal["higher", "lower"] | None = None
    not_below: float | None = None
    counted: Chosen | None = None
    languages: Literal["all", "untrained"] = "all"
    no_language_worse: bool = False
    audited: bool = False
    at_least: dict[str, int] = {}
    effect: Literal["weakest", "mean"] = "weakest"
    called: tuple[str, ...] = Field((), max_length=2)

    @property
    def whats(self) -> list[What]:
        """Settings and measures that are compared."""
        if self.measure == RANK_DISTANCE:
            return [(RANK_DISTANCE, RANK_DISTANCE)]
        return [(setting, self.measure) for setting in self.setting]

    @property
    def _sign(self) -> float:
        lower = self.better == "lower" or (self.better is None and self.measure == RANK_DISTANCE)
        return -1.0 if lower else 1.0

    def judge(self, comparisons: Comparisons, beside: Sequence[float] = ()) -> Verdict:
        """Every difference is in favour; without `not_below`: significantly, after Holm."""
        if self.audited and comparisons.study.audit is None:
            return not_tested("not audited: whether results are zero-shot is not known")
        compared = self.compare(comparisons)
        if not compared.counted:
            return not_tested(compared.problems[0] if compared.problems else self._nothing())
        tested = [*compared.counted, *compared.guards]
        adjusted = holm([*(contrast.p for contrast in tested), *beside]).tolist()[: len(tested)]
        findings = [
            self._finding(contrast, p, guard=number >= len(compared.counted))
            for number, (contrast, p) in enumerate(zip(tested, adjusted))
        ]
        findings += [replace(self._finding(item, item.p), p_holm=None, counted=False) for item in compared.shown]
        complete = not compared.problems and not comparisons.study.n_open
        outcome, few = overall(findings, complete=complete), self._too_few(compared.counted)
        notes = [*limits(comparisons, tested, compared.problems), *self._own_notes(compared)]
        if few and outcome == "holds":
            outcome, notes = "undecided", [*notes, few]
        main = findings[: len(compared.counted)]
        return Verdict(
            outcome,
            self._effect(compared.counted, main),
            basis(tested, self._tested_words(len(tested) + len(beside), max(adjusted[: len(main)]))),
            evidence(tested),
            "; ".join(notes),
            tuple(findings),
        )

    def compare(self, comparisons: Comparisons) -> Compared:
        """The differences that the claim is about."""
        compared = Compared()
        found, problems = pairs(comparisons.systems, self.of, self.against)
        primary = counted_pairs(found, self.counted)
        for pair in sorted(found, key=lambda pair: pair not in primary):
            for benchmark in usable(comparisons, [pair.of, pair.against], [setting for setting, _ in self.whats]):
                into = compared.counted if pair in primary else compared.shown
                for what, only, words in self._parts_of(pair, benchmark, compared.problems):
                    where = f"{pair.beside}, {benchmark}, {words}: {pair.names[0]} - {pair.names[1]}"
                    _add(into, compared.problems, comparisons, pair, benchmark, what, where, only)
                if self.no_language_worse and pair in primary:
                    self._guard(compared, comparisons, pair, benchmark)
        compared.problems[:0] = problems
        return compared

    def p_values(self, comparisons: Comparisons) -> list[float]:
        """Of the differences that count, and of the guards."""
        compared = self.compare(comparisons)
        return [contrast.p for contrast in (*compared.counted, *compared.guards)]

    def _parts_of(self, pair: Pair, benchmark: str, problems: list[str]) -> Iterator[tuple[What, Only | None, str]]:
        """Settings with the cells that count in them, and words for both."""
        if self.languages == "all":
            yield from ((what, None, what[0]) for what in self.whats)
            return
        measured = set(pair.of.runs[0]["benchmarks"][benchmark]["counts"]["queries"])
        untrained = frozenset(measured - set(pair.of.traits["languages"] or measured))
        for what in self.whats if untrained else []:
            passages = untrained if what[0] == "cross" else None
            only = Only(untrained, passages, either=len(untrained) == 1)
            yield what, only, f"{what[0]} in {' '.join(sorted(untrained))}"

    def _guard(self, compared: Compared, comparisons: Comparisons, pair: Pair, benchmark: str) -> None:
        """Add the differences in cross of one query language at a time."""
        scores = pair.of.runs[0]["benchmarks"][benchmark]["per_language"]["cross"]["by_query"]
        for lang in sorted(scores):
            where = f"{pair.beside}, {benchmark}, cross, queries in {lang}: {pair.names[0]} - {pair.names[1]}"
            what = ("cross", self.measure)
            _add(compared.guards, [], comparisons, pair, benchmark, what, where, Only(frozenset([lang])))

    def _finding(self, contrast: Contrast, p: float, guard: bool = False) -> Finding:
        outcome = self._outcome(contrast, p)
        numbers = (contrast.difference, contrast.interval(), contrast.unit)
        counted = not guard or outcome == "fails"  # a guard can only refute
        tested = p if self.not_below is None else None
        return Finding(contrast.where, outcome, contrast.shown(), *numbers, tested, counted)

    def _outcome(self, contrast: Contrast, p: float) -> Outcome:
        if contrast.seeds < MIN_SEEDS or (self.not_below is None and p > ALPHA):
            return "undecided"
        bound = self.not_below or 0.0
        low, high = sorted(self._sign * (end - bound) for end in contrast.interval())
        return "holds" if low > 0 else "fails" if high < 0 else "undecided"

    def _effect(self, counted: Sequence[Contrast], findings: Sequence[Finding]) -> str:
        if len(counted) == 1:
            return counted[0].shown()
        n = [sum(finding.outcome == outcome for finding in findings) for outcome in ("holds", "undecided", "fails")]
        if self.effect == "mean":
            mean = pooled([contrast.paired for contrast in counted])
            shown = show(mean.mean, mean.interval(), counted[0].unit)
            return (
                f"mean of {len(counted)} comparisons {shown}; by comparison: {n[0]} hold, {n[1]} undecided, {n[2]} fail"
            )
        weakest = min(counted, key=lambda contrast: (self._sign * contrast.difference, contrast.where))
        return (
            f"{len(counted)} comparisons: {n[0]} in favour, {n[1]} open, {n[2]} against; weakest: {weakest.shown()} "
            f"({weakest.where})"
        )

    def _tested_words(self, n_tests: int, largest: float) -> str:
        if self.not_below is not None:
            bound = f"{self.not_below:g}"
            return f"holds if the lower bound is above {bound}, fails if the upper bound is below {bound}"
        return f"sign-flip permutation over groups of queries, Holm over {n_tests} test(s), largest p {largest:.2g}"

    def _too_few(self, counted: Sequence[Contrast]) -> str:
        for trait, least in self.at_least.items():
            n = len({str(contrast.after.traits[trait]) for contrast in counted})
            if n < least:
                number = "one" if n == 1 else n
                return f"{number} {trait} in this study: at most undecided, because the claim is about each of several"
        return ""

    def _own_notes(self, compared: Compared) -> list[str]:
        notes = []
        if compared.shown and self.counted:
            notes.append(
                f"{self.names[0]} of other {' and '.join(sorted(self.counted.keys()))}s is shown and not counted"
            )
        if self.languages == "untrained":
            notes.append("untrained languages were seen when the base was pre-trained")
        return notes

    def selections(self) -> list[tuple[Selection, Selection]]:
        """Only what tells the two sides apart."""
        keys = [(other, differing(self.of, other)) for other in self.against]
        return [(self.of.only(names), other.only(names)) for other, names in keys]

    @property
    def names(self) -> tuple[str, str]:
        """How sentences call the two sides."""
        return called_by(self.called, self.of, self.against)

    def _nothing(self) -> str:
        if self.languages == "untrained":
            return "every language that was measured was trained on"
        return (
            f"no finished pair of {self.names[0]} and {self.names[1]}, all else equal, on a benchmark that has "
            f"{', '.join(setting for setting, _ in self.whats)} and that the audit did not find in training"
        )

    def states(self) -> str:
        """Who is better than whom in what."""
        than = f"not below {self.names[1]} by {-self.not_below:g} or more" if self.not_below is not None else ""
        than = than or f"{'lower' if self._sign < 0 else 'higher'} than {self.names[1]}"
        return f"{self.names[0]} is {than} in {self.measure} ({', '.join(setting for setting, _ in self.whats)})."

    def tests(self) -> str:
        """Level, interval and correction."""
        if self.not_below is not None:
            rule = (
                f"the lower bound of the 95% interval is above {self.not_below:g}; fails if the upper bound is below it"
            )
        else:
            rule = "the 95% interval excludes 0 and the sign-flip permutation test has p <= .05 after Holm"
        return f"For every pair with all else equal {rule}; at least {MIN_SEEDS} seeds each."

    def sentences(self, comparisons: Comparisons, verdict: Verdict) -> list[str]:
        """What changes by how much, and at what cost."""
        counted = self.compare(comparisons).counted
        if not counted:
            return []
        ranks = {contrast.after.traits["rank"] for contrast in counted}
        opening = (self.answer or f"{self.names[0]} instead of {self.names[1]} changes {self.measure}").format(
            rank=" and ".join(map(str, sorted(rank for rank in ranks if rank is not None)))
        )
        changes = [self._change(item, finding) for item, finding in zip(counted, verdict.findings)]
        sentences = [f"{opening} {'; '.join(changes)}."]
        if len(counted) > 1:
            mean = pooled([contrast.paired for contrast in counted])
            low, high = mean.interval()
            sentences.append(
                f"Over these {len(counted)} comparisons the mean is {mean.mean:+.4f} (95% interval {low:+.4f} to {high:+.4f}), "
                f"and the claim{' of non-inferiority' if self.not_below is not None else ''} as a whole is: {verdict.outcome}."
            )
        compared = list(dict.fromkeys((contrast.after, contrast.before) for contrast in counted))
        for of, against in compared:
            where = f" ({of.circumstances})" if len(compared) > 1 else ""
            sentences.append(cost_sentence(of, against, self.names, where))
        if min(contrast.seeds for contrast in counted) < MIN_SEEDS:
            sentences.append(
                "With one training seed this is about these models, not about the recipes: it decides nothing."
            )
        if comparisons.study.audit is None:
            sentences.append("Training data and benchmarks were not audited: zero-shot is asserted.")
        return sentences

    def _change(self, contrast: Contrast, finding: Finding) -> str:
        low, high = contrast.interval()
        seeds = f"{contrast.seeds} seed{'s' if contrast.seeds > 1 else ''} each"
        on = f"on {contrast.benchmark} ({contrast.after.circumstances})"
        words: dict[str, str] = {"holds": "better", "fails": "worse", "undecided": "undecided"}
        state = words[finding.outcome]
        if self.not_below is not None:
            margin = f"a margin of {-self.not_below:g}"
            words = {"holds": "not inferior at", "fails": "inferior by more than", "undecided": "undecided at"}
            state = f"{words[finding.outcome]} {margin}"
        return f"by {contrast.difference:+.4f} (95% interval {low:+.4f} to {high:+.4f}, {seeds}) {on}: {state}"


def _add(
    into: list[Contrast],
    problems: list[str],
    comparisons: Comparisons,
    pair: Pair,
    benchmark: str,
    what: What,
    where: str,
    only: Only | None,
) -> None:
    try:
        into.append(comparisons.contrast(pair.against, pair.of, benchmark, what, where=where, only=only))
    except (InputError, KeyError) as error:
        problems.append(f"{where}: {error}")
