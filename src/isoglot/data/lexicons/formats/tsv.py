"""Word translations with a tab between, as XLING-eval has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from isoglot.data.lexicons.registry import LEXICONS, Entry, LexiconFormat
from isoglot.data.readers import lines
from isoglot.errors import LineError


class Tsv(LexiconFormat):
    """Lines of a word and a translation with a tab between."""

    name = "tsv"
    ending = ".tsv"

    def read(self, path: Path) -> Iterator[Entry]:
        return tab_separated(path)


def tab_separated(path: Path) -> Iterator[tuple[str, str]]:
    """The two fields of every line. LineError for a line with another number of fields, or an empty one."""
    for number, line in lines(path):
        fields = [field.strip() for field in line.split("\t")]
        if len(fields) != 2 or not all(fields):
            raise LineError(path, number, "expected a word, a tab and a translation")
        yield fields[0], fields[1]


LEXICONS.register(Tsv())
