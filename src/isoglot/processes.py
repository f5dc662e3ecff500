"""This process and others: its signals, memory and processor; several that do one thing, who is who, and what they agree on.

They are started by a launcher (`torchrun --nproc-per-node N -m isoglot train ...`), which tells each its rank. All of them
run the same code; the first one writes and speaks.
"""

from __future__ import annotations

import atexit
import os
import platform
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar, cast

from isoglot.errors import InputError, IsoglotError, first_line

T = TypeVar("T")
S = TypeVar("S", bound="OnSignal")
KILL = 9  # the number of SIGKILL, which Windows does not know
# STOP asks a process to save and end. OWN_GROUP is for `Popen`: a terminal's Ctrl-C does not come to the new process, and
# `kill_group` ends it with all that it starts.
if sys.platform == "win32":
    STOP, _NOTED = signal.CTRL_BREAK_EVENT, (signal.SIGINT, signal.SIGTERM, signal.SIGBREAK)
    OWN_GROUP: dict[str, Any] = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
else:
    STOP, _NOTED = signal.SIGTERM, (signal.SIGINT, signal.SIGTERM)
    OWN_GROUP: dict[str, Any] = {"start_new_session": True}
_LAUNCHED = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR")


class OtherProcessError(IsoglotError):
    """A run of several processes has failed; the first process says why."""


@dataclass(frozen=True)
class Processes:
    """This process among all.

    Attributes:
        rank: its number, from 0.
        world: how many there are.
    """

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and prints."""
        return self.rank == 0

    def check(self, batch_size: int) -> None:
        """InputError where a global batch cannot be cut into equal slices."""
        if batch_size % self.world:
            raise InputError(
                f"batch_size {batch_size} is that of all processes together and must be a multiple of their number, {self.world}"
            )


def processes() -> Processes:
    """What the launcher's environment says; one process where there is no launcher."""
    if not all(name in os.environ for name in _LAUNCHED):
        return Processes()
    return Processes(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))


def on_cpu() -> bool:
    """Whether several processes have to compute on the CPU (nothing here that a collective library reaches)."""
    return best_device() in ("cpu", "mps")


def best_device() -> str:
    """The kind of device that models are put on where none is asked for: "cuda", "cpu", ..."""
    import torch

    return str(torch.accelerator.current_accelerator()) if torch.accelerator.is_available() else "cpu"


def check_device(device: str | None) -> str | None:
    """The device, or None for the best there is. InputError for one that is none, or that this machine does not have."""
    import torch

    if device is None:
        return None
    if not re.fullmatch(r"(cpu|cuda|mps|xpu)(:[0-9]{1,3})?", device):
        gpu = re.fullmatch(r"(?:gpu|nvidia|cuda)[:-]?([0-9]*)", device, re.IGNORECASE)
        hint = f" (did you mean '{':'.join(filter(None, ('cuda', gpu[1])))}'?)" if gpu else ""
        raise InputError(f"device '{device}'{hint}: expected cpu, cuda, cuda:1, mps or xpu")
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # torch without CUDA raises AssertionError
        raise InputError(f"device '{device}' cannot be used on this machine ({first_line(error)})") from None
    return device


def train_on(device: str | None) -> None:
    """Let this process see no other device than one, before torch looks at them: trainers take all that they see.

    Raises:
        InputError: it is none, or not of this machine; one GPU of several under a launcher, which gives each process its own.
    """
    if device is None:
        return
    kind, _, number = device.partition(":")
    if number and processes().world > 1:
        raise InputError(f"device '{device}': a launcher gives each process its own; give {kind}, or none")
    if device == "cpu":
        os.environ.update(CUDA_VISIBLE_DEVICES="", ACCELERATE_USE_CPU="true")
    elif re.fullmatch(r"cuda:[0-9]{1,3}", device):
        own = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
        if own and int(number) >= len(own):
            raise InputError(f"device '{device}': CUDA_VISIBLE_DEVICES shows {len(own)} of them, cuda:0 is the first")
        os.environ["CUDA_VISIBLE_DEVICES"] = own[int(number)] if own else number
        device = "cuda"
    check_device(device)


def start(patience: timedelta | None = None) -> Processes:
    """Connect the processes (NCCL on CUDA, gloo on the CPU), once; each takes the device of its local rank.

    Args:
        patience: how long one may wait for another; None: as long as PyTorch lets it, half an hour on a CPU.
    """
    me = processes()
    if me.world > 1:
        import torch.distributed as dist
        from accelerate import PartialState

        if not dist.is_initialized():
            PartialState(cpu=on_cpu(), **({"timeout": patience} if patience else {}))
            atexit.register(_stop)
    return me


def _stop() -> None:
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()


def together(work: Callable[[], T]) -> T:
    """Do the same in every process, on each machine in one first (it may fill a cache); all fail if one does.

    Raises:
        IsoglotError: in the first process, with what went wrong in any of them.
        OtherProcessError: in the others.
    """
    me = processes()
    if me.world == 1:
        return work()
    from accelerate import PartialState

    with PartialState().local_main_process_first():
        value, error = _tried(work)
    _fail_together(error)
    return cast(T, value)


def in_each(work: Callable[[], T]) -> list[T]:
    """Do something in every process at the same time; all get the values of all, in the order of ranks, and all fail if one does.

    Raises:
        IsoglotError: in the first process, with what went wrong in any of them.
        OtherProcessError: in the others.
    """
    me = processes()
    if me.world == 1:
        return [work()]
    import torch.distributed as dist

    value, error = _tried(work)
    _fail_together(error)
    values: list[Any] = [None] * me.world
    dist.all_gather_object(values, value)
    return values


def _tried(work: Callable[[], T]) -> tuple[T | None, IsoglotError | None]:
    """(its value, its error), one of them None."""
    try:
        return work(), None
    except IsoglotError as error:
        return None, error


def _fail_together(error: IsoglotError | None) -> None:
    """Raise in all processes if there is an error in one."""
    import torch.distributed as dist

    me = processes()
    said: list[Any] = [None] * me.world
    dist.all_gather_object(said, None if error is None else (str(error), isinstance(error, InputError)))
    if not any(said):
        return
    if not me.first:
        raise OtherProcessError("a process failed")
    if error is not None:
        raise error
    rank = next(number for number, words in enumerate(said) if words)
    message, is_input = said[rank]
    raise (InputError if is_input else IsoglotError)(f"process {rank}: {message}")


def in_first(work: Callable[[], T]) -> T:
    """Do something in the first process only; all wait for it and get its value.

    Raises:
        OtherProcessError: in the others, where the first one failed.
    """
    me = processes()
    if me.world == 1:
        return work()
    import torch.distributed as dist

    value, error = _tried(work) if me.first else (None, None)
    box: list[Any] = [value, error is not None]
    dist.broadcast_object_list(box, src=0)
    if error is not None:
        raise error
    value, has_failed = box
    if has_failed:
        raise OtherProcessError("the first process failed")
    return cast(T, value)


def wait() -> None:
    """Until all processes are here."""
    if processes().world > 1:
        import torch.distributed as dist

        dist.barrier()


class OnSignal:
    """A context in which Ctrl-C and SIGTERM are noted by `_note`; it may be entered again."""

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}

    def __enter__(self: S) -> S:
        try:
            for number in _NOTED:
                self._before[number] = signal.signal(number, self._note)
        except ValueError:
            pass  # not the main thread: whoever owns the signals keeps them
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        raise NotImplementedError


def kill_group(process: subprocess.Popen[Any]) -> None:
    """Kill a process that was started with `OWN_GROUP`, and all that it has started."""
    if sys.platform == "win32":
        import psutil

        with suppress(psutil.Error):  # it has ended
            for child in psutil.Process(process.pid).children(recursive=True):
                with suppress(psutil.Error):
                    child.kill()
        process.kill()
    else:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, KILL)


def cores() -> int:
    """CPU cores that processes started here may use, by affinity and control group."""
    import joblib

    return int(joblib.cpu_count())


def threads() -> int:
    """Threads for work in numpy that other threads may go on beside: `OMP_NUM_THREADS` where it says so, else all cores."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, int(asked)) if re.fullmatch("[0-9]{1,9}", asked) else cores()


def processor() -> str:
    """The processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def peak_memory() -> int:
    """The largest resident size of this process so far, in bytes.

    The system's own figure for a process (`getrusage`) keeps the size of the process that started it on Linux, so the
    high-water mark of this program's memory is read instead where there is one.
    """
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
