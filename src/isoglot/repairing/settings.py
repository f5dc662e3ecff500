"""What a repair can be asked for; each default and limit once."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from isoglot.batching.plan import MOST
from isoglot.data.languages import language
from isoglot.data.pair_benchmark import read_share
from isoglot.settings import Settings
from isoglot.training.recipes import DEFAULT, RECIPES


class RepairSettings(Settings):
    """How a model is repaired, and what of that is kept."""

    minutes: float = Field(
        15.0,
        gt=0,
        le=10_000,
        description="of training; how many steps that is follows from how fast the first ones are",
    )
    steps: int | None = Field(
        None, ge=1, le=MOST, description="of training, instead of minutes: the same on every machine"
    )
    passes: float = Field(
        8.0, gt=0, le=MOST, description="most times that training goes over the pairs, whatever the minutes allow"
    )
    recipe: str = Field(DEFAULT, description=f"of training, see isoglot train: {', '.join(RECIPES.names())}")
    share: float = Field(0.5, gt=0, lt=1, description="of the trained weights in their average with the base's")
    correct: bool = Field(
        True, description="correct the better one of the trained model and the average, too (LSAR), and measure it"
    )
    max_loss: float = Field(
        0.01,
        ge=0,
        le=1,
        description="nDCG@10 that what is kept may lose within one language (mono) on the pairs that are held out",
    )
    holdout: Annotated[float, BeforeValidator(read_share)] = Field(
        0.1, gt=0, lt=1, description="share of the groups of pairs that is measured on and not trained on (.1 or 10%)"
    )
    most_held_out: int = Field(150, ge=2, le=MOST, description="about the most pairs that are held out")
    benchmark: tuple[str, ...] = Field(
        (), description="measure on these as well: names that isoglot data list shows, or folders; they choose nothing"
    )
    compare: tuple[str, ...] = Field(
        (), description="train by these recipes as well, as long and in the same batches, to compare; they are not kept"
    )
    languages: tuple[str, ...] = Field((), description="of the pairs, these only (default: all)")
    texts: int = Field(
        200,
        gt=1,
        le=MOST,
        description="most queries and most passages per language that corrections without training are fitted on",
    )
    clean: bool = Field(
        True, description="leave out rows that isoglot data check --clean leaves out, and repair those that it repairs"
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="of training, see isoglot train: auto is bf16 on a GPU that computes in it, else fp32"
    )
    examples: tuple[str, ...] = Field(
        (),
        description="languages of the first examples, as question:answer, such as th:de (default: where most changes)",
    )
    keep_models: bool = Field(False, description="keep the models that were not chosen, too, in work/")
    seed: int = Field(0, ge=0, lt=2**32, description="of the pairs held out, of the correction and of training")
    train: dict[str, Any] = Field(
        {}, description="settings of isoglot train over those of the recipe, such as batch_size=64 tuning=lora"
    )

    @field_validator("recipe", "compare")
    @classmethod
    def _recipes(cls, value: Any) -> Any:
        for name in (value,) if isinstance(value, str) else value:
            RECIPES[name]  # raises where there is none
        return value

    @field_validator("languages")
    @classmethod
    def _codes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(language, value)))

    @field_validator("examples")
    @classmethod
    def _two_codes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        found = []
        for word in value:
            codes = word.split(":")
            if len(codes) != 2:
                raise ValueError(f"'{word}': expected two languages, question:answer, such as th:de")
            found.append(":".join(map(language, codes)))
        return tuple(found)

    def asked(self) -> dict[str, Any]:
        """What must be the same where a repair is gone on with, as plain JSON values."""
        return self.model_dump(mode="json", exclude={"keep_models"})

    def check(self) -> None:
        if self.recipe in self.compare:
            raise ValueError(f"compare {self.recipe}: that is the recipe itself")
        if taken := sorted(
            self.train.keys() & {"pairs", "output", "base", "steps", "epochs", "seed", "languages", "recipe", "average"}
        ):
            raise ValueError(f"train {taken[0]}: a repair sets that itself; see its own options")
