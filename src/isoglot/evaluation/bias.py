"""Language bias of a pooled ranking: how far apart the equally good answers of a question stand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isoglot.evaluation.cells import mean_by
from isoglot.evaluation.measures import RankedQueries
from isoglot.records import FloatArray, IntArray


def rank_distance(ranked: RankedQueries, n_languages: IntArray) -> FloatArray:
    """Rank distance per query in the pooled ranking, float64 of shape (n_queries,); lower is better.

    The lowest rank minus the highest rank of a query's relevant passages, max(r_i) - min(r_i) (Huang et al. 2023, soft
    prompt decoding, SIGIR; Elmahdy et al. 2024, arXiv 2408.10536). The parallel answers of a question are equally good:
    where they stand far apart, the language decided.

    A query whose relevant documents are not in at least two languages (so also one with fewer than two of them) has no
    distance: NaN, and it is left out of all averages. XQuAD-R and MLQA-R have no such query; in MIRACL all are.

    Args:
        ranked: ranks in the pooled corpus.
        n_languages: in how many languages a query has relevant documents, shape (n_queries,).
    """
    distance = (ranked.worst - ranked.best).astype(np.float64)
    distance[n_languages < 2] = np.nan
    return distance


def rank_distance_log2(ranked: RankedQueries, n_languages: IntArray) -> FloatArray:
    """Rank distance on a logarithmic scale, float64 of shape (n_queries,); lower is better.

    log2(max r_i) - log2(min r_i): how many times the list has to be doubled from the first answer until it holds the last
    one. At least 0 (only for a single answer), at most log2 |D|. The mean of plain distances is ruled by the few queries
    whose last answer stands in the thousands; here ranks 1 to 11 and 100 to 1100 are equally far apart. It is ours, after
    the logarithm that `normalised_worst_rank` takes of the worst rank.

    NaN where `rank_distance` is; same arguments.
    """
    distance = np.log2(ranked.worst) - np.log2(ranked.best)
    distance[n_languages < 2] = np.nan
    return distance


def normalised_worst_rank(ranked: RankedQueries, n_languages: IntArray, n_documents: int) -> FloatArray:
    """Normalised worst rank per query, float64 of shape (n_queries,), 0 to 100; higher is better.

    100 (log2 |D| - log2 max r_i) / (log2 |D| - log2 |R|): 100 where the |R| relevant passages are the first |R| of the
    ranking, 0 where one of them is the last of all |D| documents (Max@R in normalised form; Hong et al. 2026, Improving
    Semantic Proximity in Information Retrieval through Cross-Lingual Alignment, arXiv 2604.05684).

    NaN where `rank_distance` is, and where every document is relevant.

    Args:
        ranked, n_languages: as in `rank_distance`.
        n_documents: |D|, documents in the pooled corpus.
    """
    size = np.log2(n_documents)
    room = size - np.log2(ranked.n_relevant)
    with np.errstate(invalid="ignore", divide="ignore"):
        values: FloatArray = 100 * (size - np.log2(ranked.worst)) / room
    values[(n_languages < 2) | (room <= 0)] = np.nan
    return values


def by_language(values: FloatArray, language: IntArray, names: Sequence[str]) -> dict[str, float]:
    """The mean over the queries of every language, NaN left out; languages without a value are not there.

    Args:
        values: per query, NaN where there is none, shape (n,).
        language: query language numbers into `names`, shape (n,).
        names: language codes.
    """
    known = ~np.isnan(values)
    means = mean_by(language[known], values[known], len(names))
    return {name: mean for name, mean in zip(names, means.tolist()) if mean == mean}


def median_by_language(values: FloatArray, language: IntArray, names: Sequence[str]) -> dict[str, float]:
    """As `by_language`, the median over the queries of every language."""
    own = [values[(language == number) & ~np.isnan(values)] for number in range(len(names))]
    return {name: float(np.median(known)) for name, known in zip(names, own) if len(known)}
