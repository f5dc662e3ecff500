"""A program of the user's own as translator."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, ClassVar

from pydantic import Field

from isoglot.data.transform.translators import TRANSLATORS, Direction, Failure, Outcome, Session, Translator
from isoglot.errors import InputError, say
from isoglot.files import digest_file
from isoglot.processes import OWN_GROUP, kill_group

_PROBE = "1"  # a text that any program translates
_SPARE, _TIMES = 1 << 20, 50  # bytes of output for a batch: so many, and so many times the bytes of its texts


class ProgramError(Exception):
    """The program did not do its work; the message says how."""


@TRANSLATORS.register
class Command(Translator):
    """a program that reads a text per line and writes its translation per line; {from} and {to} are replaced by the languages"""

    name: ClassVar[str] = "command"
    form: ClassVar[str] = "command:'PROGRAM {from} {to}'"
    not_deciding: ClassVar[tuple[str, ...]] = ("batch_size", "timeout", "workers")

    batch_size: int = Field(
        500, ge=1, le=100_000, description="texts at once (default 32, of a command 500): it is started once for them"
    )
    timeout: float = Field(120.0, gt=0, le=86_400, description="seconds that a command may take for a batch")
    workers: int = Field(1, ge=1, le=256, description="processes of a command at the same time")

    def lanes(self) -> list[str | None]:
        return [None] * self.workers

    def words(self, source: str, target: str) -> list[str]:
        """The program and its arguments; no shell reads them."""
        own = self.own_codes
        return [
            word.replace("{from}", own.get(source, source)).replace("{to}", own.get(target, target))
            for word in self._split()
        ]

    def _split(self) -> list[str]:
        try:
            return shlex.split(self.spec)
        except ValueError as error:
            raise InputError(f"command '{self.spec}': {error}") from None

    def check_ready(self, directions: Sequence[Direction]) -> None:
        commands = {tuple(self.words(*direction)) for direction in directions}
        if len(commands) < len(set(directions)):
            raise InputError(
                f"command '{self.spec}' is the same for {' and '.join('-'.join(pair) for pair in dict.fromkeys(directions))}: "
                "write {from} and {to} where the program takes the languages"
            )
        for words in commands:
            if not words or shutil.which(words[0]) is None:
                raise InputError(f"command '{self.spec}': no program '{words[0] if words else ''}' on this machine")

    def content(self) -> Mapping[str, Any]:
        program, *rest = self._split()
        files = [path for path in (shutil.which(program), *rest) if path and Path(path).is_file()]
        return {"files": {path: digest_file(Path(path)) for path in files}}

    def open(self, device: str | None) -> Session:
        return _Program(self)


class _Program:
    """Batches through a program that is started for each; those that fail are halved until the texts that fail stand alone."""

    def __init__(self, asked: Command) -> None:
        self._asked = asked
        self._works: set[Direction] = set()

    def __call__(self, texts: Sequence[str], source: str, target: str) -> list[Outcome]:
        return self._translated(texts, (source, target), is_whole=True)

    def _translated(self, texts: Sequence[str], direction: Direction, *, is_whole: bool) -> list[Outcome]:
        words = self._asked.words(*direction)
        try:
            outcomes: list[Outcome] = [*run_lines(words, texts, self._asked.timeout)]
        except ProgramError as error:
            self._probe(words, direction)
            if len(texts) == 1:
                return [Failure(str(error))]
            if is_whole:
                say(
                    f"{shlex.join(words)}: {error}; the {len(texts)} texts of this batch are halved until it works again"
                )
            middle = len(texts) // 2
            halves = (self._translated(part, direction, is_whole=False) for part in (texts[:middle], texts[middle:]))
            return [outcome for half in halves for outcome in half]
        self._works.add(direction)
        return outcomes

    def _probe(self, words: Sequence[str], direction: Direction) -> None:
        """InputError where the program has done nothing yet and fails on the simplest text, too."""
        if direction in self._works:
            return
        try:
            run_lines(words, [_PROBE], self._asked.timeout)
        except ProgramError as error:
            raise InputError(f"command '{shlex.join(words)}' fails on the text '{_PROBE}', too: {error}") from None
        self._works.add(direction)


def run_lines(words: Sequence[str], texts: Sequence[str], timeout: float) -> list[str]:
    """What a program writes for some texts, a line each.

    Args:
        texts: without line breaks.
        timeout: seconds until it is killed, with everything that it started.

    Raises:
        ProgramError: it ends with an error, hangs, writes no UTF-8, too much, or another number of lines.
        InputError: it cannot be started.
    """
    data = "".join(f"{text}\n" for text in texts).encode("utf-8", "surrogatepass")
    # files in place of pipes: nobody has to read while somebody writes
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        given.write(data)
        given.seek(0)
        try:
            process = subprocess.Popen(words, stdin=given, stdout=output, stderr=errors, **OWN_GROUP)
        except OSError as error:
            raise InputError(f"command '{shlex.join(words)}' cannot be started ({error.strerror})") from None
        try:
            _wait(process, (output, errors), timeout, _SPARE + _TIMES * len(data))
        finally:
            kill_group(process)  # with what it may have left running
            process.wait()
        if process.returncode:
            code = process.returncode
            how = f"ended with exit code {code}" if code > 0 else f"was killed by signal {-code}"
            raise ProgramError(f"it {how}{_last_words(errors)}")
        return _lines(output, len(texts))


def _wait(process: subprocess.Popen[bytes], sinks: Sequence[IO[bytes]], timeout: float, most: int) -> None:
    """Until the program ends. ProgramError: it takes too long or writes too much."""
    waited = 0.0
    while True:
        step = min(0.1, timeout - waited)
        with suppress(subprocess.TimeoutExpired):
            process.wait(step)
        if any(os.fstat(sink.fileno()).st_size > most for sink in sinks):
            raise ProgramError(f"it wrote more than {most:,} bytes")
        if process.returncode is not None:
            return
        waited += step
        if waited >= timeout:
            raise ProgramError(f"it did not end within {timeout:g} seconds{_last_words(sinks[1])}")


def _lines(output: IO[bytes], expected: int) -> list[str]:
    output.seek(0)
    data = output.read()
    lines = data.removesuffix(b"\n").split(b"\n") if data else []
    try:
        texts = [line.decode("utf-8").strip() for line in lines]
    except UnicodeDecodeError:
        raise ProgramError("its output is not UTF-8") from None
    if len(texts) != expected:
        raise ProgramError(f"it wrote {len(texts)} lines for {expected} texts")
    return texts


def _last_words(errors: IO[bytes]) -> str:
    """The last line on its stderr, in brackets."""
    errors.seek(max(0, os.fstat(errors.fileno()).st_size - 2000))
    lines = errors.read().decode("utf-8", "replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f" ({last[:200]})" if last else ""
