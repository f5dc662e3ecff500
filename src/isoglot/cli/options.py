"""Command-line options from settings models: each name, default, choice and help text stands in the model alone."""

from __future__ import annotations

import argparse
import types
import typing
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pydantic.fields import FieldInfo

from isoglot.errors import InputError
from isoglot.registry import Registry, one_line_help
from isoglot.settings import Settings


def add_settings(
    parser: argparse._ActionsContainer,
    cls: type[Settings],
    only: Iterable[str] | None = None,
    leave_out: Sequence[str] = (),
) -> None:
    """An option for every setting of a model (`--lora-rank` for `lora.rank`); values are checked later, by the model.

    Args:
        parser: of the command, or a group of it.
        cls: the model.
        only: these settings; all when None.
        leave_out: settings that the command has other arguments for.
    """
    options = cls.options()
    for key in only if only is not None else options:
        if key not in leave_out:
            _add(parser, key, options[key])


def given_settings(options: argparse.Namespace, cls: type[Settings]) -> dict[str, Any]:
    """The settings of a model that were given as options, by their dotted names."""
    return {key: value for key, value in vars(options).items() if key in cls.options()}


def _add(parser: argparse._ActionsContainer, key: str, field: FieldInfo) -> None:
    flag, words = f"--{key.replace('_', '-').replace('.', '-')}", _help(field)
    common: dict[str, Any] = {"dest": key, "default": argparse.SUPPRESS, "help": words.replace("%", "%%")}
    hint = _without_none(field.annotation)
    registry = registry_of(field)
    if hint is bool:
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, **common)
    elif registry is not None and getattr(_reader(field), "takes_numbers", False):
        parser.add_argument(flag, metavar="|".join(["N", *registry.names()]), **common)
    elif registry is not None and typing.get_origin(hint) is not tuple:
        parser.add_argument(flag, choices=registry.names(), **common)
    elif registry is not None or typing.get_origin(hint) is dict:
        parser.add_argument(flag, nargs="+", action=_Weights, metavar="NAME=WEIGHT", **common)
    elif typing.get_origin(hint) is Literal:
        parser.add_argument(flag, choices=list(typing.get_args(hint)), **common)
    elif typing.get_origin(hint) is tuple:
        parser.add_argument(flag, nargs="+", metavar=_metavar(typing.get_args(hint)[0]), **common)
    else:
        named = [word for option in typing.get_args(field.annotation) for word in _words(option)]
        parser.add_argument(flag, metavar="|".join([_metavar(hint), *named]), **common)


def registry_of(field: FieldInfo) -> Registry[Any] | None:
    """The registry whose members a field holds."""
    return getattr(_reader(field), "registry", None)


def _reader(field: FieldInfo) -> Any:
    """What makes a member of a registry of a field's value; None where it holds none."""
    readers: list[Any] = [getattr(data, "func", None) for data in field.metadata]
    return next((reader for reader in readers if hasattr(reader, "registry")), None)


def _help(field: FieldInfo) -> str:
    registry = registry_of(field)
    members = "; ".join(f"{member.name}: {one_line_help(member)}" for member in registry) if registry else ""
    words = "; ".join(filter(None, [field.description, members]))
    default = field.get_default(call_default_factory=True) if not field.is_required() else None
    if registry and default is not None:
        shown = " ".join(member.name for member in (default if isinstance(default, tuple) else (default,)))
    elif default is None or default is False or default in ((), {}) or "default" in (field.description or ""):
        return words
    else:
        shown = " ".join(map(str, default)) if isinstance(default, tuple) else str(default)
    return f"{words} (default {shown})"


def _without_none(hint: Any) -> Any:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        (hint, *_) = [option for option in typing.get_args(hint) if option is not type(None)]
    return typing.get_args(hint)[0] if typing.get_origin(hint) is typing.Annotated else hint


def _words(hint: Any) -> tuple[str, ...]:
    """The words that a setting takes beside its numbers."""
    return typing.get_args(hint) if typing.get_origin(hint) is Literal else ()


def _metavar(hint: Any) -> str:
    return {int: "N", float: "X"}.get(hint, "TEXT")


class _Weights(argparse.Action):
    """`NAME=WEIGHT` words as a mapping; a name alone weighs 1."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        weights = {}
        for word in values:
            name, sign, weight = word.rpartition("=")
            if sign and not name:
                raise InputError(f"{option_string} {word}: expected NAME=WEIGHT")
            weights[name if sign else weight] = weight if sign else "1"
        setattr(namespace, self.dest, weights)
