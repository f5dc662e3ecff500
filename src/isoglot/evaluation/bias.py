"""Language bias of a pooled ranking."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

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


def language_bias(distance: FloatArray, language: IntArray, names: Sequence[str]) -> dict[str, object]:
    """Rank distance averaged over the queries of a language, then over languages.

    Args:
        distance: per query, NaN where there is none, shape (n,).
        language: query language numbers into `names`, shape (n,).
        names: language codes.

    Returns:
        {"rank_distance", "rank_distance_median", "per_language": {lang: {"rank_distance", "rank_distance_median"}}};
        the median is that of a language's queries, then averaged over languages like the mean. Empty where no query has
        a distance.
    """
    per_language = {}
    for number, name in enumerate(names):
        values = distance[(language == number) & ~np.isnan(distance)]
        if len(values):
            per_language[name] = {
                "rank_distance": float(values.mean()),
                "rank_distance_median": float(np.median(values)),
            }
    if not per_language:
        return {}
    means = {key: float(np.mean([item[key] for item in per_language.values()])) for key in _KEYS}
    return {**means, "per_language": per_language}


_KEYS = ("rank_distance", "rank_distance_median")
