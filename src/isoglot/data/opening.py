"""What the readers of all formats share: a file's bytes, unpacked, and what a header must have."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from isoglot.errors import InputError, LineError
from isoglot.reading import open_file

LONGEST_LINE = 1 << 26
"""Bytes of a line in a packed file, and characters of a cell: some kilobytes can be unpacked to one of gigabytes."""
Row = tuple[int, "dict[str, Any] | LineError"]
"""1-based line (Parquet: row) and its fields, or what is wrong with it."""
Required = Collection[str] | Callable[[Sequence[str]], Collection[str]]
"""Columns that must be there, or what says it of those that are."""


class HeaderError(LineError):
    """A header without columns that must be there.

    Attributes:
        columns: that are.
    """

    def __init__(self, path: Path, line: int, problem: str, columns: Sequence[str]) -> None:
        super().__init__(path, line, problem)
        self.columns = tuple(columns)

    def __reduce__(self) -> Any:
        return HeaderError, (self.path, self.line, self.problem, self.columns)


class _Unpacked(gzip.GzipFile):
    """What a gzip file holds; a line that would not fit into memory is an InputError."""

    def __init__(self, path: Path, source: BinaryIO) -> None:
        super().__init__(fileobj=source)
        self._path = path

    def readline(self, size: int | None = -1) -> bytes:  # iteration reads by it, too
        line = super().readline(LONGEST_LINE + 1 if size is None or size < 0 else size)
        if len(line) > LONGEST_LINE:
            raise InputError(
                f"{self._path}: unpacks to a line of more than {LONGEST_LINE >> 20} MiB; expected rows of text"
            )
        return line


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked; InputError where there is none, or where its packing is not complete."""
    with open_file(path) as source:
        try:
            yield cast(BinaryIO, _Unpacked(path, source)) if path.name.lower().endswith(".gz") else source
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise InputError(f"{path}: not a complete gzip file ({error})") from None
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None


def check_columns(path: Path, columns: Sequence[str], required: Required, line: int = 1) -> None:
    """HeaderError for columns that are missing, LineError for one that is there twice."""
    needed = required(columns) if callable(required) else required
    if missing := sorted(set(needed) - set(columns)):
        found = ", ".join(columns)[:200] or "nothing"
        raise HeaderError(path, line, f"header lacks {', '.join(missing)} (found {found})", columns)
    if twice := next((name for name in columns if list(columns).count(name) > 1), None):
        raise LineError(path, line, f"column '{twice}' is there twice")
