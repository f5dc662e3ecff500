"""Which stratum each step draws from, and for the how-manieth time: random access without a walk through the steps."""

from __future__ import annotations

import numpy as np

from isoglot.batching.permutation import generator
from isoglot.records import FloatArray, IntArray

BLOCK = 4096
_DRAW = 11


class Schedule:
    """Independent draws of a stratum per step, made in blocks that depend on the seed and the block's number only.

    Args:
        shares: float64, shape (n_strata,), summing to 1: probability of each stratum at every step.
        seed: of the plan.
    """

    def __init__(self, shares: FloatArray, seed: int) -> None:
        self._edges = np.cumsum(shares)
        self._edges[-1] = 1.0
        self._n = len(shares)
        self._seed = seed
        self._before: list[IntArray] = [np.zeros(self._n, dtype=np.int64)]
        self._kept: tuple[int, IntArray, IntArray] | None = None

    def at(self, step: int) -> tuple[int, int]:
        """(stratum, draw): the stratum of `step`, and how many earlier steps drew from the same one."""
        if step < 0:
            raise IndexError(f"step {step} is negative")
        block, place = divmod(step, BLOCK)
        while len(self._before) <= block:
            last = len(self._before) - 1
            self._before.append(self._before[last] + np.bincount(self._draw(last), minlength=self._n))
        if self._kept is None or self._kept[0] != block:
            strata = self._draw(block)
            self._kept = (block, strata, _occurrence(strata))
        _, strata, occurrence = self._kept
        stratum = int(strata[place])
        return stratum, int(self._before[block][stratum] + occurrence[place])

    def _draw(self, block: int) -> IntArray:
        uniform = generator(self._seed, _DRAW, block).random(BLOCK)
        return np.searchsorted(self._edges, uniform, side="right").astype(np.int64)


def _occurrence(values: IntArray) -> IntArray:
    """For each position, how many earlier positions hold the same value."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    starts = np.maximum.accumulate(np.where(first, np.arange(len(values)), 0))
    result = np.empty_like(values)
    result[order] = np.arange(len(values)) - starts
    return result
