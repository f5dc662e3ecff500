"""Matrix products of queries and a chunk of documents, on the CPU with numpy or on a torch device.

An engine only finds out what a product can decide: how many scores are surely above a threshold, and which pairs lie too
near to it to tell (`isoglot.retrieval.scoring`). Those are scored on the CPU, so every engine leads to the same ranks.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from isoglot.errors import InputError
from isoglot.records import Float32Array, FloatArray, IntArray
from isoglot.retrieval.scoring import at_most

# thresholds of one query that are compared with its scores at once: 16 x 65,536 bytes stay in the processor's cache
_AT_ONCE = 16
# products that are compared with a floor at once: 1 MiB, in the processor's cache
_ELEMENTS = 1 << 18
# undecided pairs that are handed over together
_PAIRS = 1 << 16


@dataclass(frozen=True)
class Around:
    """What a product says about thresholds `part` (a slice of those asked for, m of them).

    Attributes:
        above, above_own: documents surely above, int64, shape (m,), in the whole chunk and within the columns given.
        which, columns, products: pairs too near to tell: number of the threshold (among all asked for), column in the
            chunk and float32 product, all of shape (n_pairs,).
    """

    part: slice
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

    def load(self, part: npt.NDArray[Any]) -> float:
        """Take a chunk of documents, shape (n, d); returns the greatest length of a vector in it.

        Raises:
            ValueError: NaN, infinity, or numbers whose squares float32 cannot hold.
        """

    def scores(self, rows: slice) -> Scores:
        """Products of some queries with the chunk; they are overwritten by the next call."""


def engine(queries: Float32Array, device: str | None) -> Engine:
    """numpy when `device` is None, else torch on that device ("cpu", "cuda", "cuda:1", "mps").

    Raises:
        InputError: torch cannot use the device.
    """
    if device is None:
        return _NumpyEngine(queries)
    from isoglot.retrieval.torch_engine import TorchEngine

    try:
        return TorchEngine(queries, device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA raises AssertionError
        raise InputError(f"device '{device}' cannot be used: {str(error).splitlines()[0]}") from None


def longest_of(square: float) -> float:
    """The length of the longest vector from its square, which float32 has rounded.

    Raises:
        ValueError: it is not finite.
    """
    if not np.isfinite(square):
        raise ValueError("a document vector has NaN or infinity in it, or its square is beyond float32")
    return float(np.sqrt(square)) * 1.001


class _NumpyEngine:
    """Holds its own copy of every chunk: torch warns of the read-only memory of a map."""

    def __init__(self, queries: Float32Array) -> None:
        self._queries = np.require(queries, requirements="W")
        self._cast = np.empty((0, queries.shape[1]), dtype=np.float32)
        self._half = np.empty((0, queries.shape[1]), dtype=np.float16)
        self._buffer = np.empty(0, dtype=np.float32)
        self._part = self._cast

    def load(self, part: npt.NDArray[Any]) -> float:
        # products of float16 are several times slower on a CPU than casting the chunk first
        if len(self._cast) < len(part):
            self._cast = np.empty(part.shape, dtype=np.float32)
        self._part = self._cast[: len(part)]
        if part.dtype == np.float16 and _torch_is_there():
            if len(self._half) < len(part):
                self._half = np.empty(part.shape, dtype=np.float16)
            half = self._half[: len(part)]
            half[:] = part
            from isoglot.retrieval.torch_engine import cast_on_cpu  # on all cores, and twice as fast on one

            cast_on_cpu(half, self._part)
        else:
            np.copyto(self._part, part, casting="same_kind")
        return longest_of(float(np.einsum("ij,ij->i", self._part, self._part).max()))

    def scores(self, rows: slice) -> Scores:
        shape = (rows.stop - rows.start, len(self._part))
        if len(self._buffer) < shape[0] * shape[1]:
            self._buffer = np.empty(shape[0] * shape[1], dtype=np.float32)
        out = self._buffer[: shape[0] * shape[1]].reshape(shape)
        multiply(self._queries[rows], self._part, out)
        return _NumpyScores(out)


def _torch_is_there() -> bool:
    """Whether the program has loaded torch: importing it takes longer than many a search."""
    return hasattr(sys.modules.get("torch"), "mm")


def multiply(queries: Float32Array, part: Float32Array, out: Float32Array) -> None:
    """out = queries @ part.T in float32, by torch where it is loaded (faster on x86, with MKL), else by numpy.

    Both are within `margins` of the scores, so the answer is the same.
    """
    if _torch_is_there():
        from isoglot.retrieval.torch_engine import multiply_on_cpu

        multiply_on_cpu(queries, part, out)
    else:
        np.matmul(queries, part.T, out=out)


class _NumpyScores:
    def __init__(self, products: Float32Array) -> None:
        self._products = products

    def around(
        self, rows: IntArray, low: Float32Array, high: Float32Array, first: IntArray, last: IntArray
    ) -> Iterator[Around]:
        n = self._products.shape[1]
        above, own = np.empty(len(rows), dtype=np.int64), np.empty(len(rows), dtype=np.int64)
        begin, pairs = 0, _Pairs()
        for start, end in _groups(rows):
            line = self._products[rows[start]]
            greater = line > high[start:end, None]
            near = line >= low[start:end, None]
            near ^= greater
            which, columns = np.divmod(np.flatnonzero(near), n)
            pairs.add(start + which, columns, line[columns])
            for i, found in enumerate(greater, start):
                above[i] = np.count_nonzero(found)
                own[i] = np.count_nonzero(found[first[i] : last[i]])
            if pairs.count > _PAIRS or end == len(rows):
                yield Around(slice(begin, end), above[begin:end], own[begin:end], *pairs.take())
                begin = end

    def reaching(
        self, floor: Float32Array, width: int, margin: FloatArray
    ) -> Iterator[tuple[IntArray, IntArray, Float32Array]]:
        n = self._products.shape[1]
        step, pairs = max(1, _ELEMENTS // n), _Pairs()
        for start in range(0, len(floor), step):
            rows = slice(start, min(start + step, len(floor)))
            lines, least = self._products[rows], floor[rows]
            if n > 2 * width and np.isneginf(least).any():  # nothing was seen yet: the best of the chunk are the floor
                least = self._raised(lines, least, width, margin[rows])
            places = np.flatnonzero(lines >= least[:, None])
            if n > 2 * width and len(places) > 2 * width * len(lines):  # too many to keep
                least = self._raised(lines, least, width, margin[rows])
                places = np.flatnonzero(lines >= least[:, None])
            which, columns = np.divmod(places, n)
            pairs.add(start + which, columns, lines[which, columns])
            if pairs.count > _PAIRS:
                yield pairs.take()
        if pairs.count:
            yield pairs.take()

    @staticmethod
    def _raised(lines: Float32Array, floor: Float32Array, width: int, margin: FloatArray) -> Float32Array:
        """The floor, or what the `width` best products of these lines alone put in its place."""
        best = np.partition(lines, lines.shape[1] - width, axis=1)[:, -width]
        return np.maximum(floor, at_most(best - 2 * margin))


class _Pairs:
    """Pairs that wait to be handed over."""

    def __init__(self) -> None:
        self.count = 0
        self._held: list[tuple[IntArray, IntArray, Float32Array]] = []

    def add(self, which: IntArray, columns: IntArray, products: Float32Array) -> None:
        if len(which):
            self._held.append((which, columns, products))
            self.count += len(which)

    def take(self) -> tuple[IntArray, IntArray, Float32Array]:
        held = self._held
        self.count, self._held = 0, []
        if not held:
            nothing = np.empty(0, dtype=np.int64)
            return nothing, nothing, np.empty(0, dtype=np.float32)
        which, columns, products = (np.concatenate(arrays) for arrays in zip(*held))
        return which, columns, products


def _groups(rows: IntArray) -> Iterator[tuple[int, int]]:
    """Slices of equal rows, at most `_AT_ONCE` long."""
    bounds = [0, *(np.flatnonzero(np.diff(rows)) + 1).tolist(), len(rows)]
    for start, end in zip(bounds[:-1], bounds[1:]):
        for low in range(start, end, _AT_ONCE):
            yield low, min(low + _AT_ONCE, end)
