"""LoRA adapters in PEFT's layout: which base they belong to, and merging them into it so that every tensor lands."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isoglot.errors import InputError, first_line
from isoglot.files import read_json, write_text
from isoglot.models.foreign import check_adapter
from isoglot.models.prompts import read_prompts
from isoglot.models.weights import check_whole
from isoglot.places import at_home

ADAPTER_NOTE = "isoglot.json"
_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PREFIX = "base_model.model."
# a LoRA layer keeps the weights that it adapts one level down
_LAYER = re.compile(r"\.base_layer(?=\.|$)")


class Adapter:
    """The small files of an adapter directory.

    Raises:
        InputError: they are damaged, or of something else than LoRA.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        config = read_json(folder / _CONFIG, strict=False)  # what PEFT reads
        note = read_json(folder / ADAPTER_NOTE) if (folder / ADAPTER_NOTE).is_file() else {}
        if not isinstance(config, dict) or not isinstance(note, dict):
            raise InputError(f"{folder}: {_CONFIG} or {ADAPTER_NOTE} is no JSON object")
        if config.get("peft_type") != "LORA":
            raise InputError(
                f"{folder / _CONFIG}: an adapter of type {config.get('peft_type')}, which cannot be merged here (LoRA can); "
                "merge it with the tool that made it and give the whole model"
            )
        check_adapter(config, str(folder / _CONFIG))
        self.base_digest: str | None = note.get("base_digest")
        has_prompts = note.get("prompts") is not None
        self.prompts = read_prompts(note["prompts"], str(folder / ADAPTER_NOTE)) if has_prompts else None
        self._base = note.get("base") or config.get("base_model_name_or_path")

    def base(self) -> tuple[str, str]:
        """(name of the base, a note where a relative path had to be read from the working directory, else "").

        A relative path is looked for beside the adapter first.
        """
        name = self._base
        if not isinstance(name, str) or not name:
            raise InputError(f"{self.folder / _CONFIG}: base_model_name_or_path is missing")
        path = at_home(name)
        if path.is_absolute():
            if not path.is_dir():
                raise InputError(f"{self.folder}: its base {name} is not there: put the right path into {_CONFIG}")
            return name, ""
        if (self.folder / path).is_dir():
            return str(self.folder / path), ""
        note = "its base is a relative path, read from the working directory" if path.is_dir() else ""
        return name, note

    def check_base(self, encoder: Any, name: str) -> None:
        """Refuse a base that is not the one the adapter was trained on, where that was written down."""
        if self.base_digest and self.base_digest != encoder_digest(encoder):
            raise InputError(
                f"{self.folder}: made for another base than {name} is now: its weights differ (base_digest)"
            )

    def merge(self, encoder: Any) -> tuple[Any, str]:
        """(the encoder with the adapter merged into its weights, a note in words or "").

        Raises:
            InputError: the adapter does not fit: a tensor without a place, a place without a tensor.
        """
        from peft import PeftConfig, PeftModel, get_peft_model_state_dict, set_peft_model_state_dict

        tensors = _read(self.folder / _WEIGHTS)
        trainable = {name for name, weights in encoder.named_parameters() if weights.requires_grad}
        try:
            adapted = PeftModel(encoder, PeftConfig.from_pretrained(str(self.folder)))
        except (ValueError, TypeError, KeyError) as error:  # what PEFT says of settings that do not fit
            raise InputError(f"{self.folder}: does not fit its base ({first_line(error)})") from None
        own = get_peft_model_state_dict(adapted, save_embedding_layers=False)  # else the hub is asked for the base
        places = {name: tuple(value.shape) for name, value in own.items()}
        tensors, note = _named_for(tensors, encoder.base_model_prefix)
        problems = [name for name in {*tensors, *places} if _shape(tensors.get(name)) != places.get(name)]
        if problems or not tensors:
            raise InputError(
                f"{self.folder / _WEIGHTS}: {len(problems)} of {len(places)} tensors do not fit the base "
                f"({', '.join(sorted(problems)[:3])}): the adapter is of another model, or cut"
            )
        set_peft_model_state_dict(adapted, tensors)
        try:
            merged = adapted.merge_and_unload(safe_merge=True)
        except ValueError as error:
            raise InputError(f"{self.folder}: {first_line(error)}") from None
        for name, weights in merged.named_parameters():  # PEFT freezes what it adapts
            weights.requires_grad_(name in trainable)
        return merged, note


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"{path}: no such file; an adapter's weights are read from safetensors only")
    check_whole(path)
    from safetensors.torch import load_file

    return load_file(path)


def _shape(tensor: Any) -> tuple[int, ...] | None:
    return None if tensor is None else tuple(tensor.shape)


def _named_for(tensors: Mapping[str, Any], inner: str) -> tuple[dict[str, Any], str]:
    """The tensors under the names that they have in an encoder.

    An adapter of a whole model with a head (a masked or causal language model) calls the encoder by its name inside:
    `base_model.model.bert.encoder...`. What it holds for the head has no place here.
    """
    prefix = f"{_PREFIX}{inner}."
    inside = {name: tensor for name, tensor in tensors.items() if inner and name.startswith(prefix)}
    if not inside:
        return dict(tensors), ""
    dropped = len(tensors) - len(inside)
    head = f", {dropped} tensors of its head are not used" if dropped else ""
    renamed = {_PREFIX + name[len(prefix) :]: tensor for name, tensor in inside.items()}
    return renamed, f"adapter of a model with a head: its tensors are read as those of '{inner}'{head}"


def encoder_digest(encoder: Any) -> str:
    """SHA-256 (hex) of an encoder's weights, whatever type they are held in; adapters inside it are left out."""
    import torch

    digest = hashlib.sha256()
    weights = {_LAYER.sub("", name): value for name, value in encoder.state_dict().items() if ".lora_" not in name}
    for name, tensor in sorted(weights.items()):
        whole = tensor.detach().to("cpu", torch.float32).contiguous()
        digest.update(f"{name} {tuple(whole.shape)};".encode())
        digest.update(whole.numpy().data)
    return digest.hexdigest()


def finish_config(path: Path, base: str | None = None) -> None:
    """Sort the lists in an `adapter_config.json` that PEFT keeps as sets: their order would change from process to process.

    Args:
        base: what its base is called there from now on; None: as it is.
    """
    config = json.loads((path / _CONFIG).read_text(encoding="utf-8"))
    for name in ("target_modules", "exclude_modules", "modules_to_save"):
        if isinstance(config.get(name), list):
            config[name].sort()
    config["base_model_name_or_path"] = base or config["base_model_name_or_path"]
    write_text(path / _CONFIG, json.dumps(config, indent=2, sort_keys=True))
