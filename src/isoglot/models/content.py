"""What a base model is by content: a digest that is another one when its files are."""

from __future__ import annotations

from pathlib import Path

from isoglot.errors import InputError
from isoglot.files import digest_file, digest_json
from isoglot.models.adapters import Adapter
from isoglot.models.resolve import Base, resolve_base


def base_digest(name: str) -> str:
    """SHA-256 (hex) of a base's files where they lie in a directory (with those that an adapter there belongs to), else of its
    name on the hub."""
    return _digest(resolve_base(name), ())


def _digest(base: Base, followed: tuple[str, ...]) -> str:
    if base.layout == "hub":
        return digest_json({"hub": base.location})
    directory = Path(base.location)
    files = sorted(path for path in directory.rglob("*") if path.is_file() and not path.name.startswith("."))
    own = digest_json({str(path.relative_to(directory)): digest_file(path) for path in files})
    if not (directory / "adapter_config.json").is_file():
        return own
    parent, _ = Adapter(directory).base()
    if parent in followed:
        raise InputError(f"{base.name}: its adapter belongs to a base that belongs to it")
    return digest_json({"adapter": own, "base": _digest(resolve_base(parent), (*followed, parent))})


def base_revision(name: str) -> str | None:
    """The commit of a base that lies in the hub's cache on this machine; None for others."""
    from huggingface_hub import try_to_load_from_cache

    base = resolve_base(name)
    path = try_to_load_from_cache(base.location, "config.json") if base.layout == "hub" else None
    return Path(path).parent.name if isinstance(path, str) else None
