"""The exact rank of every relevant document, in its own language's corpus and in the pooled one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isoglot.records import Float32Array, FloatArray, IntArray
from isoglot.retrieval.engines import engine
from isoglot.retrieval.scoring import (
    QUERY_CHUNK,
    ImpreciseProductError,
    Vectors,
    at_most,
    check,
    document_chunks,
    exact_scores,
    lengths,
    margins,
    pair_scores,
)


@dataclass(frozen=True)
class Ranks:
    """Ranks (1 = best) of all judged documents, both int64 of shape (n_judged,), in the order of `relevant`.

    Attributes:
        own: rank among the documents of the judged document's own language.
        pooled: rank among the documents of all languages.
    """

    own: IntArray
    pooled: IntArray


def exact_ranks(
    queries: Vectors,
    documents: Vectors,
    indptr: IntArray,
    relevant: IntArray,
    ties: IntArray,
    offsets: IntArray,
    *,
    query_chunk: int = QUERY_CHUNK,
    document_chunk: int | None = None,
    device: str | None = None,
) -> Ranks:
    """Rank every relevant document of every query by inner product.

    rank = 1 + documents with a strictly greater score + documents with an equal score that come before it in `ties`.

    Guaranteed: the ranks are those of this definition with the scores of `isoglot.retrieval.scoring.pair_scores`
    (inner products in float64, rounded once to float32), whatever the chunk sizes, the number of threads and the device.
    Documents with equal vectors always tie. Every chunk of documents is read and multiplied once. Held in memory, whatever
    the number of documents: the queries, one chunk of documents in float32, one matrix of scores, and what was passed in.

    Args:
        queries: float32, shape (n_queries, d).
        documents: shape (n_documents, d), by language; may be memory-mapped or a store's `ShardedRows`, and float16 (chunks
            are cast to float32).
        indptr: shape (n_queries + 1,); query q is judged on `relevant[indptr[q]:indptr[q + 1]]`.
        relevant: document numbers, shape (n_judged,).
        ties: from `tie_positions`, shape (n_documents,).
        offsets: first document of every language and the total at the end, shape (n_languages + 1,).
        query_chunk, document_chunk: the largest matrix of scores that is held (512 x 65,536 floats: 128 MiB; fewer
            documents where d is above 512).
        device: a torch device for the products, such as "cuda" (on bfloat16 tensor cores where it has them); numpy on the CPU
            when None.

    Raises:
        ValueError: shapes that do not fit together, vectors that are not finite.
        InputError: a device that torch cannot use.
        ImpreciseProductError: a device whose products are less precise than its arithmetic allows.
    """
    held = check(queries, documents, ties)
    if int(indptr[-1]) != len(relevant) or len(indptr) != len(held) + 1 or int(offsets[-1]) != len(documents):
        raise ValueError("indptr, relevant or offsets do not fit the queries and documents")
    judged = _Judged(held, documents, indptr, relevant, ties, offsets)
    products = engine(held, device)
    for first, chunk in document_chunks(documents, 0, len(documents), document_chunk):
        longest = products.load(chunk)
        for start in range(0, len(held), query_chunk):
            rows = slice(start, min(start + query_chunk, len(held)))
            if indptr[rows.start] < indptr[rows.stop]:
                margin = margins(judged.lengths[rows], longest, held.shape[1], products.error)
                judged.count(rows, first, chunk, margin, products.scores(rows))
    return Ranks(judged.own + 1, judged.pooled + 1)


class _Judged:
    """Scores of the judged documents and how many documents are counted before each of them so far."""

    def __init__(self, queries: Float32Array, documents: Vectors, *judgments: IntArray) -> None:
        self.queries, self.lengths = queries, lengths(queries)
        indptr, relevant, self.ties, offsets = judgments
        self.indptr, self.relevant = indptr, relevant
        language = np.searchsorted(offsets, relevant, side="right") - 1
        self.first, self.end = offsets[language], offsets[language + 1]
        self.query = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
        self.scores = pair_scores(queries, self.query, documents, relevant)
        self.own, self.pooled = np.zeros((2, len(relevant)), dtype=np.int64)

    def count(self, rows: slice, first: int, chunk: npt.NDArray[Any], margins: FloatArray, scores: Any) -> None:
        """Add the documents of one chunk that come before each judged document of some queries; margins: one per row."""
        here = slice(int(self.indptr[rows.start]), int(self.indptr[rows.stop]))
        query = self.query[here]
        margin = margins[query - rows.start]
        low, high = at_most(self.scores[here] - margin), -at_most(-self.scores[here] - margin)
        columns_of_own = (np.clip(edges[here] - first, 0, len(chunk)) for edges in (self.first, self.end))
        met = 0
        for around in scores.around(query - rows.start, low, high, *columns_of_own):
            counted = slice(here.start + around.span.start, here.start + around.span.stop)
            self.pooled[counted] += around.above
            self.own[counted] += around.above_own
            which, columns = around.which, around.columns
            products, known = around.products, around.scores
            exact = exact_scores(self.queries, query[which], chunk, columns, products, margin[which], known)
            # the pairs that a product could not decide
            judged, documents = here.start + which, first + columns
            threshold, itself = self.scores[judged], self.relevant[judged]
            before = (exact > threshold) | ((exact == threshold) & (self.ties[documents] < self.ties[itself]))
            own = before & (documents >= self.first[judged]) & (documents < self.end[judged])
            np.add.at(self.pooled, judged[before], 1)
            np.add.at(self.own, judged[own], 1)
            met += np.count_nonzero(documents == itself)
        expected = np.count_nonzero((self.relevant[here] >= first) & (self.relevant[here] < first + len(chunk)))
        if met != expected:  # a judged document was not within the margin of its own score
            raise ImpreciseProductError("matrix products are less precise than float32")
