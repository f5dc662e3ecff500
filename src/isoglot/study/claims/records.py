"""What a claim is: a sentence, a test that was stated before there were results, and what the results say to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from isoglot.study.results_view import StudyResults

Outcome = Literal["holds", "fails", "undecided", "not tested"]

ALPHA = 0.05
MARGIN = 0.01
"""Of equivalence and non-inferiority, in nDCG@10; fixed before any result."""

PAPER = "arXiv 2408.10536"
OURS = "this project"


@dataclass(frozen=True)
class Part:
    """One comparison or check of a claim.

    Attributes:
        where: base, data, benchmark, setting, what is compared.
        verdict: of this part alone.
        effect: ready to print.
        estimate, low, high, unit: the numbers; None where there are none.
        p_holm: after Holm over the claim's tests; None without a test.
        counted: whether the claim's verdict depends on it (others are shown for the record).
    """

    where: str
    verdict: Outcome
    effect: str
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    p_holm: float | None = None
    counted: bool = True


@dataclass(frozen=True)
class Verdict:
    """What a study says to a claim.

    Attributes:
        verdict: holds, fails, undecided, not tested.
        effect: the numbers in short, with intervals.
        confidence: what the verdict rests on.
        evidence: files and folders, relative to the study directory.
        note: what limits it.
        parts: single comparisons.
    """

    verdict: Outcome
    effect: str = ""
    confidence: str = ""
    evidence: tuple[str, ...] = ()
    note: str = ""
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Claim:
    """A claim and its test.

    Attributes:
        name: short, for files and links.
        statement: one sentence.
        source: whose claim it is.
        test: the pre-stated predicate in words: measure, setting, comparison, margin, level, correction.
        evaluate: the same in code.
    """

    name: str
    statement: str
    source: str
    test: str
    evaluate: Callable[[StudyResults], Verdict]


@dataclass(frozen=True)
class ClaimRow:
    """A line of the claims table; texts are ready to print.

    Attributes:
        claim: the statement.
        verdict, effect, confidence, evidence, note, parts: as in `Verdict`.
        name, source, test: as in `Claim`.
    """

    claim: str
    verdict: Outcome
    effect: str
    confidence: str
    evidence: tuple[str, ...]
    name: str
    source: str
    test: str
    note: str = ""
    parts: tuple[Part, ...] = ()


def not_tested(why: str) -> Verdict:
    """Nothing in the study speaks to the claim."""
    return Verdict("not tested", note=why)


def overall(parts: list[Part], *, complete: bool = True) -> Outcome:
    """A universal claim: fails where any counted part fails, holds where all do and none is missing."""
    states = [part.verdict for part in parts if part.counted]
    if "fails" in states:
        return "fails"
    tested = [state for state in states if state != "not tested"]
    if not tested:
        return "not tested"
    return "holds" if complete and set(states) == {"holds"} else "undecided"
