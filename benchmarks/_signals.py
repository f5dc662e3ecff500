"""What commands do that are told to end, once and twice in a row, and when they are started again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _commands import Case, Command, Place, difference, is_chosen, is_litter, tree
from _faults import again, as_command, cases_of, moments_of, note, result_of
from _moments import adopt, children, send, start

_SIGNALS: tuple[tuple[int, ...], ...] = (
    *((signal.SIGINT,), (signal.SIGTERM,)),
    *((signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT)),
)
_WHOLE, _OWN = "evaluate, exports and pictures", "one of them, in a process of its own"
_PYTHON = 0.1  # seconds in which Python itself starts


def signals(place: Place, asked: int, chosen: list[str]) -> dict[str, Any]:
    """Ctrl-C and SIGTERM, once and twice in a row, at moments that are spread evenly over every command; then start it again."""
    adopt()
    counts: dict[str, Counter[str]] = {_said_as(sent): Counter() for sent in _SIGNALS}
    problems: list[dict[str, Any]] = []
    left_until_next, cases = 0, cases_of(place, chosen)
    for name, case in cases.items():
        began = time.perf_counter()
        before = place.prepare(case)
        wanted, events = place.reference(case, before)
        for number, sent in enumerate(_SIGNALS):
            for at in moments_of(events, asked, case, cases, number):
                outcome, why, has_left = _signalled(place, case, before, wanted, at, sent)
                counts[_said_as(sent)][outcome] += 1
                left_until_next += has_left
                note(problems, name, _said_as(sent), at, outcome, why)
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
    if is_chosen(_WHOLE, chosen):
        counts[_OWN] = Counter()
        for at, outcome, why in _from_the_start(place):
            counts[_OWN][outcome] += 1
            note(problems, _WHOLE, _OWN, at, outcome, why)
    return {**result_of(cases, counts, problems), "temporary_until_next_start": left_until_next}


def _from_the_start(place: Place) -> Iterator[tuple[int, str, str]]:
    """(thousandths of a second, outcome, why) of a process that also imports its libraries, told to end at one of ten moments."""
    work = place.cases()[_WHOLE].work
    assert isinstance(work, Command)
    words = [sys.executable, "-m", "isoglot", *work.words]
    place.reset()
    began = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True)
    whole, wanted = time.perf_counter() - began, tree(place.area)
    for number in range(10):
        place.reset()
        at = _PYTHON + (whole - _PYTHON) * number / 10
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(at)
        process.send_signal((signal.SIGINT, signal.SIGTERM)[number % 2])
        _, said = process.communicate(timeout=60)
        is_clear = process.returncode == 130 and said.count("interrupted") == 1 and "Traceback" not in said
        is_early = number == 0 and process.returncode == -signal.SIGINT and not said
        # when the command has ended, while Python ends
        is_late = process.returncode < 0 and not difference(wanted, tree(place.area))
        outcome = "said" if is_clear or is_early else "done" if process.returncode == 0 or is_late else "silent"
        yield round(1000 * at), outcome, f"exit code {process.returncode}: {said}"


def _said_as(sent: tuple[int, ...]) -> str:
    return ", ".join(signal.Signals(number).name for number in sent)


def _signalled(
    place: Place, case: Case, before: Path, wanted: dict[str, str], at: int, sent: tuple[int, ...]
) -> tuple[str, str, bool]:
    """(outcome, why, whether temporary files wait for the next start)."""
    place.reset(before)
    moments = {at + 2 * number: send(one) for number, one in enumerate(sent)}
    child = start(as_command(case.work, own_groups=True), place.log, place.area, before=moments)
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
