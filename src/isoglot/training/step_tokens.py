"""Token ids of the three columns of a training step: queries, passages, explicit negatives."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from isoglot.batching.sampler import PlanDataset, RowBatch
from isoglot.data.pairs.table import PairTable, take_rows
from isoglot.records import IntArray
from isoglot.training.tokens import Ids, ReadTexts, TextTokenizer, TokenColumn

IN_MEMORY = 4096
"""A column of which a run needs no more texts than these is tokenised anew each time (about a second), not stored."""
_ROWS_AT_ONCE = 65_536


class StepTokens:
    """Token ids of all rows that a dataset of training steps uses.

    Args:
        steps: the dataset.
        tokenizer: for all columns.
        prompts: for "query", "passage" and "negative".
        root: of the store.
        show: a progress bar on stderr.

    Raises:
        OSError: the store cannot be written.
    """

    def __init__(
        self, steps: PlanDataset, tokenizer: TextTokenizer, prompts: Mapping[str, str], root: Path, show: bool
    ) -> None:
        table, most = steps.table, steps.negatives
        self._negatives_per_row = most
        query_rows, passage_rows = steps.used_rows()

        def make_column(name: str, texts: ReadTexts, size: int, rows: IntArray, **more: Any) -> TokenColumn:
            column = TokenColumn(texts, size, tokenizer, prompts[name], show)
            if len(rows) > IN_MEMORY:
                column.read_or_store(root, {"table": table.digest, "column": name, **more}, rows)
            else:
                column.tokenize(rows)
            return column

        self._columns = {
            name: make_column(name, partial(take_rows, table.table.column(name)), len(table), rows)
            for name, rows in (("query", query_rows), ("passage", passage_rows))
        }
        if most:
            texts = _Negatives(table, most)
            numbers = texts.numbers(passage_rows)
            self._columns["negative"] = make_column("negative", texts, len(table) * most, numbers, most=most)

    def take(self, batch: RowBatch) -> dict[str, tuple[Ids, IntArray]]:
        """(token ids, lengths) of the columns of a step of the dataset."""
        rows = {"query": batch.batch.query_rows, "passage": batch.batch.passage_rows}
        if len(batch.negatives):
            rows["negative"] = batch.negative_places @ np.array([self._negatives_per_row, 1])
        return {name: self._columns[name].take(numbers) for name, numbers in rows.items()}


class _Negatives:
    """The explicit negatives of a table, at most `most` per row; negative `place` of row r has the number r * most + place."""

    def __init__(self, table: PairTable, most: int) -> None:
        self._column, self._most = table.table.column("negatives"), most

    def numbers(self, rows: IntArray) -> IntArray:
        """Numbers of all negatives of some rows, int64."""
        numbers, places = [np.empty(0, dtype=np.int64)], np.arange(self._most)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            chunk = rows[start : start + _ROWS_AT_ONCE]
            counts = np.asarray(pc.fill_null(pc.list_value_length(take_rows(self._column, chunk)), 0))
            numbers.append((chunk[:, None] * self._most + places)[places < counts[:, None]])
        return np.concatenate(numbers)

    def __call__(self, numbers: IntArray) -> pa.Array[Any]:
        """The texts of some numbers."""
        rows, places = np.divmod(numbers, self._most)
        lists = take_rows(self._column, rows)
        lengths = np.asarray(pc.fill_null(pc.list_value_length(lists), 0), dtype=np.int64)
        starts = np.cumsum(lengths) - lengths
        return pc.list_flatten(lists).take(pa.array(starts + places, pa.int64()))
