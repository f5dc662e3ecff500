"""YAML that users write: files of settings and `key=value` words."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from isoglot.errors import InputError


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that holds one mapping. InputError names file and line."""
    import yaml

    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise InputError(f"{place}: not valid YAML ({getattr(error, 'problem', None) or 'syntax error'})") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected a mapping of settings, found {type(value).__name__}")
    return {str(key): item for key, item in value.items()}


def read_words(words: Iterable[str]) -> dict[str, Any]:
    """`key=value` words from the command line; values are read as YAML (`[a, b]`, `1e-4`, `true`, text)."""
    import yaml

    values = {}
    for word in words:
        key, sign, text = word.partition("=")
        if not sign or not key:
            raise InputError(f"'{word}': expected key=value")
        try:
            values[key] = yaml.safe_load(text)
        except yaml.YAMLError:
            values[key] = text
    return values
