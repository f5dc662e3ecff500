"""Settings as pydantic models: each default and each limit stands once; every error is one line with its place.

Values come in layers (a YAML file, `key=value` words, options), later ones winning; `build` merges and checks them.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, ClassVar, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from isoglot.errors import InputError, at, unknown
from isoglot.registry import Registry

T = TypeVar("T", bound="Settings")
Weights = dict[str, typing.Annotated[float, Field(ge=0)]]
"""Weights by name, finite and not negative."""
_is_inner: ContextVar[bool] = ContextVar("_is_inner", default=False)
Layers = Iterable[tuple[str, Mapping[str, Any]]]


class Settings(BaseModel):
    """A frozen group of settings. Unknown keys, wrong types and values out of range are errors.

    A single value stands for a list of one; numbers may be written as text (`1e-4`); true and false are no numbers.
    """

    inner: ClassVar[tuple[str, ...]] = ()
    """Fields whose own settings may stand beside them; messages name those without the field."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _lists_and_booleans(cls, value: Any, info: ValidationInfo) -> Any:
        hint = cls.model_fields[str(info.field_name)].annotation
        options = (hint, *typing.get_args(hint))
        if isinstance(value, bool) and bool not in options and Any not in options:
            raise PydanticCustomError("boolean", "true or false is not accepted here")
        if bool in options and not isinstance(value, bool) and not (value is None and type(None) in options):
            raise PydanticCustomError("bool_type", "expected true or false")
        if typing.get_origin(hint) is tuple and isinstance(value, (str, int, float)):
            return (value,)
        return value

    @model_validator(mode="wrap")
    @classmethod
    def _one_line(cls, value: Any, handler: ModelWrapValidatorHandler[Any]) -> Any:
        """The outermost model says what is wrong as an InputError; inner ones leave it to that one, which knows the place."""
        if _is_inner.get():
            made: Settings = handler(value)
            made.check()
            return made
        token = _is_inner.set(True)
        try:
            made = handler(value)
            made.check()
        except ValidationError as error:
            raise InputError(message(cls, error)) from None
        except ValueError as error:
            raise InputError(str(error)) from None
        finally:
            _is_inner.reset(token)
        return made

    def check(self) -> None:
        """ValueError for settings that fit the model one by one, but not together."""

    @classmethod
    def options(cls) -> dict[str, FieldInfo]:
        """Every key that users may write, dotted where it belongs to a group, with its description and default."""
        return dict(cls.model_fields)

    @classmethod
    def spelled(cls, keys: Sequence[str]) -> str:
        """How users write the setting at this place of the model."""
        while len(keys) > 1 and keys[0] in cls.inner:
            keys = keys[1:]
        group = _group(cls, keys[0]) if keys else None
        numbers = 2 if len(keys) > 1 and keys[1].isdecimal() else 1
        if group is not None and len(keys) > numbers:
            keys = [*keys[:numbers], group.spelled(keys[numbers:])]
        return ".".join(keys)

    def replace(self: T, **changes: Any) -> T:
        """The same settings with some changed, checked as a whole."""
        return type(self)(**{**self.to_flat(), **changes})

    def to_flat(self) -> dict[str, Any]:
        """Plain JSON values as they stand in files: the class makes the same settings of them."""
        return to_dict(self)


class Member(Settings):
    """A member of a registry that is its own settings model; its name stands in this class alone.

    Attributes:
        name: as users write it.
        is_default: taken where nothing is asked for.
    """

    name: ClassVar[str]
    is_default: ClassVar[bool] = False

    @property
    def label(self) -> str:
        """How tables call this member with these settings; by default its name."""
        return self.name

    def __str__(self) -> str:
        return self.label

    @model_serializer(mode="wrap")
    def _with_name(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"name": self.name, **handler(self)}


def make_member(registry: Registry[Any], name: Any, settings: Mapping[str, Any]) -> Any:
    """A member with settings, inside the validation of a model, which says where an unknown name stands."""
    if name not in registry:
        text = str(unknown(registry.kind, str(name), registry.names()))
        raise PydanticCustomError("member", "{text}", {"text": text})
    return registry[name](**settings)


def member_of(registry: Registry[Any]) -> Any:
    """The type of a field that holds a member: given as its name, or as a mapping of `name` and its settings."""

    def read(value: Any) -> Any:
        if value is None:
            value = registry.default()
        if isinstance(value, str):
            value = {"name": value}
        if isinstance(value, Mapping):
            settings = dict(value)
            return make_member(registry, settings.pop("name", registry.default()), settings)
        return value

    read.registry = registry  # type: ignore[attr-defined]  # for the command line
    return typing.Annotated[SerializeAsAny[Member], BeforeValidator(read)]


def default_of(registry: Registry[Any]) -> Any:
    """The default of a field of `member_of(registry)`: the member that marks itself `is_default`, with its defaults."""
    return Field(default_factory=lambda: registry[registry.default()]())


def member_options(registry: Registry[Any]) -> dict[str, FieldInfo]:
    """The settings of all members of a registry, by name."""
    return {key: field for member in registry for key, field in member.model_fields.items()}


def lift(values: Any, field: str, registry: Registry[Any]) -> Any:
    """Move settings of members that stand beside `field` into it: `strategy: hybrid, mono_share: .3`.

    Those of members that are not chosen are dropped: one file of settings may serve several choices.
    """
    known = member_options(registry)
    if not isinstance(values, Mapping) or not known.keys() & values.keys():
        return values
    rest = {key: value for key, value in values.items() if key not in known}
    member = rest.get(field)
    if isinstance(member, Member):
        member = to_dict(member)
    elif not isinstance(member, Mapping):
        member = {"name": member or registry.default()}
    name = member.get("name", registry.default())
    own = registry[name].model_fields if name in registry else {}
    return {**rest, field: {**member, **{key: value for key, value in values.items() if key in own}}}


def build(cls: type[T], layers: Layers) -> T:
    """Make settings from layers of values, later ones winning.

    Args:
        cls: nested models take nested mappings or dotted keys (`lora.rank`); `-` and `_` are the same in keys.
        layers: (where the values come from, values) pairs; `where` opens the error messages.

    Raises:
        InputError: an unknown key, a value of the wrong type or out of range, a missing required key.
    """
    merged: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for where, values in layers:
        for key, value in values.items():
            keys = str(key).replace("-", "_").split(".")
            _merge(merged, keys, value)
            origin[keys[0]] = where
    token = _is_inner.set(True)
    try:
        return cls.model_validate(merged)
    except ValidationError as error:
        keys = _place(_first_problem(error))
        written, inner = cls.spelled(keys).partition(".")[0], keys[0] if keys else ""
        with at(origin.get(written) or origin.get(inner, "")):
            raise InputError(message(cls, error)) from None
    finally:
        _is_inner.reset(token)


def _merge(into: dict[str, Any], keys: list[str], value: Any) -> None:
    key, *rest = keys
    if rest:
        below = into.get(key)
        below = dict(below) if isinstance(below, Mapping) else {}
        _merge(below, rest, value)
        into[key] = below
    elif isinstance(value, Mapping) and isinstance(into.get(key), Mapping):
        into[key] = {**into[key], **value}
    else:
        into[key] = dict(value) if isinstance(value, Mapping) else value


_EXPECTED = {
    "int": "a whole number",
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
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be below {lt:g}",
    "less_than_equal": "must be at most {le:g}",
}


def message(cls: type[BaseModel], error: ValidationError) -> str:
    """The first problem of a validation in one line: setting, what is wrong, what would be right."""
    problem = _first_problem(error)
    kind, value, keys = str(problem["type"]), problem.get("input"), _place(problem)
    key = cls.spelled(keys) if issubclass(cls, Settings) else ".".join(keys)
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
        return f"{key}: {value!r} is not one of {context['expected'].replace(chr(39), '').replace(' or ', ', ')}"
    if kind == "greater_than_equal" and not context["ge"]:
        return f"{key} must not be negative, got {value}"
    if kind in _LIMITS:
        return f"{key} {_LIMITS[kind].format(**context)}, got {value}"
    expected = _EXPECTED.get(kind.split("_")[0], problem["msg"])
    return f"{key}: expected {expected}, got {value!r}"


def _first_problem(error: ValidationError) -> Mapping[str, Any]:
    """Where a key is missing and another one unknown, the unknown one is most often the missing one."""
    problems = error.errors(include_url=False)
    return next((problem for problem in problems if problem["type"] == "extra_forbidden"), problems[0])


def _place(problem: Mapping[str, Any]) -> list[str]:
    """The fields and positions that lead to a problem."""
    return [str(key) for key in problem["loc"] if not str(key).startswith(("function-", "tuple["))]


def _known(cls: type[BaseModel], keys: Sequence[str], key: str) -> list[str]:
    """The settings that `key` (spelled; at the place `keys`) may have been meant to be: those of its group, in full."""
    group = cls
    for name in keys[:-1]:
        group = _group(group, name) or group
    options = list(group.options() if issubclass(group, Settings) else group.model_fields)
    prefix = key.rpartition(".")[0]
    if group is not cls:
        return [f"{prefix}.{name}" if prefix else name for name in options]
    return [option for option in options if option.rpartition(".")[0] == prefix] or options


def _group(cls: type[BaseModel], name: str) -> type[Settings] | None:
    """The settings in a field, or in the list that it holds; None where there are none, or those of a member."""
    hint = cls.model_fields[name].annotation if name in cls.model_fields else None
    classes = (
        inner for inner in (hint, *typing.get_args(hint)) if isinstance(inner, type) and not typing.get_origin(inner)
    )
    return next((inner for inner in classes if issubclass(inner, Settings) and inner is not Member), None)


def to_dict(settings: BaseModel) -> dict[str, Any]:
    """The settings as plain JSON values (tuples become lists)."""
    return settings.model_dump(mode="json")
