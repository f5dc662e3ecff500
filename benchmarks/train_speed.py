"""Training throughput and memory: isoglot against a plain SentenceTransformerTrainer on the same batches.

    OMP_NUM_THREADS=2 python benchmarks/train_speed.py --data lareqa:mlqa-r --steps 9 --skip 4 --repeats 2   (20 minutes)
    python benchmarks/train_speed.py --quick                                  (a trial, minutes)
    python benchmarks/train_speed.py --tuning lora --data lareqa:mlqa-r --profile

"ours" is `isoglot.train` with its defaults. "theirs" is sentence-transformers' trainer with MultipleNegativesRankingLoss over a
`datasets.Dataset` of the texts of the same steps in the same order: same base, prompts, scale, adapters, AdamW, learning
rates, clipping, precision; one padded batch per column, as its documentation has it. Each repetition of a side is a process of
its own, and the sides alternate. Dropout is off (--dropout), so that both sides have one loss: the first --compare losses must
agree to 1e-3 (relative), or the script fails.

Per run: pairs per second from the end of step --skip to the end of the last one (tokenising included, loading, saving and what
`isoglot.train` prepares before its first step not; that is `seconds_to_first_step`); the highest resident memory up to the last
step; slots (token positions that the encoder computed) and tokens (those that are no padding). `utilisation` is the
floating-point work of the tokens (6 N per token under full tuning, 4 N under LoRA, N the encoder's weights without
embeddings, and the attention products) over time, as a share of the rate of one large matrix product.
Medians over --repeats are compared;
pairs per second of processor time say something on a busy machine as well.
Written to results/speed/train_speed.json.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SIDES = ("ours", "theirs")
KEYS = (
    *(
        "pairs_per_second",
        "pairs_per_cpu_second",
        "tokens_per_second",
        "seconds_to_first_step",
        "padding",
        "utilisation",
    ),
    *("peak_memory_bytes", "peak_cuda_bytes", "optimizer_state_bytes"),
)
TARGETS = {"lareqa:mlqa-r": 1.5, "lareqa-paragraphs:mlqa-r": 2.0}


def main() -> None:
    asked = arguments()
    if asked.side:
        asked.report.write_text(json.dumps(run_side(asked)))
        return
    from _machine import conditions, write

    found: dict[str, Any] = {**conditions("datasets", "accelerate", "peft"), "asked": question(asked), "runs": {}}
    for data, tuning in itertools.product(asked.data, asked.tuning):
        runs: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
        for _, side in itertools.product(range(asked.repeats), SIDES):
            runs[side].append(measure(asked, side, data, tuning))
        found["runs"][f"{data} {tuning}"] = compare(runs, TARGETS.get(data), asked.compare)
        found["lora_to_full_memory"] = lora_to_full(found["runs"])
        write(asked.output, found)  # after each: what an interrupted run has measured is kept
    if not all(part["losses_agree"] for part in found["runs"].values()):
        raise SystemExit("the losses of both sides differ: see first_losses")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="offline:multilingual-e5-small")
    parser.add_argument("--data", nargs="+", default=list(TARGETS), help="sources of parallel pairs")
    parser.add_argument("--tuning", nargs="+", default=["lora", "full"], choices=["lora", "full"])
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--steps", type=int, default=6, help="of a run, those that are skipped included")
    parser.add_argument("--skip", type=int, default=1, help="first steps that are not timed")
    parser.add_argument("--compare", type=int, default=3, help="first losses that must agree")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--device", choices=["cpu", "cuda"], help="default: the best there is")
    parser.add_argument("--quick", action="store_true", help="batches of 16, 2 steps, once")
    parser.add_argument("--profile", action="store_true", help="also where the time of the last steps of ours goes")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="further settings of ours")
    parser.add_argument("--output", type=Path, default=Path("results/speed/train_speed.json"))
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)  # what a process of its own is started with
    parser.add_argument("--report", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.quick:
        asked.batch_size, asked.steps, asked.repeats = 16, 2, 1
    if not 0 < asked.skip < asked.steps:
        parser.error("--skip must be at least 1 and less than --steps")
    return asked


def question(asked: argparse.Namespace) -> dict[str, Any]:
    return {key: value for key, value in vars(asked).items() if key not in ("side", "report", "output")}


def measure(asked: argparse.Namespace, side: str, data: str, tuning: str) -> dict[str, Any]:
    """One run of one side in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            sys.executable,
            __file__,
            "--side",
            side,
            "--report",
            str(report),
            "--data",
            data,
            "--tuning",
            tuning,
        ]
        for name in ("base", "batch_size", "steps", "skip", "dropout"):
            command += [f"--{name.replace('_', '-')}", str(getattr(asked, name))]
        command += ["--device", asked.device] if asked.device else []
        command += ["--profile"] if asked.profile and side == "ours" else []
        command += ["--set", *asked.set] if asked.set else []
        # the progress bars of both libraries' loaders are noise here; their messages appear if the run fails
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{side}, {data}, {tuning} failed:\n{done.stderr[-4000:]}")
        found: dict[str, Any] = json.loads(report.read_text())
    shown = {key: found[key] for key in ("pairs_per_second", "pairs_per_cpu_second", "peak_memory_bytes")}
    print(data, tuning, side, shown, flush=True)
    if "profile" in found:
        print(found["profile"])
    return found


def compare(runs: dict[str, list[dict[str, Any]]], target: float | None, first: int) -> dict[str, Any]:
    """Medians of both sides, their ratios, and whether the losses are the same."""
    middle = {
        side: {key: statistics.median(run[key] for run in of) for key in KEYS if of[0].get(key) is not None}
        for side, of in runs.items()
    }
    ours, theirs = (runs[side][0]["losses"][:first] for side in SIDES)
    differences = [abs(one / two - 1) for one, two in zip(ours, theirs)]
    ratio = middle["ours"]["pairs_per_second"] / middle["theirs"]["pairs_per_second"]
    cpu = middle["ours"]["pairs_per_cpu_second"] / middle["theirs"]["pairs_per_cpu_second"]
    memory = middle["ours"]["peak_memory_bytes"] / middle["theirs"]["peak_memory_bytes"]
    return {
        "medians": middle,
        "throughput_ratio": round(ratio, 3),
        "throughput_ratio_per_cpu_second": round(cpu, 3),
        "memory_ratio": round(memory, 3),
        "target_ratio": target,
        "reached": None if target is None else ratio >= target and memory <= 1.0,
        "first_losses": {"ours": ours, "theirs": theirs},
        "largest_loss_difference": max(differences),
        "losses_agree": max(differences) < 1e-3,
        "runs": runs,
    }


def lora_to_full(runs: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Peak memory of LoRA as a share of full tuning's, per data: ours of ours, and ours of theirs."""
    found = {}
    for name in runs:
        data, _, tuning = name.rpartition(" ")
        full = runs.get(f"{data} full")
        if tuning == "lora" and full:
            key = "peak_cuda_bytes" if "peak_cuda_bytes" in full["medians"]["ours"] else "peak_memory_bytes"
            lora = runs[name]["medians"]["ours"][key]
            found[data] = {f"of_{side}": round(lora / full["medians"][side][key], 3) for side in SIDES}
    return found


def run_side(asked: argparse.Namespace) -> dict[str, Any]:
    """What one process measures."""
    if asked.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    from _sides import Recorder, our_trainer, settings_of, their_trainer

    with tempfile.TemporaryDirectory() as folder:
        settings = settings_of(asked, Path(folder))
        recorder = Recorder(asked.skip, profile=asked.profile)
        began = time.perf_counter()
        if asked.side == "ours":
            our_trainer(settings, recorder)
        else:
            their_trainer(settings, recorder, Path(folder))
        return recorder.report(began, settings)


if __name__ == "__main__":
    main()
