"""Rows of files: lines, JSON lines, CSV and TSV (each also packed by gzip), Parquet; and the data of this package in YAML.

A row that is wrong is a `LineError` in its place, so that a check can list all of them; `valid` raises the first one. What is
wrong with a file as a whole is an `InputError`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from isoglot.data.csv_rows import csv_rows
from isoglot.data.opening import Required, Row, check_columns, opened
from isoglot.errors import InputError, LineError, first_line
from isoglot.reading import JsonError, not_utf8, open_file, parse_json

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa
    import pyarrow.parquet as pq

T = TypeVar("T")


@dataclass
class Mark:
    """Where the next row of a file begins. A reader that is given one begins there, and moves it with every row.

    Attributes:
        before: lines before it (CSV and Parquet: rows).
        byte: its first byte, of a packed file when unpacked (JSON lines only).
    """

    before: int = 0
    byte: int = 0


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
    """The text of a field that must be there; LineError says what is wrong with it.

    Args:
        hint: what would be right, said of a field that is missing.
        empty: it may be without a letter.
    """
    value = fields.get(key)
    if value is None:
        raise LineError(path, line, f"field '{key}' is missing; {hint}")
    if not isinstance(value, str):
        raise LineError(path, line, f"field '{key}' must be text, found {_shown(value)}")
    if "\0" in value:
        raise LineError(path, line, f"field '{key}' holds a NUL character")
    if not (empty or value.strip()):
        raise LineError(path, line, f"field '{key}' is empty")
    return value


def id_field(fields: Mapping[str, Any], key: str, path: str | Path, line: int, hint: str = "") -> str | None:
    """An id: text, or a whole number of at most 64 bits, which is written out. LineError says what is wrong with it.

    Args:
        hint: what would be right where the id must be there; "": None for one that is missing or empty.
    """
    value = fields.get(key)
    if not hint and value in (None, ""):
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        if not -(1 << 63) <= value < 1 << 64:
            raise LineError(path, line, f"field '{key}' is a number of more than 64 bits; write it as text")
        return str(value)
    if isinstance(value, float):
        problem = f"field '{key}' must be text or a whole number, found {value}"
        gaps = " (whole numbers with gaps become floats in tables; write them as text)"
        raise LineError(path, line, problem + (gaps if math.isnan(value) or value.is_integer() else ""))
    return text_field(fields, key, path, line, hint)


def _shown(value: Any) -> str:
    """What was found where a text should be: its type, and the number itself."""
    kind = type(value).__name__
    return f"{kind} {value}" if isinstance(value, (bool, float)) else kind


def json_rows(path: Path, example: str = "", mark: Mark | None = None) -> Iterator[Row]:
    """The JSON object on every line that is not blank; `example` says what would be right."""
    wanted = f"an object such as {example}" if example else "a JSON object"
    for number, line in _decoded(path, mark):
        row: Any = line
        if isinstance(line, str):
            try:
                row = parse_json(line)
                if not isinstance(row, dict):
                    row = LineError(path, number, f"expected {wanted}, found {type(row).__name__}")
            except JsonError as error:
                row = LineError(path, number, f"not valid JSON ({error})")
        yield number, row


def parquet_rows(path: Path, required: Required = (), mark: Mark | None = None) -> Iterator[Row]:
    """The rows of a Parquet file, a row group at a time; a missing column is raised. Row groups before a mark are not read."""
    mark = mark or Mark()
    with open_parquet(path) as file:
        columns = file.schema_arrow.names
        check_columns(path, columns, required)
        number = first = 0
        while first < file.num_row_groups and number + file.metadata.row_group(first).num_rows <= mark.before:
            number += file.metadata.row_group(first).num_rows
            first += 1
        for batch in file.iter_batches(row_groups=list(range(first, file.num_row_groups))):
            batch.validate(full=True)
            passed = min(len(batch), max(0, mark.before - number))
            number += passed
            for row in batch.slice(passed).to_pylist():
                mark.before = number = number + 1
                yield number, row


def marked(rows: Iterator[Row], mark: Mark | None) -> Iterator[Row]:
    """Rows behind a mark of a reader that cannot begin there: those before are read once more and passed over."""
    mark = mark or Mark()
    for row in islice(rows, mark.before, None):
        mark.before += 1
        yield row


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A Parquet file (or some columns of it) as a checked table. InputError: no such file, a damaged one, one of another kind."""
    with open_parquet(path) as file:
        check_columns(path, file.schema_arrow.names, ())
        table = file.read(columns=None if columns is None else list(columns))
        table.validate(full=True)
    return table


def string_column(path: Path, table: pa.Table, name: str, *, or_numbers: bool = False) -> Any:
    """A column of strings, `or_numbers` of whole numbers, as pyarrow has it. InputError where its type is another."""
    import pyarrow as pa

    column: Any = table.column(name)
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):  # as some programs write strings
        kind = pa.large_string()
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or (or_numbers and pa.types.is_integer(kind))):
        raise InputError(f"{path}: column {name} is {kind}; expected strings{' or whole numbers' * or_numbers}")
    try:
        return column.cast(kind)
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: column {name}: {first_line(error)}") from None


@contextmanager
def open_parquet(path: Path) -> Iterator[pq.ParquetFile]:
    """A Parquet file, its checksums looked at where it has some; whatever the library says of damage is an InputError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    open_file(path).close()
    try:
        # of this one file; read_table would take `setting=x` in a folder's name for a column
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    # damage has surfaced as each of these; pyarrow's own errors are subclasses of some of them
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError, MemoryError) as error:
        raise InputError(f"{path}: not a Parquet file, or damaged ({first_line(error)})") from None


def read_array(path: Path) -> npt.NDArray[Any]:
    """The array of a `.npy` file, memory-mapped. InputError: no such file, a damaged one, Python objects in it, an archive."""
    import numpy as np

    open_file(path).close()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a header of Python 2 is one like others
            array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a header is read as Python: errors of tokens, literals, types and shapes share no base
        raise InputError(f"{path}: not a .npy file, or damaged ({first_line(error)})") from None
    if not isinstance(array, np.ndarray):
        array.close()
        raise InputError(f"{path}: an archive of arrays (.npz); expected one array (.npy)")
    if isinstance(array, np.memmap) and (more := path.stat().st_size - array.offset - array.nbytes):
        raise InputError(
            f"{path}: damaged: {more:,} bytes more than its header says (shape {array.shape}, {array.dtype})"
        )
    return array


READERS: dict[str, Callable[..., Iterator[Row]]] = {
    ".jsonl": lambda path, _, mark=None: json_rows(path, mark=mark),
    ".csv": lambda path, required, mark=None: marked(csv_rows(path, required), mark),
    ".tsv": lambda path, required, mark=None: marked(csv_rows(path, required, "\t"), mark),
    ".parquet": parquet_rows,
}
"""Reader by the ending of a file's name (without `.gz`): takes the path, the columns that must be there, and a `Mark`."""
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


def _decoded(path: Path, mark: Mark | None = None) -> Iterator[tuple[int, str | LineError]]:
    """Lines that are not blank; decoded one by one, so that one bad byte spoils one line only."""
    mark = mark or Mark()
    with opened(path) as source:
        source.seek(mark.byte)
        for data in source:
            mark.before, mark.byte = mark.before + 1, mark.byte + len(data)
            number = mark.before
            try:
                line = data.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                yield number, LineError(path, number, not_utf8(data, error))
            else:
                if line.strip():
                    yield number, line.rstrip("\r\n")
