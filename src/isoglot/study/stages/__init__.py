"""Stages: a system is an ordered list of them, and each makes a model of a model.

A new stage is one file here (or in a plugin, see `isoglot.registry`): a registered subclass of `Stage`. In a spec it is written
as a mapping of its name and its settings; a value that is no mapping is that of its first setting: `{average: .75}`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from isoglot.data.pairs.table import PairTable
from isoglot.data.readers import read_parquet
from isoglot.errors import InputError, at
from isoglot.files import digest_json
from isoglot.registry import Registry
from isoglot.settings import Member, build, to_dict
from isoglot.study.cost import cost_of
from isoglot.study.layout import SCHEMA, JobFolder


@dataclass(frozen=True)
class Work:
    """What a stage works with.

    Attributes:
        folder: its result is to be `folder.model` or `folder.adapter`.
        start: the model to go on from: a path where a stage came before, else the base.
        base: the untrained base.
        table: file of the training pairs.
        threads: CPU threads; 0: torch's choice.
        workers: how many processes work at a time, this one included.
        before: what the stage before returned; {} where there was none.
        beside: paths of the models of `Stage.beside`.
        began, began_cpu: when, by `time.perf_counter` and by `time.process_time`.
    """

    folder: JobFolder
    start: str
    base: str
    table: Path
    threads: int = 0
    workers: int = 1
    before: Mapping[str, Any] = field(default_factory=dict)
    beside: tuple[str, ...] = ()
    began: float = field(default_factory=time.perf_counter)
    began_cpu: float = field(default_factory=time.process_time)

    def pairs(self) -> PairTable:
        """The training pairs: the same rows in the same order as the study read them."""
        return PairTable.from_arrow(read_parquet(self.table))

    def outcome(self, train: Mapping[str, Any] | None = None, **figures: Any) -> dict[str, Any]:
        """What a stage returns. `train`: of its training (where it trained nothing, the one before it stands); `figures`: see
        `cost_of`, by default with the time until now."""
        seconds = figures.pop("seconds", time.perf_counter() - self.began)
        figures.setdefault("cpu_seconds", time.process_time() - self.began_cpu)
        cost = cost_of(self.folder, self.workers, seconds, self.before.get("cost", {}), **figures)
        return {"train": train or self.before.get("train"), "cost": cost}


class Stage(Member):
    """One step of a system.

    Attributes:
        uses_pairs: whether the training pairs decide what comes out.
        uses_seed: whether the seed of the run does.
        doing: what a bar of progress says meanwhile.
    """

    uses_pairs: ClassVar[bool] = False
    uses_seed: ClassVar[bool] = False
    doing: ClassVar[str]

    def run(self, work: Work) -> dict[str, Any] | None:
        """Make the model; a second call after an interruption goes on or begins again.

        Returns:
            None when it was stopped by a signal; else {"train": losses and counts of the training (None where there was none),
            "cost": what the system cost so far}.
        """
        raise NotImplementedError

    def seeded(self, seed: int) -> Stage:
        """The stage in a run with this seed; a stage that trains as `isoglot train` does gets it with the run's settings."""
        return self

    def deciding(self) -> dict[str, Any]:
        """What decides the weights besides the model it goes on from and the pairs."""
        return {"stage": to_dict(self)}

    @property
    def uses_documents(self) -> bool:
        """Whether the documents of the training pairs do."""
        return False

    @property
    def beside(self) -> tuple[str, ...]:
        """Names of systems whose models it needs besides the one that it goes on from."""
        return ()

    def digest(self, start: str, pairs: str, documents: str = "", beside: Sequence[str] = ()) -> str:
        """SHA-256 of what decides the weights; the others are the digests of what it works with."""
        inputs: dict[str, Any] = {"pairs": pairs, "base": start} if self.uses_pairs else {"base": start}
        inputs |= {"documents": documents} if self.uses_documents else {}
        inputs |= {"beside": list(beside)} if beside else {}
        return digest_json({"schema": SCHEMA, **self.deciding(), **inputs})

    def written(self) -> dict[str, Any]:
        """As a spec has it: `read_stage` makes the same stage of it."""
        return {self.name: {key: value for key, value in to_dict(self).items() if key != "name"}}


STAGES: Registry[type[Stage]] = Registry("stage", "isoglot.study.stages")


def read_stage(value: Any, tunings: Mapping[str, Any]) -> Stage:
    """A stage as a spec has it, `{name: settings}`; `tunings` are those that `tuning` may name. InputError says what is wrong."""
    if isinstance(value, Stage):
        return value
    if not isinstance(value, Mapping) or len(value) != 1:
        raise InputError(
            f"expected one stage and its settings, {{name: settings}} (stages: {', '.join(STAGES.names())}), got {value!r}; "
            "the name of a system may come first"
        )
    ((name, settings),) = value.items()
    stage = STAGES[str(name)]
    if not isinstance(settings, Mapping):
        settings = {} if settings is None else {next(iter(stage.model_fields)): settings}
    if isinstance(tuning := settings.get("tuning"), str) and tuning in tunings:
        settings = {**settings, "tuning": tunings[tuning]}
    with at(str(name)):
        return build(stage, [("", settings)])
