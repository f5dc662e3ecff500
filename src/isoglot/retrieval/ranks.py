"""The exact rank of every relevant document, in its own language's corpus and in the pooled one. Plain numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isoglot.records import Float32Array, IntArray
from isoglot.retrieval.products import DOCUMENT_CHUNK, QUERY_CHUNK, Chunks, Members, check, products

# relevant documents of one query compared with a chunk at a time: bounds the comparison matrix
_AT_ONCE = 64


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
    queries: Float32Array,
    documents: Float32Array,
    indptr: IntArray,
    relevant: IntArray,
    ties: IntArray,
    offsets: IntArray,
    *,
    query_chunk: int = QUERY_CHUNK,
    document_chunk: int = DOCUMENT_CHUNK,
) -> Ranks:
    """Rank every relevant document of every query by inner product.

    rank = 1 + documents with a strictly greater score + documents with an equal score that come before it in `ties`.

    Args:
        queries: float32, shape (n_queries, d).
        documents: shape (n_documents, d), by language; may be memory-mapped and float16 (chunks are cast to float32).
        indptr: shape (n_queries + 1,); query q is judged on `relevant[indptr[q]:indptr[q + 1]]`.
        relevant: document numbers, shape (n_judged,).
        ties: from `tie_positions`, shape (n_documents,).
        offsets: first document of every language and the total at the end, shape (n_languages + 1,).
        query_chunk, document_chunk: the largest matrix of scores that is held (512 x 65,536 floats: 128 MiB).

    Raises:
        ValueError: shapes that do not fit together.
    """
    check(queries, documents, ties)
    if int(indptr[-1]) != len(relevant) or len(indptr) != len(queries) + 1 or int(offsets[-1]) != len(documents):
        raise ValueError("indptr, relevant or offsets do not fit the queries and documents")
    chunks = Chunks(documents, document_chunk)
    judged = _Judged(indptr, relevant, offsets, chunks)
    single = len(chunks) == 1
    for rows, number, scores in products(queries, chunks, query_chunk):
        judged.gather(rows, number, scores)
        if single:
            judged.count(rows, chunks.members(number), scores, ties)
    if not single:  # thresholds of a later chunk are needed in an earlier one
        for rows, number, scores in products(queries, chunks, query_chunk):
            judged.restore(rows, number, scores)
            judged.count(rows, chunks.members(number), scores, ties)
    return Ranks(judged.own + 1, judged.pooled + 1)


class _Judged:
    """Scores of the judged documents and how many documents are counted before each of them so far."""

    def __init__(self, indptr: IntArray, relevant: IntArray, offsets: IntArray, chunks: Chunks) -> None:
        self.indptr = indptr
        self.relevant = relevant
        self.offsets = offsets
        self.chunk, self.column = chunks.column_of(relevant)
        self.language = np.searchsorted(offsets, relevant, side="right") - 1
        self.query = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
        self.scores = np.zeros(len(relevant), dtype=np.float32)
        self.own = np.zeros(len(relevant), dtype=np.int64)
        self.pooled = np.zeros(len(relevant), dtype=np.int64)

    def gather(self, rows: slice, number: int, scores: Float32Array) -> None:
        """Keep the scores of the documents that stand in this chunk."""
        start, end = int(self.indptr[rows.start]), int(self.indptr[rows.stop])
        here = start + np.flatnonzero(self.chunk[start:end] == number)
        self.scores[here] = scores[self.query[here] - rows.start, self.column[here]]

    def restore(self, rows: slice, number: int, scores: Float32Array) -> None:
        """Write the kept scores back: a product that is computed again need not have the same last bits."""
        start, end = int(self.indptr[rows.start]), int(self.indptr[rows.stop])
        here = start + np.flatnonzero(self.chunk[start:end] == number)
        scores[self.query[here] - rows.start, self.column[here]] = self.scores[here]

    def count(self, rows: slice, members: Members, scores: Float32Array, ties: IntArray) -> None:
        """Add the documents of this chunk that come before each judged document."""
        bounds = np.searchsorted(members.documents, self.offsets)
        for q, line in zip(range(rows.start, rows.stop), scores, strict=True):
            start, end = int(self.indptr[q]), int(self.indptr[q + 1])
            full = line if members.plain else line[members.columns]
            for low in range(start, end, _AT_ONCE):
                high = min(low + _AT_ONCE, end)
                greater = full > self.scores[low:high, None]
                not_less = full >= self.scores[low:high, None]
                for j in range(low, high):
                    above = greater[j - low]
                    first, last = bounds[self.language[j]], bounds[self.language[j] + 1]
                    before = np.count_nonzero(above)
                    self.pooled[j] += before
                    self.own[j] += np.count_nonzero(above[first:last])
                    level = np.count_nonzero(not_less[j - low]) - before
                    # one equal score is the judged document itself, if it stands in this chunk; otherwise look
                    if level > 1 or (level == 1 and not self._is_self(j, members, full)):
                        self._count_ties(j, members, full, ties)

    def _is_self(self, j: int, members: Members, full: Float32Array) -> bool:
        place = int(np.searchsorted(members.documents, self.relevant[j]))
        return place < len(full) and int(members.documents[place]) == int(self.relevant[j])

    def _count_ties(self, j: int, members: Members, full: Float32Array, ties: IntArray) -> None:
        document = self.relevant[j]
        equal = members.documents[full == self.scores[j]]
        earlier = equal[ties[equal] < ties[document]]
        self.pooled[j] += len(earlier)
        first, last = self.offsets[self.language[j]], self.offsets[self.language[j] + 1]
        self.own[j] += np.count_nonzero((earlier >= first) & (earlier < last))
