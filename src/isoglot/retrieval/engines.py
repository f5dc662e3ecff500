"""Engines: what computes matrix products of queries and a chunk of documents. Here that by numpy, on the CPU.

An engine only finds out what a product can decide: how many scores are surely above a threshold, and which pairs lie too
near to it to tell (`isoglot.retrieval.scoring`). Those are scored on the CPU, so every engine leads to the same ranks.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from isoglot.errors import InputError, first_line
from isoglot.records import Float32Array, FloatArray, IntArray
from isoglot.retrieval.scoring import Around, at_most, float32_error, longest_of

if TYPE_CHECKING:
    from isoglot.retrieval.torch_engine import TorchEngine

# thresholds of one query that are compared with its scores at once: 16 x 65,536 bytes stay in the processor's cache
_AT_ONCE = 16
# products that are compared with a floor at once: 1 MiB, in the processor's cache
_ELEMENTS = 1 << 18
# undecided pairs that are handed over together
_PAIRS = 1 << 16


def engine(queries: Float32Array, device: str | None) -> NumpyEngine | TorchEngine:
    """numpy when `device` is None, else torch on that device ("cpu", "cuda", "cuda:1", "mps").

    Raises:
        InputError: torch cannot use the device.
    """
    if device is None:
        return NumpyEngine(queries)
    from isoglot.retrieval.torch_engine import TorchEngine

    try:
        return TorchEngine(queries, device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA raises AssertionError
        raise InputError(f"device '{device}' cannot be used: {first_line(error)}") from None


class NumpyEngine:
    """Holds the queries, then one chunk of documents at a time: its own copy, since torch warns of a map's read-only memory.

    `error` is how far its products may be from the scores, relative to the lengths of the vectors.
    """

    def __init__(self, queries: Float32Array) -> None:
        self.error = float32_error(queries.shape[1])
        self._queries = np.require(queries, requirements="W")
        self._chunk = self._queries[:0]
        self._held: dict[str, npt.NDArray[Any]] = {}

    def load(self, chunk: npt.NDArray[Any]) -> float:
        """Take a chunk of documents, shape (n, d); returns the greatest length of a vector in it.

        Raises:
            ValueError: NaN, infinity, or numbers whose squares float32 cannot hold.
        """
        # products of float16 are several times slower on a CPU than casting the chunk first
        self._chunk = self._room("chunk", chunk.shape, np.float32)
        if chunk.dtype == np.float16 and _torch_is_there():
            import torch

            half = self._room("half", chunk.shape, np.float16)
            half[:] = chunk
            torch.from_numpy(self._chunk).copy_(torch.from_numpy(half))  # on all cores, and twice as fast on one
        else:
            np.copyto(self._chunk, chunk, casting="same_kind")
        return longest_of(float(np.einsum("ij,ij->i", self._chunk, self._chunk).max()), chunk.shape[1])

    def scores(self, rows: slice) -> NumpyScores:
        """Products of some queries with the chunk; they are overwritten by the next call."""
        queries = self._queries[rows]
        products = self._room("products", (len(queries), len(self._chunk)), np.float32)
        multiply(queries, self._chunk, products)
        return NumpyScores(products)

    def _room(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Memory of this shape that is kept from chunk to chunk."""
        size = math.prod(shape)
        if name not in self._held or len(self._held[name]) < size:
            self._held[name] = np.empty(size, dtype=dtype)
        return self._held[name][:size].reshape(shape)


def _torch_is_there() -> bool:
    """Whether the program has loaded torch: importing it takes longer than many a search."""
    return hasattr(sys.modules.get("torch"), "mm")


def multiply(queries: Float32Array, chunk: Float32Array, out: Float32Array) -> None:
    """out = queries @ chunk.T in float32, by torch where it is loaded (faster on x86, with MKL), else by numpy.

    Both are within `margins` of the scores, so the answer is the same.
    """
    if _torch_is_there():
        import torch

        from isoglot.retrieval.torch_engine import full_precision

        with full_precision():
            torch.mm(torch.from_numpy(queries), torch.from_numpy(chunk).T, out=torch.from_numpy(out))
    else:
        np.matmul(queries, chunk.T, out=out)


class NumpyScores:
    """Products of a block of queries and a chunk of documents."""

    def __init__(self, products: Float32Array) -> None:
        self._products = products

    def around(
        self, rows: IntArray, low: Float32Array, high: Float32Array, first: IntArray, last: IntArray
    ) -> Iterator[Around]:
        """Compare row rows[i] (ascending) with the interval from low[i] to high[i]; own columns are first[i]:last[i]."""
        n = self._products.shape[1]
        above, own = np.empty(len(rows), dtype=np.int64), np.empty(len(rows), dtype=np.int64)
        begin, n_pairs, pairs = 0, 0, []
        for start, end in _groups(rows):
            line = self._products[rows[start]]
            greater = line > high[start:end, None]
            near = line >= low[start:end, None]
            near ^= greater
            which, columns = np.divmod(np.flatnonzero(near), n)
            pairs.append((start + which, columns, line[columns]))
            n_pairs += len(which)
            for i, passed in enumerate(greater, start):
                above[i] = np.count_nonzero(passed)
                own[i] = np.count_nonzero(passed[first[i] : last[i]])
            if n_pairs > _PAIRS or end == len(rows):
                yield Around(slice(begin, end), above[begin:end], own[begin:end], *map(np.concatenate, zip(*pairs)))
                begin, n_pairs, pairs = end, 0, []

    def reaching(
        self, floor: Float32Array, width: int, margin: FloatArray
    ) -> Iterator[tuple[IntArray, IntArray, Float32Array]]:
        """(rows, columns, products), rows ascending: a superset of every row's `width` best scores that reach its floor.

        Products may be `margin` (one per row) away from the scores; `floor` has allowed for that, shape (n_rows,).
        """
        n = self._products.shape[1]
        step = max(1, _ELEMENTS // n)
        for start in range(0, len(floor), step):
            rows = slice(start, min(start + step, len(floor)))
            lines, least = self._products[rows], floor[rows]
            if n > 2 * width and np.isneginf(least).any():  # nothing was seen yet: the best of the chunk are the floor
                least = self._raised(lines, least, width, margin[rows])
            reached = np.flatnonzero(lines >= least[:, None])
            if n > 2 * width and len(reached) > 2 * width * len(lines):  # too many to keep
                least = self._raised(lines, least, width, margin[rows])
                reached = np.flatnonzero(lines >= least[:, None])
            which, columns = np.divmod(reached, n)
            yield start + which, columns, lines[which, columns]

    @staticmethod
    def _raised(lines: Float32Array, floor: Float32Array, width: int, margin: FloatArray) -> Float32Array:
        """The floor, or what the `width` best products of these lines alone put in its place."""
        best = np.partition(lines, lines.shape[1] - width, axis=1)[:, -width]
        return np.maximum(floor, at_most(best - 2 * margin))


def _groups(rows: IntArray) -> Iterator[tuple[int, int]]:
    """Slices of equal rows, at most `_AT_ONCE` long."""
    bounds = [0, *(np.flatnonzero(np.diff(rows)) + 1).tolist(), len(rows)]
    for start, end in zip(bounds[:-1], bounds[1:]):
        for low in range(start, end, _AT_ONCE):
            yield low, min(low + _AT_ONCE, end)
