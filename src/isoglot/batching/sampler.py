"""The adapter between a plan and a torch data loader: one item is one training step with its rows.

A data loader that yields steps instead of rows keeps every process on the same plan (no sharding by a framework, no sampler
state): a resumed run simply starts at another step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoglot.batching.draw import draw
from isoglot.batching.negatives import Negatives, Pool, read_negatives
from isoglot.batching.plan import BatchPlan
from isoglot.data.pairs.table import PairTable
from isoglot.errors import InputError
from isoglot.records import Batch, IntArray

_TEXTS_AT_ONCE = 65_536


@dataclass(frozen=True)
class TextBatch:
    """Texts of one step; `negatives` belong to all queries.

    `query_pairs` and `passage_pairs` tell which texts belong together; None: position i of both sides is one pair.
    """

    step: int
    queries: list[str]
    passages: list[str]
    negatives: list[str]
    query_pairs: IntArray | None = None
    passage_pairs: IntArray | None = None


@dataclass(frozen=True, eq=False)
class RowBatch:
    """Rows of one step; it reads like a `TextBatch`, but texts are looked up only when they are asked for.

    Attributes:
        dataset: that it is a step of.
        batch: this process's slice of the global batch.
        negative_numbers: int64, shape (n,): this process's share of the negatives of the global batch, by their numbers in
            the dataset's pool. They belong to all queries.
    """

    dataset: PlanDataset
    batch: Batch
    negative_numbers: IntArray

    @property
    def step(self) -> int:
        return self.batch.step

    @property
    def queries(self) -> list[str]:
        return self.batch.texts("query", self.dataset.table.column("query", self.batch.query_rows))

    @property
    def passages(self) -> list[str]:
        return self.batch.texts("passage", self.dataset.table.column("passage", self.batch.passage_rows))

    @property
    def negatives(self) -> list[str]:
        pool = self.dataset.pool
        texts: list[Any] = [] if pool is None else pool.texts(self.negative_numbers).to_pylist()
        return self.batch.texts("negative", texts, self.negative_numbers)

    @property
    def query_pairs(self) -> IntArray | None:
        return None if self.batch.is_aligned else self.batch.queries.places

    @property
    def passage_pairs(self) -> IntArray | None:
        return None if self.batch.is_aligned else self.batch.passages.places


class PlanDataset(Sequence[RowBatch]):
    """A map-style dataset of `steps` training steps.

    Args:
        table: the pairs.
        plan: over the table's index.
        steps: length.
        negatives: a kind of negatives, or how many of the rows' own.
        rank, world: which slice of every global batch this process takes.

    Attributes:
        pool: the texts that negatives are drawn from; None where there are none.

    Raises:
        InputError: the table has no negatives of that kind, or they cannot change as the texts of the plan do.
    """

    column_names = ("query", "passage")

    def __init__(
        self,
        table: PairTable,
        plan: BatchPlan,
        steps: int,
        *,
        negatives: Negatives | int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.table = table
        self._asked: Negatives = read_negatives(negatives)
        self.pool: Pool | None = self._asked.pool(table) if self._asked.number else None
        if plan.rewrites and self._asked.number and self._asked.other_languages:
            raise InputError(
                f"strategy '{plan.settings.strategy.name}': negatives.other_languages must be 0, as every text of a batch "
                "is of its language before it is switched"
            )
        self._plan = plan
        self._steps = steps
        self._rank = rank
        self._world = world

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> RowBatch:  # type: ignore[override]
        if not 0 <= step < self._steps:  # a plan has no end: this is what ends a loop over the dataset
            raise IndexError(step)
        batch = self._plan[step]
        # the processes share out the negatives of the whole batch, so that none of them counts twice
        negatives = self._negatives(batch)
        begin, end = (len(negatives) * number // self._world for number in (self._rank, self._rank + 1))
        return RowBatch(self, batch.part(self._rank, self._world), negatives[begin:end])

    @property
    def rewrites(self) -> bool:
        """Whether texts of steps are others than those of their rows, and others in every step."""
        return self._plan.rewrites

    def pair_ids(self, step: int) -> list[str]:
        """Ids of the pairs of a step, of all processes."""
        return list(dict.fromkeys(self.table.column("id", self._plan[step].query_rows)))

    def used_rows(self) -> tuple[IntArray, IntArray]:
        """(rows whose query is used, rows whose passage is used) in any step of any process, ascending, each once.

        A dataset that draws as many rows as the table has is taken to use them all: the plan is not gone through then.
        Otherwise that costs about 0.1 ms per step.
        """
        if self._steps * self._plan.settings.batch_size >= len(self.table):
            every = np.arange(len(self.table), dtype=np.int64)
            return every, every
        used = np.zeros((2, len(self.table)), dtype=np.bool_)
        for step in range(self._steps):
            batch = self._plan[step]
            used[0, batch.query_rows] = True
            used[1, batch.passage_rows] = True
        return np.flatnonzero(used[0]), np.flatnonzero(used[1])

    def candidates(self, passage_rows: IntArray) -> IntArray:
        """Numbers in the pool of all texts that may be drawn for passages of some rows, ascending, each once."""
        if self.pool is None:
            return np.empty(0, dtype=np.int64)
        if self._asked.other_languages:
            rows = self._plan.index.rows
            rows = rows[np.isin(rows, passage_rows).any(axis=1)]
            passage_rows = rows[rows >= 0].astype(np.int64)
        return self.pool.every(passage_rows)

    def candidate_texts(self, passage_rows: IntArray) -> Iterator[str]:
        """Their texts."""
        numbers = self.candidates(passage_rows)
        for start in range(0, len(numbers), _TEXTS_AT_ONCE):
            assert self.pool is not None
            texts: list[Any] = self.pool.texts(numbers[start : start + _TEXTS_AT_ONCE]).to_pylist()
            yield from texts

    def _negatives(self, batch: Batch) -> IntArray:
        """Numbers in the pool of the negatives of a global batch."""
        if self.pool is None:
            return np.empty(0, dtype=np.int64)
        return draw(self.pool, self._asked, self._plan.index, batch, self._plan.settings.seed)


class StepSampler:
    """A batch sampler that yields `[0], [1], ...`: each loader item is one step. Re-iterable, so that a trainer can skip."""

    def __init__(self, steps: int) -> None:
        self._steps = steps

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[list[int]]:
        return ([step] for step in range(self._steps))
