"""The memory of a step from what two small passes took (`isoglot.training.slices`), and the settings that fit into what there is.

What passes take is a straight line in tokens (the attention that GPUs use here keeps nothing that grows faster). To that come the
scores of the loss, which grow with the square of the batch, and what the optimizer keeps.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from isoglot.errors import InputError, NoRoomError
from isoglot.processes import best_device
from isoglot.training.settings import AUTO, TrainSettings

COPIES = 6
"""How often a term of the loss holds its scores in float32, rather too many: as they are, masked, as exponentials, gradients."""
FULL, FILLED = 1.1, 0.85
"""A step that is predicted to take more than the first share of what is free is refused; what is chosen takes at most the second.
Between them lies what the line is wrong by, and the holes that the allocator leaves."""
MULTIPLE = 8
"""A batch size that is chosen is a multiple of it (and of the processes)."""
_ROUND = 256  # tokens of a chosen grad_cache


class Load(NamedTuple):
    """What of a batch decides its memory, in one process: tokens in its passes, padding included, and scores of queries with
    candidates."""

    tokens: float
    scores: float

    def times(self, factor: float) -> Load:
        """Of a batch that is so many times as large."""
        return Load(self.tokens * factor, self.scores * factor**2)

    def at_once(self, tokens: int, scores: int) -> Load:
        """With gradient caching, which holds so many tokens and scores at a time; `tokens`: 0 for all of them."""
        return Load(min(self.tokens, tokens), min(self.scores, scores)) if tokens else self


class Line(NamedTuple):
    """Bytes of a pass beside weights and optimizer: `fixed` (gradients, mostly), and so many per token and score."""

    fixed: float
    per_token: float
    per_score: float

    @classmethod
    def through(cls, small: tuple[Load, int], large: tuple[Load, int], terms: int) -> Line:
        """The line through two measured passes, each a load and its bytes; from zero where they were the same.

        Args:
            terms: of the loss.
        """
        per_score = 4.0 * COPIES * terms
        (fewer, less), (tokens, more) = ((load.tokens, size - per_score * load.scores) for load, size in (small, large))
        if tokens <= fewer or more <= less:
            return cls(0.0, max(0.0, more) / max(1.0, tokens), per_score)
        per_token = (more - less) / (tokens - fewer)
        return cls(max(0.0, less - per_token * fewer), per_token, per_score)

    def bytes_of(self, load: Load) -> float:
        """What a pass takes."""
        return self.fixed + self.per_token * load.tokens + self.per_score * load.scores


class Device(NamedTuple):
    """Bytes of a GPU: weights that lie there, what the optimizer will keep, what this process can have in all, all there are."""

    weights: int
    optimizer: int
    free: int
    total: int

    @property
    def kept(self) -> int:
        """Of weights and optimizer."""
        return self.weights + self.optimizer


class Room(NamedTuple):
    """What is known before the first step.

    Attributes:
        line: of a pass.
        device: of the process that has the least.
        load: of the largest batch.
        most_at_once: scores that are held at a time with gradient caching.
    """

    line: Line
    device: Device
    load: Load
    most_at_once: int

    def step(self, load: Load, tokens: int = 0) -> float:
        """Bytes that a step takes in all; `tokens`: of gradient caching, 0: without."""
        return self.device.kept + self.line.bytes_of(load.at_once(tokens, self.most_at_once))

    def tokens(self) -> int:
        """The most tokens at a time that fit, a multiple of 256; 0 where there are none, all where caching is not needed."""
        left = FILLED * self.device.free - self.step(self.load, 1)
        if self.line.per_token <= 0:
            return math.ceil(self.load.tokens) if left >= 0 else 0
        return max(0, int(left / self.line.per_token) // _ROUND * _ROUND)

    def batch(self, size: int, most: int, multiple: int) -> int:
        """The largest batch that fits, a multiple of `multiple` and at most `most`; 0: none. The load is of `size` pairs."""
        sizes = range(multiple, most + 1, multiple)
        taken = bisect_right(
            sizes, FILLED * self.device.free, key=lambda pairs: self.step(self.load.times(pairs / size))
        )
        return sizes[taken - 1] if taken else 0

    def words(self, load: Load, tokens: int = 0) -> str:
        """What a step takes, for people."""
        every, kept = self.step(load, tokens), self.device.kept
        return (
            f"about {gigabytes(every)} GB of {gigabytes(self.device.total)} GB (weights and optimizer {gigabytes(kept)}, "
            f"activations {gigabytes(every - kept)})"
        )


def gigabytes(size: float) -> str:
    """10^9 bytes, with two digits."""
    return f"{size / 1e9:.{0 if size >= 9.95e9 else 1}f}"


def check_auto(settings: TrainSettings, *, fit: bool) -> None:
    """InputError where something is to be chosen by the memory of a GPU, and there is none, or nothing to choose."""
    if fit and settings.grad_cache:
        raise InputError(
            "give --fit or grad_cache, not both: --fit takes the largest batch that needs no gradient caching"
        )
    if (fit or settings.grad_cache == AUTO) and best_device() != "cuda":
        what = "--fit" if fit else f"grad_cache={AUTO}"
        raise InputError(f"{what} measures the memory of an NVIDIA GPU, and there is none: give a number ({_key(fit)})")


def _key(fit: bool) -> str:
    return "batch_size=32" if fit else "grad_cache=4096"


def as_begun(settings: TrainSettings, asked: Mapping[str, Any], *, fit: bool) -> TrainSettings:
    """The settings with the numbers that a run was begun with in the place of those that were to be chosen.

    Args:
        asked: what run.json says.
    """
    kept = {"batch_size": asked["batch_size"]} if fit and "batch_size" in asked else {}
    if settings.grad_cache == AUTO:
        kept["grad_cache"] = asked.get("grad_cache", 0)
    return settings.replace(**kept) if kept else settings


def decide(settings: TrainSettings, room: Room, most: int, world: int, *, fit: bool) -> tuple[TrainSettings, str]:
    """(the settings with numbers for what is to be chosen, what a step takes in words); see `slices.make_room`."""
    size, load = settings.plan.batch_size, room.load
    multiple = math.lcm(MULTIPLE, world)
    largest, tokens = room.batch(size, most, multiple), room.tokens()
    instead = " or ".join(
        [
            *([f"batch_size={largest}"] if largest and largest < size else []),
            *([f"grad_cache={tokens}, which keeps the batch"] if tokens else []),
        ]
    )
    free = f"{gigabytes(room.device.free)} GB are free"
    if fit:
        if not largest:
            raise NoRoomError(f"--fit: {free}, and a batch of {multiple} pairs does not fit ({_most(most)})")
        words = room.words(load.times(largest / size))
        why = f", {_most(most)}" if largest + multiple > most else ""
        return settings.replace(batch_size=largest), f"{words}: batch_size={largest}{why}"
    if settings.grad_cache == AUTO:
        fits = room.step(load) <= FILLED * room.device.free
        if not fits and not tokens:
            raise NoRoomError(f"grad_cache={AUTO}: {free}, and not even {_ROUND} tokens at a time fit")
        number = 0 if fits else tokens
        how = f"grad_cache={number}" if number else "grad_cache=0, as a whole batch fits"
        return settings.replace(grad_cache=number), f"{room.words(load, number)}: {how}"
    cached = int(settings.grad_cache)
    words = room.words(load, cached)
    if room.step(load, cached) > FULL * room.device.free:
        raise NoRoomError(f"a step takes {words}, and {free}: give {instead or 'a smaller base'}")
    if room.step(load, cached) > room.device.free:
        words += f", and {free}: it may not fit" + (f"; {instead} would" if instead else "")
    return settings, words


def _most(most: int) -> str:
    return f"the pairs allow no more than {most}"


def least(rooms: Sequence[Room]) -> Room:
    """Of several processes: the largest load and line, the smallest device."""
    lines, devices, loads = ([room[part] for room in rooms] for part in range(3))
    line, load = Line(*map(max, zip(*lines))), Load(*map(max, zip(*loads)))
    weights, optimizer, free, total = zip(*devices)
    return Room(line, Device(max(weights), max(optimizer), min(free), min(total)), load, rooms[0].most_at_once)
