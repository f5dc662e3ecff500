from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer

from isoglot.errors import InputError, first_line, say
from isoglot.files import atomic_directory, write_json
from isoglot.models.adapters import ADAPTER_NOTE, Adapter, encoder_digest, finish_config
from isoglot.models.hidden import blocks_of, count_blocks
from isoglot.models.limits import transformers_of
from isoglot.models.load import encoder_of, set_encoder
from isoglot.models.offline import OFFLINE_NAME
from isoglot.models.resolve import resolve_base
from isoglot.models.tunings import TUNINGS, Tuning

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_BERT = ("query", "key", "value", "dense")
TARGETS: dict[str, tuple[str, ...]] = {
    "bert": _BERT,
    "xlm-roberta": _BERT,
    "roberta": _BERT,
    "camembert": _BERT,
    "distilbert": ("q_lin", "k_lin", "v_lin", "out_lin", "lin1", "lin2"),
    "mpnet": ("q", "k", "v", "o", "dense"),
    "modernbert": ("Wqkv", "Wo", "Wi"),
}
"""All linear maps of attention and feed-forward layers, by `model_type`; other encoders: every linear module."""

QUERY_VALUE = "query-value"
"""As a target: the maps to queries and values of attention, whatever the encoder calls them."""
_QUERY_VALUE = (("query", "value"), ("q_proj", "v_proj"), ("q_lin", "v_lin"), ("q", "v"), ("Wqkv",), ("c_attn",))
"""Names of these, the last two of one map for queries, keys and values together."""
_PARTS = ("all", "early", "late")

_NEVER = r".*pooler.*"
"""The pooler is not used under mean pooling: an adapter there would never get a gradient."""


@TUNINGS.register
class Lora(Tuning):
    """low-rank adapters are trained, everything else is frozen (Hu et al. 2021, arXiv 2106.09685)"""

    name: ClassVar[str] = "lora"
    title: ClassVar[str] = "LoRA"
    is_default: ClassVar[bool] = True
    learning_rate: ClassVar[float] = 5e-4
    trains_embeddings: ClassVar[bool] = False

    rank: int = Field(16, gt=0, le=1 << 14, description="r")
    alpha: float = Field(32.0, gt=0, description="the update is scaled by alpha / r")
    dropout: float = Field(0.0, ge=0, lt=1, description="on the adapter's input")
    targets: tuple[str, ...] = Field(
        (),
        description="linear modules that get an adapter, by the last part of their names; query-value: the maps to queries and "
        "values, whatever they are called (default: chosen by the encoder's type)",
    )
    layers: tuple[int | str, ...] = Field(
        (),
        description="numbers of the encoder layers that get one, from 0; early: the first half of them, late: the others "
        "(default: all)",
    )
    rslora: bool = Field(
        False,
        description="the update is scaled by alpha / sqrt(r) and does not fade as r grows (rsLoRA, Kalajdzievski 2023, "
        "arXiv 2312.03732)",
    )
    dora: bool = Field(
        False,
        description="the length of every row of a weight is trained apart from its direction, which the update changes (DoRA, "
        "Liu et al. 2024, arXiv 2402.09353); slower, and not averaged with the base",
    )

    @field_validator("layers")
    @classmethod
    def _whole_numbers(cls, layers: tuple[int | str, ...]) -> tuple[int | str, ...]:
        given = tuple(int(layer) if str(layer).removeprefix("-").isdecimal() else layer for layer in layers)
        for layer in given:
            if isinstance(layer, str) and layer not in _PARTS:
                raise ValueError(f"'{layer}': expected numbers of layers from 0, or one of {', '.join(_PARTS)}")
            if isinstance(layer, str) and len(given) > 1:
                raise ValueError(f"'{layer}' stands alone: give it, or numbers")
        return given

    @model_serializer(mode="wrap")
    def _with_name(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values = {"name": self.name, **handler(self)}
        # they came later: where they are off, earlier runs keep their digests
        return {key: value for key, value in values.items() if value or key not in ("rslora", "dora")}

    def prepare(self, model: SentenceTransformer) -> None:
        """Freeze the model, modules behind the encoder included, and add trainable adapters to the encoder, in place.

        Raises:
            InputError: targets or layers that the encoder does not have; no encoder, or several.
        """
        from peft import LoraConfig

        encoder = _only_encoder(model)
        model.requires_grad_(False)
        layers = self._chosen(encoder)
        targets = self._targets(encoder, layers)
        has_pooler = any("pooler" in name for name, _ in encoder.named_modules())
        config = LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,  # type: ignore[arg-type]  # PEFT only divides it by r
            lora_dropout=self.dropout,
            target_modules=list(targets) if targets else "all-linear",
            exclude_modules=_NEVER if targets and has_pooler else None,
            layers_to_transform=layers or None,
            layers_pattern=blocks_of(encoder)[0].rpartition(".")[2] if layers else None,
            use_rslora=self.rslora,
            use_dora=self.dora,
            bias="none",
            task_type="FEATURE_EXTRACTION",
        )
        try:
            model.add_adapter(config)
        except ValueError as error:
            linear = ", ".join(_linear_names(encoder))
            raise InputError(
                f"lora.targets {', '.join(targets)}: {first_line(error)} (linear modules there: {linear})"
            ) from None
        _check_adapted(encoder, layers)

    def _chosen(self, encoder: Any) -> list[int]:
        """The numbers of the blocks that get an adapter; [] for all. InputError where the encoder does not have them."""
        count = count_blocks(encoder)
        if self.layers in ((), ("all",)):
            return []
        if self.layers in (("early",), ("late",)):
            if count < 2:
                raise InputError(
                    f"lora.layers {self.layers[0]}: this encoder has {count} layer(s), which have no halves"
                )
            blocks_of(encoder)
            return list(range(count // 2) if self.layers == ("early",) else range(count // 2, count))
        numbers = [layer for layer in self.layers if isinstance(layer, int)]
        outside = [layer for layer in numbers if not 0 <= layer < count]
        if outside:
            raise InputError(f"lora.layers {outside}: this encoder has layers 0 to {(count or 1) - 1}")
        blocks_of(encoder)
        return numbers

    def _targets(self, encoder: Any, layers: list[int]) -> tuple[str, ...]:
        """Names of modules, by their last parts; () for all linear ones."""
        # PEFT does not choose among layers where it looks for all linear modules itself
        inside = blocks_of(encoder)[1] if layers else encoder
        targets = (
            self.targets or TARGETS.get(encoder.config.model_type, ()) or (_linear_names(inside) if layers else ())
        )
        if QUERY_VALUE not in targets:
            return tuple(targets)
        names = _linear_names(encoder)
        found = next((maps for maps in _QUERY_VALUE if set(maps) <= set(names)), None)
        if found is None:
            raise InputError(
                f"lora.targets {QUERY_VALUE}: no such maps are known in this encoder ({encoder.config.model_type}); name them "
                f"(linear modules there: {', '.join(names)})"
            )
        if len(found) == 1:
            say(
                f"lora.targets {QUERY_VALUE}: {found[0]} maps to queries, keys and values at once, so keys get an adapter too"
            )
        return tuple(dict.fromkeys([*(name for name in targets if name != QUERY_VALUE), *found]))

    def check_average(self) -> None:
        """DoRA's weights are no sum of base and update: no scale of the adapter is an average with the base."""
        if self.dora:
            raise InputError(
                "average: a DoRA adapter is not averaged with its base; train without average, and average the two models by "
                "isoglot model average RUN BASE"
            )

    def average(self, model: SentenceTransformer, share: float, load: Callable[[], SentenceTransformer]) -> None:
        """Scale the adapter: its update of every weight is linear in alpha, and nothing else was trained."""
        from peft.tuners.lora import LoraLayer

        encoder = encoder_of(model)
        for config in encoder.peft_config.values():  # what is saved
            config.lora_alpha *= share
        for layer in encoder.modules():  # what is computed
            if isinstance(layer, LoraLayer):
                for adapter in layer.scaling:
                    layer.scaling[adapter] *= share

    def finish(
        self, model: SentenceTransformer, base: str, load: Callable[[], SentenceTransformer], adapter: Path
    ) -> SentenceTransformer:
        """Write the adapter, and merge it into a base that is loaded anew."""
        with atomic_directory(adapter) as path:
            save_adapter(model, base, path)
        merged = load()
        set_encoder(merged, Adapter(adapter).merge(encoder_of(merged))[0])
        return merged


def _only_encoder(model: SentenceTransformer) -> Any:
    encoders = [module.model for module in transformers_of(model)]
    if len(encoders) != 1:
        number = len(encoders) or "no"
        raise InputError(f"lora: this model has {number} encoders, and adapters are for one: take tuning=full")
    return encoders[0]


def _linear_names(inside: Any) -> tuple[str, ...]:
    """The last parts of the names of linear modules, sorted."""
    import torch
    from transformers.pytorch_utils import Conv1D

    linear = [name for name, module in inside.named_modules() if isinstance(module, (torch.nn.Linear, Conv1D))]
    return tuple(sorted({name.rpartition(".")[2] for name in linear}))


def _check_adapted(encoder: Any, layers: list[int]) -> None:
    """InputError unless just the modules of these layers have adapters (as PEFT finds layers by the names of modules)."""
    from peft.tuners.lora import LoraLayer

    if not layers:
        return
    prefix = f"{blocks_of(encoder)[0]}."
    names = [name for name, module in encoder.named_modules() if isinstance(module, LoraLayer)]
    adapted = {int(name.removeprefix(prefix).partition(".")[0]) if name.startswith(prefix) else -1 for name in names}
    if adapted != set(layers):
        missing = sorted(set(layers) - adapted)
        raise InputError(
            f"lora.layers {missing or layers}: none of lora.targets is in them, or they cannot be told apart"
        )


def save_adapter(model: SentenceTransformer, base_name: str, path: Path) -> None:
    """Write the adapter so that PEFT and `load_model` can read it.

    `adapter_config.json` names the base by hub id or `offline:` name where there is one, so that no place of this machine is in
    it, else by its whole path; `isoglot.json` beside it keeps the name that the user gave, a digest of the base's weights, and
    the prompts.
    """
    encoder = encoder_of(model)
    base = resolve_base(base_name)
    local = Path(base.location).is_dir()
    for config in encoder.peft_config.values():
        config.base_model_name_or_path = os.path.abspath(base.location) if local else base.location
    encoder.save_pretrained(path)  # PEFT looks at the base's configuration, and for that needs its place
    name = base.stable_name if base.stable_name == OFFLINE_NAME or not local else os.path.abspath(base.stable_name)
    note = {"base": name, "base_digest": encoder_digest(encoder), "prompts": dict(model.prompts)}
    write_json(path / ADAPTER_NOTE, note)
    finish_config(path, name if name == OFFLINE_NAME else None)
