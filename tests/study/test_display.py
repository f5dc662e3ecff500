"""What a study shows while it goes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from isoglot.study import display
from isoglot.study.display import Display
from isoglot.study.jobs import Job
from isoglot.study.layout import JobFolder


def job(folder: Path, name: str, steps: int = 10) -> Job:
    return Job(name, JobFolder(folder / name), "base", "t", steps=steps)


def bars(shown: Display, stream: io.StringIO, running: list[Job], seconds: float) -> list[str]:
    """What stands on the screen when the bars of jobs are as old as that."""
    shown._last = -100.0
    shown._began -= seconds
    for bar in (*shown._bars.values(), shown._all):
        bar.start_t -= seconds
    before = len(stream.getvalue())
    shown.update(running)
    return [line.strip(" \r\n\x1b[A") for line in stream.getvalue()[before:].split("\r")]


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def test_bars_are_redrawn_and_tell_the_time_left(tmp_path: Path) -> None:
    stream = io.StringIO()
    shown = Display(4, 1, stream=stream, live=True)
    first, second = job(tmp_path, "first"), job(tmp_path, "second", steps=0)
    shown.begin(first)
    shown.begin(second)
    first.folder.run.mkdir(parents=True)
    first.folder.phase.write_text("training\n")
    lines = [json.dumps({"step": step, "loss": 2.0 / step}) for step in (1, 2, 3, 4)]
    (first.folder.run / "log.jsonl").write_text("\n".join(lines) + '\n{"step": 5, "lo')
    text = "\n".join(bars(shown, stream, [first, second], 40.0))
    assert "first  4/10 |" in text
    assert "| 00:40<01:00, training, loss 0.500" in text, "4 of 10 steps in 40 s: 60 s to go"
    assert "second  0/? |" in text
    assert "| 00:40<?, starting" in text, "nothing is known of one without steps"
    assert "study  1/4 |" in text
    shown.end(first, "done", 50.0)
    assert "first: done after 00:50 (2 of 4 done, about 01:20 left)\n" in stream.getvalue()
    text = "\n".join(bars(shown, stream, [second], 10.0))
    assert "first" not in text
    assert "study  2/4 |" in text
    assert "| 00:50<01:40" in text, "two more, as long as the one before"
    shown.close()


def test_a_job_that_goes_on_does_not_count_what_was_done_before(tmp_path: Path) -> None:
    stream = io.StringIO()
    shown = Display(3, stream=stream, live=True)
    first = job(tmp_path, "first")
    log = first.folder.run / "log.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text('{"step": 6, "loss": 1.0}\n')
    shown.begin(first)
    log.write_text('{"step": 8, "loss": 1.0}\n')
    text = "\n".join(bars(shown, stream, [first], 30.0))
    assert "| 00:30<00:30, starting, loss 1.000" in text, "2 of the 4 steps that were left in 30 s"
    shown.close()


def test_plain_lines_where_there_is_no_terminal(tmp_path: Path) -> None:
    stream = io.StringIO()
    shown = Display(2, stream=stream)
    one = job(tmp_path, "one")
    shown.begin(one)
    shown.update([one])
    shown._last = -100.0
    shown.update([one])
    shown.end(one, "failed", 3.0)
    shown.close()
    assert stream.getvalue().splitlines() == [
        "one: begins (0 of 2 done)",
        "one: starting, step 0 of 10",
        "one: failed after 00:03 (0 of 2 done)",
    ]
    assert display._PLAIN >= 10


def test_what_an_error_says_does_not_move_the_terminals_cursor() -> None:
    stream = io.StringIO()
    Display(1, stream=stream, live=False).say("one: \x1b[2J")
    assert stream.getvalue() == "one: \\u001b[2J\n"
