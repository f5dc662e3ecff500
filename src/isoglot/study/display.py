"""What a study shows on stderr while it goes: a table that is redrawn on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from typing import TextIO

from isoglot.study.cost import read_log
from isoglot.study.jobs import Job, Running
from isoglot.tables import text_table

_REDRAW = 0.5  # seconds
_PLAIN = 30.0  # seconds between lines about running cells
_TAIL = 65_536


class Display:
    """Cells, their state, step, loss, seconds and the time that is left.

    Args:
        total: number of cells, those that were done before included.
        done: of them.
        workers: that share what is left.
        stream: stderr when None.
        live: redraw a table; None: where the stream is a terminal.
    """

    def __init__(
        self, total: int, done: int = 0, workers: int = 1, stream: TextIO | None = None, live: bool | None = None
    ) -> None:
        self.total, self.done, self.workers = total, done, workers
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty() if live is None else live
        self._lines = 0
        self._last = 0.0
        self._durations: dict[str, list[float]] = {}
        self._earlier: dict[str, int] = {}  # steps that a job had before it began here

    def say(self, text: str) -> None:
        """A line that stays."""
        self._clear()
        print(text, file=self._stream, flush=True)

    def begin(self, job: Job) -> None:
        """A process starts."""
        self._last = time.monotonic()
        self._earlier[job.id] = progress(job)[0]
        if not self._live:
            self.say(f"{job.id}: begins ({self.done} of {self.total} done)")

    def end(self, job: Job, state: str, seconds: float) -> None:
        """A process ended."""
        self.done += state == "done"
        if state == "done" and not self._earlier.get(job.id):  # one that went on says nothing of a whole one
            self._durations.setdefault(job.kind, []).append(seconds)
        self.say(f"{job.id}: {state} after {clock(seconds)} ({self.done} of {self.total} done)")

    def update(self, running: Sequence[Running], waiting: Sequence[Job]) -> None:
        """Show how far everything is; does nothing when called too soon after the last time."""
        now = time.monotonic()
        if now - self._last < (_REDRAW if self._live else _PLAIN):
            return
        self._last = now
        rows = [self._row(process, now) for process in running]
        left = self._left(running, waiting, now)
        foot = f"{self.done} of {self.total} done, {len(waiting)} waiting"
        foot += "" if left is None else f", about {clock(left)} left"
        if self._live:
            self._draw([*text_table([["cell", "state", "step", "loss", "time", "left"], *rows], text_columns=2), foot])
        else:
            for row in rows:
                self.say(f"{row[0]}: {row[1]}, step {row[2]}, loss {row[3]}, {row[4]}")
            self.say(foot)

    def _row(self, process: Running, now: float) -> list[str]:
        job = process.job
        step, loss = progress(job)
        left = self._rest(process, now)
        return [
            job.id,
            phase(job),
            f"{step}/{job.steps}" if job.steps else "-",
            "-" if loss is None else f"{loss:.3f}",
            clock(now - process.began),
            "-" if left is None else clock(left),
        ]

    def _expected(self, job: Job) -> float | None:
        """Seconds that a job takes: the mean of those of its kind, else of all that trained."""
        known = self._durations.get(job.kind) or [
            seconds for kind, values in self._durations.items() if kind and job.kind for seconds in values
        ]
        return sum(known) / len(known) if known else None

    def _rest(self, process: Running, now: float) -> float | None:
        gone, job = now - process.began, process.job
        expected = self._expected(job)
        if expected is None:
            step = progress(job)[0] - self._earlier.get(job.id, 0)
            steps = job.steps - self._earlier.get(job.id, 0)
            if not 1 <= step < steps:  # nor do steps tell how long the evaluation after the last one takes
                return None
            expected = gone * steps / step
        return max(expected - gone, 0.0)

    def _left(self, running: Sequence[Running], waiting: Sequence[Job], now: float) -> float | None:
        """Seconds until all is done; None while nothing is known."""
        rests = [self._rest(process, now) for process in running]
        known = [rest + (now - process.began) for process, rest in zip(running, rests) if rest is not None]
        fallback = sum(known) / len(known) if known else None
        later = [self._expected(job) or fallback for job in waiting]
        if None in rests or None in later:
            return None
        return sum(filter(None, (*rests, *later))) / max(1, self.workers)

    def _draw(self, lines: Sequence[str]) -> None:
        width, height = shutil.get_terminal_size()
        shown = [line[: width - 1] for line in lines[-(height - 1) :]]
        self._clear()
        print("\n".join(shown), file=self._stream, flush=True)
        self._lines = len(shown)

    def _clear(self) -> None:
        if self._lines:
            print(f"\x1b[{self._lines}F\x1b[J", end="", file=self._stream)
            self._lines = 0


def progress(job: Job) -> tuple[int, float | None]:
    """(step, loss) of a job's training so far."""
    lines = [line for line in read_log(job.folder.run / "log.jsonl", _TAIL) if "loss" in line]
    return (int(lines[-1]["step"]), float(lines[-1]["loss"])) if lines else (0, None)


def phase(job: Job) -> str:
    """What a job's process is at."""
    try:
        return job.folder.phase.read_text(encoding="utf-8").strip() or "starting"
    except OSError:
        return "starting"


def clock(seconds: float) -> str:
    """12 s, 3:05 or 1:02:03."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
