"""Bilingual lexicons: the registry of their formats."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

from isoglot.registry import Registry

Entry = tuple[str, str | None]
"""A word or phrase and one translation of it; None: what stands there is no word that could take its place."""


class LexiconFormat(ABC):
    """A way to write word translations down. Its help is the first line of its docstring.

    Attributes:
        name: what `isoglot list lexicons` calls it, and what may stand before the name of a file: `muse:FILE`.
        ending: of the names of its files, which may have `.gz` behind it; of several that fit the longest counts.
    """

    name: str
    ending: str

    @property
    def form(self) -> str:
        """How it is written on the command line."""
        return f"FILE{self.ending}"

    @abstractmethod
    def read(self, path: Path) -> Iterator[Entry]:
        """The entries of a file, in its order.

        Raises:
            LineError: a malformed line.
            InputError: it cannot be read at all.
        """

    def files(self, path: Path) -> list[Path]:
        """All files that the lexicon is read from."""
        return [path]


LEXICONS: Registry[LexiconFormat] = Registry("lexicon format", "isoglot.data.lexicons.formats")
"""The formats, one file each."""
