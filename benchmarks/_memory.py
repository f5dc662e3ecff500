"""Anonymous memory of this process (RssAnon), part by part: without pages of files, which the system can drop."""

from __future__ import annotations

import threading
import time
from pathlib import Path


class Memory:
    """The highest anonymous memory of this process since `start`, and the time."""

    def __init__(self) -> None:
        self.peak = self.base = anonymous()
        self.laps: dict[str, dict[str, float]] = {}
        self._last = time.perf_counter()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            self.peak = max(self.peak, anonymous())
            time.sleep(0.005)

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = {"seconds": round(now - self._last, 2), "peak_gb": gigabytes(max(self.peak, anonymous()))}
        self._last, self.peak = time.perf_counter(), anonymous()


def anonymous(process: int | str = "self") -> int:
    """Bytes of anonymous memory in use, of this process or of one with a number."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("this system does not report RssAnon; run the benchmark on Linux 4.5 or later")


def gigabytes(size: float) -> float:
    return round(size / 1e9, 3)
