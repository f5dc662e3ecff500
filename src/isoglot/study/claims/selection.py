"""Selections of systems by their traits, and pairs of systems in which all else is equal."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, PlainSerializer
from pydantic_core import PydanticCustomError

from isoglot.errors import unknown
from isoglot.study.analysis.systems import METHOD, OF_TUNING, TRAITS, System, all_else_equal, axis_words, is_number
from isoglot.tables import exact

_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {"above": operator.gt, "below": operator.lt, "at_least": operator.ge}
_EXTREMES = {"highest": max, "lowest": min}


@dataclass(frozen=True)
class Selection:
    """Systems by their traits, such as `{strategy: hybrid, mono_share: .5}`.

    Attributes:
        traits: {trait: a value, a list of values, `highest` or `lowest` among what the rest selects, or tests such as
            {above: 0, below: 1, at_least: 2}, of a list: of its length}.
        otherwise: selects where nothing has these traits; None: nothing.
    """

    traits: Mapping[str, Any]
    otherwise: Selection | None = None

    def written(self) -> dict[str, Any]:
        """The mapping that it was read from."""
        return {**self.traits, **({"else": self.otherwise.written()} if self.otherwise else {})}

    def choose(self, systems: Iterable[System]) -> list[System]:
        """The systems that are meant; [] where there are none."""
        candidates = list(systems)
        chosen = [system for system in candidates if self.fits(system)]
        for key, wanted in self.traits.items():
            if isinstance(wanted, str) and wanted in _EXTREMES and chosen:
                best = _EXTREMES[wanted](system.traits[key] for system in chosen)
                chosen = [system for system in chosen if system.traits[key] == best]
        return chosen if chosen or self.otherwise is None else self.otherwise.choose(candidates)

    def may_choose(self, system: System) -> bool:
        """Whether a system of runs that have not finished is one that is meant, as far as its traits tell."""
        return self.fits(system) or (self.otherwise is not None and self.otherwise.may_choose(system))

    def fits(self, system: System) -> bool:
        """Whether a system has all the traits."""
        return all(_has(system, key, wanted) for key, wanted in self.traits.items())

    def keys(self) -> set[str]:
        """The traits that are spoken of, `otherwise` included."""
        return {*self.traits, *(self.otherwise.keys() if self.otherwise else ())}

    def only(self, keys: Collection[str]) -> Selection:
        """What is said of some traits."""
        traits = {key: wanted for key, wanted in self.traits.items() if key in keys}
        return Selection(traits, self.otherwise.only(keys) if self.otherwise else None)

    def called(self, system: System | None = None) -> str:
        """A short name: the first trait, as the system has it where it is one of these."""
        key, wanted = next(iter(self.traits.items()), ("system", "all"))
        value = system.traits[key] if system is not None and self.fits(system) else wanted
        return f"{axis_words(key)} {exact(value)}" if is_number(value) else str(value)


def _select(value: Any) -> Selection:
    """Read a selection: the name of a system, or a mapping of traits with `else:` for what is meant where nothing has them."""
    traits = {"system": value} if isinstance(value, str) else value
    if not isinstance(traits, Mapping) or not traits:
        raise PydanticCustomError("member", "{text}", {"text": "expected the name of a system or a mapping of traits"})
    traits = dict(traits)
    otherwise = _select(traits.pop("else")) if "else" in traits else None
    names = [("trait", key, {*TRAITS, "else"}) for key in traits]
    names += [("test", test, {*_TESTS}) for tests in traits.values() if isinstance(tests, Mapping) for test in tests]
    for kind, name, known in names:
        if name not in known:
            raise PydanticCustomError("member", "{text}", {"text": str(unknown(kind, str(name), known))})
    return Selection(traits, otherwise)


def _select_each(value: Any) -> tuple[Selection, ...]:
    return tuple(map(_select, value)) if isinstance(value, (list, tuple)) else (_select(value),)


Chosen = Annotated[Any, BeforeValidator(_select), PlainSerializer(Selection.written)]
"""The type of a setting that selects systems; a `Selection`."""
ChosenEach = Annotated[
    Any, BeforeValidator(_select_each), PlainSerializer(lambda each: [one.written() for one in each])
]
"""The type of a setting with one selection or a list of them; a tuple of `Selection`."""


def _has(system: System, key: str, wanted: Any) -> bool:
    own = system.traits[key]
    if isinstance(wanted, Mapping):
        value = len(own) if isinstance(own, (list, tuple)) else own
        return value is not None and all(_TESTS[test](value, bound) for test, bound in wanted.items())
    if isinstance(wanted, str) and wanted in _EXTREMES:
        return is_number(own)
    # a tuning by its kind, unless one of the study is called so: that one is meant
    also = system.traits["tuning_kind"] if key == "tuning" and system.by_kind else own
    return any(value in (own, also) for value in (wanted if isinstance(wanted, (list, tuple)) else [wanted]))


class Pair(NamedTuple):
    """Two systems in which all is equal but what a claim is about; what tells them apart and what they share, in words."""

    of: System
    against: System
    names: tuple[str, str]
    beside: str


def pairs(systems: Sequence[System], of: Selection, against: Sequence[Selection]) -> tuple[list[Pair], list[str]]:
    """Every selected system with each of what it is to be compared with, and what is missing, in words."""
    matched, problems, free = [], [], free_traits(of, *against)
    for system in of.choose(systems):
        beside = in_common(system, free)
        others = [other for other in systems if other is not system and all_else_equal(system, other, free)]
        for selection in against:
            mine, theirs = apart(of, selection)
            counterparts = selection.choose(others)
            if not counterparts:
                missing = f"no finished {theirs.called()} cells beside {mine.called()} with everything else equal"
                problems.append(f"{beside}: {missing}")
            matched += [Pair(system, o, (mine.called(system), theirs.called(o)), beside) for o in counterparts]
    return matched, problems


def apart(one: Selection, two: Selection) -> tuple[Selection, Selection]:
    """Two selections with only what tells them apart."""
    keys = {key for key in one.keys() | two.keys() if one.traits.get(key) != two.traits.get(key)}
    return one.only(keys), two.only(keys)


def free_traits(*selections: Selection) -> set[str]:
    """In what systems of these selections may differ, and be compared with all else equal."""
    keys = set().union(*(selection.keys() for selection in selections))
    return keys | ({"tuning"} if keys & set(OF_TUNING) else set()) | (set(METHOD) if "system" in keys else set())


def full_data(systems: Sequence[System], free: Collection[str]) -> list[System]:
    """Systems on all of their data; where a study has parts of the data only, those on the largest. Bases as they are."""
    largest: dict[Any, float] = {}
    for system in systems:
        largest[system.data, system.base] = max(largest.get((system.data, system.base), 0.0), system.amount)
    return [own for own in systems if "amount" in free or own.amount == largest[own.data, own.base]]


def in_common(system: System, free: Collection[str]) -> str:
    """Base, data and whatever of the method is not free, in words."""
    words = {key: system.traits[key] for key in ("strategy", "mono_share", "tuning") if key not in free}
    if share := words.get("mono_share"):
        words["mono_share"] = f"α={exact(share)}"
    return ", ".join([system.circumstances, *(str(word) for word in words.values() if word)])
