"""Where the files of a named set of pairs lie: `name:hub` or `name:DIR`, with options (`?languages=en,de&limit=1000`)."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from isoglot.data.languages import language
from isoglot.errors import InputError, unknown
from isoglot.files import first_file
from isoglot.hub import hub_file


def parse_options(spec: str, query: str, known: Collection[str]) -> dict[str, str]:
    """`option=value` words, joined by `&`, by name. InputError for one that is malformed or none of `known`."""
    options: dict[str, str] = {}
    for word in query.split("&") if query else ():
        key, _, value = word.partition("=")
        if not key or not value:
            raise InputError(f"{spec}: '{word}': expected option=value")
        if key not in known:
            raise InputError(f"{spec}: {unknown('option', key, known)}")
        options[key] = value
    return options


@dataclass(frozen=True)
class SetAddress:
    """A set of pairs on the hub or in a folder.

    Attributes:
        spec: as given.
        name: of the set.
        is_hub: read from the hub instead of `folder`.
        folder: where the files lie.
        options: by name.
    """

    spec: str
    name: str
    is_hub: bool
    folder: Path
    options: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, spec: str, *known: str) -> SetAddress:
        """`mmarco:hub?languages=en,de`. InputError for a missing folder, or an option that is malformed or none of `known`."""
        name, _, rest = spec.partition(":")
        where, _, query = rest.partition("?")
        options = parse_options(spec, query, known)
        folder = Path(os.path.expanduser(where))
        if where != "hub" and (not where or not os.path.isdir(folder)):
            raise InputError(f"{spec}: no such folder; expected {name}:hub or {name}:DIR")
        return cls(spec=spec, name=name, is_hub=where == "hub", folder=folder, options=options)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages asked for; () for all."""
        return tuple(dict.fromkeys(language(code) for code in self.options.get("languages", "").split(",") if code))

    def number(self, key: str) -> int | None:
        """A whole number of at least 0; None where the option is not given."""
        text = self.options.get(key)
        if text is not None and not re.fullmatch("[0-9]{1,18}", text):
            raise InputError(f"{self.spec}: {key}={text}: expected a whole number")
        return None if text is None else int(text)

    @property
    def way_out(self) -> str:
        """Ends messages on files of the hub that cannot be had."""
        return f"put its files into a folder and name that: {self.name}:DIR"

    def find(self, path: str) -> Path | None:
        """A file in the folder: under its path in the repository, that path without `data/`, or its name alone."""
        return first_file(self.folder / name for name in (path, path.removeprefix("data/"), Path(path).name))

    def file(self, repo: str, path: str) -> Path:
        """A file of a repository, from the hub or the folder. InputError where there is none."""
        if self.is_hub:
            return hub_file(repo, path, self.way_out)
        if file := self.find(path):
            return file
        raise InputError(f"{self.spec}: no {path} (or {Path(path).name}) in {self.folder}")
