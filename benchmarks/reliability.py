"""What is left of a command that is killed at any moment, of what it reported when the power fails, and of two writers at once;
what it says on a disk that is full, read-only, slow or gone, under a clock that is set back, and when it is told to end.

    python benchmarks/reliability.py kill                # SIGKILL before changes to files, then the same command again
    python benchmarks/reliability.py kill --moments 12   # fewer of them, evenly over all cases
    python benchmarks/reliability.py power               # as root: on a disk image that is copied without being synced
    python benchmarks/reliability.py writers
    python benchmarks/reliability.py full readonly vanishing   # as root
    python benchmarks/reliability.py slow clock signals

Figures go to results/reliability.json; exit code 1 where anything was blocked, lost or left. A second start must end with the
bytes of a run that was never interrupted. Compared is every file but what holds the times that a command states: fields of JSON
that match `TIMED`, TensorBoard's files, the report (which tables costs), and what a study notes of its jobs while it looks on.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", HF_HUB_OFFLINE="1")

import _small_inputs
from _clock import clock
from _commands import Case, Place, difference, is_chosen, tree
from _faults import again, disks, slow
from _moments import start
from _outputs import without_case
from _signals import signals


def kill(place: Place, asked: int, chosen: list[str]) -> dict[str, Any]:
    """Kill every command at moments that are spread evenly over its changes to files, and start it again."""
    cases = {name: case for name, case in place.cases().items() if is_chosen(name, chosen)}
    shares = sum(case.share for case in cases.values())
    counts, problems = {}, []
    for name, case in cases.items():
        began = time.perf_counter()
        before = place.prepare(case)
        wanted, events = place.reference(case, before)
        moments = min(events, max(1, -(-asked * case.share // shares)))
        count = {
            "changes_to_files": events,
            "moments": moments,
            **dict.fromkeys(("same", "blocked", "lost", "left"), 0),
        }
        for step in range(moments):
            at = 1 + step * (events - 1) // max(1, moments - 1)
            outcome, why = killed_at(place, case, before, wanted, at)
            count[outcome] += 1
            if outcome != "same":
                problems.append({"case": name, "change": at, "outcome": outcome, "why": why[-600:]})
                print(f"  {name}, change {at}: {outcome}: {why[-600:]}", file=sys.stderr)
        counts[name] = count
        print(f"{name}: {count} in {time.perf_counter() - began:.0f} s", flush=True)
    total = {
        key: sum(count[key] for count in counts.values()) for key in ("moments", "same", "blocked", "lost", "left")
    }
    return {"cases": counts, "total": total, "problems": problems}


def killed_at(place: Place, case: Case, before: Path, wanted: dict[str, str], at: int) -> tuple[str, str]:
    """What becomes of a command that is killed before one of its changes: (same, blocked, lost or left; why)."""
    code = 0
    while code == 0 and at > 0:  # a study looks at its jobs by the clock: the last of its changes may be one fewer
        place.reset(before)
        child = start(case.work, place.log, place.area, at)
        code, at = child.end(), at - 1
    if code != -signal.SIGKILL:
        return "lost", f"was not killed but ended with {code}: {child.said}"
    outcome, why = again(place, case, wanted)
    return outcome or "same", why


def writers(place: Place, chosen: list[str]) -> dict[str, Any]:
    """Stop a command in the middle, start another one beside it, let both end."""
    outcomes, problems = {}, []
    for name, case in place.cases().items():
        if not case.second or not is_chosen(name, chosen):
            continue
        before = place.prepare(case)
        wanted, events = place.reference(case, before)
        place.reset(before)
        first = start(case.work, place.log, place.area, max(1, 2 * events // 5), signal.SIGSTOP)
        if not first.stopped():
            raise SystemExit(f"{name}: did not stop: {first.said}")
        second = start(case.work, place.home / "second", place.area)
        if case.second == "waits":
            deadline = time.monotonic() + 60
            while "waiting for process" not in second.said and time.monotonic() < deadline:
                time.sleep(0.05)
        code = second.end() if case.second == "refused" else None
        first.go_on()
        ended = first.end()
        code = second.end() if code is None else code
        is_named = f"process {first.pid} " in second.said
        outcome = {0: "waits", 2: "refused"}.get(code, f"exit code {code}")
        changed = difference(wanted, tree(place.area))
        outcomes[name] = {"second": outcome, "names_the_first": is_named, "both_end_whole": not changed and ended == 0}
        if not is_named or changed or ended or outcome != case.second:
            problems.append({"case": name, "why": f"{outcome}; {changed}; {second.said[-400:]}; {first.said[-400:]}"})
        print(f"{name}: {outcomes[name]}", flush=True)
    total = {"kinds": len(outcomes), "whole": sum(kind["both_end_whole"] for kind in outcomes.values())}
    return {"kinds": outcomes, "total": total, "problems": problems}


def _power(place: Place, _: int, chosen: list[str]) -> dict[str, Any]:
    from _power import power

    return power(place, chosen)


_PARTS: dict[str, Callable[[Place, int, list[str]], dict[str, Any]]] = {
    "kill": kill,
    "power": _power,
    "writers": lambda place, _, chosen: writers(place, chosen),
    "full": lambda place, moments, chosen: disks(place, "full", moments, chosen),
    "readonly": lambda place, moments, chosen: disks(place, "readonly", moments, chosen),
    "vanishing": lambda place, moments, chosen: disks(place, "vanishing", moments, chosen),
    "slow": lambda place, _, chosen: slow(place, chosen),
    "clock": clock,
    "signals": signals,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=list(_PARTS))
    many = "over all cases, of each way to fail where a part has several; one number for every part, or one for all"
    parser.add_argument("--moments", type=int, nargs="+", default=[220], help=many)
    some = "cases whose names hold one of these, in all parts, or in one (PART:TEXT)"
    parser.add_argument("--only", nargs="+", default=[], metavar="TEXT", help=some)
    parser.add_argument("--output", type=Path, default=Path("results/reliability.json"))
    options = parser.parse_args()
    if len(options.moments) not in (1, len(options.parts)):
        parser.error("--moments: give one number, or one for every part")
    from _import_all import import_all
    from _machine import add, conditions

    import_all()
    home = Path(tempfile.mkdtemp(prefix="reliability."))
    place = Place(home, home / "disk" / "area")
    place.area.mkdir(parents=True)
    os.environ["ISOGLOT_CACHE"] = str(place.area / "cache")
    problems = 0
    try:
        if missing := without_case(place.cases()):
            raise SystemExit(f"no case writes to {', '.join(missing)}: add one to benchmarks/_outputs.py")
        making = start(lambda: not _small_inputs.make(place.inputs), place.log, place.area)
        if making.end():
            raise SystemExit(making.said)
        for part, moments in zip(options.parts, options.moments * (len(options.parts) // len(options.moments))):
            chosen = [text.removeprefix(f"{part}:") for text in options.only if text.partition(":")[0] in (part, text)]
            began = time.perf_counter()
            result: dict[str, Any] = {"conditions": conditions("accelerate", "peft", "pyarrow", "safetensors")}
            result |= _PARTS[part](place, moments, chosen)
            result["minutes"] = round((time.perf_counter() - began) / 60, 1)
            add(options.output, part, result)
            print(json.dumps(result["total"]))
            problems += len(result["problems"])
    finally:
        shutil.rmtree(home, ignore_errors=True)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
