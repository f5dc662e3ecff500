"""Exact search in memory: every document is scored, in float32, by the ranking code of the evaluation."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar

import numpy as np

from isoglot.errors import InputError
from isoglot.records import BoolArray, Float32Array, IntArray
from isoglot.retrieval.indexes import INDEXES, Index
from isoglot.retrieval.search import LANGUAGE, Filters, Hits, Metadata
from isoglot.retrieval.ties import tie_positions
from isoglot.retrieval.topk import top_k


@INDEXES.register
class Exact(Index):
    """Exact search in memory; the reference for all others, fast enough for some million documents."""

    name: ClassVar[str] = "exact"
    is_default: ClassVar[bool] = True

    def open(self) -> ExactIndex:
        return ExactIndex()


class ExactIndex:
    """See `isoglot.retrieval.search.SearchIndex`. Holds 4 d bytes per document, twice that while documents are added."""

    def __init__(self) -> None:
        self._rows: dict[str, int] | None = {}
        self._metadata: list[Metadata] = []
        self._vectors: Float32Array = np.empty((0, 0), dtype=np.float32)
        self._ties: IntArray | None = None

    def add(self, ids: Sequence[str], vectors: Float32Array, metadata: Sequence[Metadata] | None = None) -> None:
        rows = self._open_rows()
        fresh = _check(vectors, self._vectors.shape[1] if rows else None)
        about: Sequence[Metadata] = [{}] * len(ids) if metadata is None else metadata
        if not len(ids) == len(fresh) == len(about):
            raise InputError(f"{len(ids)} ids, {len(fresh)} vectors, {len(about)} metadata; expected as many of each")
        seen: set[str] = set()
        for key in ids:
            if key in rows or key in seen:
                raise InputError(f"id '{key}' {'occurs twice' if key in seen else 'is in the index; delete it first'}")
            seen.add(key)
        self._vectors = np.concatenate([self._vectors, fresh]) if rows else fresh.copy()
        rows.update(zip(ids, range(len(rows), len(self._vectors))))
        self._metadata += map(dict, about)
        self._ties = None

    def delete(self, ids: Sequence[str]) -> int:
        rows = self._open_rows()
        gone = {rows[key] for key in ids if key in rows}
        if gone:
            left = [(key, row) for key, row in rows.items() if row not in gone]
            self._vectors = self._vectors[[row for _, row in left]]
            self._metadata = [self._metadata[row] for _, row in left]
            self._rows = {key: number for number, (key, _) in enumerate(left)}
            self._ties = None
        return len(gone)

    def search(
        self, queries: Float32Array, k: int, *, languages: Sequence[str] | None = None, where: Filters | None = None
    ) -> Hits:
        rows = self._open_rows()
        if k < 1:
            raise InputError(f"k must be at least 1, got {k}")
        asked = _check(queries, self._vectors.shape[1] if rows else None)
        filters: Filters = {**(where or {}), **({} if languages is None else {LANGUAGE: list(languages)})}
        chosen = np.flatnonzero(self._passes(filters))
        if not len(chosen):
            return Hits([[] for _ in asked], [np.empty(0, dtype=np.float32) for _ in asked])
        keys = list(rows)
        if self._ties is None:
            self._ties = tie_positions(keys)
        vectors = self._vectors if len(chosen) == len(rows) else self._vectors[chosen]
        numbers, scores = top_k(asked, vectors, k, self._ties[chosen])
        return Hits([[keys[row] for row in chosen[line].tolist()] for line in numbers], list(scores))

    def count(self) -> int:
        return len(self._open_rows())

    def close(self) -> None:
        self._rows, self._metadata, self._ties = None, [], None
        self._vectors = np.empty((0, 0), dtype=np.float32)

    def _open_rows(self) -> dict[str, int]:
        """Id -> row of the vectors, in the order of the rows."""
        if self._rows is None:
            raise InputError("the index is closed")
        return self._rows

    def _passes(self, filters: Filters) -> BoolArray:
        """Which documents pass, shape (count,)."""
        passes = np.ones(len(self._metadata), dtype=bool)
        for key, value in filters.items():
            allowed = value if isinstance(value, Collection) and not isinstance(value, str) else [value]
            passes &= np.fromiter((row.get(key) in allowed for row in self._metadata), dtype=bool, count=len(passes))
        return passes


def _check(vectors: Float32Array, width: int | None) -> Float32Array:
    """The vectors as contiguous float32 of shape (n, d)."""
    array: Float32Array = np.ascontiguousarray(vectors, dtype=np.float32)
    if array.ndim != 2 or (width is not None and array.shape[1] != width) or not array.shape[1]:
        raise InputError(f"vectors of shape {array.shape}; expected (n, {'d' if width is None else width})")
    if not np.isfinite(array).all():
        raise InputError("a vector has NaN or infinity in it")
    return array
