from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from isoglot.batching.negatives import NEGATIVES, Negatives, Pool
from isoglot.data.pairs.table import PairTable
from isoglot.errors import InputError
from isoglot.records import IntArray


@NEGATIVES.register
class Document(Negatives):
    """other passages of the passage's document, in its language: none of pairs that share a passage or query with its own"""

    name: ClassVar[str] = "document"
    uses_documents: ClassVar[bool] = True

    def check_table(self, table: PairTable) -> None:
        if table.document_digest is None:
            raise InputError(
                f"negatives: '{self.name}' needs pairs with documents, and these have none: give the rows a document_id "
                "(isoglot data check counts them), or take negatives of another kind"
            )

    def pool(self, table: PairTable) -> Pool | None:
        self.check_table(table)
        return _Beside(table)


class _Beside(Pool):
    """Texts of documents. What belongs to the group of a pair of the batch is left out, and so every passage of the batch."""

    def __init__(self, table: PairTable) -> None:
        self._group, self._documents = table.index.group, table.documents
        self.size = len(self._documents)
        self.key = {"documents": table.document_digest, "groups": table.index.group_digest}

    def counts(self, rows: IntArray) -> IntArray:
        return self._documents.counts(rows)

    def numbers(self, rows: IntArray, places: IntArray) -> IntArray:
        return self._documents.numbers(rows, places)

    def every(self, rows: IntArray) -> IntArray:
        return self._documents.every(rows)

    def texts(self, numbers: IntArray) -> pa.Array[Any]:
        return self._documents.texts(numbers)

    def fitting(self, numbers: IntArray, pairs: IntArray) -> IntArray:
        numbers = numbers[~np.isin(self._documents.owner[numbers], self._group[pairs])]
        _, first = np.unique(self._documents.hashes[numbers], return_index=True)
        return numbers[np.sort(first)]
