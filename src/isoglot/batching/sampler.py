"""The adapter between a plan and a torch data loader: one item is one training step with its rows.

A data loader that yields steps instead of rows keeps every process on the same plan (no sharding by a framework, no sampler
state): a resumed run simply starts at another step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from isoglot.batching.plan import BatchPlan
from isoglot.data.pairs.table import PairTable
from isoglot.data.sameness import text_key
from isoglot.records import Batch, IntArray


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
        negatives: texts, each once; they belong to all queries.
        negative_places: int64, shape (len(negatives), 2): (row, place in that row's list) where each negative stands.
    """

    dataset: PlanDataset
    batch: Batch
    negatives: list[str]
    negative_places: IntArray

    @property
    def step(self) -> int:
        return self.batch.step

    @property
    def queries(self) -> list[str]:
        return self.dataset.table.column("query", self.batch.query_rows)

    @property
    def passages(self) -> list[str]:
        return self.dataset.table.column("passage", self.batch.passage_rows)

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
        negatives: at most this many explicit negatives per row.
        rank, world: which slice of every global batch this process takes.
    """

    column_names = ("query", "passage")

    def __init__(
        self, table: PairTable, plan: BatchPlan, steps: int, *, negatives: int = 0, rank: int = 0, world: int = 1
    ) -> None:
        self.table = table
        self.negatives = negatives if negatives and table.has_negatives else 0
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
        negatives = list(self._explicit_negatives(batch).items())
        begin, end = (len(negatives) * number // self._world for number in (self._rank, self._rank + 1))
        places = np.array([place for _, place in negatives[begin:end]], dtype=np.int64).reshape(-1, 2)
        texts = [text for text, _ in negatives[begin:end]]
        return RowBatch(self, batch.part(self._rank, self._world), texts, places)

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

    def _explicit_negatives(self, batch: Batch) -> dict[str, tuple[int, int]]:
        """Negatives of a global batch's rows and where they stand, without texts that are a passage of some pair of the batch.

        The negatives of a row stand in the passage's row, so they are in the passage's language. Of those that are the same
        (see `isoglot.data.sameness`) the first stays.
        """
        if not self.negatives:
            return {}
        rows = self._plan.index.rows[batch.queries.pairs]
        seen = set(map(text_key, self.table.column("passage", rows[rows >= 0])))
        negatives: dict[str, tuple[int, int]] = {}
        lists = self.table.column("negatives", batch.passage_rows)
        for row, texts in zip(batch.passage_rows.tolist(), lists):
            for place, text in enumerate(list(texts or ())[: self.negatives]):
                if (key := text_key(text)) not in seen:
                    seen.add(key)
                    negatives[text] = (row, place)
        return negatives


class StepSampler:
    """A batch sampler that yields `[0], [1], ...`: each loader item is one step. Re-iterable, so that a trainer can skip."""

    def __init__(self, steps: int) -> None:
        self._steps = steps

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[list[int]]:
        return ([step] for step in range(self._steps))
