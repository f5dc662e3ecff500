"""Settings: a frozen dataclass <- a YAML file <- `key=value` words. Unknown keys and wrong types are errors."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from isoglot.errors import InputError, unknown

T = TypeVar("T")


def build(cls: type[T], layers: Iterable[tuple[str, Mapping[str, Any]]]) -> T:
    """Make a settings object from layers of values, later ones winning.

    Args:
        cls: a dataclass; nested dataclasses take nested mappings or dotted keys (`lora.rank`).
        layers: (where the values come from, values) pairs; `where` opens the error messages.

    Raises:
        InputError: an unknown key, a value of the wrong type, a missing required key.
    """
    merged: dict[str, Any] = {}
    for where, values in layers:
        for key, value in values.items():
            _place(cls, merged, key.split("."), value, where, key)
    made: T = _make(cls, merged)
    return made


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


def to_dict(settings: Any) -> dict[str, Any]:
    """The settings as plain JSON values (tuples become lists)."""
    plain: dict[str, Any] = _plain(dataclasses.asdict(settings))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _place(cls: Any, into: dict[str, Any], keys: list[str], value: Any, where: str, full: str) -> None:
    hints = typing.get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls)]
    key = keys[0].replace("-", "_")
    if key not in names:
        raise InputError(f"{where}: {unknown('setting', full, names)}")
    inner = hints[key]
    if dataclasses.is_dataclass(inner) and (len(keys) > 1 or isinstance(value, Mapping)):
        below = into.setdefault(key, {})
        for name, item in {".".join(keys[1:]): value}.items() if len(keys) > 1 else value.items():
            _place(inner, below, str(name).split("."), item, where, f"{full}.{name}" if len(keys) == 1 else full)
    elif len(keys) > 1:
        raise InputError(f"{where}: setting '{key}' has no parts, so '{full}' means nothing")
    else:
        into[key] = _coerce(inner, value, f"{where}: {full}")


def _make(cls: Any, values: dict[str, Any]) -> Any:
    hints = typing.get_type_hints(cls)
    made = {}
    for field in dataclasses.fields(cls):
        if field.name in values:
            value, hint = values[field.name], hints[field.name]
            made[field.name] = (
                _make(hint, value) if dataclasses.is_dataclass(hint) and isinstance(value, dict) else value
            )
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise InputError(f"setting '{field.name}' is missing")
    return cls(**made)


def _coerce(hint: Any, value: Any, where: str) -> Any:
    """`value` as the type that `hint` names; YAML's `1e-4` is a string and becomes a float here."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _coerce_union(parts, value, where)
    if origin is typing.Literal:
        if value in parts:
            return value
        raise InputError(f"{where}: {value!r} is none of {', '.join(map(str, parts))}")
    if origin in (tuple, list):
        items = value if isinstance(value, (list, tuple)) else [value]
        return tuple(_coerce(parts[0], item, where) for item in items)
    if origin in (dict, Mapping) or origin is typing.get_origin(Mapping[str, Any]):
        if isinstance(value, Mapping):
            return {str(key): _coerce(parts[1], item, where) for key, item in value.items()}
        raise InputError(f"{where}: expected a mapping, got {value!r}")
    return _coerce_plain(hint, value, where)


def _coerce_union(parts: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in parts:
        return None
    problem: InputError | None = None
    for part in parts:
        if part is not type(None):
            try:
                return _coerce(part, value, where)
            except InputError as error:
                problem = error
    raise problem or InputError(f"{where}: {value!r} fits none of the allowed types")


def _coerce_plain(hint: Any, value: Any, where: str) -> Any:
    wanted = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    if hint is bool and isinstance(value, bool):
        return value
    if hint is Path and isinstance(value, (str, Path)):
        return Path(value)
    if hint is str and isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return str(value)
    if hint in (int, float) and isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            number = float(value)
            if hint is float:
                return number
            if number == int(number):
                return int(number)
        except (ValueError, OverflowError):
            pass
    raise InputError(f"{where}: expected {wanted.get(hint, getattr(hint, '__name__', hint))}, got {value!r}")
