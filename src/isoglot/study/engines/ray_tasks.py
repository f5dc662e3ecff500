"""The machines of a Ray cluster: every job is a task with cores and GPUs of its own, in which the job's process runs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from isoglot.cluster import connected, gpus_each, room_for
from isoglot.errors import InputError, first_line
from isoglot.files import write_text
from isoglot.optional import needed
from isoglot.processes import KILL, STOP
from isoglot.study.engines import STUDY_ENGINES, Asked, Places, Process, StudyEngine
from isoglot.study.jobs import Job
from isoglot.study.launch import STOPPED, start_worker
from isoglot.study.layout import JobFolder

_LOOK = 0.25  # seconds between looks at a process and at whether it is to stop
_RETRIES = 2
"""Of a job whose process, or whose machine, was lost; it goes on from its last checkpoint."""
_PASSED = ("ISOGLOT_", "HF_")
"""How the names of variables of the environment begin that every machine is told."""


class RayTasks(StudyEngine):
    """Tasks of a Ray cluster, --threads cores and --gpus GPUs each; the study lies on a disk that all machines share."""

    name = "ray"

    def check(self) -> None:
        """InputError where Ray is not installed."""
        needed("ray", "the engine ray needs Ray", "ray")

    @contextmanager
    def open(self, asked: Asked) -> Iterator[Places]:
        """As many at a time as the cluster has room for; more wait in its queue where more workers are asked for."""
        if asked.devices:
            raise InputError("--devices: Ray gives each cell its own; --gpus says how much of one")
        with connected() as ray:
            threads, gpus = asked.threads or 1, gpus_each(ray, asked.gpus)
            workers = None if asked.workers in (None, "auto") else int(asked.workers or 1)
            workers = room_for(ray, workers, threads, gpus, "cells")
            task = ray.remote(num_cpus=threads, num_gpus=gpus, max_retries=_RETRIES, retry_exceptions=[LostError])(
                run_job
            )
            environment = {key: value for key, value in os.environ.items() if key.startswith(_PASSED)}

            def start(job: Job, threads: int, _: str | None) -> Process:
                job.folder.stop.unlink(missing_ok=True)
                folder = str(job.folder.path.resolve())
                return _Task(ray, task.remote(folder, os.getcwd(), threads, environment), job.folder)

            yield Places(start, workers, threads)


class LostError(Exception):
    """The process of a job was killed, and not by whoever wanted the study to stop."""


def run_job(folder: str, directory: str, threads: int, environment: Mapping[str, str]) -> int:
    """Run the process of a job here, and return its exit code; the task of a cluster.

    Raises:
        LostError: it was killed.
    """
    job = JobFolder(Path(folder))
    if job.stop.exists():  # before it had begun
        return STOPPED
    process = start_worker(job, threads, directory, environment)
    try:
        is_asked = False
        while (code := process.poll()) is None:
            if not is_asked and job.stop.exists():
                is_asked = True
                process.send_signal(STOP)
            time.sleep(_LOOK)
    finally:
        process.kill()
    if code == -KILL:
        raise LostError(f"{folder}: killed")
    return code


class _Task:
    """A job's process that runs in a task: a `Process`."""

    def __init__(self, ray: Any, reference: Any, folder: JobFolder) -> None:
        self._ray, self._reference, self._folder = ray, reference, folder

    def poll(self) -> int | None:
        """The process's exit code; that of a killed one where the task is lost."""
        ready, _ = self._ray.wait([self._reference], timeout=0)
        return self._code() if ready else None

    def _code(self) -> int:
        exceptions = self._ray.exceptions
        try:
            return int(self._ray.get(self._reference))
        except exceptions.RayTaskError as error:
            if isinstance(error, LostError):
                return -KILL
            write_text(self._folder.error, f"the task of the Ray cluster failed: {first_line(error.cause or error)}\n")
            return 1
        except exceptions.RayError:  # cancelled, or its workers died again and again
            return -KILL

    def send_signal(self, number: int, /) -> None:
        """STOP goes by a file, which every machine sees."""
        if number == STOP:
            self._folder.stop.touch()
        else:
            self.kill()

    def kill(self) -> None:
        """The process ends with its task."""
        self._ray.cancel(self._reference, force=True)

    def wait(self) -> int:
        """Until the task has ended."""
        self._ray.wait([self._reference])
        return self._code()


STUDY_ENGINES.register(RayTasks)
