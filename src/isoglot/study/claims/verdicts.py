"""What a study says to a claim."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from isoglot.evaluation.significance import Interval

Outcome = Literal["holds", "fails", "undecided", "not tested"]


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


def counted(
    findings: Sequence[Finding],
    effect: str,
    confidence: str,
    nothing: str,
    *,
    evidence: tuple[str, ...] = ("results.json",),
    notes: Iterable[str] = (),
    complete: bool = True,
) -> Verdict:
    """The verdict over facts; `nothing` says why there are none, `complete` whether none is missing."""
    if not findings:
        return not_tested(nothing)
    outcome = overall(findings, complete=complete)
    return Verdict(outcome, effect, confidence, evidence, "; ".join(notes), tuple(findings))


def overall(findings: Iterable[Finding], *, complete: bool = True) -> Outcome:
    """A universal claim: fails where any counted finding fails, holds where all do and none is missing."""
    outcomes = {finding.outcome for finding in findings if finding.counted}
    if "fails" in outcomes:
        return "fails"
    if not outcomes - {"not tested"}:
        return "not tested"
    return "holds" if complete and outcomes == {"holds"} else "undecided"
