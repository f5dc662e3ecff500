"""Programs that crash, hang, and write what nobody can use."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from isoglot.data.transform.translators import Failure, split_backend
from isoglot.data.transform.translators.command import Command, ProgramError, run_lines
from isoglot.errors import InputError
from tests.data.translation.small import program

READ = "import os, signal, sys, time\nlines = sys.stdin.buffer.read().decode().removesuffix('\\n').split('\\n')\n"
TEXTS = [f"text {number}" for number in range(12)] + ["bad one", *(f"more {number}" for number in range(9))]


def outcomes(folder: Path, code: str, timeout: float = 20.0) -> list[str | Failure]:
    spec = split_backend(program(folder, READ + code))["spec"]
    return Command(spec=spec, timeout=timeout).open(None)(TEXTS, "en", "de")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("'bad one' in lines and os.kill(os.getpid(), signal.SIGSEGV)\nprint('\\n'.join(lines))", "it was killed by signal 11"),
        (
            "if 'bad one' in lines: sys.exit('a\\nlast \\x1b words\\n')\nprint('\\n'.join(lines))",
            "it ended with exit code 1 (last \x1b words)",
        ),
        ("print('\\n'.join(line for line in lines if line != 'bad one'))", "it wrote 1 lines for 1 texts"),
        ("print('\\n'.join(line.replace('bad ', 'bad\\n') for line in lines))", "it wrote 2 lines for 1 texts"),
        (
            "for line in lines: sys.stdout.buffer.write(b'\\xff\\n' if line == 'bad one' else line.encode() + b'\\n')",
            "its output is not UTF-8",
        ),
        ("'bad one' in lines and time.sleep(60)\nprint('\\n'.join(lines))", "it did not end within 0.7 seconds"),
        (
            "print('\\n'.join(lines))\nwhile 'bad one' in lines: sys.stdout.write('y' * 65536)",
            "it wrote more than",
        ),
    ],
)  # fmt: skip
def test_the_failing_text_stands_alone(
    code: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = outcomes(tmp_path, code, timeout=0.7 if "sleep" in code else 20)
    place = TEXTS.index("bad one")
    if "wrote 1 lines" in reason:  # nothing but an empty line is left of it, which is an empty translation
        assert made[place] == ""
    else:
        failure = made[place]
        assert isinstance(failure, Failure)
        assert failure.reason.startswith(reason)
    assert made[:place] + made[place + 1 :] == TEXTS[:place] + TEXTS[place + 1 :]
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"the {len(TEXTS)} texts of this batch are halved" in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("os.abort()", "was killed by signal 6"),
        ("time.sleep(60)", "did not end within 0.5 seconds"),
        ("print('Welcome!', *lines, sep='\\n')", "wrote 2 lines for 1 texts"),
        ("", "wrote 0 lines for 1 texts"),
        ("sys.stdout.buffer.write(b'\\xe4\\n' * len(lines))", "output is not UTF-8"),
    ],
)
def test_a_program_that_does_nothing_ends_the_run(code: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"fails on the text '1', too: it {reason}|too: its {reason}"):
        outcomes(tmp_path, code, timeout=0.5 if "sleep" in code else 20)


def test_what_it_started_ends_with_it(tmp_path: Path) -> None:
    code = f"if os.fork() == 0:\n    time.sleep(1.5); open({str(tmp_path / 'late')!r}, 'w')\ntime.sleep(60)"
    words = ["python3", "-c", READ + code]
    begin = time.monotonic()
    with pytest.raises(ProgramError, match=r"did not end within 0\.5 seconds"):
        run_lines(words, ["a"], 0.5)
    assert time.monotonic() - begin < 1.4
    time.sleep(1.6)
    assert not (tmp_path / "late").exists()


def test_lines_of_programs(tmp_path: Path) -> None:
    assert run_lines(["cat"], ["a", "ü  b", "c"], 20) == ["a", "ü  b", "c"]
    assert run_lines(["printf", r"a\r\n\nc"], ["1", "2", "3"], 20) == ["a", "", "c"], (
        "the last end of line may be missing"
    )
    assert run_lines(["true"], [], 20) == []
    directory = tmp_path / "folder"
    directory.mkdir()
    with pytest.raises(InputError, match="folder' cannot be started"):
        run_lines([str(directory)], ["a"], 20)
    assert len(os.listdir(tmp_path)) == 1
