"""What an engine must say about the matrix products of queries and a chunk of documents, whatever computes them.

An engine only finds out what a product can decide: how many scores are surely above a threshold, and which pairs lie too
near to it to tell (`isoglot.retrieval.scoring`). Those are scored on the CPU, so every engine leads to the same ranks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from isoglot.records import Float32Array, FloatArray, IntArray


@dataclass(frozen=True)
class Around:
    """What a product says about thresholds `span` (a slice of those asked for, m of them).

    Attributes:
        above, above_own: documents surely above, int64, shape (m,), in the whole chunk and within the columns given.
        which, columns, products: pairs too near to tell: number of the threshold (among all asked for), column in the
            chunk and float32 product, all of shape (n_pairs,).
    """

    span: slice
    above: IntArray
    above_own: IntArray
    which: IntArray
    columns: IntArray
    products: Float32Array


class Scores(Protocol):
    """Products of a block of queries and a chunk of documents."""

    def around(
        self, rows: IntArray, low: Float32Array, high: Float32Array, first: IntArray, last: IntArray
    ) -> Iterator[Around]:
        """Compare row rows[i] (ascending) with the interval from low[i] to high[i]; own columns are first[i]:last[i]."""

    def reaching(
        self, floor: Float32Array, width: int, margin: FloatArray
    ) -> Iterator[tuple[IntArray, IntArray, Float32Array]]:
        """(rows, columns, products), rows ascending: a superset of every row's `width` best scores that reach its floor.

        Products may be `margin` (one per row) away from the scores; `floor` has allowed for that, shape (n_rows,).
        """


class Engine(Protocol):
    """Holds the queries, then one chunk of documents at a time."""

    def load(self, chunk: npt.NDArray[Any]) -> float:
        """Take a chunk of documents, shape (n, d); returns the greatest length of a vector in it.

        Raises:
            ValueError: NaN, infinity, or numbers whose squares float32 cannot hold.
        """

    def scores(self, rows: slice) -> Scores:
        """Products of some queries with the chunk; they are overwritten by the next call."""


def longest_of(square: float) -> float:
    """The length of the longest vector from its square, which float32 has rounded.

    Raises:
        ValueError: it is not finite.
    """
    if not np.isfinite(square):
        raise ValueError("a document vector has NaN or infinity in it, or its square is beyond float32")
    return float(np.sqrt(square)) * 1.001
