"""The specification of a study: what a YAML file can ask for. `isoglot.study.read_spec` reads one."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic.fields import FieldInfo

from isoglot.batching.plan import PlanSettings
from isoglot.batching.strategies import STRATEGIES
from isoglot.errors import InputError, at, unknown
from isoglot.evaluation.settings import EvaluateSettings
from isoglot.files import digest_json
from isoglot.models.tunings import TUNINGS
from isoglot.settings import Settings, build, default_of, lift, member_of, member_options, to_dict
from isoglot.study.stages import Stage, read_stage
from isoglot.study.stages.train import Name, TuningSpec, default_tuning, train_values
from isoglot.study.systems import BASE, System, grid_systems, named_systems
from isoglot.training.settings import TrainSettings
from isoglot.yaml_input import Kind

_INSIDE = ("strategy_settings", "per_tuning", "per_benchmark")
"""Fields that stand inside others in a file."""


def listed(value: Any) -> tuple[Any, ...]:
    """A list as it is; a single value as a list of one."""
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _read_train(values: dict[str, Any]) -> dict[str, Any]:
    """Settings of `isoglot train` as plain values; those that the grid decides are refused."""
    decided = {"strategy": "strategy", "tuning": "tuning", "learning_rate": "learning_rates"}
    decided |= dict.fromkeys(member_options(STRATEGIES), "strategy") | dict.fromkeys(TUNINGS.names(), "tuning")
    try:
        return train_values(values, decided)
    except InputError as error:
        raise ValueError(str(error)) from None


TrainValues = Annotated[dict[str, Any], AfterValidator(_read_train)]
Rates = Annotated[tuple[Annotated[float, Field(gt=0)], ...], BeforeValidator(listed), Field(min_length=1)]


class DataSpec(Settings):
    """Training pairs, and what is measured after training on them."""

    name: Name = Field(description="in ids")
    pairs: tuple[str, ...] = Field(min_length=1, description="sources, as isoglot train --pairs takes them")
    languages: tuple[str, ...] = Field((), description="training languages (default: all that the pairs have)")
    amount: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        (1.0,), min_length=1, description="shares of the groups of pairs; a smaller share is a subset of a larger one"
    )
    amount_seed: int = Field(0, ge=0, description="of the order in which groups are taken")
    benchmarks: tuple[str, ...] = Field((), description="instead of the study's")


class SelectionSpec(Settings):
    """How a learning rate is chosen among candidates: on held-out TRAINING pairs, never on a benchmark."""

    inner = ("strategy",)

    per: Literal["tuning", "strategy"] = Field(
        "tuning",
        description="tuning: one choice serves all strategies, tried with `strategy`; strategy: one for each "
        "strategy and each training stage with settings of its own, tried with these",
    )
    strategy: member_of(STRATEGIES) = default_of(STRATEGIES)  # type: ignore[valid-type]
    seed: int = Field(0, ge=0, lt=2**32, description="of the trials; one choice serves all strategies and seeds")
    steps: int | None = Field(None, ge=1, description="of the trials (default: as many as the cells have)")
    validation_share: float = Field(0.1, gt=0, lt=1, description="share of the groups of pairs that is held out")
    validation_steps: int = Field(50, ge=0, description="batches of them; 0: as isoglot train does by itself")

    @model_validator(mode="before")
    @classmethod
    def _lift(cls, values: Any) -> Any:
        return lift(values, "strategy", STRATEGIES)


class StudySpec(Settings):
    """A study: a question, and the systems whose runs answer it on every base and training set, with every seed.

    Attributes:
        strategy_settings: values to try of settings of strategies (`mono_share`); each multiplies the strategies that have it.
            In files they stand among the other keys. All grid keys may stand under `grid`.
        systems: stages by name; the first may be the name of another system, whose stages come first.
        per_tuning: settings of `isoglot train` by name or kind of tuning, on top of `train` (in files: inside it).
        learning_rates: candidates by name or kind of tuning (default: the tuning's own).
        per_benchmark: settings of `isoglot evaluate` by name of benchmark, on top of `evaluate` (in files: inside it).
        claims: what is tested in the end; see `isoglot.study.claims`. `parse_spec` checks and completes it.
    """

    name: str
    question: str
    base: tuple[str, ...] = Field(description="base models")
    data: Annotated[tuple[DataSpec, ...], BeforeValidator(listed)] = Field(description="training sets")
    strategy: tuple[str, ...] = Field(
        default_factory=lambda: tuple(strategy.name for strategy in STRATEGIES if strategy.is_usual),
        description="kinds of batches",
    )
    strategy_settings: dict[str, tuple[Any, ...]] = Field({})
    tuning: Annotated[tuple[TuningSpec, ...], BeforeValidator(listed)] = Field(
        default_factory=lambda: (default_tuning(),), description="ways to train"
    )
    systems: dict[Name, tuple[Any, ...]] = Field({})
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**32)], ...] = Field(
        (0,), description="every cell is trained with each"
    )
    benchmarks: tuple[str, ...] = Field((), description="measured after training, unless the data name their own")
    train: TrainValues = Field({}, description="settings of isoglot train for all cells")
    per_tuning: dict[str, TrainValues] = Field({})
    learning_rates: dict[str, Rates] = Field({})
    selection: SelectionSpec = SelectionSpec()
    evaluate: EvaluateSettings = Field(default_factory=EvaluateSettings, description="as isoglot evaluate is asked")
    per_benchmark: dict[str, dict[str, Any]] = Field({})
    claims: dict[str, Any] = Field({})
    audit: bool = Field(True, description="compare training pairs with the benchmarks before anything is trained")
    keep_models: bool = Field(False, description="keep merged models after they were measured; adapters always are")

    @classmethod
    def options(cls) -> dict[str, FieldInfo]:
        own = {key: field for key, field in cls.model_fields.items() if key not in _INSIDE}
        return {**own, **member_options(STRATEGIES)}

    @classmethod
    def reads(cls, key: str) -> Kind:
        first, _, rest = key.partition(".")
        if first == "train":
            return TrainSettings.reads(re.sub(r"^per_tuning\.[^.]*\.", "", rest))
        if first == "evaluate":
            return EvaluateSettings.reads(re.sub(r"^per_benchmark\.[^.]*\.", "", rest))
        return super().reads(rest if first == "grid" else key)

    @model_validator(mode="before")
    @classmethod
    def _read(cls, values: Any) -> Any:
        """Take keys to their groups: the grid's out of `grid`, settings of strategies together, `per_tuning` out of `train`."""
        given = {key: value for key, value in dict(values).items() if value is not None or key in ("name", "question")}
        if not isinstance(grid := given.pop("grid", {}), Mapping):
            raise ValueError(f"grid: expected a mapping, got {grid!r}")
        known = member_options(STRATEGIES)
        keys = {*known, "strategy", "tuning"}
        for key in grid:
            if key not in keys:
                raise unknown("key of grid", str(key), keys)
            if key in given:
                raise ValueError(f"'{key}' stands in grid and beside it; give it once")
        given |= dict(grid)
        if given.get("systems") and not given.keys() & keys:
            given["strategy"] = ()  # a spec that names systems and no grid has none
        chosen = {
            # one value may be a list itself, as of lexicons
            key: tuple(tuple(value) if isinstance(value, list) else value for value in listed(given.pop(key)))
            if key in given
            else (field.get_default(call_default_factory=True),)
            for key, field in known.items()
            if key in given or not field.is_required()
        }
        given.setdefault("strategy_settings", chosen)
        for outer, inner in (("train", "per_tuning"), ("evaluate", "per_benchmark")):
            if isinstance(values := given.get(outer), Mapping) and inner in values:
                given[inner] = values[inner] or {}
                given[outer] = {key: value for key, value in values.items() if key != inner}
        return given

    @field_validator("systems", mode="before")
    @classmethod
    def _stages(cls, value: Any, info: ValidationInfo) -> Any:
        """Stages as they are; `tuning` in them may be the name of one of the study's."""
        if not isinstance(value, Mapping):
            return value  # which pydantic refuses
        tunings = {tuning.name: tuning for tuning in info.data.get("tuning", ())}
        systems = {}
        for name, stages in value.items():
            if not listed(stages):
                raise ValueError(f"'{name}' is empty; expected stages")
            with at(f"systems.{name}"):
                systems[name] = [
                    stage if isinstance(stage, str) and number == 0 else read_stage(stage, tunings)
                    for number, stage in enumerate(listed(stages))
                ]
        return systems

    def check(self) -> None:
        lists = {key: getattr(self, key) for key in ("base", "data", "strategy", "seeds", "tuning")}
        lists |= self.strategy_settings
        for key, values in lists.items():
            if not values and not (self.systems and key in ("strategy", "tuning")):
                raise ValueError(f"'{key}' is empty; expected at least one")
        lists["data"] = [data.name for data in self.data]
        for data in self.data:
            if not self.benchmarks_of(data):
                raise ValueError(f"data '{data.name}': no benchmark; give 'benchmarks' here or for the whole study")
            lists[f"data '{data.name}': amount"] = data.amount
            lists[f"data '{data.name}': benchmarks"] = map(benchmark_name, self.benchmarks_of(data))
        for key, values in lists.items():
            _check_once(values, key)
        # the base is measured on those of all data
        measured = [*map(benchmark_name, {name for data in self.data for name in self.benchmarks_of(data)})]
        _check_once(measured, "benchmarks")
        for name in self.per_benchmark:
            if name not in measured:
                raise InputError(f"evaluate.per_benchmark: {unknown('benchmark', name, measured)}")
            self.evaluate_of(name)
        known = {*TUNINGS.names(), *(tuning.name for tuning in self.tunings())}
        for key in ("per_tuning", "learning_rates"):
            for name in getattr(self, key).keys() - known:
                raise InputError(f"{key}: {unknown('tuning', name, known)}")

    def to_flat(self) -> dict[str, Any]:
        """Plain JSON values as a file has them, all defaults filled in; `parse_spec` makes the same spec of them."""
        values = to_dict(self)
        grid = values.pop("strategy_settings")
        systems = {
            name: [stage.written() if isinstance(stage, Stage) else stage for stage in stages]
            for name, stages in self.systems.items()
        }
        selection = PlanSettings.flatten(values["selection"])
        if selection["per"] == "tuning":  # digests of studies from before there was a choice
            del selection["per"]
        if not values["per_benchmark"]:  # likewise
            del values["per_benchmark"]
        return {**values, **grid, "systems": systems, "selection": selection}

    @property
    def digest(self) -> str:
        """SHA-256 of the spec."""
        return digest_json(self.to_flat())

    def all_systems(self) -> list[System]:
        """The untrained base, the systems of the grid, and those that have names of their own."""
        strategies = []
        for member in map(STRATEGIES.__getitem__, self.strategy):
            own = {key: values for key, values in self.strategy_settings.items() if key in member.model_fields}
            strategies += [member(**dict(zip(own, chosen))) for chosen in itertools.product(*own.values())]
        systems = [BASE, *grid_systems(strategies, self.tuning)]
        return [*systems, *named_systems(self.systems, systems)]

    def tunings(self) -> list[TuningSpec]:
        """All that systems are trained by. ValueError where a name stands for two."""
        known = {tuning.name: tuning for tuning in self.tuning}
        for system in self.all_systems():
            for tuning in system.tunings():
                if known.setdefault(tuning.name, tuning) != tuning:
                    raise ValueError(
                        f"systems.{system.name}: tuning '{tuning.name}' is another one elsewhere; give it a name"
                    )
        return list(known.values())

    def benchmarks_of(self, data: DataSpec) -> tuple[str, ...]:
        """What is measured after training on `data`."""
        return data.benchmarks or self.benchmarks

    def evaluate_of(self, benchmark: str) -> EvaluateSettings:
        """How a benchmark is measured. InputError: settings that there are not."""
        own = self.per_benchmark.get(benchmark_name(benchmark))
        if not own:
            return self.evaluate
        with at(f"evaluate.per_benchmark.{benchmark_name(benchmark)}"):
            return build(EvaluateSettings, [("", to_dict(self.evaluate)), ("", own)])

    def rates_of(self, tuning: TuningSpec) -> tuple[float, ...]:
        """Candidates for the learning rate; () means the default of `isoglot train`."""
        return self.learning_rates.get(tuning.name, self.learning_rates.get(tuning.kind, ()))

    def train_values(self, tuning: TuningSpec) -> dict[str, Any]:
        """Settings of `isoglot train` for a tuning: common ones, then those of its kind, then those of its name."""
        return {**self.train, **self.per_tuning.get(tuning.kind, {}), **self.per_tuning.get(tuning.name, {})}


def _check_once(values: Iterable[Any], where: str) -> None:
    names = [str(value) for value in values]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{where}: '{name}' occurs twice")


def benchmark_name(benchmark: str) -> str:
    """How results call a benchmark: its name, or the last part of a folder's path; their folders are called so, too."""
    name = Path(benchmark).name
    return name if name not in ("", "..") else Path(benchmark).resolve().name or "root"
