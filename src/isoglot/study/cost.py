"""What a cell cost: time, throughput, memory, parameters, bytes on disk."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isoglot.processes import peak_memory, processor
from isoglot.study.results import read_log


def train_cost(log: Path | None, record: Mapping[str, Any], batch_size: int = 0, workers: int = 1) -> dict[str, Any]:
    """The cost of training, from a run's log and run.json; nulls without a log (a base that is measured as it is).

    Time is that of the training steps that led to the model: loading and steps that were lost when a run was killed do not
    count. Throughput is that of the same steps. Memory is the peak of the training process (on a GPU: of its tensors).
    """
    if log is None:
        keys = ("train_seconds", "pairs_per_second", "tokens_per_second", "gpu_peak_memory_bytes")
        return {
            **dict.fromkeys(keys),
            "peak_memory_bytes": None,
            "trainable_parameters": None,
            "machine": machine(workers),
        }
    seconds = tokens = 0.0
    steps = 0
    before = 0.0
    for line in read_log(log):
        if "loss" not in line:
            continue
        part = line["seconds"] - before if line["seconds"] >= before else line["seconds"]  # a resumed run counts anew
        before = line["seconds"]
        seconds += part
        tokens += part * line["tokens_per_second"]
        steps = line["step"]
    return {
        "train_seconds": round(seconds, 3),
        "pairs_per_second": round(steps * batch_size / seconds, 3) if seconds else None,
        "tokens_per_second": round(tokens / seconds, 1) if seconds else None,
        "gpu_peak_memory_bytes": gpu_peak_memory(),
        "peak_memory_bytes": peak_memory(),
        "trainable_parameters": record["base"]["trainable_parameters"],
        "machine": machine(workers),
    }


def evaluation_cost(summaries: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Seconds per benchmark, from the results' own clocks."""
    return {"evaluate_seconds": {name: summary["seconds"]["total"] for name, summary in summaries.items()}}


def gpu_peak_memory() -> int | None:
    """The most bytes that tensors took on the GPU; None without one."""
    import torch

    return int(torch.cuda.max_memory_allocated()) if torch.cuda.is_available() else None


def machine(workers: int = 1) -> dict[str, Any]:
    """Where a cell ran, and how many ran there at a time."""
    import torch

    return {
        "platform": platform.platform(),
        "processor": processor(),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "cells_at_a_time": workers,
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
    }


def bytes_under(path: Path) -> int | None:
    """Bytes of all files of a directory; None where there is no such directory."""
    if not path.is_dir():
        return None
    total = 0
    for part in path.rglob("*"):
        try:
            if part.is_file():
                total += part.stat().st_size
        except OSError:
            continue  # deleted meanwhile
    return total
