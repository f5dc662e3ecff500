"""The claims of a study, read and judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from isoglot.errors import InputError, unknown
from isoglot.settings import read_yaml
from isoglot.study.analysis.contrasts import Comparisons
from isoglot.study.analysis.reading import Study
from isoglot.study.claims.claim import Claim, parse_claim
from isoglot.study.claims.verdicts import Verdict, not_tested
from isoglot.study.presets import preset_names, preset_path


def parse_claims(values: Any, where: str) -> dict[str, Claim]:
    """Claims from the mapping of a spec's `claims:`; in the place of a claim may stand the preset that states it.

    Args:
        values: {name: mapping of settings, or name of a preset with a claim of that name}; None for none.
        where: opens the error messages.

    Raises:
        InputError: an unknown kind, setting or trait, a value that is not right, a preset without the claim.
    """
    if not isinstance(values or {}, Mapping):
        raise InputError(f"{where}: claims: expected a mapping of names and claims, got {values!r}")
    return {str(name): _claim(str(name), value, f"{where}: claims.{name}") for name, value in (values or {}).items()}


def _claim(name: str, value: Any, where: str) -> Claim:
    if isinstance(value, Claim):
        return value
    if isinstance(value, str):
        if value not in preset_names():
            raise InputError(f"{where}: {unknown('preset', value, preset_names())}")
        stated = read_yaml(preset_path(value)).get("claims") or {}
        if name not in stated or isinstance(stated[name], str):
            raise InputError(f"{where}: the preset '{value}' states no claim of this name")
        value = stated[name]
    return parse_claim(value, where)


def claims_of(study: Study) -> dict[str, Claim]:
    """What a study claims: by its spec, or, from before specs held claims, by the preset of its name."""
    if "claims" in study.spec:
        return parse_claims(study.spec["claims"], str(study.directory / "study.json"))
    if study.name in preset_names():
        path = preset_path(study.name)
        return parse_claims(read_yaml(path).get("claims"), str(path))
    return {}


def judge_claims(comparisons: Comparisons, claims: Mapping[str, Claim]) -> list[Verdict]:
    """A verdict per claim. One whose data cannot be read is "not tested", and its note says why; nothing is raised."""
    return [_judged(comparisons, name, claims) for name in claims]


def _judged(comparisons: Comparisons, name: str, claims: Mapping[str, Claim]) -> Verdict:
    claim = claims[name]
    try:
        family = [other for other in claims.values() if claim.family and other.family == claim.family]
        beside = [p for other in family if other is not claim for p in other.p_values(comparisons)]
        verdict = claim.judge(comparisons, beside)
    except InputError as error:
        verdict = not_tested(str(error))
    except (KeyError, TypeError) as error:
        verdict = not_tested(f"a part of the results is missing ({error})")
    statement = claim.statement or claim.states()
    return replace(verdict, name=name, statement=statement, source=claim.source, test=claim.test or claim.tests())
