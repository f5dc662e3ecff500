"""What a step of LoRA, of full tuning, and of full tuning with frozen word embeddings costs: CPU time, seconds and memory.

    python benchmarks/tuning_cost.py lareqa:mlqa-r lareqa:xquad-r --report results/speed/tuning_cost.json

The same batches (hybrid, 32 pairs) of each source of pairs, every run in a process of its own, the tunings in turn. CPU time is
that of all threads of the process, which other work on the machine hardly moves; the first steps warm up and do not count.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from _machine import conditions, write

TUNINGS = {
    "full": ["--tuning", "full"],
    "full, frozen word embeddings": ["--tuning", "full", "--freeze-embeddings"],
    "LoRA, rank 16": ["--tuning", "lora"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="+", help="as isoglot train takes them, one source per comparison")
    parser.add_argument("--base", default="offline:multilingual-e5-small")
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--warm-up", type=int, default=4, help="steps that do not count")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    for pairs in options.pairs:
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in TUNINGS}
        for _ in range(options.repeats):
            for name, words in TUNINGS.items():
                runs[name].append(one_run(options, pairs, words))
        figures[pairs] = {name: medians(own) for name, own in runs.items()}
        full = figures[pairs]["full"]
        for name, own in figures[pairs].items():
            ratios = {key: round(own[key] / full[key], 3) for key in own}
            print(pairs, name, own, ratios, flush=True)
    if options.report:
        about = {"steps": options.steps, "warm_up": options.warm_up, "repeats": options.repeats}
        write(options.report, {"conditions": conditions(), **about, "precision": options.precision, "figures": figures})


def one_run(options: argparse.Namespace, pairs: str, words: list[str]) -> dict[str, Any]:
    """CPU seconds and seconds of a step (medians), and the peak of resident memory in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "run")
        plain = ["--recipe", "paper", "--batch-size", "32", "--steps", str(options.steps), "--threads", "1"]
        command = [sys.executable, "-m", "isoglot", "train", "--pairs", pairs, "--base", options.base, *plain]
        command += ["--precision", options.precision, "--output", str(run), *words]
        subprocess.run(command, check=True, capture_output=True)
        lines = [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
        outcome = json.loads((run / "run.json").read_text("utf-8"))["outcome"]
    steps = [line for line in lines if "loss" in line]
    took = [
        {key: after[key] - before[key] for key in ("cpu_seconds", "seconds")}
        for before, after in zip(steps[options.warm_up - 1 :], steps[options.warm_up :])
    ]
    return {**medians(took), "peak_memory_bytes": outcome["peak_memory_bytes"]}


def medians(rows: list[dict[str, Any]]) -> dict[str, float]:
    return {key: round(statistics.median(row[key] for row in rows), 4) for key in rows[0]}


if __name__ == "__main__":
    main()
