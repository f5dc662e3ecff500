"""Exact search in memory: every document is scored, in float32, by the ranking code of the evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from isoglot.errors import InputError
from isoglot.records import Float32Array, IntArray
from isoglot.retrieval.columns import Columns
from isoglot.retrieval.index_input import check_addition, check_k, check_vectors, conditions
from isoglot.retrieval.indexes import INDEXES, Index
from isoglot.retrieval.search import Filters, Hits, Metadata
from isoglot.retrieval.ties import tie_positions
from isoglot.retrieval.topk import top_k


@INDEXES.register
class Exact(Index):
    """Exact search in memory; the reference for all others, fast enough for some million documents."""

    name: ClassVar[str] = "exact"
    is_default: ClassVar[bool] = True

    def open(self, *, fresh: bool = False, to_write: bool = True) -> ExactIndex:
        return ExactIndex()


class ExactIndex:
    """See `isoglot.retrieval.search.SearchIndex`. Holds 4 d bytes per document, twice that while documents are added."""

    def __init__(self) -> None:
        self._rows: dict[str, int] | None = {}
        self._keys: list[str] = []
        self._columns = Columns()
        self._vectors: Float32Array = np.empty((0, 0), dtype=np.float32)
        self._ties: IntArray | None = None

    def add(self, ids: Sequence[str], vectors: Float32Array, metadata: Sequence[Metadata] | None = None) -> None:
        rows = self._open_rows()
        fresh = check_addition(ids, vectors, metadata, self._width(), lambda _: rows)
        self._vectors = np.concatenate([self._vectors, fresh.vectors]) if rows else fresh.vectors.copy()
        rows.update(zip(fresh.ids, range(len(rows), len(self._vectors))))
        self._keys += fresh.ids
        self._columns.add(fresh.metadata)
        self._ties = None

    def delete(self, ids: Sequence[str]) -> int:
        rows = self._open_rows()
        gone = {rows[key] for key in ids if key in rows}
        if gone:
            left = [row for row in range(len(rows)) if row not in gone]
            self._vectors = self._vectors[left]
            self._columns = Columns(self._columns.rows[row] for row in left)
            self._keys = [self._keys[row] for row in left]
            self._rows = {key: number for number, key in enumerate(self._keys)}
            self._ties = None
        return len(gone)

    def search(
        self, queries: Float32Array, k: int, *, languages: Sequence[str] | None = None, where: Filters | None = None
    ) -> Hits:
        rows = self._open_rows()
        check_k(k)
        asked = check_vectors(queries, self._width())
        chosen = np.flatnonzero(self._columns.passes(conditions(languages, where)))
        if not len(chosen) or not len(asked):
            return Hits([[] for _ in asked], [np.empty(0, dtype=np.float32) for _ in asked])
        if self._ties is None:
            self._ties = tie_positions(self._keys)
        if len(chosen) == len(rows):
            numbers, scores = top_k(asked, self._vectors, k, self._ties)
        else:
            numbers, scores = top_k(asked, _Chosen(self._vectors, chosen), k, self._ties[chosen])
        return Hits([[self._keys[row] for row in chosen[line].tolist()] for line in numbers], list(scores))

    def count(self) -> int:
        return len(self._open_rows())

    def finish(self) -> None:
        self._open_rows()

    def close(self) -> None:
        self._rows, self._keys, self._columns, self._ties = None, [], Columns(), None
        self._vectors = np.empty((0, 0), dtype=np.float32)

    def _open_rows(self) -> dict[str, int]:
        """Id -> row of the vectors, in the order of the rows."""
        if self._rows is None:
            raise InputError("the index is closed")
        return self._rows

    def _width(self) -> int | None:
        return self._vectors.shape[1] if self._keys else None


class _Chosen:
    """Some rows of the vectors, copied as they are read: a chunk fits the processor's cache, all of them may not."""

    def __init__(self, vectors: Float32Array, rows: IntArray) -> None:
        self._vectors, self._rows = vectors, rows
        self.shape = (len(rows), vectors.shape[1])
        self._room: Float32Array = np.empty((0, vectors.shape[1]), dtype=np.float32)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any, /) -> Float32Array:
        """A chunk is overwritten by the next: pages that are new for each would take as long as all the rest."""
        rows = self._rows[index]
        if not isinstance(index, slice):
            chosen: Float32Array = self._vectors[rows]
            return chosen
        if len(self._room) < len(rows):
            self._room = np.empty((len(rows), self.shape[1]), dtype=np.float32)
        return np.take(self._vectors, rows, axis=0, out=self._room[: len(rows)], mode="clip")
