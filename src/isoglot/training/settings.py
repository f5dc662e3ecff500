"""Everything that can be asked of a training run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, field_validator, model_validator
from pydantic.fields import FieldInfo

from isoglot.batching.negatives import Negatives, read_negatives
from isoglot.batching.plan import MOST, PlanSettings
from isoglot.data.languages import language
from isoglot.errors import InputError, unknown
from isoglot.models.tunings import TUNINGS
from isoglot.processes import best_device
from isoglot.settings import Member, Settings, default_of, member_of, member_options, to_dict
from isoglot.training.losses import LOSSES, LossTerm, default_terms, read_terms
from isoglot.training.recipes import with_recipe
from isoglot.training.trackers import NONE, TENSORBOARD, TRACKERS

_NOT_DECIDING = ("output", "pairs", "threads", "log_steps", "save_steps", "report_to")
"""Settings that change no weight: pairs are known by their content instead."""

_ALWAYS = {"mono_share": 0.5, "lora": {"rank": 16, "alpha": 32.0, "dropout": 0.0, "targets": [], "layers": []}}
"""Stood in every digest of settings before strategies and tunings had settings of their own."""

_LATER = {"average": 1.0}
"""Came later, and changes nothing with this value: it stands in no digest then, so that earlier runs keep theirs."""


AUTO = "auto"
"""Of grad_cache: chosen by the memory of the GPU."""
BASE, BEST = "base", "best"
"""Of a teacher: the base of the run; for each pair the language that the teacher itself knows best."""


class TeacherSettings(Settings):
    """Where loss terms that look to one language find it, and the frozen model that they learn from; see `LossTerm.needs`."""

    model: str = Field(
        BASE,
        description="the frozen base itself, any other model by its name or directory, or a .parquet file of vectors (columns "
        "text, vector and, where queries and passages differ, kind)",
    )
    language: str = Field(
        "en",
        description="pivot language; pairs without it, and all pairs if best, take the language in which the teacher finds "
        "query and passage closest",
    )

    @field_validator("language")
    @classmethod
    def _code(cls, code: str) -> str:
        return code if code == BEST else language(code)


class TrainSettings(Settings):
    """What `isoglot train` is asked for; the same names are keys of `--config` files and `key=value` words.

    `recipe` stands for the settings of a recipe (see `isoglot.training.recipes`); those beside it win.
    In files, words and `run.json` the settings of the plan, its strategy and the loss terms stand among the others
    (`batch_size`, `mono_share`, `scale`, which is of every term that has one), those of the tuning under its name (`lora.rank`).
    One text stands for a list of one: `pairs="faq.csv"`.

    >>> settings = TrainSettings(pairs="faq.csv", output="runs/mine", strategy="hybrid", batch_size=32, lora={"rank": 8})
    >>> settings.pairs, settings.plan.batch_size, settings.tuning.rank
    (('faq.csv',), 32, 8)
    """

    inner: ClassVar[tuple[str, ...]] = ("plan", "strategy")

    pairs: tuple[str, ...] = Field(min_length=1, description="sources of parallel pairs")
    output: str = Field(description="run directory")
    base: str = Field("offline:multilingual-e5-small", description="base model: hub id, directory, or an offline: name")
    languages: tuple[str, ...] = Field((), description="training languages (default: all that the pairs have)")
    plan: PlanSettings = Field(default_factory=PlanSettings)
    tuning: member_of(TUNINGS) = default_of(TUNINGS)  # type: ignore[valid-type]
    loss: Annotated[tuple[SerializeAsAny[LossTerm], ...], BeforeValidator(read_terms)] = Field(
        default_factory=default_terms, min_length=1, description="terms with their weights or settings"
    )
    teacher: TeacherSettings = Field(default_factory=TeacherSettings)
    freeze_embeddings: bool = Field(False, description="leave the word embeddings as they are")
    steps: int | None = Field(None, ge=1, le=MOST, description="optimizer steps")
    epochs: float | None = Field(
        None,
        gt=0,
        le=MOST,
        description="passes over the pairs, instead of steps: one draws as many pairs as there are (default 1)",
    )
    learning_rate: float | None = Field(None, gt=0, description="peak (default: the tuning's)")
    warmup: float = Field(
        0.1, ge=0, description="steps, or share of the steps below 1, of linear warm-up; linear decay follows"
    )
    weight_decay: float = Field(1e-2, ge=0, description="of AdamW")
    max_gradient_norm: float = Field(1.0, ge=0, description="gradients are clipped to it; 0: never")
    negatives: Annotated[SerializeAsAny[Negatives], BeforeValidator(read_negatives)] = Field(
        default_factory=lambda: read_negatives(None),
        description="texts that all queries of a batch get as candidates besides its passages: a kind, or how many of the rows' "
        "own per passage; {name: document, number: 2, other_languages: .5} says more",
    )
    dropout: float | None = Field(None, ge=0, lt=1, description="of the encoder (default: its own)")
    max_length: int | None = Field(
        None, ge=1, le=MOST, description="tokens per text in training (default: the base's limit)"
    )
    query_prompt: str | None = Field(None, description="instead of the base's own")
    passage_prompt: str | None = Field(None, description="instead of the base's own")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="of products; weights are float32. auto is bf16 on a GPU that computes in it, else fp32"
    )
    chunks: int = Field(
        0,
        ge=0,
        le=MOST,
        description="length-sorted chunks per forward pass, with the same loss; 0: chosen from the lengths",
    )
    unpadded: bool | None = Field(
        None,
        description="forward a step in one pass without padding (default: on a GPU, where the model can; slow on a CPU)",
    )
    compile: bool = Field(
        False, description="compile the encoder before the first step: minutes once, then faster steps; for long runs"
    )
    grad_cache: Annotated[int, Field(ge=0, le=MOST)] | Literal["auto"] = Field(
        0,
        description="for batches that do not fit into memory: forward at most so many tokens at a time and compute every text "
        "twice, with the same loss; 0: off; auto: as many as fit on the GPU (a CPU needs a number)",
    )
    average: float = Field(
        1.0,
        gt=0,
        le=1,
        description="the run ends with average x the trained weights + (1 - average) x those of the base (validation and "
        "checkpoints are of the trained ones)",
    )
    validation: tuple[str, ...] = Field((), description="sources of validation pairs")
    validation_share: float = Field(0.0, ge=0, lt=1, description="hold out this share of the pairs instead")
    validation_steps: int = Field(
        0,
        ge=0,
        le=MOST,
        description="batches of a validation; 0: one pass over its pairs, at most 50. More than a pass draws the pairs again, in "
        "other languages and beside other negatives: of few pairs one pass is a noisy measure",
    )
    eval_steps: int = Field(0, ge=0, le=MOST, description="steps between validations; 0: ten times in the run")
    patience: int = Field(
        0,
        ge=0,
        le=MOST,
        description="stop after so many validations without a better loss; the best checkpoint becomes the model; 0: never",
    )
    save_steps: int = Field(
        0, ge=0, le=MOST, description="steps between checkpoints; 0: ten times in the run, at least 20 steps apart"
    )
    log_steps: int = Field(
        0, ge=0, le=MOST, description="steps between lines of the log; 0: 1, and 10 on a GPU, which waits for each"
    )
    report_to: tuple[str, ...] = Field(
        (TENSORBOARD,), description=f"who follows the run beside log.jsonl: {', '.join(TRACKERS)}"
    )
    threads: int = Field(0, ge=0, le=1024, description="CPU threads; 0: torch's choice")

    @field_validator("report_to")
    @classmethod
    def _known_trackers(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in TRACKERS:
                raise ValueError(str(unknown("tracker", name, TRACKERS)))
        if NONE in names and len(names) > 1:
            raise ValueError(f"{NONE} stands alone")
        return names

    @model_validator(mode="before")
    @classmethod
    def _from_flat(cls, values: Any) -> Any:
        """Settings of the plan, the tuning and the loss may stand among the others."""
        if not isinstance(values, Mapping):
            return values
        values = with_recipe(values)
        if beside := {key: values.pop(key) for key in PlanSettings.options() if key in values}:
            plan = values.get("plan") or {}
            values["plan"] = {**(plan.to_flat() if isinstance(plan, PlanSettings) else plan), **beside}
        own = {name: values.pop(name) for name in TUNINGS.names() if name in values}
        tuning = values.get("tuning", TUNINGS.default())
        if isinstance(tuning, str) and isinstance(own.get(tuning), (Mapping, Member)):
            given = own.pop(tuning)
            values["tuning"] = {"name": tuning, **(to_dict(given) if isinstance(given, Member) else given)}
        if own:
            raise ValueError(f"{', '.join(own)}: settings of another tuning than {tuning}; leave them out")
        return _lift_loss(values)

    def check(self) -> None:
        validates = self.validation or self.validation_share
        trains_embeddings = self.tuning.trains_embeddings and not self.freeze_embeddings
        problems: dict[str, object] = {
            "give steps or epochs, not both": self.steps is not None and self.epochs is not None,
            "give unpadded or chunks, not both: chunks are padded": self.unpadded and self.chunks,
            "compile needs frozen word embeddings on a CPU (freeze_embeddings=true, or a tuning that leaves them): torch "
            "compiles no sparse gradients": self.compile and trains_embeddings and best_device() == "cpu",
            "give chunks or grad_cache, not both: grad_cache's chunks follow from its tokens": self.chunks
            and self.grad_cache,
            "give validation or validation_share, not both": self.validation and self.validation_share,
            "patience needs a validation set: give validation or validation_share": self.patience and not validates,
            "teacher.model is read by loss terms with a teacher (distill, pivot), and none is asked for": "teachers"
            not in self.needs
            and self.teacher.model != BASE,
            "teacher.language is read by loss terms with a pivot language (distill, pivot, rankings, reverse), and none is "
            "asked for": not self.needs and self.teacher.language != TeacherSettings().language,
            f"give a language as teacher.language: loss terms {', '.join(self._look_for_pivot())} look for its texts in the "
            "batch, and best is another one for every pair": self.teacher.language == BEST and self._look_for_pivot(),
        }
        for problem, is_there in problems.items():
            if is_there:
                raise ValueError(problem)

    @classmethod
    def options(cls) -> dict[str, FieldInfo]:
        hidden = ("plan", "loss", "teacher")
        own = {key: field for key, field in super().options().items() if key not in hidden}
        terms = {key: field for key, field in member_options(LOSSES).items() if key != "weight"}
        tunings = {f"{t.name}.{key}": field for t in TUNINGS for key, field in t.model_fields.items()}
        teacher = {f"teacher.{key}": field for key, field in TeacherSettings.options().items()}
        return {**own, **PlanSettings.options(), **terms, **tunings, "loss": cls.model_fields["loss"], **teacher}

    @classmethod
    def spelled(cls, keys: Any) -> str:
        if len(keys) > 1 and keys[0] == "tuning":
            owners = [tuning.name for tuning in TUNINGS if keys[1] in tuning.model_fields]
            return ".".join([*(owners or [TUNINGS.default()])[:1], *keys[1:]])
        if len(keys) > 1 and keys[0] == "loss" and keys[1] in member_options(LOSSES):
            keys = keys[1:]
        return super().spelled(keys)

    def to_flat(self) -> dict[str, Any]:
        """Plain JSON values as they stand in files: `TrainSettings(**flat)` makes the same settings of them."""
        values = to_dict(self)
        tuning = values.pop("tuning")
        name = tuning.pop("name")
        terms = {term.pop("name"): term for term in values.pop("loss")}
        plan = values.pop("plan")
        if self.teacher == TeacherSettings():  # stands in no digest of before there were teachers
            values.pop("teacher")
        flat = {**values, **PlanSettings.flatten(plan), "tuning": name, **({name: tuning} if tuning else {})}
        default = default_terms()[0]
        if list(terms) == [default.name] and terms[default.name]["weight"] == default.weight:
            return {**flat, **{key: value for key, value in terms[default.name].items() if key != "weight"}}
        return {**flat, "loss": terms}

    def deciding(self) -> dict[str, Any]:
        """What decides the weights besides pairs and base, flat, with the learning rate that is taken."""
        flat, apart = self.to_flat(), (*_NOT_DECIDING, "teacher")
        values = {key: flat[key] for key in flat if key not in apart and flat[key] != _LATER.get(key, ...)}
        values |= self.plan.strategy.content()
        # which passes are taken by default is up to the device; they give the same loss
        values["unpadded"] = bool(self.unpadded)
        return {**_ALWAYS, **values, **self._deciding_teacher(), "learning_rate": self.peak_learning_rate()}

    def _deciding_teacher(self) -> dict[str, Any]:
        """The teacher by content and its language, where terms need them."""
        from isoglot.models.content import content_of

        if not self.needs:
            return {}
        is_other = "teachers" in self.needs and self.teacher.model != BASE
        return {"teacher": {"language": self.teacher.language, **(content_of(self.teacher.model) if is_other else {})}}

    @property
    def needs(self) -> frozenset[str]:
        """What any term needs, see `LossTerm.needs`."""
        return frozenset().union(*(term.needs for term in self.loss))

    @property
    def teacher_name(self) -> str:
        """The teacher as `load_model` takes it."""
        return self.base if self.teacher.model == BASE else self.teacher.model

    def _look_for_pivot(self) -> list[str]:
        return [term.name for term in self.loss if "languages" in term.needs]

    def peak_learning_rate(self) -> float:
        """The learning rate that was asked for, or the tuning's default."""
        default: float = type(self.tuning).learning_rate
        return default if self.learning_rate is None else self.learning_rate

    def total_steps(self, steps_per_epoch: int) -> int:
        """Optimizer steps of the run: `steps`, or `epochs` (default: 1) of so many steps.

        Raises:
            InputError: none or too many; fewer than there are between lines of the log, or between validations.
        """
        steps = self.steps if self.steps is not None else round((self.epochs or 1.0) * steps_per_epoch)
        if not 1 <= steps <= MOST:
            raise InputError(f"steps must be at least 1 and at most {MOST}, got {steps}")
        if self.log_steps > steps:
            raise InputError(
                f"log_steps {self.log_steps} is more than the {steps} steps of this run: nothing would be logged"
            )
        if (self.validation or self.validation_share) and self.eval_steps > steps:
            raise InputError(
                f"eval_steps {self.eval_steps} is more than the {steps} steps of this run: it would never be validated"
            )
        return steps


def _lift_loss(values: dict[str, Any]) -> dict[str, Any]:
    """Move settings of loss terms that stand among the others (`scale`) into every term that has them."""
    known = {key for key in member_options(LOSSES) if key != "weight"}
    beside = {key: values.pop(key) for key in known if key in values}
    if not beside:
        return values
    given = values.get("loss") or default_terms()
    if not isinstance(given, Mapping):
        if not isinstance(given, (list, tuple)) or not all(isinstance(term, Member) for term in given):
            return values  # which pydantic refuses
        given = {term.name: to_dict(term) for term in given}
    terms = {}
    for name, asked in given.items():
        term = dict(asked) if isinstance(asked, Mapping) else {"weight": asked}
        term.pop("name", None)
        fields = LOSSES[name].model_fields if name in LOSSES else {}
        terms[name] = {**term, **{key: value for key, value in beside.items() if key in fields}}
    return {**values, "loss": terms}
