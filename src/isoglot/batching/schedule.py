"""Which stratum each step draws from, and for the how-manieth time: random access without a walk through the steps."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from isoglot.batching.permutation import generator
from isoglot.records import FloatArray, IntArray

BLOCK = 4096
_DRAW = 11
_BLOCKS_KEPT = 64


class Schedule:
    """Independent draws of a stratum per step, made in blocks that depend on the seed and the block's number only.

    How often earlier blocks drew each stratum is counted once, up to the furthest block that was asked for: about 30
    microseconds for each 4,096 steps. What is remembered only spares time.

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
        self._kept: OrderedDict[int, IntArray] = OrderedDict()

    def at(self, step: int) -> tuple[int, int]:
        """(stratum, draw): the stratum of `step`, and how many earlier steps drew from the same one."""
        if step < 0:
            raise IndexError(f"step {step} is negative")
        block, place = divmod(step, BLOCK)
        before = self._before
        if len(before) <= block:
            before = [*before]  # a list of its own: another thread may be counting, too
            while len(before) <= block:
                before.append(before[-1] + self._counts(len(before) - 1))
            self._before = before
        strata = self._block(block)
        stratum = int(strata[place])
        return stratum, int(before[block][stratum] + np.count_nonzero(strata[:place] == stratum))

    def _block(self, block: int) -> IntArray:
        """Stratum of every step of a block, shape (BLOCK,)."""
        strata = self._kept.get(block)
        if strata is None:
            strata = np.searchsorted(self._edges, self._uniform(block), side="right").astype(np.int64)
            self._kept[block] = strata
            if len(self._kept) > _BLOCKS_KEPT:
                self._kept.popitem(last=False)
        return strata

    def _counts(self, block: int) -> IntArray:
        """How often a block draws each stratum, shape (n_strata,)."""
        uniform = self._uniform(block)
        below = [np.count_nonzero(uniform < edge) for edge in self._edges]
        return np.diff(below, prepend=0).astype(np.int64)

    def _uniform(self, block: int) -> FloatArray:
        return generator(self._seed, _DRAW, block).random(BLOCK)
