"""What a study shows on stderr while it goes: a bar for it and one per running cell on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection
from typing import Any, TextIO

from isoglot.bars import tqdm
from isoglot.errors import is_quiet, printable
from isoglot.study.jobs import Job

_REDRAW, _PLAIN = 0.5, 30.0  # seconds between looks at the running cells on a terminal, elsewhere
_BAR = "{desc}  {n_fmt}/{total_fmt} |{bar:10}| {elapsed}<{remaining}{postfix}"


class Display:
    """Cells, their state, step, loss, time and the time that is left.

    Args:
        total: number of cells, those that were done before included.
        done: of them.
        stream: stderr when None.
        live: draw bars; None: where the stream is a terminal.
    """

    def __init__(self, total: int, done: int = 0, stream: TextIO | None = None, live: bool | None = None) -> None:
        self.total, self.done, self._before = total, done, done
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty() if live is None else live
        self._began = self._last = time.monotonic()
        self._all = self._bar("study", total, done)
        self._bars: dict[str, Any] = {}
        self._said = ""

    def _bar(self, name: str, total: int, done: int) -> Any:
        options: dict[str, Any] = {"leave": False, "dynamic_ncols": True, "disable": not self._live}
        return tqdm(desc=name, total=total or None, initial=done, file=self._stream, bar_format=_BAR, **options)

    def say(self, text: str) -> None:
        """A line that stays, for any terminal, unless the command line is quiet."""
        if not is_quiet():
            tqdm.write(printable(text), file=self._stream)

    def begin(self, job: Job) -> None:
        """A process starts."""
        self._bars[job.id] = self._bar(job.id, job.steps, job.progress()[0])
        if not self._live:
            self.say(f"{job.id}: begins ({self.done} of {self.total} done)")

    def end(self, job: Job, state: str, seconds: float) -> None:
        """A process ended."""
        self._bars.pop(job.id).close()
        self.done += state == "done"
        self._all.n, words = self.done, f"{self.done} of {self.total} done"
        if self._before < self.done < self.total:
            pace = (time.monotonic() - self._began) / (self.done - self._before)
            words += f", about {tqdm.format_interval(pace * (self.total - self.done))} left"
        self.say(f"{job.id}: {state} after {tqdm.format_interval(seconds)} ({words})")

    def update(self, running: Collection[Job], room: str = "") -> None:
        """Show how far everything is; does nothing when called too soon after the last time.

        Args:
            room: why no more are running; "" where nothing decides that but their number.
        """
        now = time.monotonic()
        if now - self._last < (_REDRAW if self._live else _PLAIN):
            return
        self._last = now
        for job in running:
            step, loss = job.progress()
            state = job.folder.phase.read_text(encoding="utf-8").strip() if job.folder.phase.is_file() else "starting"
            state += "" if loss is None else f", loss {loss:.3f}"
            self._bars[job.id].n = step
            self._bars[job.id].set_postfix_str(state)  # and draws
            if not self._live:
                self.say(f"{job.id}: {state}" + (f", step {step} of {job.steps}" if job.steps else ""))
        if room:
            room = f"{len(running)} at a time: {room}"
            self._all.set_postfix_str(room, refresh=False)
            if not self._live and room != self._said:
                self.say(f"study: {room}")
            self._said = room
        self._all.refresh()

    def close(self) -> None:
        """Take the bars away."""
        for bar in (*self._bars.values(), self._all):
            bar.close()
