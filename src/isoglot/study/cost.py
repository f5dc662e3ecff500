"""What a cell cost (time, throughput, memory, parameters, bytes on disk), and what the log of its training says."""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isoglot.processes import peak_memory, processor
from isoglot.study.layout import JobFolder

_MOST_LOSSES = 200
_ROUNDED = 0.002  # seconds by which times in a log may be off


def read_log(path: Path, last_bytes: int = 0) -> list[dict[str, Any]]:
    """The training steps in a run's log (in its last bytes; 0: in all of it); a line that was cut off is left out."""
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
    return [line for line in lines if isinstance(line, dict) and "loss" in line]


def losses_of(path: Path) -> list[float]:
    """The training losses of a run; of more than 200, means over as many spans of equal length."""
    losses = [float(line["loss"]) for line in read_log(path)]
    if len(losses) <= _MOST_LOSSES:
        return losses
    edges = [round(i * len(losses) / _MOST_LOSSES) for i in range(_MOST_LOSSES + 1)]
    return [round(sum(losses[a:b]) / (b - a), 6) for a, b in zip(edges, edges[1:])]


def throughput(log: Path, batch_size: int) -> dict[str, Any]:
    """Seconds of the training steps that led to the model, the process's CPU time and the pairs and tokens per second in them.

    Loading does not count, nor do steps that were lost when a run was killed.
    """
    seconds = tokens = cpu = before = cpu_before = 0.0
    steps = 0
    for line in read_log(log):
        taken, rate = line["seconds"] - before, line.get("pairs_per_second")
        alone = (line["step"] - steps) * batch_size / rate if rate else 0.0  # by its own rate
        if taken < min(0.9 * alone, alone - _ROUNDED):  # a resumed run counts anew
            taken, cpu_before = line["seconds"], 0.0
        cpu += line.get("cpu_seconds", math.nan) - cpu_before  # runs of before it was recorded have none
        before, cpu_before = line["seconds"], line.get("cpu_seconds", math.nan)
        seconds += taken
        tokens += taken * line["tokens_per_second"]
        steps = line["step"]
    return {
        "seconds": seconds,
        "cpu_seconds": None if math.isnan(cpu) else round(cpu, 3),
        "pairs_per_second": round(steps * batch_size / seconds, 3) if seconds else None,
        "tokens_per_second": round(tokens / seconds, 1) if seconds else None,
    }


def cost_of(
    folder: JobFolder,
    workers: int,
    seconds: float | None,
    before: Mapping[str, Any],
    cpu_seconds: float | None = None,
    **figures: Any,
) -> dict[str, Any]:
    """What a system cost, measured in the process that made its model.

    Args:
        folder: of the job.
        workers: how many processes work at a time.
        seconds: that its last stage took; None: it has no stage.
        before: the cost of the stages before that one: its seconds are added, the rest stands unless `figures` say otherwise.
        cpu_seconds: CPU time of the last stage; None: not known.
        figures: what is known better, such as the throughput and the trained parameters of a stage that trains.

    Returns:
        Those, the peak memory (on a GPU: of its tensors, too), the machine, and the bytes of what is left (None: nothing).
    """
    import torch

    checkpoint = folder.checkpoint_bytes
    cpu = before.get("cpu_seconds") if before else 0.0  # None where it is not known of an earlier stage
    has_gpu = torch.cuda.is_available()
    total = before.get("train_seconds") if seconds is None else (before.get("train_seconds") or 0.0) + seconds
    cost = {
        "train_seconds": None if total is None else round(total, 3),
        "cpu_seconds": None if cpu is None or cpu_seconds is None else round(cpu + cpu_seconds, 3),
        **{key: before.get(key) for key in ("pairs_per_second", "tokens_per_second", "trainable_parameters")},
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
        "adapter_bytes": bytes_under(folder.adapter),
        "model_bytes": bytes_under(folder.model),
        "checkpoint_bytes": int(checkpoint.read_text(encoding="ascii")) if checkpoint.is_file() else None,
    }
    return cost | figures


def process_memory() -> dict[str, int | None]:
    """What this whole process took at most, evaluation included: resident, and of a GPU what PyTorch's allocator had reserved."""
    import torch

    reserved = int(torch.cuda.max_memory_reserved()) if torch.cuda.is_available() else None
    return {"gpu_reserved_bytes": reserved, "peak_memory_bytes": peak_memory()}


def bytes_under(path: Path) -> int | None:
    """Bytes of all files of a directory; None where there is no such directory. OSError where one is deleted meanwhile."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else None
