"""From a YAML file to the spec of a study, checked. Unknown keys and wrong types are errors that name file and key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isoglot.errors import InputError, at
from isoglot.settings import build, read_words, read_yaml
from isoglot.study.claims.judge import parse_claims, stated_claims
from isoglot.study.spec import StudySpec


def load_spec(path: Path, words: Sequence[str] = ()) -> StudySpec:
    """Read a spec.

    Args:
        path: a YAML file.
        words: `key=value` changes, dotted for inner keys (`train.steps=300`, `data.0.amount=0.5`).

    Raises:
        InputError: names file, key and what would be right.
    """
    values = read_yaml(path)
    for key, value in read_words(words).items():
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
    for number, name in enumerate(outer):
        inner = _inside(target, name, key)
        if inner is None:
            inner = target[name] = {}
        elif not isinstance(inner, (dict, list)):
            raise InputError(f"--set {key}: '{'.'.join(outer[: number + 1])}' has no inner keys")
        target = inner
    if isinstance(target, list):
        _inside(target, last, key)
        target[int(last)] = value
    else:
        target[last] = value


def _inside(target: Any, name: str, key: str) -> Any:
    """What lies in a mapping or list under a name. InputError where a list has no such position."""
    if not isinstance(target, list):
        return target.get(name)
    if not name.isdecimal() or int(name) >= len(target):
        raise InputError(
            f"--set {key}: '{name}' is not a position in a list of {len(target)}; expected 0 to {len(target) - 1}"
        )
    return target[int(name)]
