"""The question of a study, answered in a paragraph: with numbers and their uncertainty, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from isoglot.study.analysis.contrasts import MAIN_MEASURE, Comparisons
from isoglot.study.analysis.systems import Series, System, series_of
from isoglot.study.claims.claim import MIN_SEEDS, Claim
from isoglot.study.claims.verdicts import Verdict


def answer(comparisons: Comparisons, claims: Mapping[str, Claim], verdicts: Sequence[Verdict]) -> str:
    """What the claims found that state an `answer`; else figures along series; else what the first claim found that can tell."""
    study = comparisons.study
    judged = list(zip(claims.values(), verdicts))
    sentences = _first(comparisons, [(claim, verdict) for claim, verdict in judged if claim.answer])
    sentences = sentences or _along(comparisons, judged) or _first(comparisons, judged)
    if not sentences:
        return f"Not answered by this study: {_why(comparisons, verdicts)}."
    if study.n_open:
        sentences.append(f"{study.n_open} of {len(study.runs)} cells are not finished.")
    return " ".join(sentences)


def _first(comparisons: Comparisons, judged: Sequence[tuple[Claim, Verdict]]) -> list[str]:
    return next((words for claim, verdict in judged if (words := claim.sentences(comparisons, verdict))), [])


def _along(comparisons: Comparisons, judged: Sequence[tuple[Claim, Verdict]]) -> list[str]:
    """Cross-lingual nDCG@10 along shares of batches and of data, and what claims say that state an `answer`."""
    trained = [system for system in comparisons.systems if not system.is_base]
    sentences = [text for series in series_of(trained) for text in _sentences(comparisons, series)]
    if not sentences:
        return []
    stated = [(claim.answer, verdict.outcome) for claim, verdict in judged if claim.answer]
    sentences += [f"{words}: {outcome}." for words, outcome in stated if outcome != "not tested"]
    if min(len(system.runs) for system in trained) < MIN_SEEDS:
        sentences.append("One training seed decides nothing about recipes.")
    return sentences


def _sentences(comparisons: Comparisons, series: Series) -> list[str]:
    first = series.systems[0]
    sentences = []
    for benchmark in first.benchmarks():
        values = [(x, _cross(system, benchmark)) for x, system in zip(series.x, series.systems)]
        shown = ", ".join(f"{x:g}: {value:.4f}" for x, value in values if value is not None)
        base = next((_cross(s, benchmark) for s in comparisons.systems if s.is_base and s.base == first.base), None)
        start = f" (base {base:.4f})" if base is not None else ""
        sentences.append(f"Cross {MAIN_MEASURE} on {benchmark} by {series.axis} ({series.label}): {shown}{start}.")
    return sentences


def _cross(system: System, benchmark: str) -> float | None:
    figures = system.stated(benchmark, "cross", MAIN_MEASURE)
    return sum(figures) / len(figures) if figures else None


def _why(comparisons: Comparisons, verdicts: Sequence[Verdict]) -> str:
    study = comparisons.study
    if not study.done:
        return "no cell is finished"
    if study.trained_pairs and all(study.leaked(data, name) for data, name in study.trained_pairs):
        return "the audit found its benchmarks in the training data, so nothing in it is zero-shot"
    notes = [verdict.note for verdict in verdicts if verdict.outcome == "not tested" and verdict.note]
    return notes[0] if notes else "it states no claim that compares systems, and its systems form no series"
