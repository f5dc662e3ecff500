"""Scores of queries against documents, a chunk at a time, with documents of equal vectors in one column."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoglot.records import Float32Array, IntArray

# the largest matrix of scores that is held: 512 x 65,536 float32 are 128 MiB
QUERY_CHUNK = 512
DOCUMENT_CHUNK = 65_536


@dataclass(frozen=True)
class Members:
    """The documents of one chunk, ascending, and the column of the chunk's score matrix that each of them reads."""

    documents: IntArray
    columns: IntArray
    plain: bool  # column i is document i: no copy is needed


class Chunks:
    """Distinct vectors, cut into chunks.

    Documents with the same vector read one column, so that they tie exactly: a matrix product may give two columns with
    the same content different last bits, depending on where they stand in it.
    """

    def __init__(self, documents: Float32Array, size: int) -> None:
        numbers: dict[bytes, int] = {}
        first: list[int] = []
        distinct = np.empty(len(documents), dtype=np.int64)
        for i, row in enumerate(documents):
            # adding zero makes -0.0 and 0.0 the same bytes
            key = hashlib.blake2b((row + row.dtype.type(0)).tobytes(), digest_size=16).digest()
            number = numbers.setdefault(key, len(first))
            if number == len(first):
                first.append(i)
            distinct[i] = number
        self._documents = documents
        self._first = np.array(first, dtype=np.int64)
        self._size = size
        bounds = [*range(0, len(first), size), len(first)]
        self._bounds = list(itertools.pairwise(bounds))
        self._members = [self._make(distinct, start, end) for start, end in self._bounds]
        self.distinct = distinct

    def __len__(self) -> int:
        return len(self._bounds)

    def members(self, number: int) -> Members:
        return self._members[number]

    def vectors(self, number: int) -> Float32Array:
        """float32, shape (distinct vectors in the chunk, d)."""
        start, end = self._bounds[number]
        rows = self._first[start:end]
        whole = len(rows) == int(rows[-1]) - int(rows[0]) + 1
        part = self._documents[int(rows[0]) : int(rows[-1]) + 1] if whole else self._documents[rows]
        vectors = np.ascontiguousarray(part, dtype=np.float32)
        if not np.isfinite(vectors).all():
            raise ValueError("a document vector has NaN or infinity in it")
        return vectors

    def column_of(self, documents: IntArray) -> tuple[IntArray, IntArray]:
        """(chunk, column in it) of documents."""
        distinct = self.distinct[documents]
        return distinct // self._size, distinct % self._size

    @staticmethod
    def _make(distinct: IntArray, start: int, end: int) -> Members:
        documents = np.flatnonzero((distinct >= start) & (distinct < end))
        columns = distinct[documents] - start
        return Members(documents, columns, len(documents) == end - start and bool((np.diff(columns) == 1).all()))


def products(queries: Float32Array, chunks: Chunks, size: int) -> Iterator[tuple[slice, int, Float32Array]]:
    """(queries, number of the document chunk, float32 scores): every chunk of documents is read once."""
    buffer: Any = None
    for number in range(len(chunks)):
        vectors = chunks.vectors(number).T
        for start in range(0, len(queries), size):
            rows = slice(start, min(start + size, len(queries)))
            part = np.ascontiguousarray(queries[rows], dtype=np.float32)
            if buffer is None or buffer.shape != (len(part), vectors.shape[1]):
                buffer = np.empty((len(part), vectors.shape[1]), dtype=np.float32)
            yield rows, number, np.matmul(part, vectors, out=buffer)


def check(queries: Float32Array, documents: Float32Array, ties: IntArray) -> None:
    if queries.ndim != 2 or documents.ndim != 2 or queries.shape[1] != documents.shape[1]:
        raise ValueError(f"queries {queries.shape} and documents {documents.shape} are not vectors of one width")
    if not np.isfinite(queries).all():
        raise ValueError("a query vector has NaN or infinity in it")
    if len(ties) != len(documents):
        raise ValueError(f"{len(ties)} tie positions for {len(documents)} documents")
