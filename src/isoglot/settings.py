"""Settings as pydantic models: each default and each limit stands once; every error is one line with its place.

Values come in layers (a YAML file, `key=value` words, options), later ones winning; `build` merges and checks them.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from pathlib import PurePath
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
from isoglot.setting_messages import first_problem, group_of, message, place
from isoglot.yaml_input import Kind

T = TypeVar("T", bound="Settings")
Weights = dict[str, typing.Annotated[float, Field(ge=0)]]
"""Weights by name, finite and not negative."""
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_SURROGATE = re.compile("[\ud800-\udfff]")
_is_inner: ContextVar[bool] = ContextVar("_is_inner", default=False)
Layers = Iterable[tuple[str, Mapping[str, Any]]]


class Settings(BaseModel):
    """A frozen group of settings. Unknown keys, wrong types and values out of range are errors.

    A single value stands for a list of one, a path for its text; numbers may be written as text (`1e-4`); true and false are no
    numbers, numbers with a fraction no texts; every number is finite and fits into 64 bits, every text into UTF-8.
    """

    is_group: ClassVar[bool] = True
    """Whether a field of this type has keys of its own; of any member of a registry they are not known."""

    inner: ClassVar[tuple[str, ...]] = ()
    """Fields whose own settings may stand beside them; messages name those without the field."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _lists_and_booleans(cls, value: Any, info: ValidationInfo) -> Any:
        hint = cls.model_fields[str(info.field_name)].annotation
        options = (hint, *typing.get_args(hint))
        if isinstance(value, (list, tuple)) and any(isinstance(item, PurePath) for item in value):
            value = [str(item) if isinstance(item, PurePath) else item for item in value]
        value = str(value) if isinstance(value, PurePath) else value
        if bool in options and isinstance(value, str):
            value = _BOOLEANS.get(value.lower(), value)
        if bool in options and not isinstance(value, bool) and not (value is None and type(None) in options):
            raise PydanticCustomError("bool_type", "expected true or false")
        if isinstance(value, dict) and any(
            isinstance(option, type) and issubclass(option, BaseModel) for option in options
        ):
            return value  # settings of their own, which are looked at there
        items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else (value,)
        for item in items if Any not in options else ():
            if isinstance(item, bool) and bool not in options:
                raise PydanticCustomError("boolean", "true or false is not accepted here")
            if isinstance(item, float) and str in options and float not in options and not isinstance(value, dict):
                raise PydanticCustomError("string", "a number stands in quotes where it is a text")
        if typing.get_origin(hint) is tuple and isinstance(value, (str, int, float)):
            return (value,)
        return value

    @field_validator("*", mode="after")
    @classmethod
    def _sizes(cls, value: Any) -> Any:
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, int) and abs(item) >= 1 << 63:
                raise PydanticCustomError("int_size", "too large")
            if isinstance(item, str) and not item.isascii() and _SURROGATE.search(item):
                raise PydanticCustomError("string_bytes", "not UTF-8")
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
    def reads(cls, key: str) -> Kind:
        """How the value of a `key=value` word is read, by the type of the setting; inner ones are dotted."""
        name, options = key.replace("-", "_"), cls.options()
        first, _, rest = name.partition(".")
        if name not in options and (group := group_of(cls, first)):
            kind: Kind = group.reads(re.sub(r"^[0-9]+\.", "", rest))
            return kind
        field = options.get(name)
        hint = field.annotation if field else None
        if typing.get_origin(hint) in (typing.Union, types.UnionType):
            hint = next(option for option in typing.get_args(hint) if option is not type(None))
        if hint is str or typing.get_origin(hint) is typing.Literal:
            return "text"
        return "texts" if typing.get_origin(hint) is tuple and typing.get_args(hint)[0] is str else "value"

    @classmethod
    def spelled(cls, keys: Sequence[str]) -> str:
        """How users write the setting at this place of the model."""
        while len(keys) > 1 and keys[0] in cls.inner:
            keys = keys[1:]
        group = group_of(cls, keys[0]) if keys else None
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

    is_group: ClassVar[bool] = False
    name: ClassVar[str]
    is_default: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.is_group = True

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
        keys = place(first_problem(error))
        written, inner = cls.spelled(keys).partition(".")[0], keys[0] if keys else ""
        with at(origin.get(written) or origin.get(inner, "")):
            raise InputError(message(cls, error)) from None
    finally:
        _is_inner.reset(token)


def _merge(into: dict[str, Any], keys: list[str], value: Any) -> None:
    key, *rest = keys
    if rest:
        below = into.get(key)
        if isinstance(below, str):  # a member of a registry by its name, and now its settings
            below = {"name": below}
        elif below is not None and not isinstance(below, Mapping):
            raise InputError(f"'{key}' is given as {below!r}, and '{key}.{rest[0]}' as well: write one mapping of both")
        below = dict(below or {})
        _merge(below, rest, value)
        into[key] = below
    elif isinstance(value, Mapping) and isinstance(into.get(key), Mapping):
        into[key] = {**into[key], **value}
    else:
        into[key] = dict(value) if isinstance(value, Mapping) else value


def to_dict(settings: BaseModel) -> dict[str, Any]:
    """The settings as plain JSON values (tuples become lists)."""
    return settings.model_dump(mode="json")
