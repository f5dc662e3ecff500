"""A Ray cluster: found or started, and what it has."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from isoglot.errors import InputError, first_line, say
from isoglot.optional import needed


@contextmanager
def connected() -> Iterator[Any]:
    """Ray's module, connected to a cluster: the one that `RAY_ADDRESS` names or `ray start` began on this machine, else one of
    this machine's own cores and GPUs, which ends with the block.

    Raises:
        InputError: Ray is not installed, or the cluster is not to be reached.
    """
    ray = needed("ray", "the engine ray needs Ray", "ray")
    was_there = ray.is_initialized()
    try:
        if not was_there:
            ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # of sockets, of versions that differ, of addresses: they share no base
        raise InputError(f"no Ray cluster to be had: {first_line(error)} (see RAY_ADDRESS, ray start)") from None
    try:
        yield ray
    finally:
        if not was_there:
            ray.shutdown()


def room_for(ray: Any, asked: int | None, cpus: float, gpus: float, what: str) -> int:
    """How many workers a cluster has room for now, at most as many as are asked for; fewer are said.

    Args:
        asked: None for as many as there is room for.
        cpus, gpus: that one takes.
        what: they are called in messages.

    Raises:
        InputError: there is no room for one.
    """
    there = ray.cluster_resources()
    bounds = [int(there.get(kind, 0.0) / share) for kind, share in (("CPU", cpus), ("GPU", gpus)) if share]
    room = min(bounds) if bounds else asked or 1
    shown = f"{there.get('CPU', 0.0):g} CPUs and {there.get('GPU', 0.0):g} GPUs"
    if room < 1:
        raise InputError(
            f"the Ray cluster has {shown}: no room for one of the {what}, of {cpus:g} CPUs and {gpus:g} GPUs"
        )
    if asked is not None and room < asked:
        say(f"the Ray cluster has {shown}: {room} of {asked} {what} at a time")
    return room if asked is None else min(room, asked)


def gpus_each(ray: Any, asked: float | None) -> float:
    """The share of a GPU that a worker takes: as asked, else one where the cluster has GPUs."""
    return (1.0 if ray.cluster_resources().get("GPU") else 0.0) if asked is None else asked


def last_line(error: BaseException) -> str:
    """What an error of Ray comes to: it begins with where it was, and ends with what it was."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
