"""One error family, which the command line turns into one line on stderr and exit code 2, and `say` for other such lines."""

from __future__ import annotations

import difflib
import errno
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


class IsoglotError(Exception):
    """Base of all errors that isoglot raises on purpose."""


class InputError(IsoglotError):
    """Something the user gave is wrong: a file, a line of it, an option, a name.

    The message is one line that says the place, what is wrong and what would be right, for any terminal.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message, keep="\n\t"))


class NoRoomError(InputError):
    """What is asked for takes more memory than is free. The message says how much of both, and what would fit."""


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

    def __reduce__(self) -> tuple[type[LineError], tuple[str, int, str]]:
        return LineError, (self.path, self.line, self.problem)


# C0 and C1 controls, marks and overrides of direction, line separators, the byte order mark, halves of surrogate pairs
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def printable(text: str, keep: str = "") -> str:
    """A text for a terminal: characters that would move its cursor, colour it or turn its reading direction are escaped.

    They become `\\u001b` and so on, which a JSON text may hold as well.

    Args:
        keep: control characters that stay.
    """
    return UNPRINTABLE.sub(lambda match: match[0] if match[0] in keep else f"\\u{ord(match[0]):04x}", text)


QUIET, NORMAL, VERBOSE = -1, 0, 1
_verbosity = NORMAL


@contextmanager
def speaking(verbosity: int) -> Iterator[None]:
    """How much is said on stderr inside: QUIET leaves warnings and errors, VERBOSE adds what libraries log and tracebacks."""
    global _verbosity
    before, _verbosity = _verbosity, verbosity
    try:
        yield
    finally:
        _verbosity = before


def is_quiet() -> bool:
    """Whether notes and progress bars are left out."""
    return _verbosity < NORMAL


def is_verbose() -> bool:
    """Whether what is usually kept off the screen is wanted."""
    return _verbosity > NORMAL


def say(text: str) -> None:
    """A note: one line on stderr, for any terminal; not said where that is quiet."""
    if not is_quiet():
        warn(text)


def warn(text: str) -> None:
    """A line like that of `say`, which is said in any case: an error, or what a reader of the results has to know."""
    print(f"isoglot: {printable(text)}", file=sys.stderr, flush=True)


def first_line(error: BaseException) -> str:
    """The first line of what an error says, of at most 200 characters; its type where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]


_NO_MEMORY = re.compile(
    "not enough memory|out of memory|OutOfMemoryError|ALLOC_FAILED|can.t allocate memory|cannot allocate memory(?! in static)"
    "|bad_?alloc|failed to map segment|can.t start new thread|could not create a primitive$",
    re.IGNORECASE,
)
"""What libraries say where memory is full, that of a GPU too: PyTorch, CUDA's, the dynamic linker, Python of its threads, and
oneDNN of a primitive whose description it had taken (what it cannot compute it says of the description)."""


def lack_of_memory(error: BaseException) -> str | None:
    """In one line what says that memory was lacking, in an error or in one that it came from; None where nothing does."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        seen.append(cause)
        is_plain = isinstance(cause, MemoryError) or (isinstance(cause, OSError) and cause.errno == errno.ENOMEM)
        if is_plain or _NO_MEMORY.search(str(cause)):
            return printable(first_line(cause))
        cause = cause.__cause__ or cause.__context__
    return None


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
    options, name = sorted(known), name if len(name) <= 80 else f"{name[:77]}..."
    close = difflib.get_close_matches(name, options, n=1)
    hint = f" (did you mean '{close[0]}'?)" if close else ""
    return InputError(f"unknown {kind} '{name}'{hint}; known: {', '.join(options)}")
