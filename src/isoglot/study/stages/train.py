from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, model_serializer, model_validator
from pydantic.fields import FieldInfo

from isoglot.batching.negatives import read_negatives
from isoglot.batching.strategies import STRATEGIES
from isoglot.errors import InputError
from isoglot.files import read_json
from isoglot.models.tunings import TUNINGS
from isoglot.settings import Settings, build, default_of, lift, member_of, member_options, to_dict
from isoglot.study.cost import losses_of, throughput
from isoglot.study.stages import STAGES, Needs, Stage, Work
from isoglot.training.recipes import with_recipe
from isoglot.training.settings import AUTO, TrainSettings

_ELSEWHERE = {
    "pairs": "data[].pairs",
    "languages": "data[].languages",
    "output": "--output",
    "base": "base",
    "seed": "seeds",
    "threads": "--workers",
    "validation": "train.validation_share",
}
"""Settings of `isoglot train` that are no matter of a stage, and the key of a spec that decides each."""


def check_name(name: str) -> str:
    """A name that is a part of ids. ValueError where it cannot be one."""
    if not name or not all(sign.isalnum() or sign in "-_" for sign in name):
        raise ValueError(f"'{name}': expected letters, digits, '-' and '_'")
    return name


Name = Annotated[str, AfterValidator(check_name)]


class TuningSpec(Settings):
    """A tuning with its settings and a name for ids. The name of a registered tuning alone stands for its defaults."""

    inner: ClassVar[tuple[str, ...]] = ("method",)

    name: Name
    method: member_of(TUNINGS)  # type: ignore[valid-type]

    @model_validator(mode="before")
    @classmethod
    def _read(cls, values: Any) -> Any:
        if isinstance(values, str):
            values = {"name": values, "kind": TUNINGS[values].name}
        if not isinstance(values, Mapping):
            return values
        settings = dict(values)
        name = {"name": settings.pop("name")} if "name" in settings else {}
        kind = settings.pop("kind", name["name"] if name.get("name") in TUNINGS else TUNINGS.default())
        for key in settings:
            owners = [tuning.name for tuning in TUNINGS if key in tuning.model_fields]
            if owners and kind in TUNINGS and kind not in owners:
                raise ValueError(f"'{key}' is a setting of kind '{', '.join(owners)}', not of '{kind}'")
        return {**name, "method": {**settings, "name": kind}}

    @model_serializer
    def _write(self) -> dict[str, Any]:
        method = to_dict(self.method)
        return {"name": self.name, "kind": method.pop("name"), **method}

    @classmethod
    def options(cls) -> dict[str, FieldInfo]:
        return {"name": cls.model_fields["name"], "kind": cls.model_fields["method"], **member_options(TUNINGS)}

    def __str__(self) -> str:
        return self.name

    @property
    def kind(self) -> str:
        """The name of the registered tuning."""
        return str(self.method.name)


def default_tuning() -> TuningSpec:
    """The registry's default, under its own name."""
    return TuningSpec.model_validate(TUNINGS.default())


def train_values(values: Mapping[str, Any], decided: Mapping[str, str]) -> dict[str, Any]:
    """Settings of `isoglot train` by name, checked and as plain values.

    Args:
        values: by key, dotted for inner ones.
        decided: keys that are decided elsewhere, besides those that a study always decides, and where.

    Raises:
        InputError: an unknown setting, a value that is none, settings that exclude each other.
    """
    elsewhere = {**_ELSEWHERE, **decided}
    given = {str(key).replace("-", "_"): value for key, value in values.items()}
    for key in given:
        if (first := key.partition(".")[0]) in elsewhere:
            raise InputError(f"'{key}' is decided by '{elsewhere[first]}'")
    flat = build(TrainSettings, [("", {"pairs": ["-"], "output": "-"}), ("", given)]).to_flat()
    if flat.get("grad_cache") == AUTO:
        raise InputError("grad_cache: give a number, as cells share a GPU and what is free there changes")
    return {key: flat.get(key, given[key]) for key in given}


@STAGES.register
class Train(Stage):
    """train on the pairs, as `isoglot train` does

    Settings are those of `isoglot train` except what the study decides. `values` are the other ones beside strategy and tuning:
    what was asked of this stage, or (in a run) all that is known of it.
    """

    name: ClassVar[str] = "train"
    uses_seed: ClassVar[bool] = True
    doing: ClassVar[str] = "training"
    inner: ClassVar[tuple[str, ...]] = ("strategy", "values")

    strategy: member_of(STRATEGIES) = default_of(STRATEGIES)  # type: ignore[valid-type]
    tuning: TuningSpec = Field(
        default_factory=default_tuning, description="its name, or a mapping of name, kind, settings"
    )
    values: dict[str, Any] = Field({}, description="any other setting of isoglot train, written beside the two")

    @model_validator(mode="before")
    @classmethod
    def _read(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or "values" in given:
            return given
        asked = with_recipe({str(key).replace("-", "_"): value for key, value in given.items()})
        for name in TUNINGS.names():  # in a recipe the settings of tunings stand under their names
            if isinstance(settings := asked.pop(name, None), Mapping) and asked.get("tuning") == name:
                asked["tuning"] = {"name": name, **settings}
        own = lift(asked, "strategy", STRATEGIES)
        chosen = {key: own.pop(key) for key in ("strategy", "tuning") if key in own}
        return {**chosen, "values": train_values(own, dict.fromkeys(TUNINGS.names(), "tuning"))}

    @property
    def needs_rate(self) -> bool:
        """Whether a learning rate has to be found for it: none is among its settings."""
        return self.values.get("learning_rate") is None

    def written(self) -> dict[str, Any]:
        strategy = to_dict(self.strategy)
        asked = {key: value for key, value in self.values.items() if key not in _ELSEWHERE}
        return {self.name: {"strategy": strategy.pop("name"), **strategy, "tuning": to_dict(self.tuning), **asked}}

    def settings(self, **more: Any) -> TrainSettings:
        """Of `isoglot train`; `values` must be all that is known."""
        chosen = {"strategy": to_dict(self.strategy), "tuning": to_dict(self.tuning.method)}
        return build(TrainSettings, [("train", {"output": "run", **self.values, **chosen, **more})])

    @property
    def uses_pairs(self) -> bool:
        return True

    @property
    def needs(self) -> Needs:
        return Needs(self.strategy.data, encoding=True)

    @property
    def uses_documents(self) -> bool:
        return bool(read_negatives(self.values.get("negatives")).uses_documents)

    def deciding(self) -> dict[str, Any]:
        return {"settings": self.settings().deciding()}

    def run(self, work: Work) -> dict[str, Any] | None:
        from isoglot.training.rundir import RunDirectory
        from isoglot.training.train import train

        run = RunDirectory(work.folder.run)
        can_resume = run.can_resume()
        if not can_resume:
            shutil.rmtree(run.path, ignore_errors=True)
        settings = self.settings(base=work.start, output=str(run.path), threads=work.threads)
        result = train(settings, table=work.pairs(), resume=can_resume, show=False)
        if not result.complete:
            return None
        record = read_json(run.record)
        outcome, base = record["outcome"], record["base"]
        trained = {
            **{key: outcome[key] for key in ("steps", "first_loss", "last_loss", "mean_loss_of_last_tenth")},
            "validation_loss": outcome.get("best_validation_loss"),
            "losses": losses_of(run.log),
            **{key: base[key] for key in ("trainable_parameters", "parameters")},
            # runs from before they were recorded lack these
            **{key: base[key] for key in ("embedding_parameters", "added_parameters") if key in base},
            "pairs": record["data"]["pairs"],
        }
        # as the run says: this process may have resumed it, or not trained at all
        figures = {
            "trainable_parameters": base["trainable_parameters"],
            "peak_memory_bytes": outcome["peak_memory_bytes"],
        }
        if "peak_allocated_bytes" in outcome:  # of training alone
            figures["gpu_peak_memory_bytes"] = outcome["peak_allocated_bytes"]
        return work.outcome(trained, **figures, **throughput(run.log, settings.plan.batch_size))
