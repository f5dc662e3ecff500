"""Inputs that nobody wrote: properties under hypothesis, the server under schemathesis, readers of bytes under atheris.

    python benchmarks/fuzz.py --minutes 60 --output results/reliability.json
    python benchmarks/fuzz.py --minutes 5 --engine hypothesis --target plans

The properties are those of `tests/fuzz`, with 20 times the inputs of CI in each round, and other ones in every round. Under
atheris (`pip install atheris`; no part of the extra dev) every reader of `tests/fuzz/readers.py` is given bytes that libFuzzer
makes of its good file by the coverage that they reach in isoglot: what compiled libraries do inside is not seen.

A finding is printed as it is found, with what it was shrunk to; the exit code is 1 where there was one.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # a fork has the threads of its parent no more
os.environ["ISOGLOT_FUZZ"] = "long"
os.environ["HF_HUB_OFFLINE"] = "1"  # nothing is asked of the network
sys.path.insert(0, str(Path(__file__).parents[1]))
from _fuzzing import HTTP, MODULES, Told, check_atheris, in_child, properties, try_properties, try_readers

SHARES = {"atheris": 0.45, "hypothesis": 0.4, "schemathesis": 0.15}
"""Of the minutes; where an engine is left out, the others share its part."""


class Findings:
    """What was tried and found.

    Attributes:
        inputs: by engine and target.
        seconds: by engine.
        found: {"engine", "target", "what"}, each once.
    """

    def __init__(self) -> None:
        self.inputs: dict[str, Counter[str]] = {engine: Counter() for engine in SHARES}
        self.seconds: Counter[str] = Counter()
        self.found: list[dict[str, str]] = []

    def take(self, engine: str, told: Iterator[Told]) -> None:
        """Count what a child tells."""
        running: Counter[str] = Counter()
        target = engine
        for one in told:
            target = one.get("target", target)  # a child that ended by force was at what it told of last
            if "inputs" in one:
                running[target] = one["inputs"]
            elif (found := {"engine": engine, "target": target, "what": one["finding"]}) not in self.found:
                self.found.append(found)
                print(f"\n{engine}: {target}: {one['finding']}\n{one['detail']}", flush=True)
        self.inputs[engine] += running


def main() -> None:
    options = _options()
    if "atheris" in options.engine:
        check_atheris()
    total = sum(SHARES[engine] for engine in options.engine)
    findings, begin = Findings(), time.monotonic()
    log = Path(tempfile.mkdtemp(prefix="fuzz-log-"))
    for engine in (engine for engine in SHARES if engine in options.engine):
        started, seconds = time.monotonic(), 60 * options.minutes * SHARES[engine] / total
        until = started + seconds
        if engine == "atheris":
            work = partial(try_readers, options.target, until, options.seed, log / "readers")
            findings.take(engine, in_child(work, until + 120, log / engine))
        else:
            _rounds(engine, findings, options, until, log / engine)
        findings.seconds[engine] = time.monotonic() - started
        print(
            f"{engine}: {sum(findings.inputs[engine].values()):,} inputs in {findings.seconds[engine] / 60:.1f} min",
            flush=True,
        )
    inputs = sum(sum(counts.values()) for counts in findings.inputs.values())
    print(f"{inputs:,} inputs in {(time.monotonic() - begin) / 60:.1f} min: {len(findings.found)} findings")
    if options.output:
        _add(options.output, options, findings)
    sys.exit(bool(findings.found))


def _rounds(engine: str, findings: Findings, options: Any, until: float, log: Path) -> None:
    """All properties, again and again."""
    number, modules = options.seed * 1000, MODULES if engine == "hypothesis" else (HTTP,)
    modules = tuple(module for module in modules if any(options.target in name for name in properties(module)))
    while time.monotonic() < until and modules:
        for module in modules:
            if time.monotonic() < until:
                work = partial(try_properties, module, options.target, number)
                findings.take(engine, in_child(work, until, log))
        number += 1


def _add(path: Path, options: Any, findings: Findings) -> None:
    """Put these engines in the place of an earlier run of theirs; those that were not run stay where the seed was the same."""
    from _machine import add, conditions

    from isoglot.files import read_json

    before = read_json(path).get("fuzz", {}) if path.is_file() else {}
    engines = dict(before.get("engines", {})) if before.get("seed") == options.seed else {}
    for engine in options.engine:
        found = [{key: one[key] for key in ("target", "what")} for one in findings.found if one["engine"] == engine]
        inputs = findings.inputs[engine]
        about = {
            "targets": len(inputs),
            "inputs": sum(inputs.values()),
            "minutes": round(findings.seconds[engine] / 60, 1),
        }
        engines[engine] = {**about, "findings": len(found), "found": found, "by_target": dict(sorted(inputs.items()))}
    sums = {
        key: round(sum(one[key] for one in engines.values()), 1) for key in ("minutes", "inputs", "targets", "findings")
    }
    about = {"conditions": conditions("hypothesis", "schemathesis", "atheris"), "seed": options.seed}
    add(path, "fuzz", {**about, **sums, "engines": engines})


def _options() -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60, help="over all engines")
    parser.add_argument("--engine", nargs="+", choices=list(SHARES), default=list(SHARES))
    parser.add_argument(
        "--target", default="", metavar="WORDS", help="only properties and readers with these words in their name"
    )
    parser.add_argument("--seed", type=int, default=0, help="another one gives other inputs")
    parser.add_argument("--output", type=Path, help="a JSON file, of which this becomes the part `fuzz`")
    return parser.parse_args()


if __name__ == "__main__":
    main()
