"""Rows of files: lines, JSON lines, CSV and TSV (each also packed by gzip), Parquet; and the data of this package in YAML.

A row that is wrong is a `LineError` in its place, so that a check can list all of them; `valid` raises the first one. What is
wrong with a file as a whole is an `InputError`.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from isoglot.errors import InputError, LineError

T = TypeVar("T")
Row = tuple[int, dict[str, Any] | LineError]
"""1-based line (Parquet: row) and its fields, or what is wrong with it."""


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """(1-based number, text) of every line that is not blank; a name that ends in `.gz` is unpacked on the way.

    Raises:
        LineError: a line that is not UTF-8.
        InputError: an incomplete gzip file, or no such file.
    """
    return valid(_decoded(path))


def valid(rows: Iterator[tuple[int, T | LineError]]) -> Iterator[tuple[int, T]]:
    """The rows of a reader, up to the first that is wrong, which is raised."""
    for number, row in rows:
        if isinstance(row, LineError):
            raise row
        yield number, row


def text_field(fields: Mapping[str, Any], key: str, path: str | Path, line: int, hint: str, empty: bool = False) -> str:
    """The text of a field, or an id that is a whole number; LineError says what is wrong with it.

    Args:
        hint: what would be right, said of a field that is missing.
        empty: it may be without a letter.
    """
    value = fields.get(key)
    if value is None:
        raise LineError(path, line, f"field '{key}' is missing; {hint}")
    if key in ("id", "_id") and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise LineError(path, line, f"field '{key}' must be text, found {type(value).__name__}")
    if not (empty or value.strip()):
        raise LineError(path, line, f"field '{key}' is empty")
    return value


def json_rows(path: Path, example: str = "") -> Iterator[Row]:
    """The JSON object on every line that is not blank; `example` says what would be right."""
    wanted = f"an object such as {example}" if example else "a JSON object"
    for number, line in _decoded(path):
        row: Any = line
        if isinstance(line, str):
            try:
                row = json.loads(line)
                if not isinstance(row, dict):
                    row = LineError(path, number, f"expected {wanted}, found {type(row).__name__}")
            except json.JSONDecodeError as error:
                row = LineError(path, number, f"not valid JSON ({error.msg} at column {error.colno})")
        yield number, row


def csv_rows(path: Path, required: Collection[str] = (), delimiter: str = ",") -> Iterator[Row]:
    """The rows of a CSV file with a header. What is wrong with the header, or not UTF-8, is raised."""
    with _opened(path) as source:
        reader = csv.DictReader(
            io.TextIOWrapper(source, encoding="utf-8-sig", newline=""), delimiter=delimiter, strict=True
        )
        columns = reader.fieldnames or ()
        if missing := sorted(set(required) - set(columns)):
            raise LineError(path, 1, f"header lacks {', '.join(missing)} (found {', '.join(columns) or 'nothing'})")
        while True:
            row: dict[str, Any] | LineError
            try:
                row = next(reader)
                if None in row or None in row.values():
                    row = LineError(path, reader.line_num, f"expected {len(columns)} columns as in the header")
            except StopIteration:
                return
            except UnicodeDecodeError as error:
                raise LineError(path, reader.line_num + 1, f"not UTF-8 ({error.reason})") from None
            except csv.Error as error:
                row = LineError(path, reader.line_num, f"not valid CSV ({error})")
            yield reader.line_num, row


def parquet_rows(path: Path, required: Collection[str] = ()) -> Iterator[Row]:
    """The rows of a Parquet file; a missing column is raised."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from None
    columns = file.schema_arrow.names
    if missing := sorted(set(required) - set(columns)):
        raise InputError(f"{path}: columns {', '.join(missing)} are missing (found {', '.join(columns)})")
    yield from enumerate((row for batch in file.iter_batches() for row in batch.to_pylist()), start=1)


READERS: dict[str, Callable[[Path, Collection[str]], Iterator[Row]]] = {
    ".jsonl": lambda path, _: json_rows(path),
    ".csv": csv_rows,
    ".tsv": lambda path, required: csv_rows(path, required, "\t"),
    ".parquet": parquet_rows,
}
"""Reader by the ending of a file's name (without `.gz`): takes the path and the columns that must be there."""
FORMATS = tuple(f"{ending}{gz}" for ending in READERS for gz in ("", ".gz") if (ending, gz) != (".parquet", ".gz"))


@cache
def yaml_data(path: Path) -> dict[str, Any]:
    """A YAML file of this package, by libyaml where PyYAML was built with it: ten times as fast. Not to be changed."""
    import yaml

    with path.open(encoding="utf-8") as source:
        values: dict[str, Any] = yaml.load(source, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return values


def split_name(path: Path) -> tuple[str, str]:
    """(stem, one of `READERS`) of a file's name; the second is empty where it has no such ending."""
    name = path.name.lower()
    ending = next((known for known in FORMATS if name.endswith(known)), "")
    return name.removesuffix(ending), ending.removesuffix(".gz")


def _decoded(path: Path) -> Iterator[tuple[int, str | LineError]]:
    """Lines that are not blank; decoded one by one, so that one bad byte spoils one line only."""
    with _opened(path) as source:
        for number, data in enumerate(source, start=1):
            try:
                line = data.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                yield number, LineError(path, number, f"not UTF-8 ({error.reason} at byte {error.start})")
            else:
                if line.strip():
                    yield number, line.rstrip("\r\n")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked; InputError where there is none, or where its packing is not complete."""
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as source:
            yield cast(BinaryIO, source)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path}: not a complete gzip file ({error})") from None
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
