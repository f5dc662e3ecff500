"""From a name to where a base model is: hub ids, short names, directories, runs, the offline base."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from isoglot.errors import InputError
from isoglot.models.offline import OFFLINE_NAME, offline_base
from isoglot.places import at_home, did_you_mean, is_model, it_is, nearest

Place = Literal["hub", "sentence-transformers", "transformers", "adapter"]

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
HUB = "hub:"
"""Before an id: of the hub, whatever directories there are."""
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


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
    layout: Place
    stable_name: str

    @property
    def published_name(self) -> str:
        """Hub id or `offline:` name; "" for a folder: what lies in it is nobody's model by its name."""
        return self.stable_name if self.layout == "hub" or self.name == OFFLINE_NAME else ""


def hub_id(published: str) -> str:
    """The hub id of a `published_name`: the offline base is a copy, in 4 bits, of a model that has one."""
    return SHORT_NAMES[OFFLINE_NAME.partition(":")[2]] if published == OFFLINE_NAME else published


def resolve_base(name: str) -> Base:
    """Find a base model by hub id, short name (`labse`, `xlm-r`), directory or `offline:multilingual-e5-small`.

    A run directory of `isoglot train` stands for its `model/`. Where a directory is there whose path is nearly the same as an id,
    the id is not looked for on the hub unless `hub:` stands before it.

    Raises:
        InputError: nothing of that name.
    """
    if name == OFFLINE_NAME:
        return Base(name, str(offline_base()), "sentence-transformers", name)
    if name.startswith("offline:"):
        raise InputError(f"unknown offline base '{name}'; known: {OFFLINE_NAME}")
    path = at_home(name)
    if os.path.isdir(path):
        return _resolve_directory(name, path)
    if os.path.isfile(path):
        raise InputError(
            f"{name}: is a file; expected the directory of a model, a hub id such as org/name, or {OFFLINE_NAME}"
        )
    hub = SHORT_NAMES.get(name.lower(), name.removeprefix(HUB))
    if _HUB_ID.fullmatch(hub):
        if not name.startswith(HUB) and (near := _misspelt(path, hub)):
            raise InputError(
                f"{name}: no such directory; did you mean '{near}'? (the hub's {hub} is written {HUB}{hub})"
            )
        return Base(name, hub, "hub", hub)
    known = ", ".join(sorted(SHORT_NAMES))
    forms = f"a directory, a hub id such as org/name, {OFFLINE_NAME}, or one of {known}"
    raise InputError(f"no model '{name}'{did_you_mean(path)}: expected {forms}")


def _misspelt(path: Path, hub: str) -> Path | None:
    """The directory of a model that was probably meant by what could be an id of the hub, too; what was fetched once is an id."""
    near = nearest(path) if path.parent.is_dir() or nearest(path.parent) else None
    if near is None or not is_model(near):
        return None
    from huggingface_hub import try_to_load_from_cache

    return None if isinstance(try_to_load_from_cache(hub, "config.json"), str) else near


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
        f"{it_is(path)}"
    )
