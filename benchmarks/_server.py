"""`isoglot serve` as a process of its own that is watched, and clients that know which answer is right."""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from _hostile import KINDS as HOSTILE
from _hostile import NOTHING, SHED, UNSENT, Reply, Target, connect, exchange, read, wrong
from _memory import anonymous

TOKEN = "a-token-of-the-benchmark"
_CLOSE = 2e-5
"""How far scores may differ that were computed in other batches."""


@dataclass
class Sample:
    """A process at a moment: seconds since its first sample, megabytes, open descriptors, threads."""

    at: float
    rss_mb: float
    anonymous_mb: float
    descriptors: int
    threads: int


@dataclass
class Served:
    """A server that runs.

    Attributes:
        log: its stderr, one JSON object a line, and whatever else it says there.
    """

    child: subprocess.Popen[str]
    process: psutil.Process
    target: Target
    log: Path
    samples: list[Sample] = field(default_factory=list)

    def sample(self) -> Sample:
        """What it takes now."""
        now = Sample(
            round(time.time() - self.process.create_time(), 1),
            round(self.process.memory_info().rss / 2**20, 1),
            round(anonymous(self.process.pid) / 2**20, 1),
            self.process.num_fds(),
            self.process.num_threads(),
        )
        self.samples.append(now)
        return now

    def requests(self) -> list[dict[str, Any]]:
        """Its log's lines of requests."""
        return [line for line in self.lines() if line.get("event") == "request"]

    def lines(self) -> list[dict[str, Any]]:
        """All lines of its log; {"other": text} for what is neither JSON nor said of the model when it started."""
        found: list[dict[str, Any]] = []
        for text in self.log.read_text(errors="replace").splitlines():
            if text.startswith("isoglot: ") or "Loading weights" in text:
                continue
            try:
                found.append(json.loads(text))
            except ValueError:
                found.append({"other": text})
        return found


@contextmanager
def serving(index: Path, home: Path, *words: str, timeout: float, body_bytes: int) -> Iterator[Served]:
    """A server of an index; it is stopped with the block, where it still runs."""
    limits = ["--timeout", f"{timeout:g}", "--body-bytes", str(body_bytes)]
    command = [sys.executable, "-m", "isoglot", "serve", str(index), "--port", "0", "--device", "cpu", *limits, *words]
    log = home / f"serve-{time.monotonic_ns()}.log"
    with log.open("wb") as sink:
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=sink, text=True, env={**os.environ, "ISOGLOT_TOKEN": TOKEN}
        )
    try:
        assert child.stdout is not None
        line = child.stdout.readline()
        if not line:
            raise SystemExit(f"it does not serve: {log.read_text()}")
        port = int(line.split("/ ")[0].rpartition(":")[2])
        yield Served(child, psutil.Process(child.pid), Target(port, TOKEN, body_bytes, timeout), log)
    finally:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(90)
            except subprocess.TimeoutExpired:
                child.kill()
        child.wait()


@contextmanager
def watched(served: Served, every: float) -> Iterator[None]:
    """Take samples of a server inside."""
    over = threading.Event()

    def look() -> None:
        with suppress(psutil.Error, OSError):
            while not over.wait(every):
                served.sample()

    watching = threading.Thread(target=look, daemon=True)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()


@dataclass
class Seen:
    """What clients saw.

    Attributes:
        valid: (seconds since the beginning, milliseconds) of right answers.
        statuses: of all answers to valid requests.
        kinds: statuses by kind of hostile request.
        findings: what should not have come, with how often.
    """

    began: float = field(default_factory=time.perf_counter)
    valid: list[tuple[float, float]] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    kinds: dict[str, Counter[int]] = field(default_factory=dict)
    findings: Counter[str] = field(default_factory=Counter)

    @property
    def hostile(self) -> int:
        return sum(sum(own.values()) for own in self.kinds.values())

    def note(self, name: str, replies: Sequence[Reply]) -> None:
        """Take in the answers to a hostile request."""
        own = self.kinds.setdefault(name, Counter())
        for reply in replies:
            own[reply.status] += 1
            if problem := wrong(HOSTILE[name], reply):
                self.findings[f"{name}: {problem}"] += 1

    def cuts(self, first: float = 0, last: float = 1) -> dict[str, float]:
        """p50 and p99 in milliseconds of the answers in a part of the time."""
        whole = max((at for at, _ in self.valid), default=0.0)
        times = [ms for at, ms in self.valid if first * whole <= at <= last * whole]
        if len(times) < 2:
            raise SystemExit("too few valid searches were answered to say how long they take: ask for more requests")
        cuts = statistics.quantiles(times, n=100)
        return {"answers": len(times), "p50_ms": round(cuts[49], 1), "p99_ms": round(cuts[98], 1)}


class Questions:
    """Searches whose answers are known.

    Args:
        texts: of queries.
        ways: further fields, which texts take by turns.
    """

    def __init__(self, texts: Sequence[str], ways: Sequence[Mapping[str, Any]] = ({"sentences": False},)) -> None:
        self.texts = list(texts)
        self._ways = {text: ways[number % len(ways)] for number, text in enumerate(texts)}
        self._scores: dict[str, list[float]] = {}

    def body(self, text: str) -> dict[str, Any]:
        return {"query": text, "k": 5, **self._ways[text]}

    async def learn(self, target: Target) -> None:
        """Ask each alone."""
        for text in self.texts:
            (reply,) = await exchange(target, target.request(self.body(text)))
            if reply.status != 200:
                raise SystemExit(f"'{text}' was answered by {reply}")
            self._scores[text] = _scores(reply)

    def is_right(self, text: str, reply: Reply) -> bool:
        """Whether an answer is that which came when nobody else asked."""
        known, scores = self._scores.get(text), _scores(reply)
        return known is None or (
            len(known) == len(scores) and all(abs(a - b) < _CLOSE for a, b in zip(known, scores, strict=True))
        )


def _scores(reply: Reply) -> list[float]:
    return [hit["score"] for hit in json.loads(reply.body)["results"][0]["hits"]]


async def client(
    target: Target, questions: Questions, seen: Seen, own: random.Random, over: Any, pace: float = 0
) -> None:
    """Ask one question after the other over a connection that stays open, until `over()`.

    Args:
        pace: seconds from one request to the next, at least.
    """
    streams = None
    while not over():
        text = own.choice(questions.texts)
        began = time.perf_counter()
        try:
            streams = streams or await connect(target)
        except OSError:
            seen.statuses[UNSENT] += 1
            await asyncio.sleep(0.1)
            continue
        reader, writer = streams
        writer.write(target.request(questions.body(text)))
        reply = await read(reader)
        now = time.perf_counter()
        seen.statuses[reply.status] += 1
        if reply.status == 200:
            seen.valid.append((now - seen.began, 1000 * (now - began)))
            if not questions.is_right(text, reply):
                seen.findings["a wrong answer to a valid search"] += 1
        elif problem := reply.problem or (None if reply.status in SHED else f"status {reply.status}"):
            seen.findings[f"a valid search: {problem}"] += 1
        if reply.status == NOTHING or reply.headers.get("connection") == "close":
            writer.close()
            streams = None
        await asyncio.sleep(max(0.1 * (reply.status in SHED), pace - (now - began)))
    if streams:
        streams[1].close()


async def attacker(target: Target, names: Sequence[str], seen: Seen, over: Any, pace: float = 0) -> None:
    """Send one kind of hostile request after the other, until `over()`."""
    order = list(names)
    while not over():
        target.own.shuffle(order)
        for name in order:
            if over():
                break
            try:
                seen.note(name, await asyncio.wait_for(HOSTILE[name].send(target), 60))
            except asyncio.TimeoutError:
                seen.findings[f"{name}: no answer in a minute"] += 1
            await asyncio.sleep(pace)


def as_table(kinds: Mapping[str, Counter[int]]) -> dict[str, dict[str, int]]:
    """Counts by kind and status, in the order of the kinds."""
    return {name: {str(status): n for status, n in sorted(kinds[name].items())} for name in HOSTILE if name in kinds}
