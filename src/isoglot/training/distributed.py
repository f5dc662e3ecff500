"""Several processes that train on one global batch: who is who, what they agree on, and embeddings of all of them.

The processes are started by a launcher (`torchrun --nproc-per-node N -m isoglot train ...`), which tells each its rank. All
of them run the same code on the same plan; the first one writes and speaks.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from isoglot.errors import InputError, IsoglotError

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
_LAUNCHED = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR")
_SEED_STEP = 1_000_003


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
    import torch

    return not torch.accelerator.is_available() or str(torch.accelerator.current_accelerator()) == "mps"


def start() -> Processes:
    """Connect the processes (NCCL on CUDA, gloo on the CPU), once; each takes the device of its local rank."""
    me = processes()
    if me.world > 1:
        import torch.distributed as dist
        from accelerate import PartialState

        if not dist.is_initialized():
            PartialState(cpu=on_cpu())
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
    import torch.distributed as dist
    from accelerate import PartialState

    done: list[T] = []
    error: IsoglotError | None = None
    with PartialState().local_main_process_first():
        try:
            done.append(work())
        except IsoglotError as caught:
            error = caught
    said: list[Any] = [None] * me.world
    dist.all_gather_object(said, None if error is None else (str(error), isinstance(error, InputError)))
    if not any(said):
        return done[0]
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

    box: list[Any] = [None, False]
    error: IsoglotError | None = None
    if me.first:
        try:
            box[0] = work()
        except IsoglotError as caught:
            error, box[1] = caught, True
    dist.broadcast_object_list(box, src=0)
    if error is not None:
        raise error
    if box[1]:
        raise OtherProcessError("the first process failed")
    value: T = box[0]
    return value


def wait() -> None:
    """Until all processes are here."""
    if processes().world > 1:
        import torch.distributed as dist

        dist.barrier()


def seed_process(seed: int) -> None:
    """Give each process its own random numbers (dropout masks); the first keeps those of a run of one process."""
    import torch

    me = processes()
    if not me.first:
        torch.manual_seed(seed + _SEED_STEP * me.rank)


def any_process(flag: bool) -> bool:
    """Whether `flag` is set in at least one process."""
    return bool(_reduce(int(flag), "MAX"))


def sum_processes(number: int) -> int:
    """The sum of the processes' numbers."""
    return _reduce(number, "SUM")


def _reduce(number: int, operation: str) -> int:
    if processes().world == 1:
        return number
    import torch
    import torch.distributed as dist

    box = torch.tensor(number, device=_device())
    dist.all_reduce(box, op=getattr(dist.ReduceOp, operation))
    return int(box)


def _device() -> Any:
    """The device whose tensors the processes exchange."""
    from accelerate import PartialState

    return PartialState().device


def gather_pairs(queries: Tensor, passages: Tensor) -> tuple[Tensor, Tensor]:
    """Both columns of all processes in the order of ranks, shape (world x n, d); gradients flow back to their owners.

    Args:
        queries, passages: float, shape (n, d), the same in every process.
    """
    me = processes()
    if me.world == 1:
        return queries, passages
    import torch
    from sentence_transformers.util import all_gather_with_grad

    both = all_gather_with_grad(torch.stack([queries, passages])).unflatten(0, (me.world, 2))
    return both[:, 0].flatten(0, 1), both[:, 1].flatten(0, 1)


def gather_uneven(rows: Tensor) -> Tensor:
    """Rows of all processes in the order of ranks, as many as each has (0 too); gradients flow back to their owners.

    Args:
        rows: float, shape (n, d); n may differ.
    """
    me = processes()
    if me.world == 1:
        return rows
    import torch
    import torch.distributed as dist
    from sentence_transformers.util import all_gather_with_grad

    counts = torch.zeros(me.world, dtype=torch.int64, device=rows.device)
    counts[me.rank] = len(rows)
    dist.all_reduce(counts)
    sizes = counts.tolist()
    if not (most := max(sizes)):
        return rows
    # every process takes part in the gather's backward pass, also one without rows of its own
    padding = rows.new_zeros((most - len(rows), rows.shape[1]), requires_grad=torch.is_grad_enabled())
    every = all_gather_with_grad(torch.cat([rows, padding])).unflatten(0, (me.world, most))
    return torch.cat([part[:size] for part, size in zip(every, sizes)])
