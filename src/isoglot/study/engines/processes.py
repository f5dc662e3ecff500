"""Processes of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from isoglot.errors import InputError
from isoglot.processes import cores
from isoglot.study.engines import STUDY_ENGINES, Asked, Places, StudyEngine
from isoglot.study.launch import launch
from isoglot.study.machine import check_devices
from isoglot.study.room import room_for


class Processes(StudyEngine):
    """Processes of this machine, as many at a time as it has room for; GPUs are shared out among them."""

    name = "processes"
    is_default = True

    @contextmanager
    def open(self, asked: Asked) -> Iterator[Places]:
        """This machine's cores, or its GPUs."""
        if asked.gpus is not None:
            raise InputError("--gpus: for --engine ray; on this machine --devices and --workers share GPUs out")
        check_devices(asked.devices)
        room = room_for(asked.workers, asked.devices, asked.threads)
        if room:
            yield Places(launch, room.most, asked.threads or 1, (), room)
        else:
            workers = max(1, int(asked.workers or 1))
            yield Places(launch, workers, asked.threads or max(1, cores() // workers), asked.devices)


STUDY_ENGINES.register(Processes)
