"""Disks that are full, become read-only or vanish while a command writes; slow ones; clocks that are set back; signals."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from _commands import TIMED, Case, Command, Place, Work, difference, is_chosen, is_litter, tree
from _moments import DAY, HUNG, Child, adopt, children, send, set_back, start

_MIB = 1 << 20
_SIZE, _ROOM = 160 * _MIB, 12 << 10  # bytes of a disk, and of what is left on one that is nearly full
_SHUTDOWN, _AT_ONCE = 0x8004587D, 2  # EXT4_IOC_SHUTDOWN, EXT4_GOING_FLAGS_NOLOGFLUSH: from then on all is an error
_DELAY = 0.02  # seconds that a change takes longer on a slow disk
_WORDS = (
    *map(os.strerror, (errno.ENOSPC, errno.EROFS, errno.EIO, errno.ENOENT, errno.ESTALE)),
    *("disk is full", "disk I/O error", "readonly database", "unable to open database file"),
)
_SIGNALS: tuple[tuple[int, ...], ...] = (
    *((signal.SIGINT,), (signal.SIGTERM,)),
    *((signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT)),
)
_WHOLE, _OWN = "evaluate, exports and pictures", "one of them, in a process of its own"
_PYTHON = 0.1  # seconds in which Python itself starts
_NEGATIVE = re.compile(r"(?<![\w.])-\d[\d.,]*\s*(?:s|seconds|min|minutes|h|hours|ms|it/s|pairs/s)\b|-1 day|ETA -")
_GOOD = ("said", "done")


class Disk:
    """A file system on which `place.area` lies, and what happens to it."""

    def __init__(self, place: Place) -> None:
        self.root, self.image, self._place = place.area.parent, place.home / "disk.img", place
        self.in_memory = True

    @contextmanager
    def mounted(self, *, in_memory: bool) -> Iterator[None]:
        """Mount an empty one: tmpfs, or ext4 in a file."""
        if sys.platform != "linux" or os.geteuid():
            raise SystemExit("needs Linux, and root to mount disks")
        self.in_memory = in_memory
        shutil.rmtree(self._place.area, ignore_errors=True)  # nothing is there when it is unmounted
        if not in_memory:
            with self.image.open("wb") as file:
                file.truncate(_SIZE)
            subprocess.run(["mkfs.ext4", "-q", "-F", self.image], check=True)
        self._mount()
        try:
            yield
        finally:
            self._unmount()
            self._place.area.mkdir(exist_ok=True)

    def _mount(self) -> None:
        words = ["-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs"] if self.in_memory else ["-o", "loop", str(self.image)]
        subprocess.run(["mount", *words, self.root], check=True)
        self._place.area.mkdir(exist_ok=True)

    def _unmount(self) -> None:
        for _ in range(100):  # processes that were killed may still be dying
            if subprocess.run(["umount", self.root], capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.05)
        raise SystemExit(f"{self.root}: still in use")

    def fill(self, left: int) -> None:
        """Take all of its space but some bytes."""
        with (self.root / "filler").open("wb") as file:
            about = os.statvfs(self.root)
            os.posix_fallocate(file.fileno(), 0, max(1, about.f_bavail * about.f_frsize - left))

    def empty(self) -> None:
        """Give the space back."""
        (self.root / "filler").unlink()

    def make_read_only(self) -> None:
        """As the kernel does after an error of the disk."""
        subprocess.run(["mount", "-o", "remount,abort", self.root], check=True)

    def break_down(self) -> None:
        """Every access is an error, as when a disk is pulled out."""
        descriptor = os.open(self.root, os.O_RDONLY)
        fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _AT_ONCE))
        os.close(descriptor)

    def mount_again(self) -> None:
        """After one of the two above."""
        self._unmount()
        self._mount()

    def detach(self) -> None:
        """Unmount it under whoever uses it; a copy of its content is kept."""
        self._away = self._place.home / "away"
        shutil.rmtree(self._away, ignore_errors=True)
        shutil.copytree(self._place.area, self._away)
        subprocess.run(["umount", "--lazy", self.root], check=True)

    def attach(self) -> None:
        """The same content is there again; what was written in the meantime into the folder below is not."""
        shutil.rmtree(self._place.area, ignore_errors=True)
        self._mount()
        shutil.copytree(self._away, self._place.area, dirs_exist_ok=True)

    def move(self) -> None:
        """Somebody gives the folder another name."""
        self._place.area.rename(self.root / "elsewhere")

    def move_back(self) -> None:
        """It has its name again; what was made in its place in the meantime is gone."""
        shutil.rmtree(self._place.area, ignore_errors=True)
        (self.root / "elsewhere").rename(self._place.area)


FAULTS: dict[str, dict[str, tuple[bool, Callable[[Disk], None], Callable[[Disk], None]]]] = {
    "full": {
        "full": (True, partial(Disk.fill, left=0), Disk.empty),
        "nearly full": (True, partial(Disk.fill, left=_ROOM), Disk.empty),
    },
    "readonly": {"read-only": (False, Disk.make_read_only, Disk.mount_again)},
    "vanishing": {
        "errors": (False, Disk.break_down, Disk.mount_again),
        "unmounted": (True, Disk.detach, Disk.attach),
        "moved": (True, Disk.move, Disk.move_back),
    },
}
"""Part -> what happens: whether the disk is a tmpfs, how it comes, how it goes."""


def disks(place: Place, part: str, asked: int, chosen: list[str]) -> dict[str, Any]:
    """Let a disk fail under every command at moments that are spread evenly, make it well again, and start the command again."""
    disk, ways = Disk(place), FAULTS[part]
    counts: dict[str, Counter[str]] = {way: Counter() for way in ways}
    problems: list[dict[str, Any]] = []
    cases = _chosen(place, chosen)
    for name, case in cases.items():
        began = time.perf_counter()
        before = place.prepare(case)
        wanted, events = place.reference(case, before)
        for number, (way, (in_memory, fault, heal)) in enumerate(ways.items()):
            with disk.mounted(in_memory=in_memory):
                for at in _moments(events, asked, case, cases, number):
                    outcome, why = _faulted(place, case, before, wanted, at, partial(fault, disk), partial(heal, disk))
                    counts[way][outcome] += 1
                    _note(problems, name, way, at, outcome, why)
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
    return _result(cases, counts, problems)


def _chosen(place: Place, chosen: list[str]) -> dict[str, Case]:
    return {name: case for name, case in place.cases().items() if is_chosen(name, chosen)}


def _moments(events: int, asked: int, case: Case, cases: Mapping[str, Case], turn: int) -> list[int]:
    """Numbers of changes, evenly spread; the first one moves with the turn."""
    shares = sum(case.share for case in cases.values())
    count = min(events, max(1, round(asked * case.share / shares)))
    return sorted({1 + int((step + (turn + 1) / 4) * (events - 1) / count) for step in range(count)})


def _note(problems: list[dict[str, Any]], name: str, way: str, at: int, outcome: str, why: str) -> None:
    if outcome not in _GOOD:
        problems.append({"case": name, "way": way, "change": at, "outcome": outcome, "why": why[-600:]})
        print(f"  {name}, {way}, change {at}: {outcome}: {why[-1500:]}", file=sys.stderr, flush=True)


def _result(cases: Mapping[str, Case], counts: Mapping[str, Counter[str]], problems: list[Any]) -> dict[str, Any]:
    kinds = ("said", "done", "silent", "lost", "left", "blocked")
    ways = {
        way: {"moments": sum(count.values()), **{kind: count[kind] for kind in kinds}} for way, count in counts.items()
    }
    total = {key: sum(way[key] for way in ways.values()) for key in ("moments", *kinds)}
    return {"commands": len(cases), "ways": ways, "total": total, "problems": problems}


def _as_command(work: Work, *, own_groups: bool = False) -> Work:
    """The same with the ends that the command line has; jobs of a study as forks of its pool, if asked for."""
    if isinstance(work, Command):
        return replace(work, own_groups=own_groups)

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


def _stopped(place: Place, case: Case, before: Path, at: int) -> Child:
    """The command, stopped before one of its changes; a study looks at its jobs by the clock: it may make one fewer."""
    for number in range(at, 0, -1):
        place.reset(before)
        child = start(_as_command(case.work), place.log, place.area, number, signal.SIGSTOP)
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
) -> tuple[str, str]:
    """(said: ended with one clear line; done: ended well, with all of its output; or what is wrong, why)."""
    child = _stopped(place, case, before, at)
    fault()
    child.go_on()
    code, said = child.end(), child.said
    there: dict[str, str] | None = None
    with suppress(OSError):  # a disk that is broken is looked at when it is well again
        there = tree(place.area) if code == 0 else {}
    heal()
    if there is None:
        there = tree(place.area)
    if code == 0:
        if missing := {name: digest for name, digest in wanted.items() if not _is_kept(name) and name not in there}:
            return "lost", f"exit code 0 without {difference(missing, {})}: {said}"
    elif why := _is_unclear(code, said, str(place.home)):
        return "silent", f"{why}: {said}"
    outcome, why = again(place, case, wanted)
    return (outcome, why) if outcome else ("done" if code == 0 else "said", "")


def _is_kept(name: str) -> bool:
    """Does it lie in a cache, which may be done without?"""
    return name.partition("/")[0] in ("cache", "store")


def _is_unclear(code: int, said: str, home: str) -> str:
    """What is wrong with the end of a command on a disk that failed; "" where nothing is."""
    lines = [line for line in said.splitlines() if line.startswith("isoglot: ")]
    errors = [line for line in lines if any(word in line for word in _WORDS)]
    if code == HUNG:
        return "hung"
    if code != 2:
        return f"exit code {code}"
    if "Traceback" in said or "Error:" in said:
        return "a traceback"
    if len(errors) != 1 or home not in errors[0]:
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


def slow(place: Place, chosen: list[str]) -> dict[str, Any]:
    """Every command on a disk on which each change takes longer."""
    counts: dict[str, Counter[str]] = {"slow": Counter()}
    problems: list[dict[str, Any]] = []
    cases, seconds = _chosen(place, chosen), 0.0
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
        _note(problems, name, "slow", 0, "lost" if changed else "done", changed)
    about = {"seconds_more_per_change": _DELAY, "minutes_of_commands": round(seconds / 60, 1)}
    return {**about, **_result(cases, counts, problems)}


def clock(place: Place, asked: int, chosen: list[str]) -> dict[str, Any]:
    """Set the clock back by a day in the middle of every command; and between its death and the next start."""
    counts: dict[str, Counter[str]] = {"while it runs": Counter(), "before the next start": Counter()}
    problems: list[dict[str, Any]] = []
    cases = _chosen(place, chosen)
    for name, case in cases.items():
        before = place.prepare(case)
        wanted, events = place.reference(case, before)
        for number, way in enumerate(counts):
            for at in _moments(events, asked, case, cases, number):
                outcome, why = (_set_back if number == 0 else _set_back_before)(place, case, before, wanted, at)
                counts[way][outcome] += 1
                _note(problems, name, way, at, outcome, why)
        print(f"{name}: {counts}", flush=True)
    return _result(cases, counts, problems)


def _set_back(place: Place, case: Case, before: Path, wanted: dict[str, str], at: int) -> tuple[str, str]:
    place.reset(before)
    child = start(case.work, place.log, place.area, before={at: set_back})
    if code := child.end():
        return "blocked", f"exit code {code}: {child.said}"
    if changed := difference(wanted, tree(place.area)):
        return "lost", changed
    negative = _negative(place.area, child.said)
    return ("silent", negative) if negative else ("done", "")


def _set_back_before(place: Place, case: Case, before: Path, wanted: dict[str, str], at: int) -> tuple[str, str]:
    child = _stopped(place, case, before, at)
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


def signals(place: Place, asked: int, chosen: list[str]) -> dict[str, Any]:
    """Ctrl-C and SIGTERM, once and twice in a row, at moments that are spread evenly over every command; then start it again."""
    adopt()
    counts: dict[str, Counter[str]] = {_said_as(sent): Counter() for sent in _SIGNALS}
    problems: list[dict[str, Any]] = []
    left_until_next, cases = 0, _chosen(place, chosen)
    for name, case in cases.items():
        began = time.perf_counter()
        before = place.prepare(case)
        wanted, events = place.reference(case, before)
        for number, sent in enumerate(_SIGNALS):
            for at in _moments(events, asked, case, cases, number):
                outcome, why, has_left = _signalled(place, case, before, wanted, at, sent)
                counts[_said_as(sent)][outcome] += 1
                left_until_next += has_left
                _note(problems, name, _said_as(sent), at, outcome, why)
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
    if is_chosen(_WHOLE, chosen):
        counts[_OWN] = Counter()
        for at, outcome, why in _from_the_start(place):
            counts[_OWN][outcome] += 1
            _note(problems, _WHOLE, _OWN, at, outcome, why)
    return {**_result(cases, counts, problems), "temporary_until_next_start": left_until_next}


def _from_the_start(place: Place) -> Iterator[tuple[int, str, str]]:
    """(thousandths of a second, outcome, why) of a process that also imports its libraries, told to end at one of ten moments."""
    work = place.cases()[_WHOLE].work
    assert isinstance(work, Command)
    words = [sys.executable, "-m", "isoglot", *work.words]
    began = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True)
    whole = time.perf_counter() - began
    for number in range(10):
        place.reset()
        at = _PYTHON + (whole - _PYTHON) * number / 10
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(at)
        process.send_signal((signal.SIGINT, signal.SIGTERM)[number % 2])
        _, said = process.communicate(timeout=60)
        is_clear = process.returncode == 130 and said.count("interrupted") == 1 and "Traceback" not in said
        is_early = number == 0 and process.returncode == -signal.SIGINT and not said
        outcome = "said" if is_clear or is_early else "done" if process.returncode == 0 else "silent"
        yield round(1000 * at), outcome, f"exit code {process.returncode}: {said}"


def _said_as(sent: tuple[int, ...]) -> str:
    return ", ".join(signal.Signals(number).name for number in sent)


def _signalled(
    place: Place, case: Case, before: Path, wanted: dict[str, str], at: int, sent: tuple[int, ...]
) -> tuple[str, str, bool]:
    """(outcome, why, whether temporary files wait for the next start)."""
    place.reset(before)
    moments = {at + 2 * number: send(one) for number, one in enumerate(sent)}
    child = start(_as_command(case.work, own_groups=True), place.log, place.area, before=moments)
    code, said = child.end(), child.said
    left = children(3.0)
    lines = [line for line in said.splitlines() if "interrupted" in line]
    if left:
        return "left", f"processes: {left}", False
    if "Traceback" in said or not (code == 0 or (code == 130 and len(lines) == 1)):
        return "silent", f"exit code {code}: {said}", False
    litter = any(is_litter(name) and name not in wanted for name in tree(place.area))
    outcome, why = again(place, case, wanted)
    return outcome or ("done" if code == 0 else "said"), why, litter
