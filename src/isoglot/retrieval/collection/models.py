"""Names of a collection's models, and a function that encodes by one of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from isoglot.errors import InputError
from isoglot.files import digest_json
from isoglot.models.content import base_digest
from isoglot.records import Float32Array, Kind
from isoglot.retrieval.collection.documents import ModelEntry
from isoglot.retrieval.encode import encode_texts, prompt_of
from isoglot.retrieval.store import model_settings

Encode = Callable[[Sequence[str], Kind], Float32Array]
"""Texts and their kind to unit vectors, float32, shape (n, d)."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def model_name(source: str, name: str | None) -> str:
    """What a model is called in a collection: `name`, or the last part of its path or hub id. InputError for other signs."""
    own = name if name is not None else Path(source.rpartition(":")[2]).name
    if not _NAME.fullmatch(own):
        raise InputError(
            f"'{own}' cannot be a model's name here: letters, digits, '.', '_' and '-'; give another: --name"
        )
    return own


def vectors_key(model: Any, digest: str) -> str:
    """By what a model's vectors of passages are known: its files, settings and prompt.

    Args:
        model: loaded.
        digest: of its files.
    """
    own = {"model": digest, "settings": model_settings(model), "prompt": prompt_of(model, "passage")}
    return digest_json(own)[:32]


def load_entry(entry: ModelEntry, device: str | None = None) -> Any:
    """The model of an entry. InputError where it is another one by now."""
    from isoglot.models.load import load_model

    if base_digest(entry.source) != entry.digest:
        raise InputError(
            f"{entry.source}: is not the model any more that the index was made with; run isoglot index again"
        )
    return load_model(entry.source, device=device)


def encoder(model: Any) -> Encode:
    """What encodes by a model that is loaded."""
    return lambda texts, kind: encode_texts(model, texts, kind, progress=False)
