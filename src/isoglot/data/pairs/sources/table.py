"""Files whose columns are called otherwise, or that are written otherwise: spreadsheets saved as CSV."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from isoglot.data.csv_rows import SEPARATORS, check_encoding
from isoglot.data.pairs.address import parse_options
from isoglot.data.pairs.columns import OPTIONAL, REQUIRED
from isoglot.data.pairs.patterns import FilePattern
from isoglot.data.pairs.source import SOURCES, Item, Place, Source
from isoglot.data.pairs.sources.files import read_file
from isoglot.data.readers import FORMATS, split_name
from isoglot.errors import InputError, unknown
from isoglot.records import PairRow

_DIALECT = ("encoding", "delimiter")
_LANG = "{lang}"
_PREFIX = re.compile(r"[a-z][a-z-]*:")
_TEXT = (".txt", ".txt.gz")


class Table(Source):
    """A file with columns of other names, in another encoding, or with one column per language (`query=question ({lang})`)."""

    name = "table"
    example = "faq_{lang}.csv"
    form = (
        "faq_{lang}.csv or "
        "table:FILE?query=COLUMN&passage=COLUMN&lang=COLUMN-OR-LANGUAGE[&id=COLUMN&encoding=cp1252&delimiter=;]"
    )

    def takes(self, spec: str) -> bool:
        return super().takes(spec) or (_LANG in spec and not _PREFIX.match(spec) and bool(split_name(Path(spec))[1]))

    def read_on(self, spec: str, data_dir: Path | None, place: Place) -> Iterator[Item]:
        """The rows of the file.

        Raises:
            InputError: no such file, an unknown option, encoding or format.
        """
        rest = spec.removeprefix("table:")
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
        return (
            _files(spec, path, options, dialect, place) if _LANG in name else read_file(path, options, dialect, place)
        )


def _files(spec: str, path: Path, options: dict[str, str], dialect: dict[str, str], place: Place) -> Iterator[Item]:
    """The rows of files that are named after their languages, one after the other: those of one id, or place, are parallel.

    Raises:
        InputError: no such file; rows are told by their place, and the files do not have as many.
    """
    pattern, counts = FilePattern.parse(f"table:{path}", ()), dict[str, int]()
    is_whole, files = not place.rows, pattern.files
    for file in files[place.file :]:
        number = 0
        for number, item in enumerate(
            read_file(file.path, options, dialect, place, (file.lang or "", pattern.name)), 1
        ):
            is_whole = is_whole and isinstance(item[0], PairRow) and item[0].id == str(number)
            yield item
        counts[str(file.path)] = number
        place.next_file()
    if is_whole and len({*counts.values()}) > 1:
        told = ", ".join(f"{name} {count:,}" for name, count in counts.items())
        raise InputError(
            f"{spec}: rows without ids are parallel by their places, and the files have not as many ({told})"
        )


def with_columns(specs: Sequence[str], columns: Mapping[str, str]) -> list[str]:
    """Sources that are files as `table:` has them, with what their columns are called.

    Raises:
        InputError: an unknown name; a source that is no file and has no columns to be named.
    """
    known = (*REQUIRED, *OPTIONAL, *_DIALECT)
    for name in columns:
        if name not in known:
            raise InputError(f"--columns: {unknown('name', name, known)}")
    quoted = {name: column.replace("%", "%25").replace("&", "%26") for name, column in columns.items()}
    options = "&".join(f"{name}={column}" for name, column in quoted.items())
    for spec in specs:
        if not split_name(Path(spec))[1] or _PREFIX.match(spec):
            raise InputError(f"--columns is for files such as faq.csv, and {spec} is none")
    return [f"table:{spec}?{options}" for spec in specs]


def _sign(spec: str, word: str) -> str:
    """One character, or the word for it. InputError for another."""
    sign = {**{name: sign for sign, name in SEPARATORS.items()}, "\\t": "\t"}.get(word, word)
    if len(sign) != 1 or sign.isalnum() or sign in '"\r\n' or (ord(sign) < 32 and sign != "\t"):
        raise InputError(f"{spec}: delimiter={word}: expected one sign such as ; or |, or the word tab")
    return sign


SOURCES.register(Table())
