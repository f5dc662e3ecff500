"""Spoiled inputs of every kind: none may end in a traceback, a hang, a crash of the interpreter or rows that nobody counted.

    python benchmarks/malformed.py --per-kind 300 --seed 0 --output results/reliability.json
    python benchmarks/malformed.py --per-kind 300 --kind tmx gettext --output results/reliability.json  # these anew

Inputs are read in child processes, some in each, under a time limit; `tests/malformed` says what is spoiled, how, and what must
hold. The seed, the kind and a number decide all of it: `--kind NAME --only NUMBER` runs one input again and shows what happened.

"read": every command did its work, with counts that add up (what is no longer as it was is what the good file would also have
said, or counted). "refused": at least one command said what is wrong, with exit code 2 and the name of the file.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import multiprocessing
import os
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from random import Random
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # a fork has the threads of its parent no more
sys.path.insert(0, str(Path(__file__).parents[1]))
from _forked import forked
from _machine import add, conditions
from tests.malformed.kinds import kinds
from tests.malformed.kinds.shared import REFUSALS, Kind, Wrong
from tests.malformed.kinds.shared import write as write_files
from tests.malformed.mutations import spoil, spoil_on_disk
from tqdm import tqdm

from isoglot.files import read_json

FINE = ("read", "refused")
FAILURES = ("traceback", "hang", "crash", "uncounted", "unnamed")
_BYTES = 8 << 30
_AT_ONCE = 20  # inputs in a child, which costs more than an input does
_WAIT = 6  # times the seconds of the processor that an input may take: other programs run beside this one


def main() -> None:
    options = _options()
    every = kinds()
    if unknown := [name for name in options.kind if name not in every]:
        raise SystemExit(f"no kind {unknown[0]!r}; there are {', '.join(every)}")
    chosen = [every[name] for name in options.kind] or list(every.values())
    numbers = [options.only] if options.only is not None else range(options.per_kind)
    starts = range(0, len(numbers), _AT_ONCE)
    shares = [(kind, numbers[start : start + _AT_ONCE]) for start in starts for kind in chosen]
    inputs = [(kind.name, options.seed, [n for n in share if n % kind.every == 0]) for kind, share in shares]
    counts: dict[str, Counter[str]] = {kind.name: Counter() for kind in chosen}
    _warm_up(chosen)
    started = time.perf_counter()
    pool = multiprocessing.get_context("fork").Pool(options.workers)
    try:
        found = tqdm(pool.imap(_read, inputs), total=len(inputs), unit="share", disable=None)
        for (name, _, share), outcomes in zip(inputs, found):
            for number, (outcome, detail) in zip(share, outcomes, strict=True):
                counts[name][outcome] += 1
                if outcome in FAILURES:
                    width = None if options.only is not None else options.width
                    print(f"{name} {number}: {outcome}: {detail[:width]}", flush=True)
    except KeyboardInterrupt:
        print("interrupted: the counts are of those that were read", file=sys.stderr)
    total = _sums(counts.values())
    print(f"{sum(total.values())} inputs in {time.perf_counter() - started:.0f} s: {total}")
    if options.output:
        _add(options.output, options.seed, {name: _sums([counter]) for name, counter in counts.items()}, list(every))
    sys.exit(any(total[name] for name in FAILURES))


def _sums(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total = sum(map(Counter, counts), Counter())
    return {key: total[key] for key in (*FINE, *FAILURES)}


def _add(path: Path, seed: int, fresh: dict[str, dict[str, int]], order: list[str]) -> None:
    """Put the counts in the place of earlier ones of the same kinds; those of other kinds stay where the seed was the same."""
    before = read_json(path).get("malformed", {}) if path.is_file() else {}
    there = before.get("by_kind", {}) if before.get("seed") == seed else {}
    by_kind = {name: fresh.get(name, there.get(name)) for name in order if name in fresh or name in there}
    about = {"conditions": conditions("pyarrow", "pyyaml"), "seed": seed}
    add(path, "malformed", {**about, "kinds": len(by_kind), "inputs": _sums(by_kind.values()), "by_kind": by_kind})


Outcome = tuple[str, str]
"""What became of an input, one of `FINE` or `FAILURES`, and the words for it."""


def _read(asked: tuple[str, int, list[int]]) -> list[Outcome]:
    name, seed, numbers = asked
    found: list[Outcome] = []
    while len(found) < len(numbers):
        found += _in_child(kinds()[name], seed, numbers[len(found) :])
    return found


def _warm_up(chosen: list[Kind]) -> None:
    """Read the good files once: what is imported here need not be in every child."""
    home = Path.cwd()
    for kind in chosen:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name, "case")
            write_files(folder, kind.files)
            kind.check(folder, folder / kind.targets[0])
            os.chdir(home)
    gc.freeze()  # what is there is shared with the children, not copied when they collect garbage


def _in_child(kind: Kind, seed: int, numbers: list[int]) -> list[Outcome]:
    """What became of inputs, up to the first that ended the child."""
    child, read = forked(lambda sink: _work_on(kind, seed, numbers, sink))
    data, found, is_late = b"", 0, False
    with os.fdopen(read, "rb") as source:
        end = time.monotonic() + _WAIT * kind.seconds
        while not is_late:
            is_late = not select.select([source], [], [], max(0.0, end - time.monotonic()))[0]
            if is_late:
                os.kill(child, signal.SIGKILL)
            elif not (chunk := os.read(source.fileno(), 65_536)):
                break
            else:
                data += chunk
                if data.count(b"\n") > found:
                    found, end = data.count(b"\n"), time.monotonic() + _WAIT * kind.seconds
    _, status = os.waitpid(child, 0)
    outcomes: list[Outcome] = [(one["outcome"], one["detail"]) for one in map(json.loads, data.split(b"\n")[:-1])]
    if is_late:
        outcomes.append(("hang", f"longer than {_WAIT * kind.seconds} s"))
    elif os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
        outcomes.append(("hang", f"more than {kind.seconds} s of the processor"))
    elif os.WIFSIGNALED(status):
        outcomes.append(("crash", f"signal {os.WTERMSIG(status)}"))
    elif status:
        outcomes.append(("crash", f"exit {os.WEXITSTATUS(status)}"))
    return outcomes[: len(numbers)]


def _work_on(kind: Kind, seed: int, numbers: list[int], sink: int) -> None:
    """Read inputs, and write a line of JSON on each."""
    resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))
    silent, home = os.open(os.devnull, os.O_RDWR), Path.cwd()
    for descriptor in range(3):
        os.dup2(silent, descriptor)
    for number in numbers:
        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds = math.ceil(used.ru_utime + used.ru_stime) + kind.seconds
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
        outcome, detail = _work(kind, seed, number)
        os.chdir(home)
        os.write(sink, json.dumps({"outcome": outcome, "detail": detail[:20_000]}).encode() + b"\n")


def _work(kind: Kind, seed: int, number: int) -> Outcome:
    """Spoil one of the files and read it."""
    random = Random(f"{seed} {kind.name} {number}")
    with tempfile.TemporaryDirectory() as name:
        os.environ["ISOGLOT_CACHE"] = f"{name}/cache"
        folder = Path(name, "case")
        write_files(folder, kind.files)
        spoiled = folder / random.choice(kind.targets)
        if random.random() < 0.06 and len(kind.targets) == len(kind.files):
            spoil_on_disk(random, spoiled)
        else:
            data = kind.files[str(spoiled.relative_to(folder))]
            for _ in range(random.choice((1, 1, 1, 2))):
                try:
                    data = spoil(random, spoiled.name, data)
                except Exception:  # spoiled so far that no second way applies
                    break
            spoiled.write_bytes(data)
        REFUSALS.clear()
        try:
            kind.check(folder, spoiled)
        except Wrong as wrong:
            return wrong.what, str(wrong)
        except BaseException as error:
            return "traceback", f"{type(error).__name__}: {str(error)[:200]}\n{traceback.format_exc(limit=-5)}"
    return ("refused" if REFUSALS else "read"), ""


def _options() -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--per-kind", type=int, default=50, help="inputs of every kind (of slow ones fewer: `Kind.every`)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="inputs at a time")
    parser.add_argument("--kind", nargs="+", default=[], metavar="NAME", help="only these kinds")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="only this input of a kind, with all that it says")
    parser.add_argument("--width", type=int, default=400, help="characters of what is said of a failure")
    parser.add_argument(
        "--output", type=Path, help="a JSON file, of which this becomes a part; counts of other kinds stay"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
