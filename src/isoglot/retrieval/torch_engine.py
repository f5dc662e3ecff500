"""The torch engine of `isoglot.retrieval.engines`: products and comparisons on a GPU. Imports torch, so load it late."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from isoglot.records import Float32Array, FloatArray, IntArray
from isoglot.retrieval.scoring import Around, at_most, longest_of

# elements of a score matrix that are compared at once: bounds the masks, and the pairs where all scores are alike
_ELEMENTS = 1 << 24


class TorchEngine:
    """`NumpyEngine` on a device: queries and one chunk of documents in float32; products with TF32 off.

    Args:
        queries: float32, shape (n_queries, d); all of them are copied to the device.
        device: such as "cuda".
    """

    def __init__(self, queries: Float32Array, device: str) -> None:
        self._queries = torch.from_numpy(queries).to(device)
        self._chunk = self._queries[:0]

    def load(self, chunk: npt.NDArray[Any]) -> float:
        # a copy, since torch warns of read-only maps; float16 is cast on the device: half the transfer
        self._chunk = torch.from_numpy(np.array(chunk)).to(self._queries.device).to(torch.float32)
        return longest_of(float((self._chunk * self._chunk).sum(dim=1).max().item()))

    def scores(self, rows: slice) -> TorchScores:
        with full_precision():
            return TorchScores(self._queries[rows] @ self._chunk.T)


class TorchScores:
    """`NumpyScores` on a device."""

    def __init__(self, products: Any) -> None:
        self._products = products

    def around(
        self, rows: IntArray, low: Float32Array, high: Float32Array, first: IntArray, last: IntArray
    ) -> Iterator[Around]:
        n = self._products.shape[1]
        step = max(1, _ELEMENTS // n)
        column = torch.arange(n, device=self._products.device)
        for start in range(0, len(rows), step):
            span = slice(start, min(start + step, len(rows)))
            lines = self._products[self._put(rows[span])]
            greater = lines > self._put(high[span])[:, None]
            near = (lines >= self._put(low[span])[:, None]) ^ greater
            which, columns = torch.nonzero(near, as_tuple=True)
            own = (column >= self._put(first[span])[:, None]) & (column < self._put(last[span])[:, None])
            counts = greater.sum(dim=1), (greater & own).sum(dim=1)
            pairs = start + which, columns, lines[which, columns]
            yield Around(span, *map(_take, (*counts, *pairs)))

    def reaching(
        self, floor: Float32Array, width: int, margin: FloatArray
    ) -> Iterator[tuple[IntArray, IntArray, Float32Array]]:
        n = self._products.shape[1]
        step = max(1, _ELEMENTS // n)
        for start in range(0, len(floor), step):
            span = slice(start, min(start + step, len(floor)))
            lines = self._products[span]
            least = floor[span]
            if n > width:
                best = _take(torch.topk(lines, width, dim=1).values[:, -1])
                least = np.maximum(least, at_most(best - 2 * margin[span]))
            rows, columns = torch.nonzero(lines >= self._put(least)[:, None], as_tuple=True)
            yield start + _take(rows), _take(columns), _take(lines[rows, columns])

    def _put(self, array: npt.NDArray[Any]) -> Any:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._products.device)


def _take(tensor: Any) -> Any:
    return tensor.cpu().numpy()


@contextmanager
def full_precision() -> Iterator[None]:
    """No TF32 or bfloat16 inside float32 products, whatever the program has set."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
