"""Where a named set of pairs lies: `name:hub` or `name:DIR`, with options as in an address (`?languages=en,de&limit=1000`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from isoglot.data.languages import language
from isoglot.errors import InputError, unknown


@dataclass(frozen=True)
class Place:
    """A source of pairs, taken apart.

    Attributes:
        spec: as given.
        name: of the set.
        hub: read from the hub instead of `folder`.
        folder: where the files lie.
        options: by name.
    """

    spec: str
    name: str
    hub: bool
    folder: Path
    options: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, spec: str) -> Place:
        """`mmarco:hub?languages=en,de`. InputError for a missing folder or a malformed option."""
        name, _, rest = spec.partition(":")
        where, _, query = rest.partition("?")
        options = {}
        for part in query.split("&") if query else ():
            key, sign, value = part.partition("=")
            if not sign or not key or not value:
                raise InputError(f"{spec}: '{part}': expected option=value")
            options[key] = value
        folder = Path(where).expanduser()
        if where != "hub" and (not where or not folder.is_dir()):
            raise InputError(f"{spec}: no such folder; expected {name}:hub or {name}:DIR")
        return cls(spec, name, where == "hub", folder, options)

    def check(self, *known: str) -> None:
        """InputError for an option that is none of `known`."""
        for key in self.options:
            if key not in known:
                raise InputError(f"{self.spec}: {unknown('option', key, known)}")

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages asked for; () for all."""
        return tuple(dict.fromkeys(language(code) for code in self.options.get("languages", "").split(",") if code))

    def number(self, key: str) -> int | None:
        """A whole number of at least 0; None where the option is not given."""
        text = self.options.get(key)
        if text is None:
            return None
        if not text.isdecimal():
            raise InputError(f"{self.spec}: {key}={text}: expected a whole number")
        return int(text)
