"""Ctrl-C and SIGTERM of a command, what becomes of it where its own output cannot be written, and its bars on odd clocks."""

from __future__ import annotations

import errno
import io
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from isoglot.bars import tqdm
from isoglot.cli.interrupts import Interrupts
from isoglot.cli.main import main

COMMAND = """
import os, signal, sys, time
from pathlib import Path
from isoglot.cli import list
from isoglot.cli.main import entry
from isoglot.files import atomic_directory

target, what, then = Path(sys.argv[1]), *sys.argv[2:4]
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs the tests in the background has it ignored

class Finaliser:
    def __del__(self):
        send("INT")
        time.sleep(.001)

def send(name):
    os.kill(os.getpid(), getattr(signal, f"SIG{name}"))

def run(options):
    with atomic_directory(target) as folder:
        (folder / "part").write_text("half")
        try:
            exec(what)
            for _ in range(500):
                time.sleep(.01)
        finally:
            exec(then)
    return 0

list._run = run
sys.argv[1:] = ["list"]
entry()
"""


@pytest.mark.parametrize(
    ("what", "then"),
    [
        ("send('INT')", "pass"),
        ("send('TERM')", "pass"),
        ("send('TERM')", "send('TERM'); time.sleep(.01)"),
        ("Finaliser()", "pass"),
    ],
)
def test_a_command_that_is_told_to_end_says_one_line_and_tidies_away(tmp_path: Path, what: str, then: str) -> None:
    words = [sys.executable, "-c", COMMAND, str(tmp_path / "made"), what, then]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (130, "isoglot: interrupted\n", "")
    assert not list(tmp_path.iterdir())


def test_signals_are_left_to_others_who_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts():
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        for name, value in {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost"}.items():
            monkeypatch.setenv(name, value)
        with Interrupts():
            assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)


class Full(io.StringIO):
    """A stream that leads to a full disk."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_standard_output_on_a_full_disk_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", Full())
    assert main(["list", "strategies"]) == 2
    assert capsys.readouterr().err == "isoglot: standard output: No space left on device\n"
    monkeypatch.setattr(sys, "stderr", Full())
    with pytest.raises(SystemExit, match="2"):  # what cannot be said does not hide how the command ended
        main(["list", "nonsense"])


def test_closed_streams_are_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["list", "strategies"]) == 0
    with pytest.raises(SystemExit, match="2"):
        main(["list", "nonsense"])


def test_a_clock_that_is_set_back_does_not_stop_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1e9]
    monkeypatch.setattr("tqdm.std.time", lambda: clock[0])
    with tqdm(total=2, file=io.StringIO()) as bar:
        clock[0] -= 86_400
        assert bar.format_dict["elapsed"] >= 0
