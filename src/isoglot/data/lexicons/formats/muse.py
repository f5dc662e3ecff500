"""Word translations of MUSE."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from isoglot.data.lexicons.registry import LEXICONS, Entry, LexiconFormat
from isoglot.data.readers import lines
from isoglot.errors import LineError


class Muse(LexiconFormat):
    """Lines of a word and a translation with white space between (Lample et al. 2018, arXiv 1710.04087)."""

    name = "muse"
    ending = ".txt"

    def read(self, path: Path) -> Iterator[Entry]:
        for number, line in lines(path):
            fields = line.split()
            if len(fields) != 2:
                raise LineError(path, number, f"expected a word and a translation, found {len(fields)} word(s)")
            yield fields[0], fields[1]


LEXICONS.register(Muse())
