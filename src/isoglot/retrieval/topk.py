"""The k best documents of every query, exact, in the order that `isoglot.retrieval.ranks` counts in."""

from __future__ import annotations

import numpy as np

from isoglot.records import Float32Array, IntArray
from isoglot.retrieval.device import engine
from isoglot.retrieval.products import (
    QUERY_CHUNK,
    Rows,
    at_most,
    check,
    document_chunks,
    exact_scores,
    lengths,
    margins,
)


def top_k(
    queries: Rows,
    documents: Rows,
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
        ImpreciseProductError: a device whose products are not those of float32.
    """
    held = check(queries, documents, ties)
    first, end = within or (0, len(documents))
    width = min(k, end - first)
    if width < 1:
        raise ValueError("k and the number of documents must be at least 1")
    best = np.full((len(held), width), -1, dtype=np.int64)
    values = np.full((len(held), width), -np.inf, dtype=np.float32)
    products, norms = engine(held, device), lengths(held)
    for begin, part in document_chunks(documents, first, end, document_chunk):
        longest = products.load(part)
        for start in range(0, len(held), query_chunk):
            rows = slice(start, min(start + query_chunk, len(held)))
            margin = margins(norms[rows], longest, held.shape[1])
            # nothing below the last score that is kept can enter; that is -inf until `width` documents were seen
            floor = at_most(values[rows, -1] - margin)
            for lines, columns, found in products.scores(rows).reaching(floor, width, margin):
                exact = exact_scores(held, start + lines, part, columns, found, margin[lines])
                _keep(best[rows], values[rows], lines, begin + columns, exact, ties)
    return best, values


def _keep(
    best: IntArray, values: Float32Array, rows: IntArray, documents: IntArray, scores: Float32Array, ties: IntArray
) -> None:
    """Put documents (by ascending row) among those kept so far, in place; -1 stands where nothing was."""
    width = best.shape[1]
    bounds = [0, *(np.flatnonzero(np.diff(rows)) + 1).tolist(), len(rows)]
    for start, end in zip(bounds[:-1], bounds[1:]):
        if start == end:
            continue
        row = rows[start]
        kept = best[row] >= 0
        numbers = np.concatenate([best[row][kept], documents[start:end]])
        held = np.concatenate([values[row][kept], scores[start:end]])
        order = np.lexsort((ties[numbers], -held))[:width]
        best[row, : len(order)], values[row, : len(order)] = numbers[order], held[order]
