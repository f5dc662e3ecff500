"""Base models: from a name to a SentenceTransformer with the prompts that belong to it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from isoglot.errors import InputError
from isoglot.hub import hub_reachable
from isoglot.models.offline import OFFLINE_NAME, offline_base

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Layout = Literal["hub", "sentence-transformers", "transformers", "adapter"]
ADAPTER_NOTE = "isoglot.json"

E5_PROMPTS = ("query: ", "passage: ")
"""multilingual-e5 was trained with these (Wang et al. 2024, arXiv 2402.05672)."""
PAPER_PROMPTS = ("Query: ", "Passage: ")
"""For encoders that were not trained for retrieval yet (arXiv 2408.10536, section 4)."""
NO_PROMPTS = ("", "")

SHORT_NAMES = {
    "xlm-r": "FacebookAI/xlm-roberta-base",
    "xlm-roberta-base": "FacebookAI/xlm-roberta-base",
    "xlm-roberta-large": "FacebookAI/xlm-roberta-large",
    "labse": "sentence-transformers/LaBSE",
    "mbert": "google-bert/bert-base-multilingual-cased",
    "multilingual-e5-small": "intfloat/multilingual-e5-small",
    "multilingual-e5-base": "intfloat/multilingual-e5-base",
    "multilingual-e5-large": "intfloat/multilingual-e5-large",
}
_HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]*/[\w.-]+$")


@dataclass(frozen=True)
class Base:
    """Where a base model is, before anything is loaded.

    Attributes:
        name: as the user gave it.
        location: hub id or directory to load from.
        layout: what is expected there.
        stable_name: what to write down as the model's name (a hub id or `offline:` name where there is one).
    """

    name: str
    location: str
    layout: Layout
    stable_name: str

    @property
    def published_name(self) -> str:
        """Hub id or `offline:` name; "" for a folder: what lies in it is nobody's model by its name."""
        return self.stable_name if self.layout == "hub" or self.name == OFFLINE_NAME else ""


def resolve_base(name: str) -> Base:
    """Find a base model by hub id, short name (`labse`, `xlm-r`), directory or `offline:multilingual-e5-small`.

    A run directory of `isoglot train` stands for its `model/`.

    Raises:
        InputError: nothing of that name.
    """
    if name == OFFLINE_NAME:
        return Base(name, str(offline_base()), "sentence-transformers", name)
    if name.startswith("offline:"):
        raise InputError(f"unknown offline base '{name}'; known: {OFFLINE_NAME}")
    path = Path(name).expanduser()
    if path.is_dir():
        return _resolve_directory(name, path)
    hub = SHORT_NAMES.get(name.lower(), name)
    if _HUB_ID.match(hub):
        return Base(name, hub, "hub", hub)
    known = ", ".join(sorted(SHORT_NAMES))
    raise InputError(
        f"no model '{name}': expected a directory, a hub id such as org/name, {OFFLINE_NAME}, or one of {known}"
    )


def _resolve_directory(name: str, path: Path) -> Base:
    if (path / "run.json").is_file() and not (path / "config.json").is_file():
        if not (path / "model").is_dir():
            raise InputError(f"{name}: this run has no model/ yet; finish it with isoglot train --resume")
        path = path / "model"
    if (path / "modules.json").is_file():
        return Base(name, str(path), "sentence-transformers", name)
    if (path / "adapter_config.json").is_file():
        return Base(name, str(path), "adapter", name)
    if (path / "config.json").is_file():
        return Base(name, str(path), "transformers", name)
    raise InputError(
        f"{name}: not a model directory (expected modules.json, config.json, adapter_config.json, or a finished run)"
    )


def load_model(
    name_or_path: str,
    *,
    query_prompt: str | None = None,
    passage_prompt: str | None = None,
    dropout: float | None = None,
    device: str | None = None,
) -> SentenceTransformer:
    """Load a base model as a SentenceTransformer with its prompts.

    Args:
        name_or_path: hub id, short name, directory (transformers or sentence-transformers layout, an adapter, a run) or
            `offline:multilingual-e5-small`. An adapter is merged into its base.
        query_prompt, passage_prompt: instead of the base's own.
        dropout: instead of the encoder's own.
        device: `cpu`, `cuda`, ...; None: the best there is.

    Returns:
        The model, with the `Base` that it was loaded from as its attribute `loaded_from`.

    Raises:
        InputError: no such model, it cannot be fetched, it is not loadable, its adapter has no base.
    """
    base = resolve_base(name_or_path)
    model = _load_adapter(base, device) if base.layout == "adapter" else _load(base, device)
    _set_prompts(model, base, query_prompt, passage_prompt)
    if dropout is not None:
        _set_dropout(model, dropout)
    model.loaded_from = base
    return model


def _load(base: Base, device: str | None) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    # without a network the hub's client tries for minutes; the cache on this machine is asked at once
    local = base.layout == "hub" and not hub_reachable()
    try:
        return SentenceTransformer(base.location, device=device, local_files_only=local)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if base.layout == "hub":
            raise InputError(
                f"cannot load '{base.location}' from the hub ({first}); "
                f"give a local directory or {OFFLINE_NAME}, which needs no network"
            ) from None
        raise InputError(f"{base.name}: cannot be loaded as a model ({first})") from None


def _load_adapter(base: Base, device: str | None) -> SentenceTransformer:
    """The base of an adapter directory with the adapter merged into it."""
    from peft import PeftModel

    path = Path(base.location)
    note = path / ADAPTER_NOTE
    config = json.loads((path / "adapter_config.json").read_text(encoding="utf-8"))
    parent = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
    parent_name = parent.get("base") or config.get("base_model_name_or_path")
    if not parent_name:
        raise InputError(f"{base.name}/adapter_config.json: base_model_name_or_path is missing")
    model = load_model(parent_name, device=device)
    merged = PeftModel.from_pretrained(encoder_of(model), base.location).merge_and_unload()
    set_encoder(model, merged)
    if prompts := parent.get("prompts"):
        model.prompts = dict(prompts)
    return model


def encoder_of(model: SentenceTransformer) -> Any:
    """The transformers encoder inside. InputError where there is none (a static embedding model, say)."""
    encoder = model.transformers_model
    if encoder is None:
        raise InputError("this model has no transformers encoder: only such models can be trained here")
    return encoder


def compile_encoder(model: SentenceTransformer) -> None:
    """Have torch compile the encoder's forward and backward passes, for texts of any length; its weights keep their names."""
    import torch

    encoder = encoder_of(model)
    encoder.forward = torch.compile(encoder.forward, dynamic=True)


def set_encoder(model: SentenceTransformer, encoder: Any) -> None:
    """Put another transformers encoder in the place of the one inside."""
    from sentence_transformers.base.modules import Transformer

    for module in model.modules():
        if isinstance(module, Transformer):
            module.model = encoder
            return
    raise InputError("this model has no transformers encoder: only such models can be trained here")


def _set_prompts(model: SentenceTransformer, base: Base, query: str | None, passage: str | None) -> None:
    """Prompts under the names that `encode_query` and `encode_document` look for: query, document, passage."""
    own = {key: text for key, text in (model.prompts or {}).items() if text is not None}
    if any(own.values()):
        default = (own.get("query", ""), own.get("document") or own.get("passage", ""))
    else:
        default = _default_prompts(base)
    chosen_query = default[0] if query is None else query
    chosen_passage = default[1] if passage is None else passage
    model.prompts = {**own, "query": chosen_query, "document": chosen_passage, "passage": chosen_passage}


def _default_prompts(base: Base) -> tuple[str, str]:
    name = base.location.lower()
    if re.search(r"(^|[/_-])e5-(small|base|large)", name) and "instruct" not in name:
        return E5_PROMPTS
    if "labse" in name or base.layout in ("sentence-transformers", "adapter"):
        return NO_PROMPTS
    if base.layout == "hub":
        from sentence_transformers.util import is_sentence_transformer_model

        try:
            # a hub model in this layout is a finished embedding model: measured as it is. It was loaded before, so the
            # cache on this machine knows
            if is_sentence_transformer_model(base.location, local_files_only=True):
                return NO_PROMPTS
        except (OSError, ValueError):
            pass
    return PAPER_PROMPTS


def _set_dropout(model: SentenceTransformer, share: float) -> None:
    import torch

    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = share
