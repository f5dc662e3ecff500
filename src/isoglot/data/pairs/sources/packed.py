"""Folders that `isoglot data pack` wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from isoglot.data.pairs.source import SOURCES, Item, Source


class Packed(Source):
    """A folder that `isoglot data pack` wrote; alone and in all its languages it is memory-mapped, not read."""

    name = "packed"
    form = "FOLDER (of isoglot data pack)"

    def takes(self, spec: str) -> bool:
        from isoglot.data.pairs.packed import is_packed

        return is_packed(spec)

    def read(self, spec: str, data_dir: Path | None) -> Iterator[Item]:
        from isoglot.data.pairs.packed import TEXTS, open_packed
        from isoglot.data.pairs.table import read_rows

        # every row is read, so every block is looked at
        for number, row in enumerate(read_rows(open_packed(Path(spec), everything=True).table), start=1):
            yield row, str(Path(spec) / TEXTS), number


SOURCES.register(Packed())
