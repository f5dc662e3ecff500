"""What a step takes on a GPU, measured before the first one: slices of a real batch go forward and backward.

The batch is the largest of some that the run will have, the slices are of its longest texts; `isoglot.training.room` says what
follows from what they take.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from isoglot.errors import NoRoomError, say
from isoglot.processes import best_device, in_each, processes
from isoglot.training.room import Device, Line, Load, Room, decide, least
from isoglot.training.settings import TrainSettings

if TYPE_CHECKING:
    from isoglot.batching.sampler import PlanDataset
    from isoglot.training.collate import Collator
    from isoglot.training.loss import BatchLoss

Columns = Sequence[Mapping[str, Any]]
LOOKED_AT = 100
"""Steps of the run, evenly apart, among which the largest batch is looked for."""
SLICES = (16, 64)
"""Queries in the two slices, at most."""


def make_room(
    settings: TrainSettings, loss: BatchLoss, steps: PlanDataset, collator: Collator, most: int, *, fit: bool
) -> TrainSettings:
    """Say what memory a step takes, and choose what is to be chosen; nothing on a CPU. All processes call this together.

    Args:
        settings: of the run; `loss` is its loss, without gradient caching where that is to be chosen.
        steps: of training.
        most: the largest batch that the pairs allow.
        fit: choose the batch size.

    Returns:
        The settings, with numbers for what was chosen.

    Raises:
        NoRoomError: a step takes clearly more than there is.
    """
    if best_device() != "cuda":
        return settings
    seen = in_each(lambda: look(loss, steps, collator, measure_on_gpu(loss, settings), gpu(loss)))
    chosen, words = decide(settings, least(seen), most, processes().world, fit=fit)
    if processes().first:
        say(f"memory of a step: {words}")
    return chosen


def look(
    loss: BatchLoss,
    steps: PlanDataset,
    collator: Collator,
    measure: Callable[[Columns], int],
    device: Device,
) -> Room:
    """What a step takes in this process.

    Args:
        measure: sends columns forward and backward, and says how many bytes that took at most beside the weights.
        device: as it is before.
    """
    from isoglot.training.gradcache import MOST_SCORES

    batch, load = largest_batch(loss, steps, collator)

    def taken(rows: int) -> tuple[Load, int]:
        part = cut(batch, rows)
        return load_of(loss, part).at_once(getattr(loss, "tokens", 0), MOST_SCORES), measure(part)

    taken(SLICES[0])  # the first pass of a process also sets up what stays
    small, large = map(taken, SLICES)
    return Room(Line.through(small, large, len(loss.terms)), device, load, MOST_SCORES)


def largest_batch(loss: BatchLoss, steps: PlanDataset, collator: Collator) -> tuple[Columns, Load]:
    """The columns of the batch with the most tokens, of `LOOKED_AT` of the run's, and its load."""
    from isoglot.training.collate import columns_of

    looked_at = sorted({step * len(steps) // LOOKED_AT for step in range(LOOKED_AT)})
    counted = collator.tokens
    batches = (
        (columns, load_of(loss, columns)) for step in looked_at for columns in [columns_of(collator([steps[step]]))]
    )
    largest = max(batches, key=lambda batch: batch[1].tokens)
    collator.tokens = counted  # these are no steps of the run
    return largest


def load_of(loss: BatchLoss, columns: Columns) -> Load:
    """Of a process's columns; candidates come from all processes."""
    queries, *candidates = (_rows(column) for column in columns)
    tokens = sum(_tokens(loss, column) for column in columns)
    return Load(tokens, queries * sum(candidates) * processes().world)


def _rows(column: Mapping[str, Any]) -> int:
    return len(column["offsets"] if "offsets" in column else column["input_ids"])


def _tokens(loss: BatchLoss, column: Mapping[str, Any]) -> int:
    """Tokens of a column in the passes of the loss, with their padding."""
    from isoglot.training.loss import PASS_TOKENS, chunk_bounds

    lengths = sorted(column.get("lengths", ()))
    if not lengths:
        return int(column["input_ids"].numel())
    if loss.unpadded is not None:
        return sum(lengths)
    bounds = chunk_bounds(lengths, loss.chunks, PASS_TOKENS["cuda"])
    return sum((end - begin) * lengths[end - 1] for begin, end in bounds)


def cut(columns: Columns, rows: int) -> Columns:
    """The longest rows of a batch: at most so many queries, and the same share of every column."""
    if any(column["input_ids"].ndim == 1 for column in columns):
        return columns  # texts laid end to end, which are read from a table: small
    sizes = [_rows(column) for column in columns]
    share = min(1.0, rows / sizes[0])  # processes have as many
    # position i of queries and passages is one pair where nothing else says which are
    are_aligned = not any("pairs" in column for column in columns)
    lengths = [_lengths(column) for column in columns]
    together = [sum(pair) for pair in zip(*lengths[:2])]
    cut_columns = []
    for place, (column, size) in enumerate(zip(columns, sizes)):
        key = together if are_aligned and place < 2 else lengths[place]
        longest = sorted(range(size), key=key.__getitem__, reverse=True)[: max(2, round(size * share))]
        cut_columns.append({name: _take(value, longest, size) for name, value in column.items()})
    return cut_columns


def _lengths(column: Mapping[str, Any]) -> list[int]:
    lengths: list[int] = column.get("lengths") or column["attention_mask"].sum(dim=1).tolist()
    return lengths


def _take(value: Any, rows: Sequence[int], size: int) -> Any:
    """The rows of what has one entry per row; other values as they are."""
    if isinstance(value, list) and len(value) == size:
        return [value[row] for row in rows]
    return value[list(rows)] if getattr(value, "ndim", 0) and len(value) == size else value


def gpu(loss: BatchLoss) -> Device:
    """The GPU that a model lies on, as this process sees it before its first step."""
    import torch

    free, total = torch.cuda.mem_get_info(loss.model.device)
    trained = sum(weights.nbytes for weights in loss.model.parameters() if weights.requires_grad)
    return Device(torch.cuda.memory_allocated(), 2 * trained, free + torch.cuda.memory_reserved(), total)


def measure_on_gpu(loss: BatchLoss, settings: TrainSettings) -> Callable[[Columns], int]:
    """See `look`. Random numbers and gradients are left as they were."""
    import torch
    from sentence_transformers.util import batch_to_device

    from isoglot.training.prepare import bf16

    device = loss.model.device

    def measure(columns: Columns) -> int:
        here = [batch_to_device(dict(column), device) for column in columns]
        before: int = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        try:
            with torch.random.fork_rng(devices=[device]):
                with torch.autocast(device.type, torch.bfloat16, enabled=bf16(settings.precision)):
                    value = loss(here)
                value.backward()
        except torch.OutOfMemoryError:
            raise NoRoomError(
                f"there is no room on the GPU for {_rows(columns[0])} pairs: give a smaller base"
            ) from None
        finally:
            loss.model.zero_grad(set_to_none=True)
        most: int = torch.cuda.max_memory_allocated()
        return most - before

    loss.train()
    return measure
