"""What is free on this machine, by the figures of the system and of the GPUs' driver: cores, memory, memory of GPUs.

The driver is asked through NVML (the package nvidia-ml-py, where it is installed) or its program nvidia-smi: PyTorch would open
the GPU for it, which takes half a gigabyte there for as long as the process lives.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from isoglot.errors import InputError

_CONTROL_GROUPS = (
    ("memory.max", "memory.current", "memory.stat", ""),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_"),
)
"""Limit, use, statistics and prefix of their lines in the second and the first version of Linux's control groups."""
_PATIENCE = 20.0  # seconds that nvidia-smi may take


class Free(NamedTuple):
    """Bytes that are free.

    Attributes:
        devices: by device; {} where processes take none of a GPU.
        host: of the machine's memory.
    """

    devices: dict[str, int]
    host: int


def free_memory(devices: Sequence[str]) -> Free:
    """What is free now; 0 of a GPU whose driver does not say."""
    return Free({device: (gpu_memory(device) or (0, 0))[0] for device in devices}, host_memory())


def host_memory(groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes of memory that processes started here could still take: of the machine, or of the control group that limits them."""
    free = int(psutil.virtual_memory().available)
    for limit, used, statistics, prefix in _CONTROL_GROUPS:
        with suppress(OSError, ValueError, KeyError):  # a limit may be the word "max"
            lines = dict(line.split() for line in (groups / statistics).read_text(encoding="ascii").splitlines())
            # what is kept of files makes room where it is needed
            cached = sum(int(lines[f"{prefix}{kind}_file"]) for kind in ("active", "inactive"))
            left = _number(groups / limit) - _number(groups / used) + cached
            free = min(free, max(0, left))
    return free


def _number(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))


def visible_device(device: str) -> str:
    """CUDA_VISIBLE_DEVICES for a process that sees one of the devices of this one: `cuda:0` is the first that this one sees."""
    kind, _, number = device.partition(":")
    own = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    if kind != "cuda":
        return ""
    return own.split(",")[int(number or 0)].strip() if own else number or "0"


def gpu_memory(device: str) -> tuple[int, int] | None:
    """(free, all) bytes of the memory of a GPU of this process (`cuda:1`), by its driver; None where it does not say.

    The driver's numbers are taken for CUDA's, which orders unlike GPUs by speed; CUDA_DEVICE_ORDER=PCI_BUS_ID makes them one.
    """
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return None
    visible = visible_device(device)
    return _by_nvml(visible) or _by_nvidia_smi(visible) if visible else None


def _by_nvml(visible: str) -> tuple[int, int] | None:
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()  # counted by the library: only the first one does anything
        by_number = visible.isdecimal()
        handle = (
            pynvml.nvmlDeviceGetHandleByIndex(int(visible)) if by_number else pynvml.nvmlDeviceGetHandleByUUID(visible)
        )
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    except pynvml.NVMLError:
        return None
    return int(memory.free), int(memory.total)


def _by_nvidia_smi(visible: str) -> tuple[int, int] | None:
    command = ["nvidia-smi", f"--id={visible}", "--query-gpu=memory.free,memory.total", "--format=csv,noheader,nounits"]
    try:
        printed = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", check=True, timeout=_PATIENCE
        ).stdout
        free, every = (int(number) << 20 for number in printed.split(","))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return free, every


def check_devices(devices: Sequence[str]) -> None:
    """InputError for what is no device, or none of this machine's; no GPU is opened for it."""
    for device in devices:
        if not re.fullmatch(r"(cpu|cuda)(:[0-9]{1,3})?", device):
            raise InputError(f"device '{device}': expected cpu or cuda:0, cuda:1, ...")
    if not (gpus := [device for device in devices if device.startswith("cuda")]):
        return
    import torch

    count = torch.cuda.device_count()
    for device in gpus:
        if int(device.partition(":")[2] or 0) >= count:
            raise InputError(f"device '{device}' cannot be used on this machine (PyTorch finds {count} GPUs)")
