"""Language bias of the head of a pooled ranking: which languages fill the first k places."""

from __future__ import annotations

import numpy as np

from isoglot.evaluation.bias_ranks import JudgedRanks
from isoglot.records import FloatArray, IntArray


def topk_share(top: IntArray, document_language: IntArray, query_language: IntArray, n_languages: int) -> FloatArray:
    """Share of each language in the top k, shape (n_languages, n_languages): query language by document language, 0 to 1.

    Cell (a, b): over the queries in a, the mean share of documents in b among the k retrieved. Rows sum to 1; a row of a
    language nobody asks in is NaN. The language distribution of retrieved documents is compared with that of the
    relevant and of the whole corpus (`relevant_share`, and the corpus itself): a row that has more of its own language than
    these is language bias in the sense of Roy et al. 2020 (LAReQA, arXiv 2004.05484): a preference for one language among
    equally good answers.

    Args:
        top: document numbers of the k best documents, int64, shape (n_queries, k).
        document_language: language number per document, shape (n_documents,).
        query_language: language number per query, shape (n_queries,).
        n_languages: how many languages the numbers run over.
    """
    cell = query_language[:, None] * n_languages + document_language[top]
    counts = np.bincount(cell.ravel(), minlength=n_languages**2).reshape(n_languages, n_languages)
    total = counts.sum(axis=1, keepdims=True)
    return np.where(total > 0, counts / np.maximum(total, 1), np.nan)


def relevant_share(judged: JudgedRanks) -> FloatArray:
    """Share of each language in the relevant documents, shape (n_languages, n_languages), as `topk_share` counts.

    Cell (a, b): over the queries in a, the mean share of documents in b among the query's relevant ones.
    """
    size = len(judged.languages)
    n_relevant = np.bincount(judged.query, minlength=judged.n_queries)
    cell = judged.query_language[judged.query] * size + judged.document_language
    sums = np.bincount(cell, weights=1 / n_relevant[judged.query], minlength=size * size).reshape(size, size)
    asked = np.bincount(judged.query_language[n_relevant > 0], minlength=size)[:, None]
    return np.where(asked > 0, sums / np.maximum(asked, 1), np.nan)


def share_distance(share: FloatArray, fair: FloatArray) -> FloatArray:
    """Total variation distance of two shares per query language, shape (n_languages,), 0 to 1; lower is better.

    1/2 sum_b |share_b - fair_b|: the part of the top k that would have to change its language to be shared out like
    `fair`. NaN where a row is.
    """
    distance: FloatArray = np.abs(share - fair).sum(axis=1) / 2
    return distance
