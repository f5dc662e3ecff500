"""Time per training step that making its batch takes: tokenised in the step, or read from stored token ids.

    python benchmarks/collate_speed.py --output results/speed/collate.json

Both sides get the same steps of one plan and must give equal tensors. `steps` times `Collator` after `PlanDataset` (rows,
texts or token ids, padding); `prepare` is what comes before the first step: tokenising everything, and finding it stored.
`log_steps` times what a logged step costs the log alone (progress bar, JSON line).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from _machine import conditions, write

from isoglot.batching.plan import BatchPlan, PlanSettings
from isoglot.batching.sampler import PlanDataset
from isoglot.data.pairs.loading import load_pairs
from isoglot.models.load import load_model
from isoglot.training.collate import Collator
from isoglot.training.progress import Progress


def main() -> None:
    options = _options()
    if options.threads:
        torch.set_num_threads(options.threads)
    table = load_pairs(options.pairs)
    steps = 5 if options.quick else options.steps
    plan = BatchPlan(table.index, PlanSettings(batch_size=options.batch_size))
    dataset = PlanDataset(table, plan, steps)
    # the run that the tokens are made for: long enough to use every row
    whole = PlanDataset(table, plan, -(-len(table) // options.batch_size))
    model = load_model(options.base, device="cpu")
    with tempfile.TemporaryDirectory() as root:
        prepare = [_seconds(lambda: Collator(model, root=Path(root)).prepare(whole)) for _ in range(2)]
        stored = Collator(model, root=Path(root))
        stored.prepare(dataset)
        size = sum(path.stat().st_size for path in Path(root).rglob("*.npy"))
        plain = Collator(model)
        equal = all(_equal(stored([dataset[step]]), plain([dataset[step]])) for step in range(min(steps, 5)))
        times = {"tokenised_in_the_step": _steps(plain, dataset), "from_token_ids": _steps(stored, dataset)}
        logged = _logged(stored, Path(root), 100 if options.quick else 2000)
    median = {name: statistics.median(values) for name, values in times.items()}
    result = {
        **conditions("tokenizers"),
        "pairs": options.pairs,
        "rows": len(table),
        "base": options.base,
        "batch_size": options.batch_size,
        "steps": steps,
        "equal_tensors": equal,
        "milliseconds_per_step": {name: round(value, 3) for name, value in median.items()},
        "milliseconds_per_step_range": {name: [round(min(v), 3), round(max(v), 3)] for name, v in times.items()},
        "times_faster": round(median["tokenised_in_the_step"] / median["from_token_ids"], 1),
        "prepare_seconds": {"tokenised": round(prepare[0], 3), "found_stored": round(prepare[1], 3)},
        "stored_bytes": size,
        "log_milliseconds_per_logged_step": round(logged, 4),
    }
    print({key: result[key] for key in ("milliseconds_per_step", "times_faster", "prepare_seconds", "equal_tensors")})
    write(options.output, result)
    if not equal:
        raise SystemExit("the tensors differ")


def _steps(collator: Collator, dataset: PlanDataset) -> list[float]:
    collator([dataset[0]])
    return [1000 * _seconds(lambda step=step: collator([dataset[step]])) for step in range(len(dataset))]  # type: ignore[misc]


def _logged(collator: Collator, root: Path, steps: int) -> float:
    """Milliseconds per step of the progress callback when every step is logged, bar shown."""
    from transformers import TrainerControl, TrainerState, TrainingArguments

    arguments, control = TrainingArguments(output_dir=str(root)), TrainerControl()
    state = TrainerState(max_steps=steps, is_world_process_zero=True)
    progress = Progress(root / "log.jsonl", collator, 100, show=True)
    progress.on_train_begin(arguments, state, control)

    def run() -> None:
        for step in range(1, steps + 1):
            state.global_step = step
            progress.on_step_end(arguments, state, control)
            progress.on_log(arguments, state, control, logs={"loss": 1.0, "learning_rate": 1e-4, "grad_norm": 1.0})

    seconds = _seconds(run)
    progress.on_train_end(arguments, state, control)
    return 1000 * seconds / steps


def _seconds(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return list(one) == list(other) and all(
        torch.equal(value, other[name]) if isinstance(value, torch.Tensor) else value == other[name]
        for name, value in one.items()
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", default="lareqa:mlqa-r")
    parser.add_argument("--base", default="offline:multilingual-e5-small")
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--threads", type=int, default=0, help="of torch; the tokenizer takes RAYON_NUM_THREADS")
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that it runs")
    parser.add_argument("--output", type=Path, default=Path("results/speed/collate.json"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
