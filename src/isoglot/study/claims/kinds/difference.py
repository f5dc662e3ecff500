"""A difference between systems: better, worse, or not worse by more than a bound, wherever all else is equal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

from isoglot.evaluation.contrasts import pooled
from isoglot.evaluation.significance import ALPHA, Interval, holm
from isoglot.study.analysis.contrasts import Cells, Comparisons, Contrast, exposed, show
from isoglot.study.claims.claim import KINDS, Finding, Outcome, Sides, Verdict, are_enough, not_tested
from isoglot.study.claims.kinds.cost import cost_sentence
from isoglot.study.claims.paired import Compared, Paired, finding


@KINDS.register
class Difference(Sides, Paired):
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
        counted, tested = compared.counted, compared.tested
        if not counted:
            return not_tested([*compared.problems, self._nothing()][0])
        adjusted = holm([*(contrast.p for contrast in tested), *beside]).tolist()[: len(tested)]
        rule = f"Holm over {len(tested) + len(beside)} test(s), largest p {max(adjusted[: len(counted)]):.2g}"
        rule, stated_p = f"sign-flip permutation over groups of queries, {rule}", adjusted
        if self.not_below is not None:
            bound, stated_p = f"{self.not_below:g}", [None] * len(tested)
            rule = f"holds if the lower bound is above {bound}, fails if the upper bound is below {bound}"
        findings = [finding(c, self._outcome(c, p), p_holm) for c, p, p_holm in zip(tested, adjusted, stated_p)]
        # a guard can only refute
        guards = [replace(guard, counted=guard.outcome == "fails") for guard in findings[len(counted) :]]
        shown = [finding(c, self._outcome(c, c.p), counted=False) for c in compared.shown]
        findings = findings[: len(counted)]
        words = (self._effect(counted, findings), rule, self._notes(compared))
        return compared.verdict([*findings, *guards, *shown], *words, self._too_few(counted))

    def compare(self, comparisons: Comparisons) -> Compared:
        """The differences that the claim is about."""
        counted, shown, problems = self.pairs(comparisons.systems)
        compared = Compared(comparisons, (self.of, *self.against), problems=problems)
        for pair in (*counted, *shown):
            into = compared.counted if pair in counted else compared.shown
            for benchmark in compared.benchmarks(pair, self.whats):
                result = pair.of.runs[0]["benchmarks"][benchmark]
                queries, anything = {*result["counts"]["queries"]}, [*result["counts"]["documents"], "*"]
                untrained = queries - {*(pair.of.traits["languages"] or queries)}
                for what in self.whats if self.languages == "all" else ():
                    compared.add(into, pair, benchmark, what)
                for what in self.whats if self.languages == "untrained" and untrained else ():
                    only, words = _of(untrained, queries, anything, what[0]), f" in {' '.join(sorted(untrained))}"
                    compared.add(into, pair, benchmark, what, only, words)
                for lang in sorted(result["per_language"]["cross"]["by_query"]) if self.no_language_worse else ():
                    what, only = ("cross", self.measure), frozenset((lang, other) for other in anything)
                    compared.add(compared.guards, pair, benchmark, what, only, f", queries in {lang}")
        comparisons.zero_shot_first(compared.counted)
        return compared

    def spoken_of(self, comparisons: Comparisons) -> list[Contrast]:
        """Those that count."""
        return self.compare(comparisons).counted

    def p_values(self, comparisons: Comparisons) -> list[float]:
        """Of the differences that count, and of the guards."""
        return [contrast.p for contrast in self.compare(comparisons).tested]

    def _outcome(self, contrast: Contrast, p: float) -> Outcome:
        low, high = sorted(self._sign * (end - (self.not_below or 0.0)) for end in contrast.interval())
        if self.not_below is None and p > ALPHA:
            return "undecided"
        return "holds" if low > 0 else "fails" if high < 0 else "undecided"

    def _effect(self, counted: Sequence[Contrast], findings: Sequence[Finding]) -> str:
        if len(counted) == 1:
            return counted[0].shown()
        n = Counter(row.outcome for row in findings)
        if self.effect == "mean":
            mean = pooled([contrast.paired for contrast in counted])
            shown = show(mean.mean, mean.interval(), counted[0].unit)
            outcomes = f"{n['holds']} hold, {n['undecided']} undecided, {n['fails']} fail"
            return f"mean of {len(counted)} comparisons {shown}; by comparison: {outcomes}"
        weakest = min(counted, key=lambda contrast: (self._sign * contrast.difference, contrast.name))
        outcomes = f"{n['holds']} in favour, {n['undecided']} open, {n['fails']} against"
        return f"{len(counted)} comparisons: {outcomes}; weakest: {weakest.shown()} ({weakest.name})"

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
        ranks = " and ".join(sorted({str(contrast.after.traits["rank"]) for contrast in counted}))
        opening = self.answer or f"{self.names[0]} instead of {self.names[1]} changes {self.measure}"
        changes = [self._change(contrast, row.outcome) for contrast, row in zip(counted, verdict.findings)]
        sentences = [f"{opening.format(rank=ranks)} {'; '.join(changes)}."]
        if len(counted) > 1:
            mean = pooled([contrast.paired for contrast in counted])
            shown = f"{mean.mean:+.4f} (95% interval {_ends(mean.interval())})"
            kind = "claim of non-inferiority" if self.not_below is not None else "claim"
            whole = f"the mean is {shown}, and the {kind} as a whole is: {verdict.outcome}"
            sentences.append(f"Over these {len(counted)} comparisons {whole}.")
        # an untrained base was not trained: what its evaluation took is nothing to compare with
        sides = list(dict.fromkeys((each.after, each.before) for each in counted if not each.before.is_base))
        for of, against in sides:
            sentences.append(cost_sentence(of, against, self.names, f" ({of.circumstances})" if len(sides) > 1 else ""))
        if not all(are_enough(contrast.seeds) for contrast in counted):
            few = "this is about these models, not about the recipes: it decides nothing"
            sentences.append(f"With one training seed {few}.")
        if comparisons.study.audit is None:
            sentences.append("Training data and benchmarks were not audited: zero-shot is asserted.")
        return sentences

    def _change(self, contrast: Contrast, outcome: Outcome) -> str:
        seeds = f"{contrast.seeds} seed{'s' if contrast.seeds > 1 else ''} each" if contrast.seeds else "nothing drawn"
        words = {"holds": "better", "fails": "worse"}.get(outcome, "undecided")
        if self.not_below is not None:
            words = {"holds": "not inferior at", "fails": "inferior by more than"}.get(outcome, "undecided at")
            words = f"{words} a margin of {-self.not_below:g}"
        seen = "; not zero-shot for this base" if exposed(contrast.after.base, contrast.benchmark) else ""
        setting = f"in {contrast.setting} " if len(self.whats) > 1 else ""
        where = f"{setting}on {contrast.benchmark} ({contrast.after.circumstances}{seen})"
        return f"by {contrast.difference:+.4f} (95% interval {_ends(contrast.interval())}, {seeds}) {where}: {words}"


def _ends(interval: Interval) -> str:
    return f"{interval[0]:+.4f} to {interval[1]:+.4f}"


def _of(languages: set[str], queries: set[str], passages: Sequence[str], setting: str) -> Cells:
    """Cells with queries in some languages; in cross with passages in them too, or either where it is one language."""
    enough = 2 if setting == "cross" and len(languages) > 1 else 1
    counted = languages if setting == "cross" else set()
    cells = [(query, passage) for query in queries for passage in passages]
    return frozenset(cell for cell in cells if (cell[0] in languages) + (cell[1] in counted) >= enough)
