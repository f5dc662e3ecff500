from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from isoglot.errors import InputError, first_line
from isoglot.files import atomic_directory, write_json
from isoglot.models.adapters import ADAPTER_NOTE, Adapter, encoder_digest, sort_config
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
        (), description="linear modules that get an adapter (default: chosen by the encoder's type)"
    )
    layers: tuple[int, ...] = Field((), description="numbers of the encoder layers that get one, from 0 (default: all)")

    def prepare(self, model: SentenceTransformer) -> None:
        """Freeze the model, modules behind the encoder included, and add trainable adapters to the encoder, in place.

        Raises:
            InputError: targets or layers that the encoder does not have; no encoder, or several.
        """
        import torch
        from peft import LoraConfig

        encoder = _only_encoder(model)
        model.requires_grad_(False)
        targets = self.targets or TARGETS.get(encoder.config.model_type, ())
        has_pooler = any("pooler" in name for name, _ in encoder.named_modules())
        config = LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,  # type: ignore[arg-type]  # PEFT only divides it by r
            lora_dropout=self.dropout,
            target_modules=list(targets) if targets else "all-linear",
            exclude_modules=_NEVER if targets and has_pooler else None,
            layers_to_transform=_check_layers(self.layers, encoder) or None,
            bias="none",
            task_type="FEATURE_EXTRACTION",
        )
        try:
            model.add_adapter(config)
        except ValueError as error:
            modules = encoder.named_modules()
            linear = sorted(
                {name.rsplit(".", 1)[-1] for name, module in modules if isinstance(module, torch.nn.Linear)}
            )
            raise InputError(
                f"lora.targets {', '.join(targets)}: {first_line(error)} (linear modules there: {', '.join(linear)})"
            ) from None

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


def _check_layers(layers: tuple[int, ...], encoder: Any) -> list[int]:
    count = getattr(encoder.config, "num_hidden_layers", None)
    outside = [layer for layer in layers if count is None or not 0 <= layer < count]
    if outside:
        raise InputError(f"lora.layers {outside}: this encoder has layers 0 to {(count or 1) - 1}")
    return list(layers)


def save_adapter(model: SentenceTransformer, base_name: str, path: Path) -> None:
    """Write the adapter so that PEFT and `load_model` can read it.

    `adapter_config.json` names the base by hub id where there is one (else by its whole path); `isoglot.json` beside it keeps the
    name that the user gave, a digest of the base's weights, and the prompts.
    """
    encoder = encoder_of(model)
    base = resolve_base(base_name)
    local = Path(base.location).is_dir()
    for config in encoder.peft_config.values():
        config.base_model_name_or_path = os.path.abspath(base.location) if local else base.location
    encoder.save_pretrained(path)
    sort_config(path)
    name = base.stable_name if base.stable_name == OFFLINE_NAME or not local else os.path.abspath(base.stable_name)
    note = {"base": name, "base_digest": encoder_digest(encoder), "prompts": dict(model.prompts)}
    write_json(path / ADAPTER_NOTE, note)
