"""How the process of a job is started, on whatever machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

from isoglot.processes import OWN_GROUP
from isoglot.study.jobs import Job
from isoglot.study.layout import JobFolder
from isoglot.study.machine import visible_device

STOPPED = 130
"""Exit code of a process that was asked to stop."""
LAUNCH = """
import sys
sys.path[:] = [path for path in sys.path if path]
from isoglot.study.worker import main
sys.exit(main(sys.argv[1:]))
"""
"""Starts a worker that imports nothing from the working directory, which `python -m` and `-c` put first."""


def launch(job: Job, threads: int, device: str | None) -> subprocess.Popen[bytes]:
    """Start the process of a job on this machine; it sees one device, or all where that is None."""
    return start_worker(job.folder, threads, None, {"CUDA_VISIBLE_DEVICES": visible_device(device)} if device else {})


def start_worker(
    folder: JobFolder, threads: int, directory: str | None, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start the process of a folder, which ends with this one.

    Args:
        directory: to work in; None: this one's.
        environment: besides this process's.
    """
    own = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads)), **environment}
    own.setdefault("TOKENIZERS_PARALLELISM", "true" if threads > 1 else "false")
    own.setdefault("PYTHONUTF8", "1")  # the log is UTF-8 on Windows, too
    with folder.log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(folder.path.resolve()), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=own,
            cwd=directory,
            **OWN_GROUP,  # a terminal's Ctrl-C comes to this process alone, which passes it on once
        )
