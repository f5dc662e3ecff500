"""Folders that `isoglot data pack` wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from isoglot.data.pairs.source import SOURCES, Item, Place, Source


class Packed(Source):
    """A folder that `isoglot data pack` wrote; alone and in all its languages it is memory-mapped, not read."""

    name = "packed"
    form = "FOLDER (of isoglot data pack)"

    def takes(self, spec: str) -> bool:
        from isoglot.data.pairs.packed import is_packed

        return is_packed(spec)

    def read_on(self, spec: str, data_dir: Path | None, place: Place) -> Iterator[Item]:
        from isoglot.data.pairs.packed import TEXTS, open_packed
        from isoglot.data.pairs.table import read_rows

        # every row is read, so every block is looked at
        table = open_packed(Path(spec), everything=True).table
        for row in read_rows(table.slice(place.rows)):
            place.rows += 1
            yield row, str(Path(spec) / TEXTS), place.rows


SOURCES.register(Packed())
