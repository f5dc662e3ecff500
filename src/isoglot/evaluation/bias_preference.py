"""Whether a pooled ranking prefers the language of the question, which a reader may want: measures of what a repair costs."""

from __future__ import annotations

import numpy as np

from isoglot.evaluation.bias import JudgedRanks
from isoglot.evaluation.measures import RankedQueries, parse_measure
from isoglot.records import Benchmark, FloatArray, IntArray


def language_preference(judged: JudgedRanks) -> FloatArray:
    """Language preference per query, float64 of shape (n_queries,): 1 where its own language's answer comes first, else 0.

    Among parallel answers that are equally good, is the best-ranked one in the language of the question? The mean is the language
    preference rate (LPR; Jang et al. 2026, MLAIRE, arXiv 2605.07249, as its abstract describes it). No end of it is best: a
    reader wants answers in their own language, a model that looks for the best answer in any language has the share of the
    relevant documents that are in it (1 / 11 with one answer in each of 11 languages).

    NaN where a query has not relevant documents both in its own and in another language.
    """
    own = judged.query_language[judged.query] == judged.document_language
    best = np.full((2, judged.n_queries), np.inf)
    np.minimum.at(best, (own.astype(np.int64), judged.query), judged.rank)
    known = np.isfinite(best).all(axis=0)
    return np.where(known, best[1] < best[0], np.nan)


def language_ndcg(judged: JudgedRanks, k: int, other: float = 0.5) -> FloatArray:
    """Language-aware nDCG@k per query, float64 of shape (n_queries,), 0 to 1; higher is better.

    nDCG@k with every gain multiplied by `other` where the document is not in the query's language: an answer counts whatever its
    language, and more where the reader can read it. (After Lang-nDCG of Jang et al. 2026, MLAIRE, arXiv 2605.07249; the weight
    is ours, so figures are not comparable with theirs.) At `other` = 1 it is nDCG@k in the setting multi.

    NaN where a query has no relevant document.
    """
    own = judged.query_language[judged.query] == judged.document_language
    order = np.lexsort((judged.rank, judged.query))
    asked, first = np.unique(judged.query, return_index=True)
    gains = (judged.gain * np.where(own, 1.0, other))[order]
    values = np.full(judged.n_queries, np.nan)
    values[asked] = parse_measure(f"nDCG@{k}")(RankedQueries(np.append(first, len(order)), judged.rank[order], gains))
    return values


def first_result(
    judged: JudgedRanks, benchmark: Benchmark, first: IntArray, language: IntArray
) -> dict[str, FloatArray]:
    """What the best document of a query is: 1 in one of "right_own", "right_other", "wrong_own", "wrong_other", 0 in the others.

    Relevant or not, in the query's language or not (the four cases of Jang et al. 2026, MLAIRE, arXiv 2605.07249).

    Args:
        first: the number of each query's best document, int64, shape (n_queries,).
        language: numbers into `judged.languages` of all documents, shape (n_documents,).

    Returns:
        float64, shape (n_queries,) each; NaN where a query has no relevant document.
    """
    n = benchmark.n_documents
    right = np.isin(np.arange(len(first)) * n + first, judged.query * n + benchmark.relevant)
    own = language[first] == judged.query_language
    asked = np.bincount(judged.query, minlength=judged.n_queries) > 0
    cases = {
        "right_own": right & own,
        "right_other": right & ~own,
        "wrong_own": ~right & own,
        "wrong_other": ~right & ~own,
    }
    return {name: np.where(asked, case, np.nan) for name, case in cases.items()}
