"""The claims of a study, read and judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from isoglot.errors import InputError, at
from isoglot.settings import build
from isoglot.study.analysis.contrasts import Comparisons
from isoglot.study.analysis.reading import Study
from isoglot.study.claims.claim import KINDS, Claim
from isoglot.study.claims.verdicts import Verdict, not_tested
from isoglot.study.presets import PRESETS


def parse_claims(values: Any, where: str) -> dict[str, Claim]:
    """The claims of a spec's `claims:`, by name; in the place of one may stand the name of the preset that states it.

    Raises:
        InputError: names `where` and the claim: no mapping, an unknown preset, kind, setting or trait.
    """
    if not isinstance(values or {}, Mapping):
        raise InputError(f"{where}: claims: expected a mapping of names and claims, got {values!r}")
    return {str(name): _claim(str(name), value, where) for name, value in (values or {}).items()}


def _claim(name: str, value: Any, where: str) -> Claim:
    with at(f"{where}: claims.{name}"):
        stated = (PRESETS[value].values.get("claims") or {}).get(name) if isinstance(value, str) else value
        if isinstance(value, str) and not isinstance(stated, Mapping):
            raise InputError(f"the preset '{value}' states no claim of this name")
        if not isinstance(stated, Mapping):
            raise InputError(f"expected a mapping of settings or the name of a preset, got {value!r}")
        settings = dict(stated)
        kind: type[Claim] = KINDS[str(settings.pop("kind", KINDS.default()))]
        return build(kind, [("", settings)])


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
