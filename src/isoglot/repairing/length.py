"""How long to train: the steps that fit into the minutes asked for, by how fast the first ones are on this machine."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from statistics import fmean
from typing import Any

from isoglot.batching.plan import BatchPlan
from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.table import PairTable
from isoglot.errors import InputError, say
from isoglot.files import read_json
from isoglot.repairing.settings import RepairSettings
from isoglot.training.settings import TrainSettings
from isoglot.training.train import train

_TRIED, _WARM = 12, 4  # steps that are timed, and those before them that are not: they are slower
_FEWEST = 10
_SMALLEST = 4  # pairs per batch


def settings_of(
    base: str, pairs: Path, output: Path, asked: RepairSettings, *, recipe: str | None = None, **more: Any
) -> TrainSettings:
    """The settings of a training run of this repair.

    Args:
        recipe: None: the one asked for, with the settings of training beside it, which are of no other.
        more: over all of them.
    """
    own = asked.train if recipe is None else {}
    return TrainSettings(
        **{
            "recipe": recipe or asked.recipe,
            "pairs": (str(pairs),),
            "base": base,
            "output": str(output),
            "seed": asked.seed,
            "precision": asked.precision,
            "dropout": 0.0,  # as in the studies that the recipes were chosen by
            **own,
            **more,
        }
    )


def plan_training(
    base: str, pairs: Path, scratch: Path, asked: RepairSettings, encoded: float, *, show: bool
) -> dict[str, Any] | None:
    """The length of the training, which is decided once and kept in the record.

    Args:
        pairs: the file of training pairs.
        scratch: a directory for the steps that are timed; it is gone afterwards.
        encoded: texts per second of the base's evaluation: its teacher reads at that rate.

    Returns:
        "steps", "batch_size", "passes" (over the pairs), "why" in words, and "seconds_per_step" where it was timed; None: it was
        interrupted.
    """
    table = load_pairs(pairs)
    wanted = settings_of(base, pairs, scratch, asked, steps=asked.steps or _TRIED)
    size = _batch_size(table, wanted)
    per_pass = table.index.n_pairs / size
    most = max(1, int(asked.passes * per_pass))
    if asked.steps is not None:
        return _plan(asked.steps, size, per_pass, "as asked for")
    began = time.perf_counter()
    tried = wanted.replace(batch_size=size, steps=_TRIED, log_steps=1, save_steps=_TRIED)
    shutil.rmtree(scratch, ignore_errors=True)
    say(f"timing {_TRIED} steps of {size} pairs")
    if not train(tried, table=table, show=show).complete:
        return None
    lines = [json.loads(line) for line in (scratch / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    ends = [line["seconds"] for line in lines if "loss" in line]
    seconds = fmean(after - before for before, after in zip(ends[_WARM - 1 :], ends[_WARM:]))
    seconds += 2 * size / encoded if "teacher" in read_json(scratch / "run.json") else 0.0
    shutil.rmtree(scratch, ignore_errors=True)
    left = 60 * asked.minutes - (time.perf_counter() - began)
    fitting = int(left / seconds)
    steps = max(_FEWEST, min(fitting, most))
    why = f"{seconds:.2f} s a step, so that {asked.minutes:g} minutes are {max(fitting, 0):,} steps"
    if steps == most < fitting:
        why += f"; {asked.passes:g} passes over the pairs are enough (--passes)"
    elif steps > min(fitting, most):
        why += f"; fewer than {_FEWEST} are of no use"
    return {**_plan(steps, size, per_pass, why), "seconds_per_step": round(seconds, 3)}


def _plan(steps: int, size: int, per_pass: float, why: str) -> dict[str, Any]:
    return {"steps": steps, "batch_size": size, "passes": round(steps / per_pass, 2), "why": why}


def _batch_size(table: PairTable, settings: TrainSettings) -> int:
    """The recipe's batch, or a smaller one where the pairs are too few for it."""
    size = settings.plan.batch_size
    while True:
        try:
            BatchPlan(table.index, settings.replace(batch_size=size).plan)
        except InputError:
            if size // 2 < _SMALLEST:
                raise
            size //= 2
        else:
            break
    if size < settings.plan.batch_size:
        say(f"batches of {size} pairs instead of {settings.plan.batch_size}: there are too few for more")
    return size
