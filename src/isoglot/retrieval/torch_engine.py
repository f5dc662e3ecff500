"""The torch engine of `isoglot.retrieval.engines`: products and comparisons on a GPU. Imports torch, so load it late."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from isoglot.records import Float32Array, FloatArray, IntArray
from isoglot.retrieval import split_products
from isoglot.retrieval.scoring import Around, at_most, float32_error, longest_of

# elements of a score matrix that are compared at once: bounds the masks, and the pairs where all scores are alike
_ELEMENTS = 1 << 24


class TorchEngine:
    """`NumpyEngine` on a device: queries and one chunk of documents; products in bfloat16 parts where tensor cores can
    (`isoglot.retrieval.split_products`), else in float32 with TF32 off.

    Args:
        queries: float32, shape (n_queries, d); all of them are copied to the device.
        device: such as "cuda".
    """

    def __init__(self, queries: Float32Array, device: str) -> None:
        self._queries = torch.from_numpy(queries).to(device)
        self._chunk = self._queries[:0]
        self._split = split_products.can_split(self._queries)
        width = queries.shape[1]
        self.error = split_products.split_error(width) if self._split else float32_error(width)
        self._factors = [split_products.parts(self._queries) if self._split else self._queries, self._chunk]

    def load(self, chunk: npt.NDArray[Any]) -> float:
        # a copy, since torch warns of read-only maps; float16 is cast on the device: half the transfer
        self._chunk = torch.from_numpy(np.array(chunk)).to(self._queries.device)
        wide = self._chunk.to(torch.float32)
        longest = longest_of(float((wide * wide).sum(dim=1).max().item()), chunk.shape[1])
        self._factors[1] = split_products.parts(wide, low_first=True) if self._split else wide
        return longest

    def scores(self, rows: slice) -> TorchScores:
        queries, documents = self._factors
        with full_precision(queries.device.type):
            multiplied = split_products.split_product if self._split else _product
            return TorchScores(multiplied(queries[rows], documents), self._queries[rows], self._chunk)


class TorchScores:
    """`NumpyScores` on a device, which knows nearly all exact scores besides."""

    def __init__(self, products: Any, queries: Any, chunk: Any) -> None:
        self._products, self._queries, self._chunk = products, queries, chunk

    def around(
        self, rows: IntArray, low: Float32Array, high: Float32Array, first: IntArray, last: IntArray
    ) -> Iterator[Around]:
        n = self._products.shape[1]
        step = max(1, _ELEMENTS // n)
        column = torch.arange(n, device=self._products.device)
        for start in range(0, len(rows), step):
            span = slice(start, min(start + step, len(rows)))
            asked = self._put(rows[span])
            lines = self._products[asked]
            greater = lines > self._put(high[span])[:, None]
            near = (lines >= self._put(low[span])[:, None]) ^ greater
            which, columns = torch.nonzero(near, as_tuple=True)
            own = (column >= self._put(first[span])[:, None]) & (column < self._put(last[span])[:, None])
            above, above_own = (_take(mask.sum(dim=1)) for mask in (greater, greater & own))
            products, known = _take(lines[which, columns]), self._known(asked[which], columns)
            yield Around(span, above, above_own, start + _take(which), _take(columns), products, known)

    def _known(self, rows: Any, columns: Any) -> Float32Array | None:
        """The scores of some pairs, float32, shape (n_pairs,), NaN where they are not sure; None without float64 (Apple's GPUs).

        Products of two float32 are exact in float64. This sum and that of `pair_scores`, which adds in another order, are both
        within d u / (1 - d u) |x|.|y| of the true one, u = 2^-53 (see `float32_error`): where all numbers so near round to one
        float32, it is the score.
        """
        if self._products.device.type not in ("cuda", "cpu"):
            return None
        known = torch.empty(len(rows), dtype=torch.float32, device=rows.device)
        step = max(1, _ELEMENTS // max(1, self._chunk.shape[1]))
        for start in range(0, len(rows), step):
            span = slice(start, start + step)
            terms = self._queries[rows[span]].double() * self._chunk[columns[span]].float().double()
            sums, apart = terms.sum(dim=1), terms.abs_().sum(dim=1) * (2.02 * (terms.shape[1] + 2) * 2.0**-53)
            lower, upper = (sums - apart).float(), (sums + apart).float()
            known[span] = torch.where(lower == upper, lower, torch.nan)
        scores: Float32Array = _take(known)
        return scores

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


def _product(queries: Any, documents: Any) -> Any:
    return queries @ documents.T


def _take(tensor: Any) -> Any:
    return tensor.cpu().numpy()


@contextmanager
def full_precision(device: str = "cpu") -> Iterator[None]:
    """No TF32 or bfloat16 inside float32 products on a kind of device, whatever the program has set."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
