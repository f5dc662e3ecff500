"""A difference between systems: better, worse, or not worse by more than a bound, wherever all else is equal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from pydantic import Field

from isoglot.evaluation.contrasts import pooled
from isoglot.evaluation.significance import ALPHA, holm
from isoglot.study.analysis.contrasts import Comparisons, Contrast, Only, What, show
from isoglot.study.claims.claim import KINDS, MIN_SEEDS, Figures, Sides, add_contrast, usable
from isoglot.study.claims.kinds.cost import cost_sentence
from isoglot.study.claims.selection import Pair, counted_pairs, pairs
from isoglot.study.claims.verdicts import Finding, Outcome, Verdict, not_tested, overall
from isoglot.study.claims.words import basis, evidence, limits


@dataclass
class Compared:
    """The differences that decide a claim, those that can only refute it, those for the record, and what is missing."""

    counted: list[Contrast] = field(default_factory=list)
    guards: list[Contrast] = field(default_factory=list)
    shown: list[Contrast] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@KINDS.register
class Difference(Sides, Figures):
    """One selection of systems is better than another, or not worse by more than a bound, wherever all else is equal.

    Attributes:
        better: the direction; by default higher, of rank distance lower.
        not_below: instead of a direction: the lower bound of the 95% interval is above this.
        languages: `untrained`: only questions (in cross: and passages) in languages without training pairs.
        no_language_worse: no query language may be significantly worse in cross.
        audited: without an audit nothing is tested.
        at_least: {trait: number of different values} that it takes for the claim to hold, such as {base: 2}.
        effect: `mean` over the comparisons, or the `weakest` of them.
    """

    name: ClassVar[str] = "difference"
    is_default: ClassVar[bool] = True

    better: Literal["higher", "lower"] | None = None
    not_below: float | None = None
    languages: Literal["all", "untrained"] = "all"
    no_language_worse: bool = False
    audited: bool = False
    at_least: dict[str, int] = Field({})
    effect: Literal["weakest", "mean"] = "weakest"

    @property
    def _sign(self) -> float:
        return -1.0 if (self.better or ("lower" if self.measure == "rank_distance" else "")) == "lower" else 1.0

    def judge(self, comparisons: Comparisons, beside: Sequence[float] = ()) -> Verdict:
        """Every difference is in favour; without `not_below`: significantly, after Holm."""
        if self.audited and comparisons.study.audit is None:
            return not_tested("not audited: whether results are zero-shot is not known")
        compared = self.compare(comparisons)
        counted, tested = compared.counted, [*compared.counted, *compared.guards]
        if not counted:
            return not_tested(compared.problems[0] if compared.problems else self._nothing())
        adjusted = holm([*(contrast.p for contrast in tested), *beside]).tolist()[: len(tested)]
        findings = [self._finding(contrast, p) for contrast, p in zip(tested, adjusted)]
        # a guard can only refute
        guards = [replace(finding, counted=finding.outcome == "fails") for finding in findings[len(counted) :]]
        findings = [*findings[: len(counted)], *guards]
        shown = [
            replace(self._finding(contrast, contrast.p), p_holm=None, counted=False) for contrast in compared.shown
        ]
        outcome = overall(findings, complete=not compared.problems and not comparisons.study.n_open)
        notes = [*limits(comparisons, tested, compared.problems), *self._notes(compared)]
        if outcome == "holds" and (few := self._too_few(counted)):
            outcome, notes = "undecided", [*notes, few]
        rule = self._rule(len(tested) + len(beside), max(adjusted[: len(counted)]))
        effect = self._effect(counted, findings[: len(counted)])
        return Verdict(outcome, effect, basis(tested, rule), evidence(tested), "; ".join(notes), (*findings, *shown))

    def compare(self, comparisons: Comparisons) -> Compared:
        """The differences that the claim is about."""
        found, problems = pairs(comparisons.systems, self.of, self.against)
        compared, primary = Compared(problems=problems), counted_pairs(found, self.counted)
        for pair in found:
            into = compared.counted if pair in primary else compared.shown
            for benchmark in usable(comparisons, pair, self.whats):
                for what, only, words in self._cells(pair, benchmark):
                    add_contrast(into, compared.problems, comparisons, pair, benchmark, what, only, words)
                scores = pair.of.runs[0]["benchmarks"][benchmark]["per_language"] if self.no_language_worse else {}
                for lang in sorted(scores["cross"]["by_query"]) if scores else ():
                    only, words = Only(frozenset([lang])), f"cross, queries in {lang}"
                    what = ("cross", self.measure)
                    add_contrast(compared.guards, [], comparisons, pair, benchmark, what, only, words)
        return compared

    def p_values(self, comparisons: Comparisons) -> list[float]:
        """Of the differences that count, and of the guards."""
        compared = self.compare(comparisons)
        return [contrast.p for contrast in (*compared.counted, *compared.guards)]

    def _cells(self, pair: Pair, benchmark: str) -> Iterator[tuple[What, Only | None, str]]:
        """Settings with the cells that count in them, and words for both."""
        if self.languages == "all":
            yield from ((what, None, "") for what in self.whats)
            return
        measured = set(pair.of.runs[0]["benchmarks"][benchmark]["counts"]["queries"])
        untrained = frozenset(measured - set(pair.of.traits["languages"] or measured))
        for what in self.whats if untrained else ():
            only = Only(untrained, untrained if what[0] == "cross" else None, either=len(untrained) == 1)
            yield what, only, f"{what[0]} in {' '.join(sorted(untrained))}"

    def _finding(self, contrast: Contrast, p: float) -> Finding:
        bound = self.not_below or 0.0
        low, high = sorted(self._sign * (end - bound) for end in contrast.interval())
        outcome: Outcome = "holds" if low > 0 else "fails" if high < 0 else "undecided"
        if contrast.seeds < MIN_SEEDS or (self.not_below is None and p > ALPHA):
            outcome = "undecided"
        numbers = (contrast.difference, contrast.interval(), contrast.unit)
        return Finding(contrast.where, outcome, contrast.shown(), *numbers, p if self.not_below is None else None)

    def _effect(self, counted: Sequence[Contrast], findings: Sequence[Finding]) -> str:
        if len(counted) == 1:
            return counted[0].shown()
        n = Counter(finding.outcome for finding in findings)
        if self.effect == "mean":
            mean = pooled([contrast.paired for contrast in counted])
            shown = show(mean.mean, mean.interval(), counted[0].unit)
            outcomes = f"{n['holds']} hold, {n['undecided']} undecided, {n['fails']} fail"
            return f"mean of {len(counted)} comparisons {shown}; by comparison: {outcomes}"
        weakest = min(counted, key=lambda contrast: (self._sign * contrast.difference, contrast.where))
        outcomes = f"{n['holds']} in favour, {n['undecided']} open, {n['fails']} against"
        return f"{len(counted)} comparisons: {outcomes}; weakest: {weakest.shown()} ({weakest.where})"

    def _rule(self, n_tests: int, largest: float) -> str:
        if self.not_below is not None:
            bound = f"{self.not_below:g}"
            return f"holds if the lower bound is above {bound}, fails if the upper bound is below {bound}"
        return f"sign-flip permutation over groups of queries, Holm over {n_tests} test(s), largest p {largest:.2g}"

    def _too_few(self, counted: Sequence[Contrast]) -> str:
        for trait, least in self.at_least.items():
            if (n := len({str(contrast.after.traits[trait]) for contrast in counted})) < least:
                number = "one" if n == 1 else n
                return f"{number} {trait} in this study: at most undecided, because the claim is about each of several"
        return ""

    def _notes(self, compared: Compared) -> Iterator[str]:
        if compared.shown and self.counted:
            yield f"{self.names[0]} of other {' and '.join(sorted(self.counted.keys()))}s is shown and not counted"
        if self.languages == "untrained":
            yield "untrained languages were seen when the base was pre-trained"

    def _nothing(self) -> str:
        if self.languages == "untrained":
            return "every language that was measured was trained on"
        settings = ", ".join(setting for setting, _ in self.whats)
        where = f"on a benchmark that has {settings} and that the audit did not find in training"
        return f"no finished pair of {self.names[0]} and {self.names[1]}, all else equal, {where}"

    def states(self) -> str:
        """Who is better than whom in what."""
        than = f"{'higher' if self._sign > 0 else 'lower'} than {self.names[1]}"
        if self.not_below is not None:
            than = f"at most {-self.not_below:g} below {self.names[1]}"
        return f"{self.names[0]} is {than} in {self.measure} ({', '.join(setting for setting, _ in self.whats)})."

    def sentences(self, comparisons: Comparisons, verdict: Verdict) -> list[str]:
        """What changes by how much, and at what cost."""
        counted = self.compare(comparisons).counted
        if not counted:
            return []
        ranks = sorted({str(contrast.after.traits["rank"]) for contrast in counted})
        opening = self.answer or f"{self.names[0]} instead of {self.names[1]} changes {self.measure}"
        changes = [self._change(item, finding.outcome) for item, finding in zip(counted, verdict.findings)]
        sentences = [f"{opening.format(rank=' and '.join(ranks))} {'; '.join(changes)}."]
        if len(counted) > 1:
            mean = pooled([contrast.paired for contrast in counted])
            low, high = mean.interval()
            kind = "claim of non-inferiority" if self.not_below is not None else "claim"
            sentences.append(
                f"Over these {len(counted)} comparisons the mean is {mean.mean:+.4f} (95% interval {low:+.4f} to {high:+.4f}), "
                f"and the {kind} as a whole is: {verdict.outcome}."
            )
        sides = list(dict.fromkeys((contrast.after, contrast.before) for contrast in counted))
        for of, against in sides:
            sentences.append(cost_sentence(of, against, self.names, f" ({of.circumstances})" if len(sides) > 1 else ""))
        if min(contrast.seeds for contrast in counted) < MIN_SEEDS:
            sentences.append(
                "With one training seed this is about these models, not about the recipes: it decides nothing."
            )
        if comparisons.study.audit is None:
            sentences.append("Training data and benchmarks were not audited: zero-shot is asserted.")
        return sentences

    def _change(self, contrast: Contrast, outcome: Outcome) -> str:
        low, high = contrast.interval()
        interval = (
            f"95% interval {low:+.4f} to {high:+.4f}, {contrast.seeds} seed{'s' if contrast.seeds > 1 else ''} each"
        )
        words = {"holds": "better", "fails": "worse"}.get(outcome, "undecided")
        if self.not_below is not None:
            words = {"holds": "not inferior at", "fails": "inferior by more than"}.get(outcome, "undecided at")
            words = f"{words} a margin of {-self.not_below:g}"
        where = f"on {contrast.benchmark} ({contrast.after.circumstances})"
        return f"by {contrast.difference:+.4f} ({interval}) {where}: {words}"
