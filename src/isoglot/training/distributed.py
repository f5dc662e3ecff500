"""Several processes that train on one global batch: their random numbers, sums, and embeddings of all of them."""

from __future__ import annotations

import torch
import torch.distributed as dist
from accelerate import PartialState
from sentence_transformers.util import all_gather_with_grad
from torch import Tensor

from isoglot.processes import processes

_SEED_STEP = 1_000_003


def seed_process(seed: int) -> None:
    """Give each process its own random numbers (dropout masks); the first keeps those of a run of one process."""
    me = processes()
    if not me.first:
        torch.manual_seed(seed + _SEED_STEP * me.rank)


def any_process(flag: bool) -> bool:
    """Whether `flag` is set in at least one process."""
    return bool(sum_processes(int(flag)))


def sum_processes(number: int) -> int:
    """The sum of the processes' numbers."""
    if processes().world == 1:
        return number
    box = torch.tensor(number, device=PartialState().device)
    dist.all_reduce(box)
    return int(box)


def gather_pairs(queries: Tensor, passages: Tensor) -> tuple[Tensor, Tensor]:
    """Both columns of all processes in the order of ranks, shape (world x n, d); gradients flow back to their owners.

    Args:
        queries, passages: float, shape (n, d), the same in every process.
    """
    me = processes()
    if me.world == 1:
        return queries, passages
    both = all_gather_with_grad(torch.stack([queries, passages])).unflatten(0, (me.world, 2))
    return both[:, 0].flatten(0, 1), both[:, 1].flatten(0, 1)


def gather_uneven(rows: Tensor) -> tuple[Tensor, range]:
    """(rows of all processes in the order of ranks, as many as each has (0 too); which of them are this process's).

    Gradients flow back to their owners.

    Args:
        rows: float, shape (n, d), or whole numbers, shape (n,); n may differ.
    """
    me = processes()
    if me.world == 1:
        return rows, range(len(rows))
    counts = torch.zeros(me.world, dtype=torch.int64, device=rows.device)
    counts[me.rank] = len(rows)
    dist.all_reduce(counts)
    sizes = counts.tolist()
    begin, most = sum(sizes[: me.rank]), max(sizes)
    own = range(begin, begin + len(rows))
    if not most:
        return rows, own
    # every process takes part in the gather's backward pass, also one without rows of its own
    takes_part = rows.is_floating_point() and torch.is_grad_enabled()
    padding = rows.new_zeros((most - len(rows), *rows.shape[1:]), requires_grad=takes_part)
    every = all_gather_with_grad(torch.cat([rows, padding])).unflatten(0, (me.world, most))
    return torch.cat([column[:size] for column, size in zip(every, sizes)]), own
