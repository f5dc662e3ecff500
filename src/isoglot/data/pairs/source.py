"""Where parallel pairs come from: the registry of sources. Each yields rows or line errors."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

from isoglot.data.languages import language
from isoglot.data.readers import FORMATS, Mark
from isoglot.errors import InputError, LineError, say
from isoglot.places import did_you_mean, it_is
from isoglot.records import PairRow
from isoglot.registry import Registry

T = TypeVar("T")
Item = tuple[PairRow | LineError, str, int]
"""A row or what is wrong with it, and the file and 1-based line it stands on."""


@dataclass
class Place:
    """Where the reading of a source stands: it moves with every row, and a reading that begins there goes on with the next one.

    Attributes:
        rows: rows before.
        file: number of the file that is read, among those of the source.
        mark: the place in that file, for sources that can begin there.
        within: rows of the line at the mark that were given already, where a line makes several.
        revision: commit of the repository on the hub that the files are read from.
    """

    rows: int = 0
    file: int = 0
    mark: Mark = field(default_factory=Mark)
    within: int = 0
    revision: str = ""

    def give(self, rows: Sequence[T], behind: Mark) -> Iterator[T]:
        """The rows that the line at the mark makes and that were not given; the place moves with each, at last to `behind`."""
        for number in range(self.within, len(rows)):
            self.rows += 1
            if number + 1 < len(rows):
                self.within = number + 1
            else:
                self.mark, self.within = replace(behind), 0
            yield rows[number]
        self.mark, self.within = replace(behind), 0

    def next_file(self) -> None:
        """To the beginning of the next file."""
        self.file, self.mark, self.within = self.file + 1, Mark(), 0


class Source:
    """A kind of pairs. It has `read`, or `read_on` where a reading can begin in the middle. Its help is the first line of its
    docstring, or its attribute `help`.

    Attributes:
        name: what `isoglot list sources` calls it.
    """

    name: str

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.read is Source.read and cls.read_on is Source.read_on:  # by default each calls the other
            raise TypeError(f"{cls.__name__}: a source needs read or read_on")

    @property
    def form(self) -> str:
        """How it is written on the command line."""
        return f"{self.name}:hub or {self.name}:DIR"

    def takes(self, spec: str) -> bool:
        """Whether `spec` is written in this source's form: by default it begins with the name and a colon."""
        return spec.startswith(f"{self.name}:")

    def read(self, spec: str, data_dir: Path | None) -> Iterator[Item]:
        """The rows of `spec`. A malformed line is yielded, not raised, so that a check can list them all.

        Args:
            data_dir: where files of named data sets are looked for first.

        Raises:
            InputError: it cannot be read at all.
        """
        return self.read_on(spec, data_dir, Place())

    def read_on(self, spec: str, data_dir: Path | None, place: Place) -> Iterator[Item]:
        """As `read`, from a place on, which moves. By default the rows before it are read once more and passed over."""
        for item in islice(self.read(spec, data_dir), place.rows, None):
            place.rows += 1
            yield item


_WAYS_OUT = {
    (".xlsx", ".xls", ".xlsm", ".ods"): "; save the sheet as CSV, in UTF-8 if it is offered",
    (".json", ".json.gz"): "; write one object per line: jq -c '.[]' FILE.json > FILE.jsonl",
    (".txt", ".txt.gz"): "; if it is a table: 'table:FILE?query=COLUMN&passage=COLUMN&lang=COLUMN'",
}
SOURCES: Registry[Source] = Registry("source of pairs", "isoglot.data.pairs.sources")


def _one_code(item: Item) -> Item:
    """The row with its language as everything else spells it: sources of others may call it as they like."""
    row, path, line = item
    try:
        if isinstance(row, PairRow) and (lang := language(row.lang)) != row.lang:
            row = replace(row, lang=lang)
    except InputError as error:
        row = LineError(path, line, str(error))
    return row, path, line


def each_once(specs: Iterable[str]) -> list[str]:
    """The sources without those that are given a second time, which is said."""
    found: dict[str, str] = {}
    for spec in specs:
        key = os.path.realpath(spec) if os.path.exists(spec) else spec
        if key in found:
            say(f"{spec}: given twice{f' (as {found[key]}, too)' if found[key] != spec else ''}; it is read once")
        found.setdefault(key, spec)
    return list(found.values())


def read_source(spec: str, data_dir: Path | None = None, place: Place | None = None) -> Iterator[Item]:
    """The rows of one source, see `Source.read`; `isoglot list sources` lists what `spec` may be.

    Args:
        place: begin there; it moves with every row, see `Source.read_on`.

    Raises:
        InputError: no such file, unknown format.
    """
    source = next((source for source in SOURCES if source.takes(spec)), None)
    if source:
        return map(_one_code, source.read_on(spec, data_dir, Place() if place is None else place))
    known = f"a file {', '.join(FORMATS)} or another source that isoglot list sources shows"
    if os.path.isfile(spec):
        way_out = next((words for endings, words in _WAYS_OUT.items() if spec.lower().endswith(endings)), "")
        raise InputError(f"{spec}: unknown format{way_out} (pairs come from {known})")
    what = (
        "is a pipe or a device; write it to a file first"
        if os.path.exists(spec)
        else f"no such file{did_you_mean(spec)}"
    )
    what = f"is a directory, not a file, and holds no packed pairs{it_is(spec)}" if os.path.isdir(spec) else what
    raise InputError(f"{spec}: {what} (pairs come from {known})")
