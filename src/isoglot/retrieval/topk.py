"""The k best documents of every query, exact, in the order that `isoglot.retrieval.ranks` counts in."""

from __future__ import annotations

import numpy as np

from isoglot.records import Float32Array, IntArray
from isoglot.retrieval.products import DOCUMENT_CHUNK, QUERY_CHUNK, Chunks, check, products


def top_k(
    queries: Float32Array,
    documents: Float32Array,
    k: int,
    ties: IntArray,
    *,
    within: tuple[int, int] | None = None,
    query_chunk: int = QUERY_CHUNK,
    document_chunk: int = DOCUMENT_CHUNK,
) -> tuple[IntArray, Float32Array]:
    """The k best documents of every query, best first, in exactly the order that `exact_ranks` counts in.

    Args:
        queries, documents, ties: as in `exact_ranks`.
        k: how many; fewer where there are fewer documents.
        within: (first, end) document numbers to search in, such as one language's; all when None.

    Returns:
        Document numbers and scores, both of shape (n_queries, min(k, number of documents)).

    Raises:
        ValueError: k below 1, or shapes that do not fit together.
    """
    check(queries, documents, ties)
    first, end = within or (0, len(documents))
    width = min(k, end - first)
    if width < 1:
        raise ValueError("k and the number of documents must be at least 1")
    best = np.full((len(queries), width), -1, dtype=np.int64)
    values = np.full((len(queries), width), -np.inf, dtype=np.float32)
    chunks = Chunks(documents, document_chunk)
    for rows, number, scores in products(queries, chunks, query_chunk):
        inside = chunks.members(number)
        chosen = (inside.documents >= first) & (inside.documents < end)
        numbers, columns = inside.documents[chosen], inside.columns[chosen]
        if len(numbers):
            for q, line in zip(range(rows.start, rows.stop), scores, strict=True):
                best[q], values[q] = _merge(best[q], values[q], numbers, line[columns], ties)
    return best, values


def _merge(
    best: IntArray, values: Float32Array, numbers: IntArray, scores: Float32Array, ties: IntArray
) -> tuple[IntArray, Float32Array]:
    """The best of what was found before (-1 where nothing was) and of these documents, in order."""
    width = len(best)
    if len(numbers) > width:
        floor = np.partition(scores, len(scores) - width)[len(scores) - width]
        keep = scores >= floor  # with everything that ties with the last place
        numbers, scores = numbers[keep], scores[keep]
    found = best >= 0
    numbers, scores = np.concatenate([best[found], numbers]), np.concatenate([values[found], scores])
    order = np.lexsort((ties[numbers], -scores))[:width]
    top, top_values = np.full(width, -1, dtype=np.int64), np.full(width, -np.inf, dtype=np.float32)
    top[: len(order)], top_values[: len(order)] = numbers[order], scores[order]
    return top, top_values
