"""Systems: a name and an ordered list of stages. The untrained base is the empty list."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from isoglot.batching.strategies import Strategy
from isoglot.errors import InputError, unknown
from isoglot.files import digest_json
from isoglot.study.stages import Stage
from isoglot.study.stages.train import Train, TuningSpec


@dataclass(frozen=True)
class System:
    """What is done to a base model.

    Attributes:
        name: unique in a study.
        label: how tables call it.
        key: its part of the ids of runs.
        stages: in their order; none: the base as it is.
    """

    name: str
    label: str
    key: str
    stages: tuple[Stage, ...]

    @property
    def has_seed(self) -> bool:
        """Whether it is another one with every seed."""
        return any(stage.uses_seed for stage in self.stages)

    def tunings(self) -> list[TuningSpec]:
        """Those of its training stages."""
        return [stage.tuning for stage in self.stages if isinstance(stage, Train)]


BASE = System("base", "none (base)", "base", ())


def strategy_key(strategy: Strategy) -> str:
    """A strategy with its settings as a part of ids, such as `hybrid-0.5`."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", strategy.label).strip("-")


def grid_systems(strategies: Iterable[Strategy], tunings: Sequence[TuningSpec]) -> list[System]:
    """One training for every combination."""
    systems = []
    for strategy in strategies:
        key = strategy_key(strategy)
        for tuning in tunings:
            names = (f"{key}-{tuning.name}", f"{strategy.label}, {tuning.name}", f"{key}.{tuning.name}")
            systems.append(System(*names, (Train(strategy=strategy, tuning=tuning),)))
    return systems


def named_systems(named: Mapping[str, Sequence[str | Stage]], others: Sequence[System]) -> list[System]:
    """The systems that a spec names itself.

    Args:
        named: stages by name; the first may be the name of another system, whose stages come first.
        others: systems that there are besides.

    Raises:
        InputError: an unknown system, one that begins with itself, two that are called alike or that are the same.
    """
    known = {system.name: system.stages for system in others}
    if taken := [name for name in named if name in known]:
        raise InputError(f"systems: '{taken[0]}' is the name of another system of this study; give another name")

    def stages(name: str, users: tuple[str, ...]) -> tuple[Stage, ...]:
        if name in known:
            return known[name]
        if name in users:
            raise InputError(f"systems.{users[0]}: begins with itself ({', '.join((*users, name))})")
        if name not in named:
            raise InputError(f"systems.{users[-1]}: {unknown('system', name, [*known, *named])}")
        own = tuple(stage for stage in named[name] if isinstance(stage, Stage))
        first = named[name][0]
        return (*stages(first, (*users, name)), *own) if isinstance(first, str) else own

    systems = [System(name, name, name, stages(name, ())) for name in named]
    seen: dict[str, str] = {}
    for system in (*others, *systems):
        twin = seen.setdefault(digest_json([stage.written() for stage in system.stages]), system.name)
        if twin != system.name:
            raise InputError(f"systems.{system.name}: is the same as system '{twin}'")
    every = {system.name: system for system in (*others, *systems)}
    for system in systems:
        _check_last(system)
        _check_beside(system, every, ())
    return systems


def _check_last(system: System) -> None:
    """InputError where something comes after a stage that makes no model to go on from."""
    if early := next((stage for stage in system.stages[:-1] if not stage.makes_model), None):
        raise InputError(f"systems.{system.name}: '{early.name}' makes no model, so nothing can come after it")


def _check_beside(system: System, every: Mapping[str, System], users: tuple[str, ...]) -> None:
    """InputError where a system that is needed beside is none, needs this one, or differs between seeds and this one does not."""
    users = (*users, system.name)
    for name in (name for stage in system.stages for name in stage.beside):
        if name not in every:
            raise InputError(f"systems.{system.name}: {unknown('system', name, every)}")
        other, where = every[name], f"systems.{system.name}: goes on with '{name}'"
        if name in users:
            raise InputError(f"{where}, which needs it ({', '.join((*users, name))})")
        if not other.stages:
            raise InputError(f"{where}; the base is what it is averaged with where no others are named")
        if not other.stages[-1].makes_model:
            raise InputError(f"{where}, which has no model of its own: it ends with '{other.stages[-1].name}'")
        if other.has_seed and not system.has_seed:
            raise InputError(f"{where}, which is another one with every seed; begin with a system that is trained")
        _check_beside(other, every, users)
