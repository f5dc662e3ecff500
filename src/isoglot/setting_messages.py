"""What is wrong with settings, in one line: the setting as users write it, the problem, and what would be right."""

from __future__ import annotations

import reprlib
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from isoglot.errors import unknown

_EXPECTED = {
    "int": "a whole number",
    "int_size": "a whole number of at most 64 bits",
    "int_parsing_size": "a whole number of at most 64 bits",
    "float": "a number",
    "finite": "a number",
    "bool": "true or false",
    "string": "text",
    "tuple": "a list",
    "dict": "a mapping",
    "model": "a mapping",
    "boolean": "a value other than true or false",
}
_LIMITS = {
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
}
_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = 80


def message(cls: type[BaseModel], error: ValidationError) -> str:
    """The first problem of a validation in one line: setting, what is wrong, what would be right."""
    problem = first_problem(error)
    kind, value, keys = str(problem["type"]), shown(problem.get("input")), place(problem)
    key = cls.spelled(keys) if hasattr(cls, "spelled") else ".".join(keys)
    context = dict(problem.get("ctx") or {})
    if kind == "extra_forbidden":
        return str(unknown("setting", key, _known(cls, keys, key)))
    if kind == "missing":
        return f"setting '{key}' is missing"
    if kind == "member":
        return f"{key}: {context['text']}"
    if kind == "value_error":
        return f"{key}: {context['error']}" if key else str(context["error"])
    if kind == "literal_error":
        return f"{key}: {value} is not one of {context['expected'].replace(chr(39), '').replace(' or ', ', ')}"
    if kind == "greater_than_equal" and not context["ge"]:
        return f"{key} must not be negative, got {value}"
    if kind in _LIMITS:
        limits = {name: repr(limit).removesuffix(".0") for name, limit in context.items()}
        return f"{key} {_LIMITS[kind].format(**limits)}, got {value}"
    expected = _EXPECTED.get(kind) or _EXPECTED.get(kind.split("_")[0], problem["msg"])
    return f"{key}: expected {expected}, got {value}"


def shown(value: Any) -> str:
    """A value in a message, cut where it is long."""
    return _repr.repr(value)


def first_problem(error: ValidationError) -> Mapping[str, Any]:
    """Where a key is missing and another one unknown, the unknown one is most often the missing one."""
    problems = error.errors(include_url=False)
    return next((problem for problem in problems if problem["type"] == "extra_forbidden"), problems[0])


def place(problem: Mapping[str, Any]) -> list[str]:
    """The fields and positions that lead to a problem."""
    return [str(key) for key in problem["loc"] if not str(key).startswith(("function-", "tuple[", "constrained-int"))]


def _known(cls: Any, keys: Sequence[str], key: str) -> list[str]:
    """The settings that `key` (spelled; at the place `keys`) may have been meant to be: those of its group, in full."""
    group = cls
    for name in keys[:-1]:
        group = group_of(group, name) or group
    options = list(group.options() if hasattr(group, "options") else group.model_fields)
    prefix = key.rpartition(".")[0]
    if group is not cls:
        return [f"{prefix}.{name}" if prefix else name for name in options]
    return [option for option in options if option.rpartition(".")[0] == prefix] or options


def group_of(cls: Any, name: str) -> Any:
    """The settings in a field, or in the list that it holds; None where there are none, or those of any member of a registry."""
    hint = cls.model_fields[name].annotation if name in cls.model_fields else None
    return next((inner for inner in (hint, *typing.get_args(hint)) if getattr(inner, "is_group", False)), None)
