"""The part `load` of endurance.py: valid and hostile requests together, more than there is room for, and a stop in the middle."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import time
from argparse import Namespace
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from _hostile import EMBED, KINDS, NOTHING, SHED, UNSENT, connect, exchange, read
from _server import Questions, Seen, Served, as_table, attacker, client, serving, watched

BODY = 1 << 16
_LATER = 1.5
"""How many times as slow the 99th percentile may be after the storm as before, beyond 20 ms."""
_MORE_MB = 48
"""Resident memory that may be more after the storm: of threads' arenas and kept vectors."""


def load(index: Path, texts: list[str], home: Path, options: Namespace) -> dict[str, Any]:
    """What a server of an index holds out."""
    words = ["--requests", str(options.room), "--queue-texts", "512", "--kept-texts", "0"]
    with serving(index, home, *words, timeout=options.timeout, body_bytes=BODY) as served:
        questions = Questions(texts)
        asyncio.run(questions.learn(served.target))
        asyncio.run(_flood(served, options.flood // 4))  # it has had its largest batches, and their memory
        before = _calm(served, questions, options)
        calm = served.sample()
        seen = _storm(served, questions, options)
        flood = asyncio.run(_flood(served, options.flood))
        time.sleep(12)  # threads that have nothing to do end after ten seconds
        after = _calm(served, questions, options)
        end = served.sample()
        stopped = _stop(served, questions, options)
        other = [line["other"] for line in served.lines() if "other" in line]
        faults = [line for line in served.lines() if line.get("level") == "error"]
    peak = max(sample.rss_mb for sample in served.samples)
    problems = [f"{what} ({n} times)" for what, n in sorted(seen.findings.items())]
    problems += [*flood.pop("problems"), *stopped.pop("problems"), *(f"log: {line}"[:300] for line in faults[:5])]
    problems += [f"stderr: {line}"[:300] for line in other[:5]]
    if not after["p99_ms"] <= _LATER * before["p99_ms"] + 20:
        problems.append(f"p99 is {after['p99_ms']} ms after it, {before['p99_ms']} before")
    if end.rss_mb > calm.rss_mb + _MORE_MB:
        problems.append(f"resident memory is {end.rss_mb} MB after it, {calm.rss_mb} before")
    if end.descriptors > calm.descriptors:
        problems.append(f"{end.descriptors} descriptors are open after it, {calm.descriptors} before")
    return {
        "clients": options.clients,
        "attackers": options.attackers,
        "requests_at_a_time": options.room,
        "timeout_seconds": options.timeout,
        "valid": {"sent": sum(seen.statuses.values()), "statuses": _keyed(seen.statuses)},
        "hostile": {"sent": seen.hostile, "kinds": len(seen.kinds), "by_kind": as_table(seen.kinds)},
        "latency": {
            "before": before,
            "first_third": seen.cuts(0, 1 / 3),
            "last_third": seen.cuts(2 / 3),
            "after": after,
        },
        "process": {"before": asdict(calm), "peak_mb": peak, "after": asdict(end)},
        "flood": flood,
        "stop": stopped,
        "problems": problems,
    }


def _keyed(statuses: Counter[int]) -> dict[str, int]:
    return {str(status): n for status, n in sorted(statuses.items())}


def _calm(served: Served, questions: Questions, options: Namespace) -> dict[str, float]:
    """Latency of valid requests alone."""

    async def ask() -> Seen:
        seen, until = Seen(), time.perf_counter() + options.calm
        own = [random.Random(n) for n in range(options.clients)]
        await asyncio.gather(
            *(client(served.target, questions, seen, r, lambda: time.perf_counter() > until) for r in own)
        )
        return seen

    return asyncio.run(ask()).cuts()


def _storm(served: Served, questions: Questions, options: Namespace) -> Seen:
    """Valid clients beside hostile ones, until so many hostile requests were sent."""

    async def all_at_once() -> Seen:
        seen = Seen()

        def over() -> bool:
            return seen.hostile >= options.hostile

        quick = [name for name, kind in KINDS.items() if not kind.slow]
        slow = [name for name, kind in KINDS.items() if kind.slow]
        own = [random.Random(n) for n in range(options.clients)]
        await asyncio.gather(
            *(client(served.target, questions, seen, r, over) for r in own),
            *(attacker(served.target, quick, seen, over) for _ in range(options.attackers)),
            *(attacker(served.target, slow, seen, over) for _ in range(4)),
        )
        return seen

    with watched(served, 0.25):
        return asyncio.run(all_at_once())


async def _flood(served: Served, at_once: int) -> dict[str, Any]:
    """More requests at once than there is room for: who is sent away comes again when he was told to."""
    statuses, waits, problems = Counter[int](), [], []
    body = {"input": [f"de{n} en{n} de{n + 1}" for n in range(32)]}

    async def one() -> int:
        """How often it had to ask."""
        tries = 0
        while tries < 100:
            tries += 1
            (reply,) = await exchange(served.target, served.target.request(body, EMBED))
            statuses[reply.status] += 1
            if problem := reply.problem:
                problems.append(f"flood: {problem}")
            if reply.status not in SHED:
                break
            waits.append(int(reply.headers.get("retry-after", "1")))
            await asyncio.sleep(waits[-1] + random.random())
        return tries

    began = time.perf_counter()
    tries = await asyncio.gather(*(one() for _ in range(at_once)))
    if (served_now := statuses[200]) != at_once:
        problems.append(f"flood: {served_now} of {at_once} were answered in the end")
    if not any(statuses[status] for status in SHED):
        problems.append("flood: nobody was sent away")
    return {
        "at_once": at_once,
        "statuses": _keyed(statuses),
        "longest_retry_after": max(waits, default=0),
        "most_tries": max(tries),
        "seconds": round(time.perf_counter() - began, 1),
        "problems": problems,
    }


def _stop(served: Served, questions: Questions, options: Namespace) -> dict[str, Any]:
    """SIGTERM while all clients ask; what became of each request, by whether it was sent before the signal."""
    outcomes: dict[str, Counter[int]] = {"before": Counter(), "after": Counter()}
    sent: dict[str, int] = {}
    signalled = 0.0

    async def one(number: int) -> None:
        own, streams = random.Random(number), None
        for count in range(10**6):
            try:
                reader, writer = streams = streams or await connect(served.target)
            except OSError:
                return  # it has closed its door
            key = f"{number}-{count}"
            writer.write(served.target.request(questions.body(own.choice(questions.texts)), X_Request_ID=key))
            is_before = not signalled
            reply = await read(reader)
            outcomes["before" if is_before else "after"][reply.status] += 1
            sent[key] = reply.status
            if reply.status == NOTHING or reply.headers.get("connection") == "close":
                writer.close()
                streams = None
            if reply.status in SHED:
                await asyncio.sleep(0.01)

    async def all_at_once() -> None:
        nonlocal signalled
        asking = asyncio.gather(*(one(number) for number in range(options.clients)))
        await asyncio.sleep(options.calm / 2)
        signalled = time.perf_counter()
        served.child.send_signal(signal.SIGTERM)
        await asking

    asyncio.run(all_at_once())
    try:
        code: int | None = served.child.wait(90)
    except subprocess.TimeoutExpired:
        code = None
    seconds = time.perf_counter() - signalled
    logged = {line["id"]: line["status"] for line in served.requests()}
    lost = [key for key, status in sent.items() if status in (NOTHING, UNSENT) and logged.get(key, 499) != 499]
    problems = []
    if unanswered := sum(outcomes["before"][status] for status in (NOTHING, UNSENT)):
        problems.append(f"stop: {unanswered} requests that were sent before the signal had no answer")
    if lost:
        problems.append(f"stop: {len(lost)} answers that the log has did not arrive")
    if code != 0:
        problems.append(f"stop: exit code {code}")
    if seconds > 5:
        problems.append(f"stop: it took {seconds:.1f} s")
    return {
        "exit_code": code,
        "seconds": round(seconds, 2),
        "sent_before": _keyed(outcomes["before"]),
        "sent_after": _keyed(outcomes["after"]),
        "in_log_but_not_received": len(lost),
        "problems": problems,
    }
