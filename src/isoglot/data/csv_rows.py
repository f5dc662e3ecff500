"""Rows of CSV files, as programs and as spreadsheets write them.

What a file says of itself is taken, and said where it is not the usual: a byte order mark of UTF-16, Excel's first line `sep=;`,
a header that has one other separator and not the usual one. The encoding of a file that is not UTF-8 is guessed, and said with
an example (see `isoglot.data.encodings`).
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from isoglot.data.encodings import guess_encoding
from isoglot.data.opening import LONGEST_LINE, Required, Row, check_columns, opened
from isoglot.errors import InputError, LineError, printable, say, warn
from isoglot.reading import not_utf8

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
_SEP = re.compile(r'"?sep=([^\w\s"]|\t)"?', re.IGNORECASE)
_MARKS = {codecs.BOM_UTF8: "UTF-8", codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}
_NO_TEXT = {"utf_7", "idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"}
_BAD = "\udfff"  # half a surrogate pair: no encoding has bytes for it

codecs.register_error("isoglot.mark", lambda error: (_BAD, error.end))  # type: ignore[attr-defined]


def csv_rows(
    path: Path,
    required: Required = (),
    usual: str = ",",
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> Iterator[Row]:
    """The rows of a CSV file with a header, one at a time. What is wrong with the header is raised.

    Args:
        required: columns that must be there; where there are none, the separator is not looked for in the header.
        usual: what separates columns where neither `delimiter` nor the file says something else.
        delimiter: what separates columns.
        encoding: a name that Python knows; None: UTF-8, UTF-16 where the file begins with its byte order mark, or a guess.
    """
    csv.field_size_limit(LONGEST_LINE)  # csv's own limit is 131,072
    with opened(path) as source:
        lines = _lines(path, source, encoding)
        separator, header, before = _separator(path, lines, required, usual, delimiter)
        reader = csv.DictReader(_Pushed(header, lines), delimiter=separator, strict=True)
        try:
            columns = reader.fieldnames or ()
        except csv.Error as error:
            raise LineError(path, 1 + before, f"not valid CSV ({printable(str(error))})") from None
        check_columns(path, columns, required, 1 + before)
        while True:
            row: dict[str, Any] | LineError
            try:
                row = next(reader)
                if None in row or None in row.values():
                    row = LineError(path, reader.line_num + before, f"expected {len(columns)} columns as in the header")
            except StopIteration:
                return
            except LineError as problem:
                row = problem
            except csv.Error as error:
                row = LineError(path, reader.line_num + before, f"not valid CSV ({printable(str(error))})")
            yield row.line if isinstance(row, LineError) else reader.line_num + before, row


def check_encoding(name: str) -> str:
    """The name of an encoding of texts as Python spells it. InputError for an unknown one."""
    try:
        known = codecs.lookup(name)
    except (LookupError, ValueError):
        known = None
    if known is None or not getattr(known, "_is_text_encoding", True) or known.name.replace("-", "_") in _NO_TEXT:
        raise InputError(
            f"unknown encoding '{name[:80]}'; expected one such as utf-8, utf-16, cp1252, latin-1, gb18030"
        )
    return known.name


def _separator(
    path: Path, lines: Iterator[str], required: Required, usual: str, delimiter: str | None
) -> tuple[str, list[str], int]:
    """(what separates columns, the header's first line if any, lines before it)."""
    header = [line for line in (next(lines, ""),) if line]
    text = header[0].rstrip("\r\n") if header else ""
    if excel := _SEP.fullmatch(text):
        if delimiter not in (None, excel[1]):
            raise LineError(path, 1, f"the file says '{printable(text)}' itself; leave the option delimiter out")
        say(f"{path}: columns are separated by '{printable(excel[1])}' ({printable(text)} in line 1)")
        return excel[1], [line for line in (next(lines, ""),) if line], 1
    others = [sign for sign in SEPARATORS if sign in text]
    if delimiter is None and len(others) == 1 and usual not in text and (callable(required) or required):
        say(f"{path}: columns are separated by {SEPARATORS[others[0]]}s (the header has no {SEPARATORS[usual]})")
        return others[0], header, 0
    return delimiter or usual, header, 0


def _lines(path: Path, source: BinaryIO, encoding: str | None) -> Iterator[str]:
    """The lines of a file with their ends; one that is not in the encoding is raised, and the next call goes on behind it."""
    start: bytes = source.peek(4)[:4]  # type: ignore[attr-defined]
    mark = next((name for mark, name in _MARKS.items() if start.startswith(mark)), None)
    if start == codecs.BOM_UTF32_LE:
        raise LineError(path, 1, "UTF-32 (by its byte order mark); save the file as UTF-8")
    if encoding is None and mark == "UTF-16":
        say(f"{path}: UTF-16 (by its byte order mark)")
        encoding = "utf-16"
    if encoding is None or check_encoding(encoding) in ("utf-8", "utf-8-sig"):
        return _Utf8Lines(path, source, guess=not encoding)
    if mark and not check_encoding(encoding).startswith(mark.lower()):
        raise LineError(
            path, 1, f"begins with a byte order mark of {mark}, so it is not {encoding}; leave encoding out"
        )
    return _OtherLines(path, source, encoding)


class _Pushed(Iterator[str]):
    """Some lines, and then others; an error of those does not end it, as it would end a generator."""

    def __init__(self, first: list[str], rest: Iterator[str]) -> None:
        self._first, self._rest = first, rest

    def __next__(self) -> str:
        return self._first.pop() if self._first else next(self._rest)


class _Utf8Lines(Iterator[str]):
    """The lines of a UTF-8 file, with or without a byte order mark.

    Args:
        guess: the file may be in another encoding, which the first line decides that is not UTF-8: all before it are ASCII then.
    """

    def __init__(self, path: Path, source: BinaryIO, *, guess: bool) -> None:
        self._path, self._source, self._number = path, source, 0
        self._may_guess, self._encoding = guess, "utf-8"
        self._hint = ", or name its encoding: --columns encoding=cp1252" if guess else ""
        self._split: list[str] = []  # of a line with carriage returns inside, what is left

    def __next__(self) -> str:
        if not self._split:
            data = next(self._source)
            self._number += 1
            line = self._decoded(data)
            self._split = list(io.StringIO(line, newline=""))[::-1] or [""]
        return self._split.pop()

    def _decoded(self, data: bytes) -> str:
        try:
            encoding = "utf-8-sig" if self._encoding == "utf-8" and self._number == 1 else self._encoding
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            if self._encoding != "utf-8":
                problem = f"not {self._encoding}, which the file was taken to be in: bytes that are no character in it"
                raise LineError(self._path, self._number, problem) from None
            if self._may_guess and (found := guess_encoding(self._path)):
                self._encoding, example = found
                warn(
                    f"{self._path}: not UTF-8; taken to be {self._encoding}, a guess: is '{example}' right? "
                    "(--columns encoding=NAME says another)"
                )
                return self._decoded(data)
            self._may_guess = False
            raise LineError(self._path, self._number, not_utf8(data, error) + self._hint) from None


class _OtherLines(Iterator[str]):
    """The lines of a file in another encoding."""

    def __init__(self, path: Path, source: BinaryIO, encoding: str) -> None:
        self._path, self._encoding, self._number = path, encoding, 0
        self._source = io.TextIOWrapper(source, encoding=encoding, errors="isoglot.mark", newline="")

    def __next__(self) -> str:
        line = self._source.readline(LONGEST_LINE)
        if not line:
            raise StopIteration
        self._number += 1
        if len(line) == LONGEST_LINE:
            raise InputError(f"{self._path}: line {self._number} has more than {LONGEST_LINE >> 20} Mi characters")
        if _BAD in line:
            raise LineError(self._path, self._number, f"not {self._encoding}: bytes that are no character in it")
        return line.removeprefix("\ufeff") if self._number == 1 else line
