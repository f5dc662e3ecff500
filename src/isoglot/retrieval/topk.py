"""The k best documents of every query, exact, in the order that `isoglot.retrieval.ranks` counts in."""

from __future__ import annotations

import numpy as np

from isoglot.records import Float32Array, IntArray
from isoglot.retrieval.candidates import Candidates
from isoglot.retrieval.engines import engine
from isoglot.retrieval.scoring import QUERY_CHUNK, TOP_CHUNK, Vectors, check, document_chunks, lengths, margins


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
        ImpreciseProductError: a device whose products are not those of float32.
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
    candidates = [Candidates(held[rows], documents, width, ties) for rows in blocks]
    size = document_chunk or (TOP_CHUNK if device is None else None)
    for begin, chunk in document_chunks(documents, first, end, size):
        longest = max(longest, products.load(chunk))
        margin = margins(norms, longest, held.shape[1])
        for rows, among in zip(blocks, candidates):
            scores = products.scores(rows)
            for lines, columns, reached in scores.reaching(among.floor(margin[rows]), width, margin[rows]):
                among.add(lines, begin + columns, reached, margin[rows])
    best = [among.best(margin[rows]) for rows, among in zip(blocks, candidates)]
    if not best:
        return np.empty((0, width), dtype=np.int64), np.empty((0, width), dtype=np.float32)
    numbers, values = (np.concatenate(arrays) for arrays in zip(*best))
    return numbers, values
