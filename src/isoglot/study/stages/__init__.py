"""Stages: a system is an ordered list of them, and each makes a model of a model; the last may say how it is ranked instead.

A new stage is one file here (or in a plugin, see `isoglot.registry`): a registered subclass of `Stage`. In a spec it is written
as a mapping of its name and its settings; a value that is no mapping is that of its first setting: `{average: .75}`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from isoglot.data.pairs.table import PairTable
from isoglot.data.readers import read_parquet
from isoglot.errors import InputError, at
from isoglot.files import digest_json
from isoglot.registry import Registry
from isoglot.settings import Member, build, to_dict
from isoglot.study.cost import cost_of
from isoglot.study.layout import SCHEMA, JobFolder

if TYPE_CHECKING:
    from isoglot.retrieval.fair import Fair


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
        data_dir: where files of named data sets are looked for first.
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
    data_dir: Path | None = None
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


class Needs(NamedTuple):
    """What it takes to use a system, beside time.

    Attributes:
        data: what it is made with: "texts by language", "parallel pairs", "lexicon", ...
        labels: of which texts the language has to be known at search time: "no", "of passages", "of queries and passages".
        encoding: whether an index has to be encoded again.
    """

    data: tuple[str, ...] = ()
    labels: str = "no"
    encoding: bool = False


class Stage(Member):
    """One step of a system.

    Attributes:
        uses_seed: whether the seed of the run decides what comes out.
        makes_model: whether it makes a model; else it says how the model of the stages before is ranked, and is the last one.
        keeps_vectors: whether the vectors of the model that it goes on from are of use where what comes out is measured.
        doing: what a bar of progress says meanwhile.
    """

    uses_seed: ClassVar[bool] = False
    makes_model: ClassVar[bool] = True
    keeps_vectors: ClassVar[bool] = False
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

    def ranking(self, folder: JobFolder) -> Fair | None:
        """How what came out is ranked; None: by the scores of its vectors."""
        return None

    @property
    def needs(self) -> Needs:
        """What this stage takes; of a system all its stages count."""
        return Needs(encoding=True)

    def deciding(self) -> dict[str, Any]:
        """What decides the weights besides the model it goes on from and the pairs."""
        return {"stage": to_dict(self)}

    @property
    def uses_pairs(self) -> bool:
        """Whether the training pairs decide what comes out."""
        return False

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


def needs_of(stages: Iterable[Stage]) -> Needs:
    """What a system of these stages takes."""
    each = [stage.needs for stage in stages]
    data = tuple(dict.fromkeys(what for own in each for what in own.data))
    labels = max((own.labels for own in each), key=LABELS.index, default=LABELS[0])
    return Needs(data, labels, any(own.encoding for own in each))


LABELS = ("no", "of passages", "of queries and passages")
"""The values of `Needs.labels`."""
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
