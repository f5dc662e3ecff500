"""Which files of a model's folder are for others, and what of them tells about the machine that made them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from isoglot.blocks import RECORD
from isoglot.errors import InputError
from isoglot.files import read_json, write_json
from isoglot.models.weights import check_whole

_SETTINGS = ("modules.json", "config*.json", "sentence_bert_config.json", "router_config.json", "debias.json")
_WEIGHTS = ("model*.safetensors", "model.safetensors.index.json", "model.onnx", "model.onnx_data", "debias.safetensors")
_TOKENIZER = (
    "tokenizer*.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "*.model",
    "*.jinja",
)
_KINDS = (*_SETTINGS, *_WEIGHTS, *_TOKENIZER, "trained_texts.safetensors", "README.md", "LICENSE*", "NOTICE*")
_PICKLES = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".h5"}
_SMALL = 1 << 20  # bytes: vocabularies are larger, and hold no settings
# two parts at least: </s> is a token, and/or a word; after // comes the address of a host
_PATH = re.compile(r"""(?<![\w/.~])(?:~|[A-Za-z]:)?(?:[/\\][^\s/\\"'`<>|:;,?()\[\]]+){2,}""")


def published_files(folder: Path) -> list[Path]:
    """The files of a model in a folder, relative to it; hidden ones and isoglot's own digests are left out.

    Raises:
        InputError: a pickle, a damaged file of weights, a link out of the folder, or what belongs to no model (such as files of a
            run).
    """
    modules = read_json(folder / "modules.json", strict=False)
    parts = {str(module.get("path", "")) for module in modules} | {"onnx"} if isinstance(modules, list) else set()
    found = []
    for path in sorted(folder.rglob("*")):
        file = path.relative_to(folder)
        if path.is_dir() or file.name == RECORD or any(part.startswith(".") for part in file.parts):
            continue
        if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
            raise InputError(f"{path}: not a file of this folder; put the file itself there")
        if path.suffix.lower() in _PICKLES:
            raise InputError(
                f"{path}: weights in a pickle are not published: save them as safetensors, or take the file away"
            )
        inside = len(file.parts) == 1 or any(part and file.is_relative_to(part) for part in parts)
        if not (inside and any(fnmatch(file.name, kind) for kind in _KINDS)):
            raise InputError(f"{path}: not a file of a model; take it away, so that nothing is published by mistake")
        if path.suffix == ".safetensors":
            check_whole(path)
        found.append(file)
    return found


def copy_published(folder: Path, files: list[Path], target: Path) -> list[str]:
    """Copy files of a model into an empty folder, settings without paths of this machine.

    Returns:
        The paths that were shortened to their last part.
    """
    shortened: list[str] = []
    for file in files:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".json" and (folder / file).stat().st_size < _SMALL:
            value = read_json(folder / file, strict=False)
            clean = _clean(value, shortened, whole=file.name != "debias.json")  # a chat template may hold slashes
            if clean != value:
                write_json(target / file, clean)
                continue
        shutil.copyfile(folder / file, target / file)
    return shortened


def without_paths(text: str, shortened: list[str]) -> str:
    """A text whose absolute paths are their last parts; what they were is added to `shortened`."""

    def last(match: re.Match[str]) -> str:
        shortened.append(match[0])
        return re.split(r"[/\\]", match[0])[-1]

    return _PATH.sub(last, text)


def _clean(value: Any, shortened: list[str], *, whole: bool) -> Any:
    """A JSON value whose texts have no absolute paths; `whole`: only where a path is the whole text."""
    if isinstance(value, dict):
        return {key: _clean(inner, shortened, whole=whole) for key, inner in value.items()}
    if isinstance(value, list):
        return [_clean(inner, shortened, whole=whole) for inner in value]
    if not isinstance(value, str):
        return value
    if (PurePosixPath(value).is_absolute() and len(value) > 1) or PureWindowsPath(value).is_absolute():
        shortened.append(value)
        return re.split(r"[/\\]", value.rstrip("/\\"))[-1]
    return value if whole else without_paths(value, shortened)


def paths_in(text: str) -> Iterator[str]:
    """Absolute paths in a text."""
    yield from (match[0] for match in _PATH.finditer(text))
