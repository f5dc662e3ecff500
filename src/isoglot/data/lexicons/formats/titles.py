"""Pairs of titles of one article in two languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from isoglot.data.lexicons.formats.tsv import tab_separated
from isoglot.data.lexicons.registry import LEXICONS, Entry, LexiconFormat

_QUALIFIER = re.compile(r"\s*[(（][^()（）]*[)）]$")


class Titles(LexiconFormat):
    """Lines of two titles of one Wikipedia article with a tab between; `_` is a space, a qualifier in brackets is left out."""

    name = "titles"
    ending = ".titles.tsv"

    def read(self, path: Path) -> Iterator[Entry]:
        for pair in tab_separated(path):
            title, other = (_QUALIFIER.sub("", text.replace("_", " ")) for text in pair)
            yield title, other or None


LEXICONS.register(Titles())
