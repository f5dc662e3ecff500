"""Where the files of a named set of pairs lie: `name:hub` or `name:DIR`, with options (`?languages=en,de&limit=1000`).

What is to be downloaded is said before, with its licence and size: of the hub as `HfApi.dataset_info(files_metadata=True)` has
them. Files are fetched one at a time, when their rows are read; the hub's cache keeps them.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from isoglot.data.languages import language
from isoglot.errors import InputError, unknown
from isoglot.files import first_file
from isoglot.hub import hub_file, hub_repo, is_cached, show_download
from isoglot.reading import whole_number

T = TypeVar("T")


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
    def parse(cls, spec: str, *known: str, remote: str = "hub") -> SetAddress:
        """`mmarco:hub?languages=en,de`. InputError for a missing folder, or an option that is malformed or none of `known`.

        Args:
            remote: what stands for the place that the files are downloaded from; "": there is none.
        """
        name, _, rest = spec.partition(":")
        where, _, query = rest.partition("?")
        options = parse_options(spec, query, known)
        folder, is_hub = Path(os.path.expanduser(where)), bool(remote) and where == remote
        if not is_hub and (not where or not os.path.isdir(folder)):
            forms = f"{name}:{remote} or {name}:DIR" if remote else f"{name}:DIR"
            raise InputError(f"{spec}: no such folder; expected {forms}")
        return cls(spec=spec, name=name, is_hub=is_hub, folder=folder, options=options)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages asked for; () for all."""
        return tuple(dict.fromkeys(language(code) for code in self.options.get("languages", "").split(",") if code))

    def choice(self, key: str, among: Sequence[str]) -> str:
        """One of some words, the first where the option is not given. InputError for another."""
        value = self.options.get(key, among[0])
        if value not in among:
            raise InputError(f"{self.spec}: {unknown(key, value, among)}")
        return value

    def number(self, key: str) -> int | None:
        """A whole number of at least 0; None where the option is not given."""
        text = self.options.get(key)
        if text is None:
            return None
        if (number := whole_number(text)) is None:
            raise InputError(f"{self.spec}: {key}={text}: expected a whole number")
        return number

    def first(self, rows: Iterator[T], before: int = 0) -> Iterator[T]:
        """So many rows as option `limit` says, less those that were given before; all where it is not given."""
        limit = self.number("limit")
        return rows if limit is None else islice(rows, max(0, limit - before))

    @property
    def way_out(self) -> str:
        """Ends messages on files of the hub that cannot be had."""
        return f"put its files into a folder and name that: {self.name}:DIR"

    def find(self, path: str) -> Path | None:
        """A file in the folder: under its path in the repository, that path without `data/`, or its name alone."""
        return first_file(self.folder / name for name in (path, path.removeprefix("data/"), Path(path).name))

    def show(self, repo: str, paths: Iterable[str]) -> None:
        """Say what is to be downloaded of a repository. InputError: the hub cannot be reached, or has no such file."""
        paths = list(paths)
        if not self.is_hub or all(is_cached(repo, path) for path in paths):
            return
        known = hub_repo(repo, self.way_out)
        if lost := sorted(set(paths) - set(known.sizes)):
            raise InputError(f"{self.spec}: {repo} on the hub has no {lost[0]} (any more); {self.way_out}")
        show_download(known, paths)

    def file(self, repo: str, path: str) -> Path:
        """A file of a repository, from the hub or the folder. InputError where there is none."""
        if self.is_hub:
            return hub_file(repo, path, self.way_out)
        if file := self.find(path):
            return file
        raise InputError(f"{self.spec}: no {path} (or {Path(path).name}) in {self.folder}")


def parse_options(spec: str, query: str, known: Collection[str]) -> dict[str, str]:
    """The options behind a `?`: `languages=en,de&limit=3`, values with %XX. InputError: malformed, unknown, given twice."""
    options: dict[str, str] = {}
    for word in query.split("&") if query else ():
        key, _, value = word.partition("=")
        if not key or not value:
            raise InputError(f"{spec}: '{word}': expected option=value")
        if key not in known:
            raise InputError(f"{spec}: {unknown('option', key, known)}")
        if key in options:
            raise InputError(f"{spec}: option '{key}' is given twice")
        options[key] = unquote(value)
    return options
