"""The adapter between a plan and a torch data loader: one item is one training step with its texts.

A data loader that yields steps instead of rows keeps every process on the same plan (no sharding by a framework, no sampler
state): a resumed run simply starts at another step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from isoglot.batching.plan import BatchPlan
from isoglot.data.pairs import PairTable
from isoglot.records import Batch


@dataclass(frozen=True)
class TextBatch:
    """Texts of one step: `queries[i]` and `passages[i]` are one pair; `negatives` belong to all queries."""

    step: int
    queries: list[str]
    passages: list[str]
    negatives: list[str]


class PlanDataset(Sequence[TextBatch]):
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
        self._table = table
        self._plan = plan
        self._steps = steps
        self._negatives = negatives if negatives and table.has_negatives else 0
        self._rank = rank
        self._world = world

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> TextBatch:  # type: ignore[override]
        batch = self._plan[step]
        part = batch.part(self._rank, self._world)
        return TextBatch(
            step,
            self._table.column("query", part.query_rows),
            self._table.column("passage", part.passage_rows),
            self._explicit_negatives(batch, part),
        )

    def _explicit_negatives(self, batch: Batch, part: Batch) -> list[str]:
        """Negatives of the rows of `part`, without texts that are a passage of some pair of the whole batch.

        The negatives of a row stand in the passage's row, so they are in the passage's language.
        """
        if not self._negatives:
            return []
        index = self._plan.index
        pairs = self._plan.pairs_of(batch)
        rows = index.rows[pairs]
        positives = set(self._table.column("passage", rows[rows >= 0]))
        found: dict[str, None] = {}
        for texts in self._table.column("negatives", part.passage_rows):
            for text in list(texts or ())[: self._negatives]:
                if text not in positives:
                    found[text] = None
        return list(found)


class StepSampler:
    """A batch sampler that yields `[0], [1], ...`: each loader item is one step. Re-iterable, so that a trainer can skip."""

    def __init__(self, steps: int) -> None:
        self._steps = steps

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[list[int]]:
        return ([step] for step in range(self._steps))
