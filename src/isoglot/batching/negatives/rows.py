from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import SerializerFunctionWrapHandler, model_serializer

from isoglot.batching.negatives import NEGATIVES, Negatives, Pool
from isoglot.data.pairs.lists import ListColumn, ranges
from isoglot.data.pairs.table import PairTable
from isoglot.data.sameness import text_key
from isoglot.records import IntArray


@NEGATIVES.register
class Rows(Negatives):
    """the texts that the rows have as `negatives`; of lists that are longer than the number, some by chance"""

    name: ClassVar[str] = "rows"
    is_default: ClassVar[bool] = True

    @model_serializer(mode="wrap")
    def _with_name(self, handler: SerializerFunctionWrapHandler) -> Any:
        """The number alone, as it was written before there were other kinds, where it says everything."""
        return {"name": self.name, **handler(self)} if self.other_languages else self.number

    def pool(self, table: PairTable) -> Pool | None:
        """The rows' lists; None where they are all empty."""
        return _Lists(table) if table.has_negatives else None


class _Lists(Pool):
    def __init__(self, table: PairTable) -> None:
        self._table, self._lists = table, ListColumn(table.table.column("negatives"))
        self.size, self.key = len(self._lists), {"numbers": "lists"}

    def counts(self, rows: IntArray) -> IntArray:
        return self._lists.spans(rows)[1]

    def numbers(self, rows: IntArray, places: IntArray) -> IntArray:
        return self._lists.spans(rows)[0] + places

    def every(self, rows: IntArray) -> IntArray:
        return ranges(*self._lists.spans(np.unique(rows)))

    def texts(self, numbers: IntArray) -> pa.Array[Any]:
        return self._lists.texts(numbers)

    def fitting(self, numbers: IntArray, pairs: IntArray) -> IntArray:
        if not len(numbers):
            return numbers
        rows = self._table.index.rows[pairs]
        seen = set(map(text_key, self._table.column("passage", rows[rows >= 0])))
        kept = []
        texts: list[Any] = self.texts(numbers).to_pylist()
        for place, text in enumerate(texts):
            if (key := text_key(text)) not in seen:
                seen.add(key)
                kept.append(place)
        return numbers[kept]
