"""Values of a JSON file that know their place in it, for files that are one large object."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoglot.errors import InputError


@dataclass(frozen=True)
class JsonValue:
    """A value of a JSON file, and its place there."""

    path: Path
    place: str
    value: Any

    def wrong(self, problem: str) -> InputError:
        return InputError(f"{self.path}: {self.place}{problem}")

    def get(self, key: str, kind: type) -> Any:
        """A field, which must be of type `kind`."""
        if not isinstance(self.value, dict):
            raise InputError(f"{self.path}: {self.place.rstrip('.') or 'the file'} is not an object")
        field = self.value.get(key)
        if not isinstance(field, kind) or isinstance(field, bool):
            problem = "is missing" if field is None else f"is a {type(field).__name__}"
            wanted = {list: "a list", str: "a text", int: "a whole number"}[kind]
            raise self.wrong(f"{key} {problem}; expected {wanted}")
        return field

    def items(self, key: str) -> list[JsonValue]:
        """The objects of a field that is a list."""
        return [JsonValue(self.path, f"{self.place}{key}[{i}].", value) for i, value in enumerate(self.get(key, list))]
