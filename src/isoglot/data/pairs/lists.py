"""Columns of a pair table, read by row number: texts, and lists of texts as one long list of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from isoglot.records import IntArray


def take_rows(column: Any, rows: IntArray) -> pa.Array[Any]:
    """Values of a chunked column by row number, shape (n,), in their order, as an Arrow array.

    `ChunkedArray.take` lays all chunks together in memory first; here only the rows that are asked for are read.
    """
    values: pa.Array[Any]
    if column.num_chunks == 1:
        values = column.chunk(0).take(pa.array(rows, pa.int64()))
    else:
        values = pa.array([column[row].as_py() for row in rows.tolist()], column.type)
    return values


def ranges(first: IntArray, sizes: IntArray) -> IntArray:
    """The numbers first[i], ..., first[i] + sizes[i] - 1, one range after the other."""
    before = np.cumsum(sizes) - sizes
    numbers: IntArray = np.arange(int(sizes.sum())) + np.repeat(first - before, sizes)
    return numbers


class ListColumn:
    """The texts of a column of lists, numbered through in the order of the rows.

    Of a memory-mapped column only what is asked for is read.

    Args:
        column: a chunked array of lists of texts; null is an empty list.
    """

    def __init__(self, column: Any) -> None:
        self._column = column
        ends = [(chunk.offsets[0].as_py(), chunk.offsets[-1].as_py()) for chunk in column.chunks]
        self._offsets: dict[int, IntArray] = {}
        self._first = [first for first, _ in ends]
        self._rows = np.cumsum([0, *map(len, column.chunks)])
        self._texts = np.cumsum([0, *(end - first for first, end in ends)])

    def __len__(self) -> int:
        return int(self._texts[-1])

    def spans(self, rows: IntArray) -> tuple[IntArray, IntArray]:
        """(number of the first text, length) of each row's list, int64, shape (n,) each."""
        first, sizes = np.zeros((2, len(rows)), dtype=np.int64)
        for number, here, local in _by_chunk(self._rows, rows):
            if number not in self._offsets:
                self._offsets[number] = np.asarray(self._column.chunk(number).offsets)
            offsets = self._offsets[number]
            begin = offsets[local].astype(np.int64)
            first[here], sizes[here] = begin - self._first[number] + self._texts[number], offsets[local + 1] - begin
        return first, sizes

    def texts(self, numbers: IntArray) -> pa.Array[Any]:
        """The texts of some numbers, in their order."""
        found, places = [pa.array([], self._column.type.value_type)], [np.empty(0, dtype=np.int64)]
        for number, here, local in _by_chunk(self._texts, numbers):
            found.append(self._column.chunk(number).values.take(pa.array(local + self._first[number], pa.int64())))
            places.append(here)
        texts: pa.Array[Any] = pa.concat_arrays(found).take(pa.array(np.argsort(np.concatenate(places)), pa.int64()))
        return texts

    def chunks(self) -> Iterator[pa.Array[Any]]:
        """All texts in the order of their numbers, a chunk at a time."""
        for chunk, first, size in zip(self._column.chunks, self._first, np.diff(self._texts).tolist()):
            yield chunk.values.slice(first, size)


def _by_chunk(starts: IntArray, numbers: IntArray) -> Iterator[tuple[int, IntArray, IntArray]]:
    """(chunk, places in `numbers`, the same numbers counted in the chunk) for every chunk that some of `numbers` lie in."""
    chunks = np.searchsorted(starts, numbers, side="right") - 1
    for chunk in np.unique(chunks).tolist():
        here = np.flatnonzero(chunks == chunk)
        yield chunk, here, numbers[here] - starts[chunk]
