"""The claims of a study, read and judged, and the question of the study answered by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from isoglot.errors import InputError, at
from isoglot.settings import build
from isoglot.study.analysis.contrasts import MAIN_MEASURE, Comparisons, Contrast
from isoglot.study.analysis.reading import Study
from isoglot.study.analysis.systems import series_of
from isoglot.study.claims.claim import KINDS, MIN_SEEDS, Claim, Verdict, not_tested
from isoglot.study.presets import PRESETS
from isoglot.tables import exact


def stated_claims(values: Any, where: str) -> dict[str, Mapping[str, Any]]:
    """`claims:` of a spec in full: where the name of a preset stands in the place of a claim, what the preset states.

    Raises:
        InputError: something else than a mapping of names and claims, an unknown preset, or one without the claim.
    """
    if not isinstance(values or {}, Mapping):
        raise InputError(f"{where}: claims: expected a mapping of names and claims, got {values!r}")
    stated: dict[str, Mapping[str, Any]] = {}
    for name, value in (values or {}).items():
        with at(f"{where}: claims.{name}"):
            claim = (PRESETS[value].values.get("claims") or {}).get(name) if isinstance(value, str) else value
            if not isinstance(claim, Mapping):
                expected = f"expected a mapping of settings or the name of a preset, got {value!r}"
                missing = f"the preset '{value}' states no claim of this name"
                raise InputError(missing if isinstance(value, str) else expected)
            stated[str(name)] = claim
    return stated


def parse_claims(values: Any, where: str) -> dict[str, Claim]:
    """The claims of a spec's `claims:`, by name. InputError: see `stated_claims`; an unknown kind, setting or trait."""
    claims = {}
    for name, stated in stated_claims(values, where).items():
        with at(f"{where}: claims.{name}"):
            kind: type[Claim] = KINDS[str(stated.get("kind", KINDS.default()))]
            claims[name] = build(kind, [("", {key: value for key, value in stated.items() if key != "kind"})])
    return claims


def claims_of(study: Study) -> dict[str, Claim]:
    """What a study claims: by its spec, or, from before specs held claims, by the preset of its name."""
    if "claims" in study.spec:
        return parse_claims(study.spec["claims"], str(study.directory / "study.json"))
    if study.name not in PRESETS:
        return {}
    preset = PRESETS[study.name]
    return parse_claims(preset.values.get("claims"), str(preset.path))


def judge_claims(comparisons: Comparisons, claims: Mapping[str, Claim]) -> list[Verdict]:
    """A verdict per claim. One whose data cannot be read is "not tested", and its note says why; nothing is raised."""
    return [_judged(comparisons, name, claims) for name in claims]


def _judged(comparisons: Comparisons, name: str, claims: Mapping[str, Claim]) -> Verdict:
    claim = claims[name]
    family = [other for other in claims.values() if claim.family and other.family == claim.family]
    try:
        beside = [p for other in family if other is not claim for p in other.p_values(comparisons)]
        verdict = claim.judge(comparisons, beside)
    except InputError as error:
        verdict = not_tested(str(error))
    except (KeyError, TypeError) as error:
        verdict = not_tested(f"a part of the results is missing ({error})")
    statement = claim.statement or claim.states()
    return replace(verdict, name=name, statement=statement, source=claim.source, test=claim.test or statement)


def answer(comparisons: Comparisons, claims: Mapping[str, Claim], verdicts: Sequence[Verdict]) -> str:
    """The question of a study answered in a paragraph, with numbers and their uncertainty, or why it is not.

    What the first claim found that states an `answer`; else figures along series; else what the first claim found that can tell.
    """
    study, judged = comparisons.study, list(zip(claims.values(), verdicts))
    stated = [(claim, verdict) for claim, verdict in judged if claim.answer]
    sentences = _first(comparisons, stated) or _along(comparisons, stated) or _first(comparisons, judged)
    if not sentences:
        return f"Not answered by this study: {_why_not(study, verdicts)}."
    if study.n_open:
        sentences.append(f"{study.n_open} of {len(study.runs)} cells are not finished.")
    return " ".join(sentences)


def spoken_of(comparisons: Comparisons, claims: Mapping[str, Claim], verdicts: Sequence[Verdict]) -> list[Contrast]:
    """The differences that `answer` speaks of; [] where it tells figures along series, or nothing."""
    judged = list(zip(claims.values(), verdicts))
    stated = [(claim, verdict) for claim, verdict in judged if claim.answer]
    if not _first(comparisons, stated):
        if _along(comparisons, stated):
            return []
        stated = judged
    answering = (claim for claim, verdict in stated if claim.sentences(comparisons, verdict))
    return next((claim.spoken_of(comparisons) for claim in answering), [])


def _first(comparisons: Comparisons, judged: Iterable[tuple[Claim, Verdict]]) -> list[str]:
    return next((words for claim, verdict in judged if (words := claim.sentences(comparisons, verdict))), [])


def _along(comparisons: Comparisons, stated: Iterable[tuple[Claim, Verdict]]) -> list[str]:
    """Cross-lingual nDCG@10 along shares of batches and of data, and what claims say that state an `answer`."""
    trained, sentences = [system for system in comparisons.systems if not system.is_base], []
    bases = {system.base: system for system in comparisons.systems if system.is_base}
    for series in series_of(trained):
        first = series.systems[0]
        for benchmark in first.benchmarks():
            cross = (benchmark, "cross", MAIN_MEASURE)
            values = [(x, system.mean(*cross)) for x, system in zip(series.x, series.systems)]
            shown = ", ".join(f"{exact(x)}: {value:.4f}" for x, value in values if value is not None)
            before = bases[first.base].mean(*cross) if first.base in bases else None
            start = f" (base {before:.4f})" if before is not None else ""
            sentences.append(f"Cross {MAIN_MEASURE} on {benchmark} by {series.axis} ({series.label}): {shown}{start}.")
    if sentences:
        tested = [(claim.answer, verdict.outcome) for claim, verdict in stated if verdict.outcome != "not tested"]
        sentences += [f"{words}: {outcome}." for words, outcome in tested]
        if min(len(system.runs) for system in trained) < MIN_SEEDS:
            sentences.append("One training seed decides nothing about recipes.")
    return sentences


def _why_not(study: Study, verdicts: Sequence[Verdict]) -> str:
    if not study.done:
        return "no cell is finished"
    if study.trained_pairs and all(study.leaked(data, name) for data, name in study.trained_pairs):
        return "the audit found its benchmarks in the training data, so nothing in it is zero-shot"
    notes = [verdict.note for verdict in verdicts if verdict.outcome == "not tested" and verdict.note]
    return [*notes, "it states no claim that compares systems, and its systems form no series"][0]
