"""What a base model is by content: a digest that is another one when its files are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from isoglot.blocks import RECORD
from isoglot.errors import InputError
from isoglot.files import digest_file, digest_json
from isoglot.models.adapters import Adapter
from isoglot.models.resolve import Base, resolve_base
from isoglot.models.weights import onnx_graph
from isoglot.places import at_home
from isoglot.reading import open_file

STORED = ".parquet"
"""How the name of a file of vectors ends, which stand in the place of a model's, see `isoglot.retrieval.stored`."""
_FOR_PEOPLE = {".md", ".pdf", ".png", ".jpg", ".jpeg", ".gif", ".svg"}
_OTHER_FRAMEWORKS = {".h5", ".msgpack", ".onnx", ".ot"}


def base_digest(name: str) -> str:
    """SHA-256 (hex) of a base's files where they lie in a directory (with those that an adapter there belongs to), else of its
    name on the hub.

    Files that decide nothing do not count: model cards and pictures, hidden ones, weights of other frameworks. An ONNX graph
    counts where it is the encoder.
    """
    return _digest(resolve_base(name), ())


def _digest(base: Base, followed: tuple[str, ...]) -> str:
    if base.layout == "hub":
        return digest_json({"hub": base.location})
    directory = Path(base.location)
    files = [path.relative_to(directory) for path in sorted(directory.rglob("*")) if path.is_file()]
    graph = onnx_graph(directory)
    counted = [file for file in files if _counts(file) or directory / file == graph]
    own = digest_json({file.as_posix(): digest_file(directory / file) for file in counted})
    if not (directory / "adapter_config.json").is_file():
        return own
    parent, _ = Adapter(directory).base()
    if parent in followed:
        raise InputError(f"{base.name}: its adapter belongs to a base that belongs to it")
    return digest_json({"adapter": own, "base": _digest(resolve_base(parent), (*followed, parent))})


def content_of(name: str) -> dict[str, Any]:
    """A base or stored vectors by content, for records: `digest`, and `revision` (the commit on the hub) where it has one."""
    if name.endswith(STORED):
        open_file(Path(name)).close()
        return {"digest": digest_file(Path(name))}
    revision = base_revision(name)
    return {"digest": base_digest(name), **({"revision": revision} if revision else {})}


def check_apart(base: str, output: Path, what: str = "base") -> None:
    """InputError where what is written would lie among the files of a base, or take their place.

    Args:
        what: the message calls it.
    """
    if not os.path.isdir(at_home(base)):
        return
    place, own = (Path(os.path.realpath(path)) for path in (resolve_base(base).location, output))
    if place.is_relative_to(own) or own.is_relative_to(place):
        raise InputError(f"{output}: the {what} {base} lies there, or it lies in the {what}; give another --output")


def _counts(file: Path) -> bool:
    """Whether a file, by its name in a model's directory, may decide an embedding; whatever is not known does."""
    is_hidden = any(folder.startswith(".") for folder in file.parts)
    return not (is_hidden or file.name == RECORD or file.suffix.lower() in _FOR_PEOPLE | _OTHER_FRAMEWORKS)


def base_revision(name: str) -> str | None:
    """The commit of a base that lies in the hub's cache on this machine; None for others."""
    from huggingface_hub import try_to_load_from_cache

    base = resolve_base(name)
    path = try_to_load_from_cache(base.location, "config.json") if base.layout == "hub" else None
    return Path(path).parent.name if isinstance(path, str) else None
