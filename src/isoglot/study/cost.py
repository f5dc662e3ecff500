"""What a cell cost (time, throughput, memory, parameters, bytes on disk), and what the log of its training says."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isoglot.processes import peak_memory, processor
from isoglot.study.layout import JobFolder

_MOST_LOSSES = 200


def read_log(path: Path, last_bytes: int | None = None) -> list[dict[str, Any]]:
    """The lines of a run's log (of its last bytes); one that was cut off is left out."""
    try:
        with path.open("rb") as log:
            if last_bytes:
                log.seek(max(0, log.seek(0, os.SEEK_END) - last_bytes))
            rows = log.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    lines = []
    for row in rows:
        with contextlib.suppress(ValueError):
            lines.append(json.loads(row))
    return [line for line in lines if isinstance(line, dict)]


def losses_of(path: Path) -> list[float]:
    """The training losses of a run; of more than 200, means over as many spans of equal length."""
    losses = [float(line["loss"]) for line in read_log(path) if "loss" in line]
    if len(losses) <= _MOST_LOSSES:
        return losses
    edges = [round(i * len(losses) / _MOST_LOSSES) for i in range(_MOST_LOSSES + 1)]
    return [round(sum(losses[a:b]) / (b - a), 6) for a, b in zip(edges, edges[1:])]


def train_cost(log: Path, record: Mapping[str, Any], batch_size: int, workers: int) -> dict[str, Any]:
    """The cost of training, from a run's log and run.json.

    Time is that of the training steps that led to the model: loading and steps that were lost when a run was killed do not
    count. Throughput is that of the same steps. Memory is the peak of the training process (on a GPU: of its tensors).
    """
    seconds = tokens = before = 0.0
    steps = 0
    for line in read_log(log):
        if "loss" not in line:
            continue
        taken = line["seconds"] - before if line["seconds"] >= before else line["seconds"]  # a resumed run counts anew
        before = line["seconds"]
        seconds += taken
        tokens += taken * line["tokens_per_second"]
        steps = line["step"]
    return {
        "train_seconds": round(seconds, 3),
        "pairs_per_second": round(steps * batch_size / seconds, 3) if seconds else None,
        "tokens_per_second": round(tokens / seconds, 1) if seconds else None,
        "trainable_parameters": record["base"]["trainable_parameters"],
        **process_cost(workers),
    }


def stage_cost(seconds: float | None, before: Mapping[str, Any], workers: int) -> dict[str, Any]:
    """The cost of a system whose last stage trained nothing and took so long (None: there is no stage at all).

    What was trained `before` counts: its seconds are added, the rest stands as it was.
    """
    keys = ("train_seconds", "pairs_per_second", "tokens_per_second", "trainable_parameters")
    cost: dict[str, Any] = {key: before.get(key) for key in keys}
    if seconds is not None:
        cost["train_seconds"] = round((cost["train_seconds"] or 0.0) + seconds, 3)
    return {**cost, **process_cost(workers)}


def sizes(folder: JobFolder) -> dict[str, int | None]:
    """Bytes of what a job left; None for what is not there."""
    seen = folder.checkpoint_bytes
    return {
        "adapter_bytes": bytes_under(folder.adapter),
        "model_bytes": bytes_under(folder.model),
        "checkpoint_bytes": int(seen.read_text()) if seen.is_file() else None,
    }


def process_cost(workers: int) -> dict[str, Any]:
    """The peak memory of this process (on a GPU: of its tensors, too), and where it ran beside how many others."""
    import torch

    has_gpu = torch.cuda.is_available()
    return {
        "gpu_peak_memory_bytes": int(torch.cuda.max_memory_allocated()) if has_gpu else None,
        "peak_memory_bytes": peak_memory(),
        "machine": {
            "platform": platform.platform(),
            "processor": processor(),
            "python": platform.python_version(),
            "cpus": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "cells_at_a_time": workers,
            "gpu": torch.cuda.get_device_name(0) if has_gpu else None,
        },
    }


def bytes_under(path: Path) -> int | None:
    """Bytes of all files of a directory; None where there is no such directory. What is deleted meanwhile does not count."""
    if not path.is_dir():
        return None
    total = 0
    for directory, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.path.getsize(os.path.join(directory, name))
    return total
