"""The k best documents of every query, exact, in the order that `isoglot.retrieval.ranks` counts in.

Products are only known up to a margin. A document whose product lies more than twice the margin below k others is surely not
among the k best, whatever the exact scores are. All others are candidates, and scored one by one (`pair_scores`) only at the
end, or where too many are near-equal to be kept.
"""

from __future__ import annotations

import numpy as np

from isoglot.records import Float32Array, FloatArray, IntArray
from isoglot.retrieval.engines import engine
from isoglot.retrieval.scoring import (
    QUERY_CHUNK,
    TOP_CHUNK,
    Vectors,
    at_most,
    check,
    document_chunks,
    exact_scores,
    lengths,
    margins,
)

# places for candidates beyond the k best: few enough to hold, many enough for few rounds of sorting out
_SPARE = 256


def top_k(
    queries: Vectors,
    documents: Vectors,
    k: int,
    ties: IntArray,
    *,
    within: tuple[int, int] | None = None,
    query_chunk: int = QUERY_CHUNK,
    document_chunk: int | None = None,
    device: str | None = None,
) -> tuple[IntArray, Float32Array]:
    """The k best documents of every query, best first, in exactly the order that `exact_ranks` counts in.

    Args:
        queries, documents, ties: as in `exact_ranks`, with the same guarantee and memory besides the k kept per query.
        k: how many; fewer where there are fewer documents.
        within: (first, end) document numbers to search in, such as one language's; all when None. Others are not read.
        query_chunk, document_chunk, device: as in `exact_ranks`.

    Returns:
        Document numbers (int64) and scores (float32), both of shape (n_queries, min(k, number of documents)).

    Raises:
        ValueError: k below 1, or shapes that do not fit together, vectors that are not finite.
        InputError: a device that torch cannot use.
        ImpreciseProductError: a device whose products are less precise than its arithmetic allows.
    """
    held = check(queries, documents, ties)
    first, end = within or (0, len(documents))
    width = min(k, end - first)
    if width < 1:
        raise ValueError("k and the number of documents must be at least 1")
    if isinstance(documents, np.memmap):
        documents = documents.view(np.ndarray)  # the same map, without the cost of a subclass at every slice
    products, norms, longest = engine(held, device), lengths(held), 0.0
    blocks = [slice(start, min(start + query_chunk, len(held))) for start in range(0, len(held), query_chunk)]
    candidates = [_Candidates(held[rows], documents, width, ties) for rows in blocks]
    size = document_chunk or (TOP_CHUNK if device is None else None)
    for begin, chunk in document_chunks(documents, first, end, size):
        longest = max(longest, products.load(chunk))
        margin = margins(norms, longest, held.shape[1], products.error)
        for rows, among in zip(blocks, candidates):
            scores = products.scores(rows)
            for lines, columns, reached in scores.reaching(among.floor(margin[rows]), width, margin[rows]):
                among.add(lines, begin + columns, reached, margin[rows])
    numbers, values = np.empty((len(held), width), dtype=np.int64), np.empty((len(held), width), dtype=np.float32)
    for rows, among in zip(blocks, candidates):
        numbers[rows], values[rows] = among.best(margin[rows])
    return numbers, values


class _Candidates:
    """The candidates of a block of queries, shape (n, d).

    `margin`, shape (n,): how far a product may be from the score, of the documents seen so far and the next. Where a product is
    found to be further off, that is an ImpreciseProductError.
    """

    def __init__(self, queries: Float32Array, documents: Vectors, width: int, ties: IntArray) -> None:
        self._queries, self._documents, self._width, self._ties = queries, documents, width, ties
        self._places = width + max(_SPARE, width // 2)
        n = len(queries)
        self._numbers = np.zeros((n, self._places), dtype=np.int64)
        self._values: Float32Array = np.full((n, self._places), -np.inf, dtype=np.float32)
        self._held = np.zeros(n, dtype=np.int64)
        self._last: Float32Array = np.full(n, -np.inf, dtype=np.float32)
        self._fresh = 0

    def floor(self, margin: FloatArray) -> Float32Array:
        """What a product must reach to be a candidate, shape (n,); -inf until k documents were seen."""
        return at_most(self._last - 2 * margin)

    def add(self, rows: IntArray, numbers: IntArray, values: Float32Array, margin: FloatArray) -> None:
        """Take candidates of query rows[i] (ascending), each document once per query; shapes (m,)."""
        n = len(self._held)
        counts = np.bincount(rows, minlength=n)
        full = self._held + counts > self._places
        if full.any():
            self._sort_out(np.flatnonzero(full), margin)
            reach = values >= self.floor(margin)[rows]
            rows, numbers, values = rows[reach], numbers[reach], values[reach]
            counts = np.bincount(rows, minlength=n)
            full = self._held + counts > self._places
            for row in np.flatnonzero(full).tolist():
                here = slice(*np.searchsorted(rows, [row, row + 1]).tolist())
                self._score(row, numbers[here], values[here], margin[row])
            fits = ~full[rows]
            rows, numbers, values = rows[fits], numbers[fits], values[fits]
            counts[full] = 0
        places = (self._held + counts - np.cumsum(counts))[rows] + np.arange(len(rows))
        self._numbers[rows, places], self._values[rows, places] = numbers, values
        self._held += counts
        self._fresh += len(rows)
        if self._fresh > n * (self._places - self._width) // 2:  # enough new ones to raise the floor
            self._sort_out(np.arange(n), margin)
            self._fresh = 0

    def best(self, margin: FloatArray) -> tuple[IntArray, Float32Array]:
        """Numbers and scores of the k best, in order, both of shape (n, k)."""
        self._sort_out(np.arange(len(self._held)), margin)
        rows, places = np.nonzero(np.arange(self._places) < self._held[:, None])
        numbers, values = self._numbers[rows, places], self._values[rows, places]
        by_number = np.argsort(numbers, kind="stable")  # so that a file of documents is read from front to end
        rows, numbers, values = rows[by_number], numbers[by_number], values[by_number]
        scores = exact_scores(self._queries, rows, self._documents, numbers, values, margin[rows])
        order = np.lexsort((self._ties[numbers], -scores, rows))
        first = np.cumsum(self._held) - self._held
        chosen = order[first[:, None] + np.arange(self._width)]
        return numbers[chosen], scores[chosen]

    def _sort_out(self, rows: IntArray, margin: FloatArray) -> None:
        """Drop what is surely not among the k best of some queries."""
        values, numbers = self._values[rows], self._numbers[rows]
        first = self._places - self._width
        last = np.partition(values, first, axis=1)[:, first]
        keep = values >= at_most(last - 2 * margin[rows])[:, None]
        keep &= np.arange(self._places) < self._held[rows, None]
        counts = np.count_nonzero(keep, axis=1)
        lines, places = np.nonzero(keep)
        left = np.arange(len(lines)) - (np.cumsum(counts) - counts)[lines]
        self._values[rows] = -np.inf
        self._values[rows[lines], left] = values[lines, places]
        self._numbers[rows[lines], left] = numbers[lines, places]
        self._held[rows], self._last[rows] = counts, last

    def _score(self, row: int, numbers: IntArray, values: Float32Array, margin: float) -> None:
        """Keep the k best of one query by their exact scores: too many products are near-equal."""
        held = int(self._held[row])
        numbers = np.concatenate([self._numbers[row, :held], numbers])
        values = np.concatenate([self._values[row, :held], values])
        scores = exact_scores(self._queries, np.full(len(numbers), row), self._documents, numbers, values, margin)
        order = np.lexsort((self._ties[numbers], -scores))[: self._width]
        self._values[row] = -np.inf
        self._numbers[row, : len(order)], self._values[row, : len(order)] = numbers[order], scores[order]
        self._held[row], self._last[row] = len(order), scores[order[-1]]
