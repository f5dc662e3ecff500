"""The part `soak` of endurance.py: valid and hostile requests for long, an index that changes, and what the server takes."""

from __future__ import annotations

import asyncio
import json
import random
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from _hostile import KINDS
from _load import BODY
from _server import Questions, Sample, Seen, as_table, attacker, client, serving, watched

from isoglot.retrieval.collection.build import index

_MOST_SHARE = 0.05
"""Growth in an hour, in shares of what the process takes, from which it counts as growth."""
_BLOCKS = 20
_LEVELS: dict[str, Callable[[Iterable[float]], float]] = {
    "rss_mb": median,
    "anonymous_mb": median,
    "descriptors": min,
    "threads": min,
}
"""What counts of a block: of descriptors and threads, which come and go with requests, those that were always there."""
_WAYS: list[dict[str, Any]] = [
    {},
    {"sentences": False},
    {"hybrid": True},
    {"fairness": "standardised", "strength": 0.5},
    {"fairness": "round-robin", "languages": ["de", "zh"]},
    {"where": {"source": ["a", "b"]}, "k": 50},
]


def growth(samples: Sequence[Sample], of: str) -> dict[str, float]:
    """What a figure grows by in an hour, with an interval of 95%.

    Samples that follow each other are not independent, so the time is cut into blocks, of each of which one value counts; the
    slope is the median of the slopes between all of them (Theil and Sen), which a jump here and there does not decide.
    """
    from scipy.stats import theilslopes

    first, last = samples[0].at, samples[-1].at
    blocks: list[list[Sample]] = [[] for _ in range(_BLOCKS)]
    for sample in samples:
        blocks[min(_BLOCKS - 1, int(_BLOCKS * (sample.at - first) / (last - first)))].append(sample)
    kept = [block for block in blocks if block]
    hours = [median(sample.at for sample in block) / 3600 for block in kept]
    values = [float(_LEVELS[of](getattr(sample, of) for sample in block)) for block in kept]
    slope, _, low, high = theilslopes(values, hours)
    return {
        "median": round(median(values), 1),
        "per_hour": round(float(slope), 2),
        "low": round(float(low), 2),
        "high": round(float(high), 2),
    }


def grows(found: dict[str, float], of: str) -> bool:
    """Whether a figure counts as growing.

    Memory does where even the upper end of its interval is not small enough: what was not shown to stay does not count as
    staying. Descriptors and threads come and go in whole numbers with the load of the machine, which makes their interval wide:
    they do where growth was shown.
    """
    return found["high"] > _MOST_SHARE * found["median"] if of.endswith("_mb") else found["low"] > 0


def soak(folder: Path, corpora: Sequence[Path], texts: list[str], home: Path, options: Namespace) -> dict[str, Any]:
    """A server under a modest load whose index is changed every now and then; its first minutes do not count."""
    quick = [name for name, kind in KINDS.items() if not kind.slow]
    slow = [name for name, kind in KINDS.items() if kind.slow]
    words = ["--kept-texts", "256", "--quiet"]
    changes = 0
    with serving(folder, home, *words, timeout=options.timeout, body_bytes=BODY) as served:
        seen, end = Seen(), time.perf_counter() + 60 * options.minutes

        def over() -> bool:
            return time.perf_counter() > end

        async def changing() -> None:
            nonlocal changes
            while not over():
                await asyncio.sleep(options.change)
                corpus = str(corpora[changes % len(corpora)])
                await asyncio.to_thread(index, None, corpus, folder, mirror=True, progress=False)
                changes += 1

        async def all_at_once() -> None:
            pace = options.clients / options.rate
            questions = Questions(
                texts, _WAYS
            )  # whose answers change with the index: only that there is one is looked at
            own = [random.Random(n) for n in range(options.clients)]
            await asyncio.gather(
                *(client(served.target, questions, seen, r, over, pace) for r in own),
                *(attacker(served.target, quick, seen, over, pace) for _ in range(2)),
                attacker(served.target, slow, seen, over),
                changing(),
            )

        with watched(served, options.every):
            asyncio.run(all_at_once())
        faults = [json.dumps(line)[:300] for line in served.lines() if "other" in line or line.get("level") == "error"]
    start = served.samples[0].at + 60 * options.settle
    counted = [sample for sample in served.samples if sample.at >= start]
    figures = {of: growth(counted, of) for of in _LEVELS}
    latency = {"first_quarter": seen.cuts(0, 0.25), "last_quarter": seen.cuts(0.75)}
    problems = [f"{what} ({n} times)" for what, n in sorted(seen.findings.items())] + faults[:5]
    problems += [f"{of} grows: {figures[of]}" for of in figures if grows(figures[of], of)]
    if latency["last_quarter"]["p99_ms"] > 2 * latency["first_quarter"]["p99_ms"] + 20:
        problems.append(f"slower at the end: {latency}")
    return {
        "minutes_soaked": options.minutes,
        "settling_minutes": options.settle,
        "samples": len(counted),
        "valid": {
            "sent": sum(seen.statuses.values()),
            "statuses": {str(k): n for k, n in sorted(seen.statuses.items())},
        },
        "hostile": {"sent": seen.hostile, "by_kind": as_table(seen.kinds)},
        "changes_of_the_index": changes,
        "latency": latency,
        "growth": figures,
        "course": [asdict(served.samples[round(at)]) for at in _places(len(served.samples))],
        "problems": problems,
    }


def _places(n: int, most: int = 11) -> list[float]:
    return [step * (n - 1) / (most - 1) for step in range(most)]
