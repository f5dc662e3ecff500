"""What commands make of a clock that is set back by a day while they run, and before they are started again."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _commands import TIMED, Case, Place, difference, tree
from _faults import again, as_command, cases_of, moments_of, note, result_of, stopped
from _moments import DAY, set_back, start

_NEGATIVE = re.compile(r"(?<![\w.])-\d[\d.,]*\s*(?:s|seconds|min|minutes|h|hours|ms|it/s|pairs/s)\b|-1 day|ETA -")


def clock(place: Place, asked: int, chosen: list[str]) -> dict[str, Any]:
    """Set the clock back by a day in the middle of every command; and between its death and the next start."""
    counts: dict[str, Counter[str]] = {"while it runs": Counter(), "before the next start": Counter()}
    problems: list[dict[str, Any]] = []
    cases = cases_of(place, chosen)
    for name, case in cases.items():
        before = place.prepare(case)
        wanted, events = place.reference(case, before)
        for number, way in enumerate(counts):
            for at in moments_of(events, asked, case, cases, number):
                outcome, why = (_set_back if number == 0 else _set_back_before)(place, case, before, wanted, at)
                counts[way][outcome] += 1
                note(problems, name, way, at, outcome, why)
        print(f"{name}: {counts}", flush=True)
    return result_of(cases, counts, problems)


def _set_back(place: Place, case: Case, before: Path, wanted: dict[str, str], at: int) -> tuple[str, str]:
    place.reset(before)
    child = start(as_command(case.work), place.log, place.area, before={at: set_back})
    if code := child.end():
        return "blocked", f"exit code {code}: {child.said}"
    if changed := difference(wanted, tree(place.area)):
        return "lost", changed
    negative = _negative(place.area, child.said)
    return ("silent", negative) if negative else ("done", "")


def _set_back_before(place: Place, case: Case, before: Path, wanted: dict[str, str], at: int) -> tuple[str, str]:
    child = stopped(place, case, before, at)
    os.killpg(child.pid, signal.SIGKILL)
    child.end()
    later = time.time() + DAY  # what is there is of tomorrow
    for path in place.area.rglob("*"):
        os.utime(path, (later, later), follow_symlinks=False)
    outcome, why = again(place, case, wanted, before={1: set_back})
    negative = "" if outcome else _negative(place.area, place.log.read_text(errors="replace"))
    return (outcome, why) if outcome else ("silent", negative) if negative else ("done", "")


def _negative(area: Path, said: str) -> str:
    """A duration below zero, in what was said or in a record."""
    if found := _NEGATIVE.search(said):
        return f"said '{found[0]}'"
    for path in area.rglob("*.json*"):
        with path.open(encoding="utf-8") as lines:
            values = [json.load(lines)] if path.suffix == ".json" else [json.loads(line) for line in lines]
        if found_in := next((key for value in values for key in _below_zero(value)), None):
            return f"{path.relative_to(area)}: {found_in} is negative"
    return ""


def _below_zero(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _below_zero(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _below_zero(inner, key)
    elif isinstance(value, (int, float)) and value < 0 and (TIMED.search(key) or "runtime" in key):
        yield key
