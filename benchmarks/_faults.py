"""What commands do on disks that fail while they write, and on slow ones; and what every part of this kind shares."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from _commands import Case, Command, Place, Work, difference, is_chosen, is_litter, tree
from _disks import FAULTS, Disk
from _moments import HUNG, Child, start

_DELAY = 0.02  # seconds that a change takes longer on a slow disk
_WORDS = (
    *map(os.strerror, (errno.ENOSPC, errno.EROFS, errno.EIO, errno.ENOENT, errno.ESTALE)),
    *("has gone while", "disk is full", "disk I/O error", "readonly database", "unable to open database file"),
)
_CELL = re.compile(r"isoglot: \S+\.(?:model-\w+|s\d+): ")
_GOOD = ("said", "done")


def disks(place: Place, part: str, asked: int, chosen: list[str]) -> dict[str, Any]:
    """Let a disk fail under every command at moments that are spread evenly, make it well again, and start the command again."""
    disk, ways = Disk(place), FAULTS[part]
    counts: dict[str, Counter[str]] = {way: Counter() for way in ways}
    problems: list[dict[str, Any]] = []
    cases = cases_of(place, chosen)
    for name, case in cases.items():
        began = time.perf_counter()
        before = place.prepare(case)
        wanted, events = place.reference(case, before)
        for number, (way, (in_memory, fault, heal)) in enumerate(ways.items()):
            with disk.mounted(in_memory=in_memory):
                for at in moments_of(events, asked, case, cases, number):
                    how = (partial(fault, disk), partial(heal, disk))
                    outcome, why = _faulted(place, case, before, wanted, at, *how, tidies=part == "full")
                    counts[way][outcome] += 1
                    note(problems, name, way, at, outcome, why)
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
    return result_of(cases, counts, problems)


def slow(place: Place, chosen: list[str]) -> dict[str, Any]:
    """Every command on a disk on which each change takes longer."""
    counts: dict[str, Counter[str]] = {"slow": Counter()}
    problems: list[dict[str, Any]] = []
    cases, seconds = cases_of(place, chosen), 0.0
    for name, case in cases.items():
        before = place.prepare(case)
        wanted, _ = place.reference(case, before)
        place.reset(before)
        began = time.perf_counter()
        child = start(case.work, place.log, place.area, delay=_DELAY)
        code = child.end()
        seconds += time.perf_counter() - began
        changed = difference(wanted, tree(place.area)) if code == 0 else f"exit code {code}: {child.said}"
        counts["slow"]["lost" if changed else "done"] += 1
        note(problems, name, "slow", 0, "lost" if changed else "done", changed)
    about = {"seconds_more_per_change": _DELAY, "minutes_of_commands": round(seconds / 60, 1)}
    return {**about, **result_of(cases, counts, problems)}


def cases_of(place: Place, chosen: list[str]) -> dict[str, Case]:
    return {name: case for name, case in place.cases().items() if is_chosen(name, chosen)}


def moments_of(events: int, asked: int, case: Case, cases: Mapping[str, Case], turn: int) -> list[int]:
    """Numbers of changes, evenly spread; the first one moves with the turn."""
    shares = sum(case.share for case in cases.values())
    count = min(events, max(1, round(asked * case.share / shares)))
    return sorted({1 + int((step + (turn + 1) / 4) * (events - 1) / count) for step in range(count)})


def note(problems: list[dict[str, Any]], name: str, way: str, at: int, outcome: str, why: str) -> None:
    if outcome not in _GOOD:
        problems.append({"case": name, "way": way, "change": at, "outcome": outcome, "why": why[-600:]})
        print(f"  {name}, {way}, change {at}: {outcome}: {why[-1500:]}", file=sys.stderr, flush=True)


def result_of(cases: Mapping[str, Case], counts: Mapping[str, Counter[str]], problems: list[Any]) -> dict[str, Any]:
    kinds = ("said", "done", "silent", "lost", "left", "blocked")
    ways = {
        way: {"moments": sum(count.values()), **{kind: count[kind] for kind in kinds}} for way, count in counts.items()
    }
    total = {key: sum(way[key] for way in ways.values()) for key in ("moments", *kinds)}
    return {"commands": len(cases), "ways": ways, "total": total, "problems": problems}


def as_command(work: Work, *, own_groups: bool = False) -> Work:
    """The same with the ends that the command line has; jobs of a study as forks of its pool, if asked for."""
    if isinstance(work, Command):
        return Command(*work.words, own_groups=own_groups)

    def run() -> int:
        from isoglot.cli.interrupts import INTERRUPTED, Interrupts
        from isoglot.errors import InputError, warn

        with Interrupts():
            try:
                return work()
            except InputError as error:
                warn(str(error))
                return 2
            except KeyboardInterrupt:
                warn("interrupted")
                return INTERRUPTED

    return run


def stopped(place: Place, case: Case, before: Path, at: int) -> Child:
    """The command, stopped before one of its changes; a study looks at its jobs by the clock: it may make one fewer."""
    for number in range(at, 0, -1):
        place.reset(before)
        subprocess.run(["sync", "-f", place.area], check=True)  # what was there before is on the disk
        child = start(as_command(case.work), place.log, place.area, number, signal.SIGSTOP)
        if child.stopped():
            return child
    raise SystemExit(f"did not stop: {child.said}")


def _faulted(
    place: Place,
    case: Case,
    before: Path,
    wanted: dict[str, str],
    at: int,
    fault: Callable[[], None],
    heal: Callable[[], None],
    *,
    tidies: bool,
) -> tuple[str, str]:
    """(said: ended with one clear line; done: ended well, with all of its output; or what is wrong, why).

    Args:
        tidies: files can be removed in spite of the fault.
    """
    child = stopped(place, case, before, at)
    fault()
    child.go_on()
    code, said = child.end(), child.said
    there: dict[str, str] | None = None
    with suppress(OSError):  # a disk that is broken is looked at when it is well again
        there = tree(place.area) if code == 0 else {}
    heal()
    if code == 0:
        was_there = tree(before)  # what the command read may be elsewhere now
        named = {name for name in wanted if not _is_kept(name) and name not in was_there}
        # all of it is there, or was when the disk went away
        missing = [named - found.keys() for found in (there or {}, tree(place.area))]
        if all(missing):
            return "lost", f"exit code 0 without {', '.join(sorted(min(missing, key=len))[:5])}: {said}"
    elif why := _is_unclear(code, said, str(place.home)):
        return "silent", f"{why}: {said}"
    if tidies and (litter := [name for name in tree(place.area) if name not in wanted and is_litter(name)]):
        return "left", f"{', '.join(litter)}: {said}"
    outcome, why = again(place, case, wanted)
    return (outcome, why) if outcome else ("done" if code == 0 else "said", "")


def _is_kept(name: str) -> bool:
    """Does it lie in a cache, which may be done without?"""
    return name.partition("/")[0] in ("cache", "store") or name.startswith("index/words")


def _is_unclear(code: int, said: str, home: str) -> str:
    """What is wrong with the end of a command on a disk that failed; "" where nothing is."""
    lines = [line for line in said.splitlines() if line.startswith("isoglot: ")]
    # a study says of each cell why it failed, and ends with 1 where it could note that
    cells = [line for line in lines if _CELL.match(line)]
    errors = [line for line in lines if line not in cells and any(word in line for word in _WORDS)]
    if code == HUNG:
        return "hung"
    if code != 2 and not (code == 1 and cells):
        return f"exit code {code}"
    if "Traceback" in said or "Error:" in said:
        return "a traceback"
    if len(errors) > 1 or not (errors or cells) or any(home not in line for line in errors):
        return f"{len(errors)} lines that name path and reason"
    return ""


def again(place: Place, case: Case, wanted: dict[str, str], **how: Any) -> tuple[str, str]:
    """What is wrong after another start of a command that ended early: ("", "") where it leaves what an unbroken one leaves."""
    kept = case.kept
    if kept is not None:
        child = start(lambda: not kept(), place.log, place.area)
        if child.end():
            return "lost", f"neither the older nor the new content opens: {child.said}"
    child = start(case.again or case.work, place.log, place.area, **how)
    code = child.end()
    if code and not (case.done and case.done in child.said):
        return "blocked", f"{'hung' if code == HUNG else f'exit code {code}'}: {child.said}"
    there = tree(place.area)
    litter = [name for name in there if name not in wanted and is_litter(name)]
    if changed := difference(wanted, {name: digest for name, digest in there.items() if name not in litter}):
        return "lost", f"{changed}: {child.said}"
    return ("left", ", ".join(litter)) if litter else ("", "")
