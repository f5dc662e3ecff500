"""Several processes that train on one global batch: their random numbers, sums, and embeddings of all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isoglot.processes import processes

if TYPE_CHECKING:
    from torch import Tensor

_SEED_STEP = 1_000_003


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
    from sentence_transformers.util import all_gather_with_grad

    sizes = _counts(len(rows)).tolist()
    if not (most := max(sizes)):
        return rows
    # every process takes part in the gather's backward pass, also one without rows of its own
    padding = rows.new_zeros((most - len(rows), rows.shape[1]), requires_grad=torch.is_grad_enabled())
    every = all_gather_with_grad(torch.cat([rows, padding])).unflatten(0, (me.world, most))
    return torch.cat([column[:size] for column, size in zip(every, sizes)])


def own_rows(n: int) -> range:
    """Where this process's n rows stand among the rows of all processes (`gather_uneven`)."""
    me = processes()
    if me.world == 1:
        return range(n)
    counts = _counts(n).tolist()
    begin = sum(counts[: me.rank])
    return range(begin, begin + n)


def gather_numbers(numbers: Tensor) -> Tensor:
    """int64 numbers of all processes in the order of ranks, as many as each has; shape (n,)."""
    me = processes()
    if me.world == 1:
        return numbers
    import torch
    import torch.distributed as dist

    sizes = _counts(len(numbers)).tolist()
    padded = torch.nn.functional.pad(numbers, (0, max(sizes) - len(numbers)))
    columns = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(columns, padded)
    return torch.cat([column[:size] for column, size in zip(columns, sizes)])


def _counts(n: int) -> Tensor:
    """How many rows each process has, int64, shape (world,)."""
    import torch
    import torch.distributed as dist

    me = processes()
    counts = torch.zeros(me.world, dtype=torch.int64, device=_device())
    counts[me.rank] = n
    dist.all_reduce(counts)
    return counts
