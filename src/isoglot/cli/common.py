"""What several commands share."""

from __future__ import annotations

import argparse
import logging
import os
import re
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from isoglot.errors import InputError, is_verbose, printable

_SAYS = 30.0
"""Seconds that the first of several processes may take to say what is wrong."""


def pairs_help() -> str:
    """What a source of pairs may be."""
    from isoglot.data.pairs.source import SOURCES

    return f"{'; '.join(source.form for source in SOURCES)} (isoglot list sources says more)"


def add_data_dir(command: argparse._ActionsContainer) -> None:
    """The option that names a folder of benchmark data."""
    command.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="folder with the benchmarks' files (default: $ISOGLOT_DATA, then a download); see docs/benchmarks.md",
    )


def add_columns(command: argparse._ActionsContainer) -> None:
    """The option that says what the columns of files of pairs are called."""
    words = (
        "what columns of the files of pairs are called, or how they are written, where that is not told by itself: query=Frage "
        "passage=Antwort lang=de (a column, or the language of all rows) id=Nr encoding=cp1252 'delimiter=;'; with {lang} a "
        "column per language: 'query=Frage ({lang})'"
    )
    command.add_argument("--columns", nargs="+", default=[], metavar="NAME=COLUMN", help=words)


def pairs_of(options: argparse.Namespace, pairs: Sequence[str]) -> list[str]:
    """The sources of pairs, with what `--columns` says of files."""
    if not options.columns:
        return list(pairs)
    from isoglot.data.pairs.sources.table import with_columns

    columns: dict[str, str] = {}
    for word in options.columns:
        name, sign, column = word.partition("=")
        if not (name and sign and column) or name in columns:
            raise InputError(f"--columns {word}: expected NAME=COLUMN, each name once")
        columns[name] = column
    return with_columns(pairs, columns)


def add_whole(
    command: argparse._ActionsContainer,
    option: str,
    words: str,
    default: int | None,
    at_least: int,
    at_most: int,
    word: str = "",
) -> None:
    """An option that takes a whole number between two others, or a word."""

    def read(text: str) -> int | str:
        if word and text == word:
            return text
        if not re.fullmatch(r"[-+]?[0-9]{1,19}", text):
            raise InputError(f"{option}: expected a whole number{f' or {word}' if word else ''}, got '{text[:80]}'")
        number = int(text)
        if not at_least <= number <= at_most:
            limit = f"at least {at_least}" if number < at_least else f"at most {at_most:,}"
            raise InputError(f"{option} must be {limit}, got {number}")
        return number

    shown = words if default is None else f"{words} (default {default})"
    command.add_argument(option, type=read, default=default, metavar=f"N|{word}" if word else "N", help=shown)


def share_of_gpu(text: str) -> float:
    """The value of `--gpus`."""
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", text):
        raise InputError(f"--gpus: expected a number such as 1 or 0.25, got '{text[:80]}'")
    return float(text)


class Terminal:
    """A stream on which only `printable` texts appear: whatever a command prints of names, ids and files goes through here.

    Args:
        stream: stdout or stderr; None where it was closed: a file that is opened later must not be taken for it.
        bars: it is stderr; the signs by which progress bars move are let through, and what cannot be said is dropped.
    """

    def __init__(self, stream: TextIO | None, *, bars: bool = False) -> None:
        self._stream, self._bars = stream or _nowhere(), bars

    def write(self, text: str) -> int:
        """Write a text; what the stream's encoding has no bytes for is escaped."""
        if not (self._bars and not text.replace("\x1b[A", "")):
            text = printable(text, keep="\n\t\r" if self._bars else "\n\t")
        with self._told():
            try:
                return self._stream.write(text)
            except UnicodeEncodeError as error:
                return self._stream.write(text.encode(error.encoding, "backslashreplace").decode(error.encoding))
        return len(text)

    def flush(self) -> None:
        """Hand over what was written."""
        with self._told():
            self._stream.flush()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """An error of the stream, with its name: the disk that it leads to may be full."""
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            if not self._bars:
                raise OSError(error.errno, error.strerror, "standard output") from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8", newline="\n")


def quiet() -> None:
    """Keep other libraries' banners and bars off the screen, unless `--verbose` wants them; errors still show."""
    if is_verbose():
        logging.basicConfig(level=logging.INFO)
        return
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"(torch|peft|transformers)\b.*")
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)


def check_model_first(model: str, other: str, command: str) -> None:
    """InputError where a model stands behind what it is to be used on."""
    from isoglot.data.benchmarks.catalog import BENCHMARKS
    from isoglot.places import is_model

    is_id = model in BENCHMARKS and re.fullmatch(r"[\w.-]+/[\w.-]+", other) and not os.path.exists(other)
    is_other = is_model(other) or other.startswith("offline:") or is_id
    if is_other and not (is_model(model) or model.startswith("offline:")):
        raise InputError(f"{other} is a model, and models come first: {command} {other} {model}")


def in_all(work: Callable[[bool], int]) -> int:
    """Run a command that may have been started as several processes; `work` is told whether this one is the first.

    What is wrong is wrong for all, or was told to all: only the first process says it. A launcher ends all of them when one has
    ended, so that the others give it the time.
    """
    from isoglot.errors import IsoglotError
    from isoglot.processes import processes

    first = processes().first
    try:
        return work(first)
    except IsoglotError:
        if first:
            raise
        time.sleep(_SAYS)
        return 2


def print_json(value: Any) -> None:
    """One JSON value on stdout."""
    import json

    print(json.dumps(value, indent=2, ensure_ascii=False))


def add_overwrite(command: argparse._ActionsContainer, what: str = "what is at --output") -> None:
    """The option without which nothing that is there is replaced."""
    command.add_argument("--overwrite", action="store_true", help=f"replace {what}")


def check_free(path: Path, *, overwrite: bool) -> None:
    """InputError for a file or directory that is there, and is not to be replaced."""
    if os.path.lexists(path) and not overwrite:
        raise InputError(f"{path}: exists already; give --overwrite to replace it, or another name")


def check_new_folder(path: Path) -> None:
    """InputError for a folder that holds anything, or cannot be written."""
    from isoglot.disk import check_writable

    check_writable(path, directory=True)
    if path.exists() and any(path.iterdir()):
        raise InputError(f"{path}: not empty; give another --output")


def check_output(path: Path, *, overwrite: bool, endings: tuple[str, ...] = (".jsonl",)) -> None:
    """InputError for a file that is there, or cannot be written: better before the work than after it."""
    from isoglot.disk import check_writable

    if not path.name.endswith(endings):
        raise InputError(f"{path}: pairs are written as JSON lines; give a name that ends in {' or '.join(endings)}")
    check_writable(path)
    check_free(path, overwrite=overwrite)
