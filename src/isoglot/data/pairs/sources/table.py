"""Files whose columns are called otherwise, or that are written otherwise: spreadsheets saved as CSV."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from isoglot.data.csv_rows import SEPARATORS, check_encoding
from isoglot.data.pairs.address import parse_options
from isoglot.data.pairs.columns import OPTIONAL, REQUIRED
from isoglot.data.pairs.source import SOURCES, Item, Place, Source
from isoglot.data.pairs.sources.files import read_file
from isoglot.data.readers import FORMATS, split_name
from isoglot.errors import InputError

_DIALECT = ("encoding", "delimiter")
_TEXT = (".txt", ".txt.gz")


class Table(Source):
    """A file with columns of other names, in another encoding, or with one column per language (`query=question ({lang})`)."""

    name = "table"
    form = "table:FILE?query=COLUMN&passage=COLUMN&lang=COLUMN-OR-LANGUAGE[&id=COLUMN&encoding=cp1252&delimiter=;]"

    def read(self, spec: str, data_dir: Path | None) -> Iterator[Item]:
        return self.read_on(spec, data_dir, Place())

    def read_on(self, spec: str, data_dir: Path | None, place: Place) -> Iterator[Item]:
        """The rows of the file.

        Raises:
            InputError: no such file, an unknown option, encoding or format.
        """
        rest = spec.partition(":")[2]
        name, _, query = (rest, "", "") if os.path.isfile(rest) else rest.partition("?")
        options = parse_options(spec, query, (*REQUIRED, *OPTIONAL, *_DIALECT))
        path = Path(os.path.expanduser(name))
        dialect = {key: options.pop(key) for key in _DIALECT if key in options}
        ending = ".txt" if path.name.lower().endswith(_TEXT) else split_name(path)[1]
        if not ending:
            raise InputError(f"{spec}: unknown format (a table is {', '.join([*FORMATS, *_TEXT])})")
        if dialect and ending not in (".csv", ".tsv", ".txt"):
            raise InputError(f"{spec}: {' and '.join(dialect)} is for CSV files; {ending} has neither")
        if "encoding" in dialect:
            dialect["encoding"] = check_encoding(dialect["encoding"])
        if "delimiter" in dialect:
            dialect["delimiter"] = _sign(spec, dialect["delimiter"])
        return read_file(path, options, dialect, place)


def _sign(spec: str, word: str) -> str:
    """One character, or the word for it. InputError for another."""
    sign = {**{name: sign for sign, name in SEPARATORS.items()}, "\\t": "\t"}.get(word, word)
    if len(sign) != 1 or sign.isalnum() or sign in '"\r\n' or (ord(sign) < 32 and sign != "\t"):
        raise InputError(f"{spec}: delimiter={word}: expected one sign such as ; or |, or the word tab")
    return sign


SOURCES.register(Table())
