"""The claims of a study, read and judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from isoglot.errors import InputError, unknown
from isoglot.settings import build
from isoglot.study.analysis.contrasts import Comparisons
from isoglot.study.analysis.reading import Study
from isoglot.study.claims.claim import KINDS, Claim
from isoglot.study.claims.verdicts import Verdict, not_tested
from isoglot.study.presets import preset_names, preset_path
from isoglot.yaml_input import read_yaml


def stated_claims(values: Any, where: str) -> dict[str, Any]:
    """`claims:` of a spec in full: where the name of a preset stands in the place of a claim, what the preset states.

    Raises:
        InputError: something else than a mapping of names and claims, an unknown preset, or one without the claim.
    """
    if not isinstance(values or {}, Mapping):
        raise InputError(f"{where}: claims: expected a mapping of names and claims, got {values!r}")
    stated = {str(name): value for name, value in (values or {}).items()}
    for name, preset in stated.items():
        if isinstance(preset, str):
            if preset not in preset_names():
                raise InputError(f"{where}: claims.{name}: {unknown('preset', preset, preset_names())}")
            stated[name] = (read_yaml(preset_path(preset)).get("claims") or {}).get(name)
            if not isinstance(stated[name], Mapping):
                raise InputError(f"{where}: claims.{name}: the preset '{preset}' states no claim of this name")
    return stated


def parse_claims(values: Any, where: str) -> dict[str, Claim]:
    """The claims of a spec's `claims:`, by name. InputError: see `stated_claims`; an unknown kind, setting or trait."""
    return {name: _claim(value, f"{where}: claims.{name}") for name, value in stated_claims(values, where).items()}


def _claim(value: Any, where: str) -> Claim:
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: expected a mapping of settings or the name of a preset, got {value!r}")
    kind = str(value.get("kind", KINDS.default()))
    if kind not in KINDS:
        raise InputError(f"{where}: {unknown(KINDS.kind, kind, KINDS.names())}")
    try:
        claim: Claim = build(KINDS[kind], [("", {key: inner for key, inner in value.items() if key != "kind"})])
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    return claim


def claims_of(study: Study) -> dict[str, Claim]:
    """What a study claims: by its spec, or, from before specs held claims, by the preset of its name."""
    if "claims" in study.spec:
        return parse_claims(study.spec["claims"], str(study.directory / "study.json"))
    if study.name not in preset_names():
        return {}
    path = preset_path(study.name)
    return parse_claims(read_yaml(path).get("claims"), str(path))


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
