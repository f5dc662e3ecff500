"""Everything that can be asked of an injection."""

from __future__ import annotations

from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer
from pydantic.fields import FieldInfo

from isoglot.models.tunings.lora import QUERY_VALUE, Lora
from isoglot.reading import whole_number
from isoglot.retrieval.encode import Prompt
from isoglot.retrieval.probe import PROMPT, Criterion
from isoglot.settings import Settings

AUTO = "auto"


class InjectionLora(Lora):
    """LoRA as in arXiv 2506.15415; its layers follow from the layer that is trained."""

    dropout: float = Field(0.05, ge=0, lt=1, description="on the adapter's input")
    targets: tuple[str, ...] = Field((QUERY_VALUE,), description=Lora.model_fields["targets"].description)

    @model_serializer(mode="wrap")
    def _with_name(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if key != "layers"}

    def check(self) -> None:
        if self.layers:
            raise ValueError("lora.layers follows from 'layer': all below it get an adapter, and no other is trained")


class InjectSettings(Settings):
    """What `isoglot inject` is asked for."""

    lexicon: tuple[str, ...] = Field(
        min_length=1, description="lexicons, each [LANGUAGE-LANGUAGE=][FORMAT:]FILE (isoglot list lexicons)"
    )
    layer: int | str = Field(
        AUTO,
        description="layer whose vectors of words are trained, from 1 (0 is the embeddings, which no adapter reaches); auto: the "
        "best of the lower half by the criterion, on the words that are trained",
    )
    criterion: Criterion = Field("P@1", description="by which auto chooses, see isoglot probe")
    pairs: int = Field(623, ge=2, le=50_000, description="word pairs of every pair of languages that are trained")
    control_pairs: int = Field(
        500, ge=2, le=50_000, description="further ones, of which no word is trained, to measure by"
    )
    prompt: Prompt = Field("none", description=PROMPT)
    copies: bool = Field(False, description="keep pairs of words that are spelled alike")
    margin: float = Field(
        0.4, gt=0, le=2, description="by how much the cosine of a translation is to exceed that of another word"
    )
    epochs: int = Field(10, ge=1, le=10_000, description="passes over the pairs")
    batch_size: int = Field(32, ge=2, le=10_000, description="word pairs per step")
    learning_rate: float = Field(5e-4, gt=0, description="at the first step; it falls to 0 linearly")
    lora: InjectionLora = Field(default_factory=InjectionLora)
    seed: int = Field(
        0, ge=0, lt=2**32, description="of the drawing of pairs, the adapters' first values and the order of steps"
    )
    threads: int = Field(0, ge=0, le=1024, description="CPU threads; 0: torch's choice")

    @field_validator("layer")
    @classmethod
    def _a_layer(cls, layer: int | str) -> int | str:
        if layer == AUTO:
            return layer
        if not (number := whole_number(str(layer))):
            raise ValueError(f"expected the number of a layer from 1, or {AUTO}, got {str(layer)[:80]!r}")
        return number

    @classmethod
    def options(cls) -> dict[str, FieldInfo]:
        own = {key: field for key, field in super().options().items() if key != "lora"}
        lora = {f"lora.{key}": field for key, field in InjectionLora.model_fields.items() if key != "layers"}
        return {**own, **lora}

    def deciding(self) -> dict[str, Any]:
        """What decides the weights besides the base: the lexicons by content."""
        from isoglot.data.lexicons.loading import content_of

        apart = ("lexicon", "threads", "control_pairs")
        values = {key: value for key, value in self.to_flat().items() if key not in apart}
        return {**values, "lexicon": content_of(self.lexicon)}
