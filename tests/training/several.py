"""What `test_distributed.py` has torchrun run: a list of runs, one after another, in the same processes.

Words: the base model, a directory for the runs, a JSON file {name: {"settings": {...}, "negatives": true or texts, "at":
{...}}}. "negatives": each row's own, or these for every row. "at" says what happens after a step of the first attempt:
{"step": n, "crash": true} in all processes, {"step": n, "signal": rank} in one. Such runs are resumed afterwards.
"""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from isoglot.batching.strategies import STRATEGIES
from isoglot.data.pairs.table import PairTable
from isoglot.processes import processes
from isoglot.training.progress import Progress
from isoglot.training.settings import TrainSettings
from isoglot.training.train import train
from tests.training.everything import Everything
from tests.training.tiny import pair_rows, small_lora


class Crash(Exception):
    pass


def settings_of(base: str, output: Path, given: dict[str, Any]) -> TrainSettings:
    common = {"pairs": ("made",), "batch_size": 8, "steps": 6, "learning_rate": 5e-3, "scale": 20.0, "dropout": 0.0}
    return TrainSettings(base=base, output=str(output), **{**common, **small_lora(given), **given})


def run_case(base: str, output: Path, case: dict[str, Any]) -> list[Any]:
    """(complete, steps) of every attempt."""
    STRATEGIES.register(Everything)
    try:
        return _run_case(base, output, case)
    finally:
        STRATEGIES.remove(Everything.name)


def _run_case(base: str, output: Path, case: dict[str, Any]) -> list[Any]:
    asked = settings_of(base, output, case["settings"])
    rows = pair_rows(negatives=bool(case.get("negatives")))
    if given := case.get("negatives"):
        rows = [replace(row, negatives=tuple(given)) for row in rows] if isinstance(given, list) else rows
    table = PairTable.from_rows(rows)
    if not (at := case.get("at")):
        result = train(asked, table=table, show=False)
        return [(result.complete, result.steps)]
    original = Progress.on_step_end

    def disturb(self: Progress, args: Any, state: Any, control: Any, **more: Any) -> None:
        original(self, args, state, control, **more)
        if state.global_step == at["step"]:
            if at.get("crash"):
                raise Crash
            if at["signal"] == processes().rank:
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)  # the launcher passes on what the terminal sent

    attempts: list[Any] = []
    Progress.on_step_end = disturb  # type: ignore[method-assign]
    try:
        result = train(asked, table=table, show=False)
        attempts.append((result.complete, result.steps))
    except Crash:
        attempts.append((False, at["step"]))
    finally:
        Progress.on_step_end = original  # type: ignore[method-assign]
    result = train(asked, table=table, resume=True, show=False)
    return [*attempts, (result.complete, result.steps)]


def main() -> None:
    base, output, cases = sys.argv[1], Path(sys.argv[2]), json.loads(Path(sys.argv[3]).read_text())
    me = processes()
    for name, case in cases.items():
        attempts = run_case(base, output / name, case)
        (output / f"{name}.{me.rank}.json").write_text(json.dumps(attempts))


if __name__ == "__main__":
    main()
