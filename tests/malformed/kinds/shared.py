"""What all kinds of input share: the kind itself, commands and their answers, counts, good rows."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from isoglot.cli.main import main
from isoglot.errors import InputError, printable

N = 4  # pairs, queries or passages of a file
LANGUAGES = ("de", "en")


class Wrong(AssertionError):
    """What a command did is neither right nor a clean refusal; `what`: uncounted, unnamed, traceback."""

    def __init__(self, what: str, detail: str) -> None:
        super().__init__(f"{what}: {detail}")
        self.what = what


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Attributes:
        files: good content by path.
        check: runs the commands on a folder that holds the files, `spoiled` being one of them; Wrong where something is.
        spoils: of the files those that are spoiled; () for all.
        seconds: of the processor that it may take.
        every: the tool spoils it once where it spoils others so many times: it is slow.
    """

    name: str
    files: Mapping[str, bytes]
    check: Callable[[Path, Path], None]
    spoils: tuple[str, ...] = ()
    seconds: int = 5
    every: int = 1

    @property
    def targets(self) -> tuple[str, ...]:
        return self.spoils or tuple(self.files)


Maker = Callable[[], Iterable[Kind]]
MAKERS: list[Maker] = []
"""What gives the kinds, see `register`."""
REFUSALS: list[str] = []
"""What commands and readers refused since somebody emptied it."""


def register(maker: Maker) -> Maker:
    """Add a function that gives kinds; a decorator."""
    MAKERS.append(maker)
    return maker


@dataclass
class Answer:
    code: int
    out: str
    err: str


def run(*words: str) -> Answer:
    """A command in this process; a warning that is printed is no harm, a traceback is."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(word) for word in words])
        except SystemExit as exit:
            code = exit.code if isinstance(exit.code, int) else 2
    answer = Answer(code, out.getvalue(), err.getvalue())
    if "Traceback" in answer.err:
        raise Wrong("traceback", answer.err)
    return answer


def refused(message: str, spoiled: Path | None) -> None:
    """A last line of plain characters that names the file, or the folder that it is missing in."""
    REFUSALS.append(message)
    message = message.rstrip("\n")
    *notes, error = message.split("\n")
    if not error or not all(line.startswith("isoglot: ") for line in notes):
        raise Wrong("unnamed", f"not one line: {message!r}")
    for character in error:
        if unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs") or character in "\u202e\u2066\u200f":
            raise Wrong("unnamed", f"control character {character!r} in {message!r}")
    if spoiled is not None and spoiled.name not in message and spoiled.parent.name not in message:
        raise Wrong("unnamed", f"no file named: {message!r}")


def words_of(error: InputError) -> str:
    """What the command line says of an error."""
    return printable(str(error), keep="\n")


def accepted(answer: Answer, spoiled: Path | None) -> bool:
    """Whether the command did its work; Wrong where it neither did nor refused as it should."""
    if answer.code == 2:
        refused(answer.err, spoiled)
    elif answer.code not in (0, 1):
        raise Wrong("unnamed", f"exit code {answer.code}: {answer.err!r}")
    return answer.code != 2


def same(what: str, expected: object, found: object) -> None:
    if expected != found:
        raise Wrong("uncounted", f"{what}: {expected} in the file, {found} accounted for")


def filled_lines(path: Path) -> int:
    """Lines that are not blank, counted without the readers; a mark of byte order is no content."""
    if path.suffix == ".gz":
        with gzip.open(path) as source:
            data = source.read()
    else:
        data = path.read_bytes()
    return sum(bool(line.decode("utf-8", "replace").strip("\ufeff").strip()) for line in data.split(b"\n"))


def pair_rows() -> list[dict[str, Any]]:
    return [
        {
            "id": f"p{number}" if number else 7,
            "lang": lang,
            "query": f"question {number} {lang}?",
            "passage": f"answer {number}, {lang}",
            "passage_id": f"a{number}",
            "negatives": [f"other {number} {lang}"],
        }
        for number in range(N)
        for lang in LANGUAGES
    ]


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
