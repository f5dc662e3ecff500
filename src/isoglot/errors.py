"""One error family. The command line turns every member into one line on stderr and exit code 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


class IsoglotError(Exception):
    """Base of all errors that isoglot raises on purpose."""


class InputError(IsoglotError):
    """Something the user gave is wrong: a file, a line of it, an option, a name.

    The message is one line that says the place, what is wrong and what would be right.
    """


class LineError(InputError):
    """A malformed line of an input file.

    Args:
        path: the file.
        line: 1-based line number (for Parquet: row number).
        problem: what is wrong and what would be right.
    """

    def __init__(self, path: str | Path, line: int, problem: str) -> None:
        super().__init__(f"{path}:{line}: {problem}")
        self.path = str(path)
        self.line = line
        self.problem = problem


@contextmanager
def at(place: str) -> Iterator[None]:
    """Open the message of an InputError inside with the place: file, key."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{place}: {error}" if place else str(error)) from None


def unknown(kind: str, name: str, known: Iterable[str]) -> InputError:
    """An InputError for an unknown `name`, with the nearest known one suggested.

    >>> str(unknown("strategy", "hybird", ["mono", "cross", "hybrid"]))
    "unknown strategy 'hybird' (did you mean 'hybrid'?); known: cross, hybrid, mono"
    """
    options = sorted(known)
    close = difflib.get_close_matches(name, options, n=1)
    hint = f" (did you mean '{close[0]}'?)" if close else ""
    return InputError(f"unknown {kind} '{name}'{hint}; known: {', '.join(options)}")
