"""Language bias of a pooled ranking, from the ranks of judged documents and from its head; scipy for one p value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from isoglot.evaluation.cells import judged_languages, mean_by
from isoglot.evaluation.measures import RankedQueries
from isoglot.records import Benchmark, FloatArray, IntArray
from isoglot.retrieval.ranks import Ranks


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


@dataclass(frozen=True)
class JudgedRanks:
    """Where the relevant documents of all queries stand in the pooled ranking, and in which language they are.

    Attributes:
        languages: codes; the numbers below point into them, so a language has one number as query and as document.
        query_language: per query, int64, shape (n_queries,).
        query: per judged document, int64, shape (n_judged,), ascending.
        rank: rank in the pooled corpus, 1 = best, int64, shape (n_judged,).
        document_language: int64, shape (n_judged,).
        gain: relevance grades > 0, float64, shape (n_judged,).
    """

    languages: tuple[str, ...]
    query_language: IntArray
    query: IntArray
    rank: IntArray
    document_language: IntArray
    gain: FloatArray

    @property
    def n_queries(self) -> int:
        return len(self.query_language)


def judged_ranks(benchmark: Benchmark, ranks: Ranks) -> JudgedRanks:
    """The judged documents of a benchmark with their pooled ranks."""
    languages = tuple(dict.fromkeys([*benchmark.query_languages, *benchmark.corpus_languages]))
    corpora = np.array([languages.index(lang) for lang in benchmark.corpus_languages], dtype=np.int64)
    return JudgedRanks(
        languages,
        np.repeat(np.arange(len(benchmark.queries)), np.diff(benchmark.query_offsets())),
        np.repeat(np.arange(benchmark.n_queries), np.diff(benchmark.indptr)),
        ranks.pooled,
        corpora[judged_languages(benchmark)[1]],
        benchmark.gains,
    )


def target_language_recall(judged: JudgedRanks, k: int) -> FloatArray:
    """TLR@k per query, float64 of shape (n_queries,), 0 to 1; higher is better.

    Recall at k of the relevant passages that are NOT in the query's language: those of them at pooled rank k or better,
    over all of them (Target-Languages Recall; Jang et al. 2026, SHIFT, arXiv 2606.18801). A ranking that fills its head
    with the query's own language loses exactly these. At most k / n where a query has n > k of them.

    NaN where a query has no relevant passage in another language.
    """
    other = judged.query_language[judged.query] != judged.document_language
    return mean_by(judged.query[other], judged.rank[other] <= k, judged.n_queries)


def recall_matrix(judged: JudgedRanks, k: int) -> FloatArray:
    """Recall by query language (rows) and document language (columns), shape (n_languages, n_languages), 0 to 1.

    Cell (a, b): over the queries in a that have a relevant passage in b, the mean share of these passages at pooled rank k
    or better. NaN where there is no such query.
    """
    size = len(judged.languages)
    numbers, cell = np.unique(judged.query * size + judged.document_language, return_inverse=True)
    share = mean_by(cell, judged.rank <= k, len(numbers))
    pair = judged.query_language[numbers // size] * size + numbers % size
    return mean_by(pair, share, size * size).reshape(size, size)


def recall_gap(matrix: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """How much better passages of a language are found by queries in it: (same, other, gap), each (n_languages,).

    For document language b: same = recall for queries in b, other = mean recall over query languages a != b, gap =
    same - other, from -1 to 1. 0 is best: it does not matter in which language one asks. Comparing equal with different
    languages of query and passage in one mixed corpus follows Amiraz et al. 2025 (The Cross-Lingual Cost, arXiv
    2507.07543); the difference per document language is ours.

    NaN where there are no such queries. `matrix` comes from `recall_matrix`.
    """
    same = np.diag(matrix).copy()
    rest = matrix.copy()
    np.fill_diagonal(rest, np.nan)
    other = _divided(np.nansum(rest, axis=0), (~np.isnan(rest)).sum(axis=0))
    return same, other, same - other


def peer(judged: JudgedRanks, cutoff: int | None = None, weights: Mapping[float, float] | None = None) -> FloatArray:
    """Probability of Equal Expected Rank per query, float64 of shape (n_queries,), 0 to 1; higher is fairer.

    For every relevance grade, the documents of that grade are ranked among themselves, and PEER is the p-value of the
    Kruskal-Wallis test of the hypothesis that the languages have the same mean rank; grades are averaged with weights
    (Yang et al. 2024, Language Fairness in Multilingual Information Retrieval, SIGIR, arXiv 2405.00978):

        H = (n - 1) sum_l n_l (mean_l - mean)^2 / sum_i (r_i - mean)^2,    p = P(chi2 with L - 1 degrees > H)

    for n documents in L languages, n_l of them in language l; r_i are 1 to n, as the test defines them (the authors' package
    peer_measure puts ranks in the whole list into the same formula, which gives other values). Documents below the cutoff
    count as not retrieved: they share the mean of the last places. Where none is above it, p = 1.

    A grade can only be tested where at least two languages have at least two documents of it; others are left out and the
    weights are spread over the rest, and a query without any is NaN. With one relevant document per language (XQuAD-R),
    H is L - 1 for every ranking and PEER a constant: it says nothing and must not be printed.

    Args:
        judged: pooled ranks.
        cutoff: X of PEER@X; the whole ranking when None.
        weights: of each grade > 0; equal when None.
    """
    from scipy.special import chdtrc
    from scipy.stats import rankdata

    rank = judged.rank if cutoff is None else np.minimum(judged.rank, cutoff + 1)
    grades, level = np.unique(judged.gain, return_inverse=True)
    test = judged.query * len(grades) + level
    tests, test = np.unique(test, return_inverse=True)
    group, inverse = np.unique(test * len(judged.languages) + judged.document_language, return_inverse=True)
    owner = group // len(judged.languages)
    n, sizes = np.bincount(test, minlength=len(tests)), np.bincount(inverse, minlength=len(group))
    # 1, 2, ... by rank within every test, equal ranks sharing their mean
    order = rankdata(test * (int(rank.max(initial=0)) + 1) + rank) - (np.cumsum(n) - n)[test]
    centred = order - ((n + 1) / 2)[test]
    within = np.bincount(inverse, weights=centred, minlength=len(group)) ** 2 / sizes
    between = np.bincount(owner, weights=within, minlength=len(tests))
    total = np.bincount(test, weights=centred**2, minlength=len(tests))
    h = (n - 1) * between / np.where(total > 0, total, 1)
    p = np.where(total > 0, chdtrc(np.maximum(np.bincount(owner, minlength=len(tests)) - 1, 1), h), 1.0)
    wide = np.bincount(owner[sizes >= 2], minlength=len(tests)) >= 2
    weight = np.ones(len(grades)) if weights is None else np.array([weights.get(float(g), 0.0) for g in grades])
    share = weight[tests % len(grades)] * wide
    query = tests // len(grades)
    sums = np.bincount(query, weights=share, minlength=judged.n_queries)
    values = np.bincount(query, weights=share * p, minlength=judged.n_queries)
    return _divided(values, sums)


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
    return _divided(counts, counts.sum(axis=1, keepdims=True))


def relevant_share(judged: JudgedRanks) -> FloatArray:
    """Share of each language in the relevant documents, shape (n_languages, n_languages), as `topk_share` counts.

    Cell (a, b): over the queries in a, the mean share of documents in b among the query's relevant ones.
    """
    size = len(judged.languages)
    n_relevant = np.bincount(judged.query, minlength=judged.n_queries)
    cell = judged.query_language[judged.query] * size + judged.document_language
    sums = np.bincount(cell, weights=1 / n_relevant[judged.query], minlength=size * size).reshape(size, size)
    return _divided(sums, np.bincount(judged.query_language[n_relevant > 0], minlength=size)[:, None])


def share_distance(share: FloatArray, fair: FloatArray) -> FloatArray:
    """Total variation distance of two shares per query language, shape (n_languages,), 0 to 1; lower is better.

    1/2 sum_b |share_b - fair_b|: the part of the top k that would have to change its language to be shared out like
    `fair`. NaN where a row is.
    """
    return np.asarray(np.abs(share - fair).sum(axis=1) / 2)


def _divided(values: FloatArray | IntArray, by: FloatArray | IntArray) -> FloatArray:
    """A quotient; NaN where the divisor is 0."""
    return np.where(by > 0, values / np.where(by > 0, by, 1), np.nan)
