"""Low-rank adapters on a SentenceTransformer: add, save for PEFT, merge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoglot.errors import InputError
from isoglot.files import write_json
from isoglot.models.load import ADAPTER_NOTE, encoder_of, load_model, resolve_base, set_encoder
from isoglot.training.settings import LoraSettings

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


def add_lora(model: SentenceTransformer, settings: LoraSettings) -> None:
    """Freeze the encoder and add trainable adapters to it, in place.

    Raises:
        InputError: targets or layers that the encoder does not have.
    """
    from peft import LoraConfig

    encoder = encoder_of(model)
    targets = settings.targets or TARGETS.get(encoder.config.model_type, ())
    layers = _check_layers(settings, encoder)
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type]  # PEFT only divides it by r
        lora_dropout=settings.dropout,
        target_modules=list(targets) if targets else "all-linear",
        exclude_modules=_NEVER if targets else None,
        layers_to_transform=layers or None,
        bias="none",
        task_type="FEATURE_EXTRACTION",
    )
    try:
        model.add_adapter(config)
    except ValueError as error:
        linear = sorted({name.rsplit(".", 1)[-1] for name, part in encoder.named_modules() if _is_linear(part)})
        raise InputError(
            f"lora.targets {', '.join(targets)}: {str(error).splitlines()[0]} (linear modules there: {', '.join(linear)})"
        ) from None


def _check_layers(settings: LoraSettings, encoder: Any) -> list[int]:
    count = getattr(encoder.config, "num_hidden_layers", None)
    outside = [layer for layer in settings.layers if count is None or not 0 <= layer < count]
    if outside:
        raise InputError(f"lora.layers {outside}: this encoder has layers 0 to {(count or 1) - 1}")
    return list(settings.layers)


def _is_linear(module: Any) -> bool:
    import torch

    return isinstance(module, torch.nn.Linear)


def save_adapter(model: SentenceTransformer, base_name: str, path: Path) -> None:
    """Write the adapter so that PEFT and `load_model` can read it.

    `adapter_config.json` names the base by hub id where there is one (else by directory); `isoglot.json` beside it keeps the
    name that the user gave, and the prompts.
    """
    encoder = encoder_of(model)
    base = resolve_base(base_name)
    for config in encoder.peft_config.values():
        config.base_model_name_or_path = base.location
    encoder.save_pretrained(path)
    write_json(path / ADAPTER_NOTE, {"base": base.stable_name, "prompts": dict(model.prompts)})


def merged_model(base_name: str, adapter: Path, device: str | None = None) -> SentenceTransformer:
    """A fresh base with the adapter at `adapter` merged into its weights."""
    from peft import PeftModel

    model = load_model(base_name, device=device)
    set_encoder(model, PeftModel.from_pretrained(encoder_of(model), str(adapter)).merge_and_unload())
    return model
