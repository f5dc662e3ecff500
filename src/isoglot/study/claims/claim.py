"""What all claims have in common: selections of systems, pairs in which all else is equal, and the registry of kinds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, SerializerFunctionWrapHandler, model_serializer
from pydantic_core import PydanticCustomError

from isoglot.errors import InputError, unknown
from isoglot.registry import Registry, one_line_help
from isoglot.settings import Member, Settings, build
from isoglot.study.analysis.contrasts import Comparisons
from isoglot.study.analysis.systems import (
    CIRCUMSTANCES,
    METHOD,
    OF_TUNING,
    System,
    all_else_equal,
    axis_words,
    is_number,
)
from isoglot.study.claims.verdicts import Verdict

MIN_SEEDS = 2
"""Training seeds per system below which nothing is decided: one model of each is no sample of anything."""

_TRAITS = (*CIRCUMSTANCES, *METHOD, *OF_TUNING, "kind", "system", "learning_rate")
_TESTS = {
    "above": lambda value, bound: value > bound,
    "below": lambda value, bound: value < bound,
    "at_least": lambda value, bound: value >= bound,
}
_EXTREMES = {"highest": max, "lowest": min}


class Selection(Settings):
    """Systems by their traits: `{strategy: hybrid, mono_share: .5}`, or the name of a system.

    A trait equals a value, is one of a list, is `highest` or `lowest` among the systems that the rest selects, or lies in
    `{above: 0, below: 1, at_least: 2}` (of a list: its length). `else:` selects where nothing else is there.
    """

    conditions: dict[str, Any]
    otherwise: Any = None

    def choose(self, systems: Iterable[System]) -> list[System]:
        """The systems that are meant; [] where there are none."""
        candidates = list(systems)
        chosen = [system for system in candidates if self.fits(system)]
        for key, wanted in self.conditions.items():
            if wanted in ("highest", "lowest") and chosen:
                best = _EXTREMES[wanted](_number(system.traits[key]) for system in chosen)
                chosen = [system for system in chosen if _number(system.traits[key]) == best]
        return chosen if chosen or self.otherwise is None else list(self.otherwise.choose(candidates))

    def fits(self, system: System) -> bool:
        """Whether a system has all the traits, the alternatives after `else` aside."""
        return all(_has(system, key, wanted) for key, wanted in self.conditions.items())

    def keys(self) -> set[str]:
        """The traits that are spoken of, alternatives included."""
        return {*self.conditions, *(self.otherwise.keys() if self.otherwise else ())}

    def only(self, keys: Iterable[str]) -> Selection:
        """The conditions on some traits."""
        wanted = set(keys)
        otherwise = self.otherwise.only(wanted) if self.otherwise else None
        return Selection(conditions={k: v for k, v in self.conditions.items() if k in wanted}, otherwise=otherwise)

    def called(self, keys: Iterable[str] = (), system: System | None = None) -> str:
        """A short name: the first of its traits (of `keys` only), as the system has it where the selection leaves it open."""
        wanted = set(keys) or set(self.conditions)
        for key, value in self.conditions.items():
            if key in wanted:
                own = system.traits[key] if system is not None and self.fits(system) else value
                own = own[0] if isinstance(own, (list, tuple)) else own
                return own if isinstance(own, str) else f"{axis_words(key)} {own:g}" if is_number(own) else str(own)
        return "all"

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written = handler(self)
        more = {"else": written["otherwise"]} if written["otherwise"] else {}
        return {**written["conditions"], **more}


def _select(value: Any) -> Any:
    if isinstance(value, Selection):
        return value
    if isinstance(value, str):
        value = {"system": value}
    if not isinstance(value, Mapping) or not value:
        raise PydanticCustomError("member", "expected the name of a system or a mapping of traits")
    conditions = {str(key): wanted for key, wanted in value.items() if key != "else"}
    for key, wanted in conditions.items():
        if key not in _TRAITS:
            raise PydanticCustomError("member", "{text}", {"text": str(unknown("trait", key, _TRAITS))})
        if isinstance(wanted, Mapping) and (wrong := set(wanted) - set(_TESTS)):
            raise PydanticCustomError("member", "{text}", {"text": str(unknown("test", str(min(wrong)), _TESTS))})
    otherwise = _select(value["else"]) if value.get("else") else None
    return Selection(conditions=conditions, otherwise=otherwise)


Chosen = Annotated[Selection, BeforeValidator(_select)]
"""The type of a setting that selects systems."""


def _has(system: System, key: str, wanted: Any) -> bool:
    own = system.traits[key]
    if wanted in ("highest", "lowest"):
        return is_number(own)
    if isinstance(wanted, Mapping):
        value = _number(own)
        return value is not None and all(_TESTS[test](value, bound) for test, bound in wanted.items())
    also = system.traits["tuning_kind"] if key == "tuning" else own
    return any(value in (own, also) for value in (wanted if isinstance(wanted, (list, tuple)) else [wanted]))


def _number(value: Any) -> Any:
    return len(value) if isinstance(value, (list, tuple)) else value


def free_traits(*selections: Selection) -> set[str]:
    """In what systems of these selections may differ, and be compared with all else equal."""
    keys = set().union(*(selection.keys() for selection in selections))
    return keys | ({"tuning"} if keys & set(OF_TUNING) else set()) | (set(METHOD) if "system" in keys else set())


@dataclass(frozen=True, eq=False)
class Pair:
    """Two systems in which all is equal but what a claim is about.

    Attributes:
        of, against: the systems.
        names: what tells them apart, in words.
        beside: what they have in common, in words.
    """

    of: System
    against: System
    names: tuple[str, str]
    beside: str


def full_data(systems: Iterable[System], free: set[str]) -> list[System]:
    """Systems on all of their data; where a study has parts of the data only, those on the largest. Bases as they are."""
    everything = list(systems)
    largest: dict[Any, float] = {}
    for system in everything:
        key = system.data, system.base
        largest[key] = max(largest.get(key, 0.0), system.traits["amount"] or 0.0)
    return [
        system
        for system in everything
        if system.is_base or "amount" in free or system.traits["amount"] == largest[system.data, system.base]
    ]


def pairs(systems: Sequence[System], of: Selection, against: Sequence[Selection]) -> tuple[list[Pair], list[str]]:
    """Every selected system with each of what it is to be compared with, and what is missing, in words."""
    found, problems = [], []
    free = free_traits(of, *against)
    pool = full_data(systems, free)
    for system in of.choose(pool):
        beside = in_common(system, free)
        for selection in against:
            keys = differing(of, selection)
            others = [other for other in pool if other is not system and all_else_equal(system, other, free)]
            name = of.called(keys, system)
            counterparts = selection.choose(others)
            if not counterparts:
                problems.append(
                    f"{beside}: no finished {selection.called(keys)} cells beside {name} with everything else equal"
                )
            found += [Pair(system, other, (name, selection.called(keys, other)), beside) for other in counterparts]
    return found, problems


def counted_pairs(found: Sequence[Pair], counted: Selection | None) -> list[Pair]:
    """Those pairs that decide a claim: of several systems beside one and the same, the ones that `counted` selects."""
    if counted is None:
        return list(found)
    groups: dict[tuple[str, System], list[Pair]] = {}
    for pair in found:
        groups.setdefault((pair.beside, pair.against), []).append(pair)
    chosen = {system for group in groups.values() for system in counted.choose([pair.of for pair in group])}
    return [pair for pair in found if pair.of in chosen]


def called_by(given: Sequence[str], of: Selection, against: Sequence[Selection]) -> tuple[str, str]:
    """How sentences call the two sides of a claim: as `given`, else by what tells the selections apart."""
    if given:
        return given[0], given[1]
    keys = differing(of, against[0])
    return of.called(keys), " and ".join(other.called(keys) for other in against)


def differing(one: Selection, two: Selection) -> set[str]:
    """The traits by which two selections tell systems apart."""
    return {key for key in one.keys() | two.keys() if one.conditions.get(key) != two.conditions.get(key)}


def in_common(system: System, free: set[str]) -> str:
    """Base, data and whatever of the method is not free, in words."""
    own = system.traits
    share = f"α={own['mono_share']:g}" if is_number(own["mono_share"]) else None
    words = {"strategy": own["strategy"], "mono_share": share, "tuning": own["tuning"]}
    method = [str(word) for key, word in words.items() if word is not None and key not in free]
    return ", ".join([system.circumstances, *method])


def usable(comparisons: Comparisons, pair: Iterable[System], settings: Iterable[str]) -> list[str]:
    """Benchmarks on which all systems have all settings and which the audit did not find in what they were trained on."""
    systems = list(pair)
    common = set.intersection(*(set(system.benchmarks()) for system in systems))
    return [
        name
        for name in sorted(common)
        if all(set(settings) <= system.settings(name) for system in systems)
        and not any(comparisons.study.leaked(system.data, name) for system in systems)
    ]


class Claim(Member):
    """A claim and its test.

    Attributes:
        statement: one sentence.
        source: whose claim it is.
        test: in words what is tested: measure, setting, comparison, margin, level, correction.
        answer: opens a sentence of the study's answer with what was found.
        family: claims of one family are corrected together for how many tests they make.
    """

    statement: str = ""
    source: str = "this study"
    test: str = ""
    answer: str = ""
    family: str = ""

    def judge(self, comparisons: Comparisons, beside: Sequence[float] = ()) -> Verdict:
        """What the results say; `beside`: p values of the other claims of the family."""
        raise NotImplementedError

    def p_values(self, comparisons: Comparisons) -> list[float]:
        """Of the tests that the claim makes; [] where it makes none."""
        return []

    def sentences(self, comparisons: Comparisons, verdict: Verdict) -> list[str]:
        """The study's answer, as far as this claim can give it; [] where it cannot."""
        return []

    def selections(self) -> list[tuple[Selection, Selection]]:
        """What tells the two sides of its comparisons apart; [] where it compares nothing."""
        return []

    def states(self) -> str:
        """The claim in one sentence, where the spec gives none."""
        return one_line_help(type(self))

    def tests(self) -> str:
        """How it is tested, where the spec does not say."""
        return self.states()

    @model_serializer(mode="wrap")
    def _with_name(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"kind": self.name, **handler(self)}


KINDS: Registry[Any] = Registry("kind of claim", "isoglot.study.claims.kinds")
"""The kinds of claims, by the name that `kind:` gives."""


def parse_claim(value: Any, where: str) -> Claim:
    """A claim from its mapping of settings. InputError names what is wrong."""
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: expected a mapping of settings or the name of a preset, got {value!r}")
    kind = str(value.get("kind", KINDS.default()))
    if kind not in KINDS:
        raise InputError(f"{where}: {unknown(KINDS.kind, kind, KINDS.names())}")
    settings = {key: inner for key, inner in value.items() if key != "kind"}
    try:
        claim: Claim = build(KINDS[kind], [(where, settings)])
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(where) else f"{where}: {text}") from None
    return claim
