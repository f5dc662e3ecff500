"""From a YAML file to the spec of a study, checked. Unknown keys and wrong types are errors that name file and key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isoglot.errors import InputError, at
from isoglot.reading import whole_number
from isoglot.records import several
from isoglot.settings import build
from isoglot.study.claims.judge import parse_claims, stated_claims
from isoglot.study.spec import StudySpec
from isoglot.yaml_input import read_words, read_yaml


def load_spec(path: str | Path, words: str | Sequence[str] = ()) -> StudySpec:
    """Read a spec.

    Args:
        path: a YAML file.
        words: `key=value` changes, dotted for inner keys (`train.steps=300`, `data.0.amount=0.5`).

    Raises:
        InputError: names file, key and what would be right.
    """
    values = read_yaml(Path(path))
    for key, value in read_words(several(words), StudySpec.reads).items():
        _set(values, key, value)
    return parse_spec(values, f"{path} with --set" if words else str(path))


def parse_spec(values: Mapping[str, Any], where: str) -> StudySpec:
    """A spec of plain values; `where` opens the messages. InputError names the key."""
    claims = stated_claims(values.get("claims"), where)
    parse_claims(claims, where)
    with at(where):
        return build(StudySpec, [("", {**values, "claims": claims})])


def _set(values: dict[str, Any], key: str, value: Any) -> None:
    """Put `value` at a dotted key, numbers being positions in a list."""
    *outer, last = key.split(".")
    target: Any = values
    for name in outer:
        inner = _key(target, name, key)
        if isinstance(target, dict) and target.get(name) is None:
            target[name] = {}
        target = target[inner]
    target[_key(target, last, key)] = value


def _key(target: Any, name: str, key: str) -> str | int:
    """A key of a mapping or a position in a list. InputError where `target` is neither, or has no such position."""
    if isinstance(target, dict):
        return name
    if not isinstance(target, list):
        raise InputError(f"--set {key}: '{name}' would be a key of {target!r}, which has no keys")
    position = whole_number(name)
    if position is None or position >= len(target):
        raise InputError(
            f"--set {key}: '{name[:80]}' is not a position in a list of {len(target)}; expected 0 to {len(target) - 1}"
        )
    return position
