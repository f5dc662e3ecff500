"""What a measurement of time stands beside: the machine, the date, the versions; and where it is written."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from isoglot.evaluation.results import versions
from isoglot.files import read_json, write_json
from isoglot.processes import processor


def conditions(*packages: str) -> dict[str, Any]:
    """The machine, the date (UTC), the commit and the versions, with those of further packages."""
    found = versions()
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "date": datetime.datetime.now(tz=datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": {
            "processor": processor(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "accelerator": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
            "system": f"{platform.system()} {platform.machine()}",
            "load_before": [round(load, 2) for load in os.getloadavg()],
        },
        "commit": _commit(),
        "versions": found,
    }


def write(path: Path, value: dict[str, Any]) -> None:
    """Write a measurement and say where it is."""
    write_json(path, value)
    print(f"wrote {path}")


def add(path: Path, part: str, value: dict[str, Any]) -> None:
    """Write a measurement as one part of a file, and leave the others as they are."""
    write(path, {**(read_json(path) if path.is_file() else {}), part: value})


def _commit() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:  # no git here
        return None
    return found.stdout.strip() or None
