"""What a study shows while it goes."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from isoglot.evaluation.settings import EvaluateSettings
from isoglot.study import display
from isoglot.study.display import Display, clock
from isoglot.study.jobs import Job
from isoglot.study.layout import JobFolder


def job(folder: Path, name: str, steps: int = 10) -> Job:
    return Job(name, JobFolder(folder / name), "base", "t", EvaluateSettings(), kind="lora", steps=steps)


def running(one: Job, seconds: float) -> Any:
    return SimpleNamespace(job=one, began=time.monotonic() - seconds)


def test_clock() -> None:
    assert [clock(seconds) for seconds in (0.4, 59.4, 60, 3599, 3661)] == ["0 s", "59 s", "1:00", "59:59", "1:01:01"]


def test_a_live_table_is_redrawn_and_tells_the_time_left(tmp_path: Path) -> None:
    stream = io.StringIO()
    shown = Display(4, 1, workers=1, stream=stream, live=True)
    first, second = job(tmp_path, "first"), job(tmp_path, "second")
    first.folder.run.mkdir(parents=True)
    first.folder.phase.write_text("training\n")
    lines = [json.dumps({"step": step, "loss": 2.0 / step}) for step in (1, 2, 3, 4)]
    (first.folder.run / "log.jsonl").write_text("\n".join(lines) + '\n{"step": 5, "lo')
    shown._last = -100.0
    shown.update([running(first, 40.0)], [second])
    text = stream.getvalue()
    assert "first  training  4/10  0.500  40 s  1:00" in text, "4 of 10 steps in 40 s: 60 s to go"
    assert "1 of 4 done, 1 waiting, about 2:40 left" in text, "the other one will take 100 s"
    shown._last = -100.0
    shown.update([running(first, 41.0)], [second])
    assert "\x1b[4F\x1b[J" in stream.getvalue()[len(text) :], "four lines are cleared before the next table"
    shown.end(first, "done", 50.0)
    shown._last = -100.0
    shown.update([running(second, 20.0)], [])
    assert "about 30 s left" in stream.getvalue(), "as long as the one before"


def test_a_job_that_goes_on_does_not_tell_how_long_a_whole_one_takes(tmp_path: Path) -> None:
    stream = io.StringIO()
    shown = Display(3, stream=stream, live=True)
    first, second = job(tmp_path, "first"), job(tmp_path, "second")
    log = first.folder.run / "log.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text('{"step": 6, "loss": 1.0}\n')
    shown.begin(first)
    log.write_text('{"step": 8, "loss": 1.0}\n')
    shown._last = -100.0
    shown.update([running(first, 30.0)], [])
    assert "8/10  1.000  30 s  30 s" in stream.getvalue(), "2 of the 4 steps that were left in 30 s"
    shown.end(first, "done", 60.0)
    shown._last = -100.0
    shown.update([running(second, 20.0)], [])
    assert stream.getvalue().endswith("1 of 3 done, 0 waiting\n"), "nothing is known of a whole one"


def test_plain_lines_where_there_is_no_terminal(tmp_path: Path) -> None:
    stream = io.StringIO()
    shown = Display(2, stream=stream)
    one = job(tmp_path, "one")
    shown.begin(one)
    shown.update([running(one, 1.0)], [])
    shown.end(one, "failed", 3.0)
    assert stream.getvalue().splitlines() == ["one: begins (0 of 2 done)", "one: failed after 3 s (0 of 2 done)"]
    assert display._PLAIN >= 10
