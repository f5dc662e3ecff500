"""Token ids of the three columns of a training step: queries, passages, explicit negatives."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from isoglot.batching.sampler import PlanDataset, RowBatch
from isoglot.data.pairs import PairTable
from isoglot.records import IntArray
from isoglot.training.tokens import Ids, TextTokenizer, TokenColumn, stored_column, tokenize_rows

IN_MEMORY = 4096
"""A column of which a run needs no more texts than these is tokenised anew each time (about a second), not stored."""


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
        self._steps = steps  # keeps its id() taken
        table = steps.table
        query_rows, passage_rows = steps.used_rows()

        def column(name: str, texts: pa.ChunkedArray[Any], rows: IntArray, **more: Any) -> TokenColumn:
            prompt = prompts[name]
            if len(rows) > IN_MEMORY:
                key = {"table": table.digest, "column": name, **more}
                return stored_column(root, key, texts, rows, tokenizer, prompt, show)
            found = TokenColumn(len(texts))
            for _ in tokenize_rows(found, texts, rows, tokenizer, prompt, show):
                pass
            return found

        self._columns = {
            "query": column("query", table.table.column("query"), query_rows),
            "passage": column("passage", table.table.column("passage"), passage_rows),
        }
        if steps.negatives:
            texts, counts = _negatives(table, steps.negatives)
            self._first = np.cumsum(counts) - counts  # number of each row's first negative among all
            used = counts[passage_rows]
            numbers = np.repeat(self._first[passage_rows], used) + _ranges(used)
            self._columns["negative"] = column("negative", texts, numbers, most=steps.negatives)

    def take(self, batch: RowBatch) -> dict[str, tuple[Ids, IntArray]]:
        """(token ids, lengths) of the columns of a step of the dataset."""
        rows = {"query": batch.query_rows, "passage": batch.passage_rows}
        if len(batch.negatives):
            row, place = batch.negative_places.T
            rows["negative"] = self._first[row] + place
        return {name: self._columns[name].take(numbers) for name, numbers in rows.items()}


def _negatives(table: PairTable, most: int) -> tuple[pa.ChunkedArray[Any], IntArray]:
    """(the first `most` negatives of every row, one after the other; how many each row has, int64 of shape (n_rows,))."""
    lists = pc.list_slice(table.table.column("negatives"), 0, most)
    counts = pc.fill_null(pc.list_value_length(lists), 0).to_numpy().astype(np.int64)
    flat = pc.list_flatten(lists)
    return flat if isinstance(flat, pa.ChunkedArray) else pa.chunked_array([flat]), counts


def _ranges(counts: IntArray) -> IntArray:
    """0..c-1 for each count c, one after the other."""
    return np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
